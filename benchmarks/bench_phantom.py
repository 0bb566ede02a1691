"""Which effects does the demo's phantom show, and how large must it be to show them?

    python benchmarks/bench_phantom.py effects [--seeds 0 1] [--models tiny-causal tiny-bert] [--keep]
    python benchmarks/bench_phantom.py sizes [--scans 150 200 300] [--signal 1 4] [--keep]

`effects` writes the phantom of `studies/demo.yaml` once for each seed (another story, other brains, other noise) and
measures what the chapters `alignment`, `layers`, `hemispheres` and `transfer_to_brains` claim of it, by their own
functions and parameters. About two minutes of one core for a seed, and one for the transfer training.

`sizes` is the power analysis that chose the demo's size and signal: the effects of `alignment` with participants who
hear English alone, on phantoms of several lengths and strengths. Half a minute to a minute of one core each.

Every effect is a difference or index with its 95% interval; it shows if the interval lies above zero (below it, where
the truth does). With --keep the tables go to book/archive/calibration,
and the chapter `participants` shows them.
"""

import argparse
import itertools
import shlex
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.chapters import align, driver_masks, group_masks, score_participants, stack_responses, story_states
from brainbook.chapters.alignment import paired_gain
from brainbook.chapters.group_scores import GroupScores, layer_of_others
from brainbook.chapters.hemispheres import laterality_recovered, participants_covariance
from brainbook.chapters.layers import depth_order
from brainbook.chapters.transfer import fine_tuned
from brainbook.datasets import LittlePrince
from brainbook.phantom import Truth, make_phantom, read_truth
from brainbook.workflow import archive_table
from brainbook.workflow.study_file import read_study

STUDY = read_study("demo")
SHOWN = ["sound", "word", "meaning", "topic", "none", "cortex"]


def of_language(prince: LittlePrince, language: str, conditions: dict[tuple[str, str], list[int]]) -> tuple:
    """Score (model, alignment): layers for a language's participants; scores by condition, responses, features."""
    participants = prince.participants(language)
    responses, _, columns = stack_responses(prince, participants, cache=str(prince.root.parent / "cache"))
    chapter, scores, features = STUDY.runs["alignment"], {}, {}
    options = {name: chapter.value(name) for name in ("context", "stride")}
    for (model, kind), layers in conditions.items():
        states = story_states(prince, language, model, cache=None, **options)
        features[model, kind] = align(prince, language, states if layers is None else states[layers], kind)
        scores[model, kind] = score_participants(features[model, kind], responses, participants, columns)
    return scores, responses, features, columns


def gains(scores: dict, masks: dict[str, np.ndarray], pairs: dict[str, tuple]) -> pd.DataFrame:
    """Differences between two conditions, over the runs of the participants' mean: effect, group, value, lower, ..."""
    tables = [it.table(masks).assign(model=model, alignment=kind) for (model, kind), it in scores.items()]
    table, parts = pd.concat(tables, ignore_index=True), []
    for name, two in pairs.items():
        first, second = ({"model": model, "alignment": kind} for model, kind in two)
        parts.append(paired_gain(table, first, second, over_runs=True).assign(effect=name))
    return pd.concat(parts, ignore_index=True)


def of_english(prince: LittlePrince, truth: Truth, models: tuple[str, ...]) -> pd.DataFrame:
    """Trained less untrained and VLA less FLA, with the participants whose language the models have read."""
    layers = STUDY.runs["alignment"].value("layers")
    pairs = {f"{name}, trained - untrained": ((name, "VLA"), (f"untrained:{name}", "VLA")) for name in models}
    pairs[f"{models[0]}, VLA - FLA"] = (models[0], "VLA"), (models[0], "FLA")
    conditions = dict.fromkeys(itertools.chain(*pairs.values()), layers)
    scores, _, _, columns = of_language(prince, "EN", conditions)
    masks = driver_masks(truth, columns) | group_masks(columns)
    table = gains(scores, masks, pairs)
    return table[table.group.isin(SHOWN)].assign(language="EN")


def of_all(prince: LittlePrince, truth: Truth) -> pd.DataFrame:
    """Depth, laterality and transfer, with the participants of all languages and the fine-tuned model."""
    chapter = STUDY.runs["layers"]
    before, layer = chapter.value("before"), STUDY.runs["transfer_to_brains"].value("layers")
    after = fine_tuned(before, chapter.value("transfer"), cache=STUDY.cache)
    scores, features, responses, parts = {}, {}, {}, []
    for language in prince.languages:
        everything = of_language(prince, language, {(after, "VLA"): None})
        scores[language], responses[language] = everything[0][after, "VLA"], everything[1]
        features[language], masks = everything[2][after, "VLA"], driver_masks(truth, everything[3])
        one_layer = of_language(prince, language, {(before, "VLA"): layer, (after, "VLA"): layer})[0]
        change = gains(one_layer, masks, {"after - before transfer": ((after, "VLA"), (before, "VLA"))})
        parts.append(change.assign(language=language))
    profiles = GroupScores.of(scores).profiles
    depth = depth_order(profiles, {name: masks[name] for name in SHOWN[:4]}).to_frame(group="from driver to driver")
    parts.append(depth.assign(effect="what depth adds", over="participants", language="all"))
    covariances = np.concatenate([
        participants_covariance(features[name], layer_of_others(scores, name), responses[name])
        for name in prince.languages
    ])  # fmt: skip
    classes, _ = laterality_recovered(covariances, truth.regions)
    classes = classes.rename(columns={"label": "group"})[["group", "value", "lower", "upper", "truth"]]
    parts.append(classes.assign(effect="laterality index", over="participants", language="all"))
    return pd.concat(parts, ignore_index=True)


def measure(languages: list[str] | None, models: tuple[str, ...], **phantom) -> pd.DataFrame:
    """Write a phantom as the demo's but for `phantom`, and measure its effects."""
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        chosen = {} if languages is None else {"languages": languages}
        root = make_phantom(Path(folder) / "phantom", **STUDY.phantom | {"echoes": 0} | chosen | phantom)
        written = time.process_time() - start
        prince, truth = LittlePrince(root), read_truth(root)
        table = of_english(prince, truth, models)
        if languages is None:
            table = pd.concat([table, of_all(prince, truth)], ignore_index=True)
    print(f"{phantom}: {written:.0f} s to write, {time.process_time() - start:.0f} s in all", flush=True)
    first = [*phantom, "effect", "language", "group", "value", "lower", "upper", "over"]
    return table.assign(**phantom)[first + [name for name in table if name == "truth"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["effects", "sizes"], nargs="?", default="effects")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--scans", type=int, nargs="+", default=[150, 200, 300])
    parser.add_argument("--signal", type=float, nargs="+", default=[1.0, 4.0])
    parser.add_argument("--models", nargs="+", default=["tiny-causal", "tiny-modernbert", "tiny-bert"])
    parser.add_argument("--keep", action="store_true", help="keep the table with the book")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # regions that nothing drives take any penalty
    if given.what == "sizes":
        settings = itertools.product(given.scans, given.signal)
        tables = [measure(["EN"], tuple(given.models[:1]), scans=n, signal=s) for n, s in settings]
    else:
        tables = [measure(None, tuple(given.models), seed=seed) for seed in given.seeds]
    table = pd.concat(tables, ignore_index=True)
    print(table.to_string(float_format="{:.3f}".format))
    if given.keep:
        command = f"python benchmarks/bench_phantom.py {shlex.join(sys.argv[1:])}"
        archive_table("calibration", f"phantom_{given.what}", table, command)


if __name__ == "__main__":
    main()
