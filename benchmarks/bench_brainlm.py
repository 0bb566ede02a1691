"""What does a BrainLM gain from brains? Against the same training with another moment's brain, and with none.

    python benchmarks/bench_brainlm.py [--seeds 5] [--steps 400] [--keep]

For every seed another participant of the phantom hears other stories (225 of them, the last 30 held out), and three
models start from tiny-bert and learn the words that are masked (version 1.0), each for as many steps: with the true
brain in view, with another moment's ("shuffled"), and with none. Measured is the loss of masked words of the held-out
stories, in nats: with the participant's own brain in view (`words, brain in view`; without one for the model that has
never seen any), and without a brain (`words alone`).

Printed is by how much the true brain lowers the losses (`brain_gains`); the table, one row per seed, brain and measure,
goes with --keep to book/archive/brainlm.
"""

import argparse
import time
from dataclasses import replace

import pandas as pd

from brainbook.chapters.brainlm import brain_gains
from brainbook.language_models import LanguageModel, load_language_model
from brainbook.language_models.brainlm.decoding import masked_losses
from brainbook.language_models.brainlm.examples import non_overlapping, pair_scans, phantom_recordings
from brainbook.language_models.brainlm.settings import BRAINS, VERSIONS
from brainbook.language_models.brainlm.training import new_brainlm, train_brainlm
from brainbook.workflow import archive_table

SENTENCES, HELD_OUT_STORIES = 9000, 30


def losses(seed: int, steps: int, start: LanguageModel) -> pd.DataFrame:
    """Train the three models of a seed; return one row per brain and measure."""
    words, brain, runs = phantom_recordings(SENTENCES, seed=seed + 1, snr=1.0)
    pairs = pair_scans(words, brain, runs, start.tokenizer)
    is_held_out = pairs.run > runs.max() - HELD_OUT_STORIES
    train, held_out = pairs[~is_held_out], non_overlapping(pairs[is_held_out], pairs.brain.shape[1])
    rows = []
    for condition in BRAINS:
        model = new_brainlm(start, brain.shape[1], seed)
        settings = replace(VERSIONS["1.0"], steps=steps, brain=condition, seed=seed)
        train_brainlm(model, train, start.tokenizer, settings, "cpu")
        seen = "none" if condition == "none" else "real"
        for measure, shown in (("words, brain in view", seen), ("words alone", "none")):
            loss = masked_losses(model.eval(), held_out, start.tokenizer, shown).text.mean()
            rows.append((seed, condition, measure, loss))
    return pd.DataFrame(rows, columns=["seed", "brain", "measure", "value"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--keep", action="store_true", help="keep the table with the book")
    given = parser.parse_args()
    start, tables = load_language_model("tiny-bert", device="cpu"), []
    for seed in range(given.seeds):
        began = time.perf_counter()
        tables.append(losses(seed, given.steps, start))
        print(tables[-1].pivot(index="measure", columns="brain", values="value").round(4).to_string())
        print(f"seed {seed}: {time.perf_counter() - began:.0f} s", flush=True)
    table = pd.concat(tables, ignore_index=True)
    if given.seeds > 1:
        print(brain_gains(table).round(4).to_string(index=False))
    if given.keep:
        command = f"python benchmarks/bench_brainlm.py --keep --seeds {given.seeds} --steps {given.steps}"
        archive_table("brainlm", "brains", table, command)


if __name__ == "__main__":
    main()
