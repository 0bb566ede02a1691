"""What does it cost to let the vertices of a region share a penalty, and what does it save?

    python benchmarks/bench_alpha_groups.py [--data PHANTOM] [--samples 4 16 64] [--layer 5] [--keep]

Every listener of the demo's phantom (or of another), all vertices of the cortex, a layer of a tiny model, and a perfect
model that has the phantom's true drivers: penalties that every vertex chooses for itself, against penalties shared by
region and chosen on some of its vertices (`alpha_groups`). Scores are of left-out runs, over all vertices and those of
regions that the phantom drives; the interval of their change is over listeners. Processor time is of one thread, the
ways side by side for each listener. A phantom tests the method and says nothing about brains.
"""

import argparse
import itertools
import shlex
import sys
import time
import warnings

import numpy as np
import pandas as pd
import torch

from brainbook.chapters import align, stack_responses, story_states, true_drivers
from brainbook.chapters.layers import OWN
from brainbook.datasets import LittlePrince, destrieux
from brainbook.encoding import BorderWarning, cross_validate
from brainbook.phantom import read_truth
from brainbook.stats import mean_interval
from brainbook.workflow import archive_table
from brainbook.workflow.execution import prepare
from brainbook.workflow.study_file import read_study


def scores_by_way(features, responses, run_of_scan, samples: list[int]) -> dict[str, tuple[np.ndarray, float]]:
    """Scores [vertices] and processor seconds of each way of choosing penalties."""
    groups, found = destrieux().region_index, {}
    shared = {f"by region, {n} looked at": {"alpha_groups": groups, "group_sample": n} for n in samples}
    for name, options in {OWN: {}, **shared}.items():
        began = time.process_time()
        scores = cross_validate(features, responses, run_of_scan, device="cpu", **options).scores
        found[name] = scores, time.process_time() - began
    return found


def measure(data: str, cache: str, model: str, layer: int, samples: list[int]) -> pd.DataFrame:
    """A row a model, listener and way: seconds, and mean r over all and over driven vertices."""
    prince, regions, truth = LittlePrince(data), destrieux(), read_truth(data)
    places = {"all": regions.cortex, "driven": regions.spread((truth.regions.driver != "none").to_numpy()) == 1}
    rows = []
    for language in ("EN", "FR", "CN"):
        states = story_states(prince, language, model, 32, cache, "cpu", 32)
        models = {
            model: align(prince, language, states).values[layer],
            "perfect model": np.concatenate(true_drivers(truth, language).values, axis=1),
        }
        for listener, (name, features) in itertools.product(prince.participants(language), models.items()):
            recorded, run_of_scan, _ = stack_responses(prince, [listener], "vertices", cache)
            for way, (scores, seconds) in scores_by_way(features, recorded[0], run_of_scan, samples).items():
                means = {place: np.nanmean(scores[inside]) for place, inside in places.items()}
                rows.append({"model": name, "listener": listener, "penalties": way, "seconds": seconds, **means})
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row a model, way and set of vertices: ratio of times, mean r, and its change with a 95% interval."""
    rows = []
    for model, found in table.groupby("model", sort=False):
        ways = {name: part.set_index("listener") for name, part in found.groupby("penalties", sort=False)}
        for (name, part), place in itertools.product(ways.items(), ("all", "driven")):
            row = {"model": model, "vertices": place, "penalties": name, "listeners": len(part)}
            row |= {"time": np.median(part.seconds / ways[OWN].seconds), "r": part[place].mean()}
            if name != OWN:
                change = mean_interval((part[place] - ways[OWN][place]).to_numpy())
                row |= {key: float(getattr(change, key)) for key in ("estimate", "lower", "upper")}
            rows.append(row)
    return pd.DataFrame(rows).rename(columns={"estimate": "change"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a phantom; without it the demo's, as `make book` makes it")
    parser.add_argument("--cache", default="cache")
    parser.add_argument("--model", default="tiny-causal-joint")
    parser.add_argument("--layer", type=int, default=5)
    parser.add_argument("--samples", type=int, nargs="+", default=[4, 16, 64])
    parser.add_argument("--keep", action="store_true", help="keep the table in book/archive, for the chapter")
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", BorderWarning)  # vertices that nothing predicts take any penalty
    demo = read_study("demo")
    if given.data is None and prepare(demo, "phantom"):
        sys.exit("the demo's phantom could not be made")
    data = given.data or demo.data
    table = summary(measure(data, given.cache, given.model, given.layer, given.samples))
    if given.keep:
        command = shlex.join(["python", "benchmarks/bench_alpha_groups.py", *sys.argv[1:]])
        archive_table("calibration", "alpha_groups", table, command)
    print(table.round(4).to_string(index=False))


if __name__ == "__main__":
    main()
