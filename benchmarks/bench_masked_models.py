"""What lets a masked model find the hidden scene? tiny-modernbert, and the same training with one thing left out.

    python benchmarks/bench_masked_models.py [--steps 10000] [--keep]

Four models read as many tokens: as tiny-modernbert is trained; with every batch masked, none that asks for the next
token; with the true stories from the first step, none of the sharper world; and with BERT's network (learned positions,
norms after the blocks). What is read out of their layers is compared with their untrained twins (`readout_controls`),
and the loss is that of masked tokens of held-out stories. With --keep the table goes to book/archive/tiny.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from brainbook.chapters.tiny_models import readout_controls
from brainbook.language_models.tiny.settings import tiny_settings
from brainbook.language_models.tiny.training import train_tiny
from brainbook.workflow import archive_table

VARIANTS = {
    "as it is": {},
    "no batch asks for the next token": {"causal_share": 0.0},
    "no sharper stories": {"sharp_share": 0.0},
    "BERT's network": {"architecture": "bert"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=tiny_settings("tiny-modernbert").steps)
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--keep", action="store_true", help="keep the table with the book")
    given = parser.parse_args()
    tables = []
    for variant in given.variants:
        settings = replace(tiny_settings("tiny-modernbert"), steps=given.steps, **VARIANTS[variant])
        model, tokenizer, curve = train_tiny(settings, "cpu", variant)
        with TemporaryDirectory() as folder:
            model.save_pretrained(Path(folder))
            tokenizer.save_pretrained(folder)
            table = readout_controls([folder])
        about = {"network": settings.architecture, "validation": curve.validation.min()}
        tables.append(table.drop(columns="model").assign(training=variant, **about))
        print(tables[-1].round(3).to_string(index=False), flush=True)
    if given.keep:
        command = f"python benchmarks/bench_masked_models.py --keep --steps {given.steps}"
        archive_table("tiny", "masked_scene", pd.concat(tables, ignore_index=True), command)


if __name__ == "__main__":
    main()
