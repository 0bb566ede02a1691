"""Train language models on the command line.

    python -m brainbook.language_models tiny NAME...          tiny models, and tiny BrainLMs
    python -m brainbook.language_models brainlm --words ...   a BrainLM on words and scans in files
    python -m brainbook.language_models transfer MODEL        a model on pairs of sentences of two languages

Several GPUs: accelerate launch -m brainbook.language_models brainlm ...
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from brainbook.datasets.files import read_table
from brainbook.errors import BrainbookError
from brainbook.language_models.brainlm.folders import tiny_brainlm_folder, train_on_recordings
from brainbook.language_models.brainlm.settings import BRAINS, VERSIONS
from brainbook.language_models.names import TINY_BRAINLMS
from brainbook.language_models.registry import load_language_model
from brainbook.language_models.sentence_matching.transfer import (
    TransferSettings,
    phantom_pairs,
    transferred,
    xnli_pairs,
)
from brainbook.language_models.tiny.folders import tiny_folder
from brainbook.language_models.tiny.settings import JOINT, TINY_MODELS
from brainbook.store import read_array

BRAINLM_OPTIONS = ("steps", "batch", "accumulate", "learning_rate", "seed", "precision")


def main(arguments: list[str] | None = None) -> None:
    """Run the command that `arguments` name; those of the process by default."""
    parser = argparse.ArgumentParser(prog="python -m brainbook.language_models", description="Train language models.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--cache", default="cache", help="models are cached in CACHE/models")
    common.add_argument("--device", default="auto", help="auto, cpu or cuda")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, add_options, run in (
        ("tiny", _tiny_options, train_tiny_models),
        ("brainlm", _brainlm_options, train_brainlm_on_files),
        ("transfer", _transfer_options, transfer),
    ):
        command = commands.add_parser(
            name, parents=[common], description=run.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        add_options(command)
        command.set_defaults(run=run)
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        for line in options.run(options):
            print(f"{line} ({time.monotonic() - started:.0f} s)", flush=True)
    except BrainbookError as error:
        parser.error(str(error))


def _add_settings(parser: argparse.ArgumentParser, defaults: Any, names: tuple[str, ...] = ()) -> None:
    """Add an option for each field (or those named) of the settings `defaults`."""
    for field in fields(defaults):
        default = getattr(defaults, field.name)
        if not names or field.name in names:
            kind = {"action": argparse.BooleanOptionalAction} if isinstance(default, bool) else {"type": type(default)}
            about = f"see {type(defaults).__name__}"
            parser.add_argument(f"--{field.name.replace('_', '-')}", default=default, help=about, **kind)


def _tiny_options(parser: argparse.ArgumentParser) -> None:
    names = f"{', '.join(TINY_MODELS)}, with {JOINT} at the end for the joint tokenizer; {', '.join(TINY_BRAINLMS)}"
    parser.add_argument("names", nargs="+", help=names)
    parser.add_argument("--save-pretrained", action="store_true", help="make them part of this package")


def train_tiny_models(options: argparse.Namespace) -> Iterator[object]:
    """Train the tiny models that are missing."""
    for name in options.names:
        folder = tiny_brainlm_folder if name in TINY_BRAINLMS else tiny_folder
        made = folder(name, options.cache, device=options.device, save=options.save_pretrained)
        yield f"{name}: {made}"


def _brainlm_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--words", required=True, help="CSV with word, onset (s) and section")
    parser.add_argument("--brain", required=True, help=".npy, float [scans, features], the runs one after the other")
    parser.add_argument("--runs", required=True, help=".npy, int [scans]: the section of each scan")
    parser.add_argument("--out", required=True, help="folder to write; its checkpoints/ lets a killed run go on")
    parser.add_argument("--start", default="tiny-bert", help="a tiny model, a folder or a hub name of a BERT")
    parser.add_argument("--version", choices=VERSIONS, default="2.0", help="1.0: text with brain; 2.0: all tasks")
    parser.add_argument("--ablation", choices=BRAINS, default="real", help="real, shuffled or no brain")
    _add_settings(parser, VERSIONS["2.0"], BRAINLM_OPTIONS)


def train_brainlm_on_files(options: argparse.Namespace) -> Iterator[object]:
    """Train a BrainLM on words and scans in files."""
    settings = replace(VERSIONS[options.version], **{name: getattr(options, name) for name in BRAINLM_OPTIONS})
    tasks = {"masked_language": 1.0} if options.ablation == "none" else settings.tasks
    curve = train_on_recordings(
        options.out,
        load_language_model(options.start, options.cache, "cpu"),
        read_table(options.words, {"word": str, "onset": float, "section": int}),
        read_array(options.brain),
        read_array(options.runs),
        replace(settings, tasks=tasks, brain=options.ablation),
        device=options.device,
        checkpoint=Path(options.out) / "checkpoints",
    )
    yield f"{options.out}: loss {curve['loss'].iloc[0]:.3f} -> {curve['loss'].iloc[-1]:.3f}"


def _transfer_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", help="a name that load_language_model knows: tiny-causal, minilm, a hub name, a folder"
    )
    parser.add_argument("--second", nargs="+", default=["FR"], choices=["FR", "CN"], help="paired with English")
    parser.add_argument("--xnli", metavar="FOLDER", help="XNLI's tab-separated files, or 'hub'; else phantom sentences")
    parser.add_argument("--n", type=int, default=10_000, help="pairs per language")
    parser.add_argument("--passage", type=int, default=2, help="sentences of a phantom's passage")
    parser.add_argument("--mismatch", default="random", choices=["random", "length"], help="how mismatches are drawn")
    _add_settings(parser, TransferSettings())


def transfer(options: argparse.Namespace) -> Iterator[object]:
    """Fine-tune a language model on pairs of sentences."""
    settings = TransferSettings(**{field.name: getattr(options, field.name) for field in fields(TransferSettings)})
    pairs = {"n": options.n, "second": options.second, "mismatch": options.mismatch, "seed": options.seed}
    if options.xnli:
        table = xnli_pairs(None if options.xnli == "hub" else options.xnli, **pairs)
    else:
        table = phantom_pairs(**pairs, per_row=options.passage)
    folder = transferred(options.model, table, settings, options.cache, options.device)
    best = pd.read_csv(folder / "curve.csv").validation_accuracy.max()
    yield f"{options.model}: {folder} (validation accuracy up to {best:.3f})"


if __name__ == "__main__":
    main()
