"""What does a BrainLM gain from brains? Against the same training with another moment's brain, and with none.

    python benchmarks/bench_brainlm.py [--seeds 5] [--steps 600] [--keep]

For every seed another participant of the phantom hears other stories (225 of them, the last 30 held out), and three
models start from tiny-bert: version 2.0 with the true brain, the same with another moment's brain ("shuffled"), and
text alone ("none"), which takes as many steps of masked words as the others, a third of theirs. Measured on the
held-out stories, of text that is read without a brain unless it says otherwise:

- words: loss of masked words (nats), with the participant's own brain in view (`words, brain in view`) or none;
- scene, sense: R2 of the read-out of what no word names, in the best layer of the text part;
- matching: how often the right text or brain is preferred to a wrong one, by scans predicted from the text.

The table, one row per seed, brain and measure, goes with --keep to book/archive/brainlm, which the chapter `brainlm`
shows.
"""

import argparse
import time
from dataclasses import replace

import pandas as pd

from brainbook.language_models import LanguageModel, load_language_model, phantom_targets, read_out, word_states
from brainbook.language_models.brainlm.decoding import masked_losses, matching_by_example, prediction_scores
from brainbook.language_models.brainlm.examples import non_overlapping, pair_scans, phantom_recordings
from brainbook.language_models.brainlm.training import BRAINS, VERSIONS, new_brainlm, train_brainlm
from brainbook.phantom.story import words_with_truth
from brainbook.workflow import archive_table

SENTENCES, HELD_OUT_STORIES = 9000, 30
READ_SEED = 7  # of stories for the read-outs, which no model was trained on


def measures(seed: int, steps: int, start: LanguageModel) -> pd.DataFrame:
    """Train the three models of a seed; return one row per brain and measure."""
    words, brain, runs = phantom_recordings(SENTENCES, seed=seed + 1, snr=1.0)
    pairs = pair_scans(words, brain, runs, start.tokenizer)
    is_held_out = pairs.run > runs.max() - HELD_OUT_STORIES
    train, held_out = pairs[~is_held_out], non_overlapping(pairs[is_held_out], pairs.brain.shape[1])
    heard = words_with_truth(800, READ_SEED)
    rows, targets = phantom_targets(heard)
    table = []
    for condition in BRAINS:
        settings = replace(VERSIONS["2.0"], steps=steps, brain=condition, seed=seed)
        if condition == "none":
            settings = replace(settings, tasks={"masked_language": 1.0}, steps=steps // 3)
        model = new_brainlm(start, brain.shape[1], seed)
        train_brainlm(model, train, start.tokenizer, settings, "cpu")
        model.eval()
        values = {"words": masked_losses(model, held_out, start.tokenizer, "none").text.mean()}
        if condition != "none":
            values["words, brain in view"] = masked_losses(model, held_out, start.tokenizer).text.mean()
            values["matching"] = matching_by_example(prediction_scores(model, held_out)).mean()
        reader = LanguageModel(condition, model.text.bert, start.tokenizer)
        states = word_states(reader, heard["word"].tolist(), 32, stride=32)
        r2 = read_out(states[:, rows], targets, heard["story"].to_numpy()[rows]).groupby(["target", "layer"]).r2.mean()
        values |= {target: r2[target].max() for target in ("scene", "sense")}
        table += [(seed, condition, measure, value) for measure, value in values.items()]
    return pd.DataFrame(table, columns=["seed", "brain", "measure", "value"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--keep", action="store_true", help="keep the table with the book")
    given = parser.parse_args()
    start, tables = load_language_model("tiny-bert", device="cpu"), []
    for seed in range(given.seeds):
        began = time.perf_counter()
        tables.append(measures(seed, given.steps, start))
        print(tables[-1].pivot(index="measure", columns="brain", values="value").round(4).to_string(), flush=True)
        print(f"seed {seed}: {time.perf_counter() - began:.0f} s", flush=True)
    if given.keep:
        command = f"python benchmarks/bench_brainlm.py --keep --seeds {given.seeds} --steps {given.steps}"
        archive_table("brainlm", "brains", pd.concat(tables, ignore_index=True), command)


if __name__ == "__main__":
    main()
