"""What does it cost to let the vertices of a region share a penalty, and what does it save?

    python benchmarks/bench_alpha_groups.py [--data data/phantom] [--samples 4 16 64] [--layer 5]

Every listener of the demo's phantom (`make book` simulates it), all vertices of the cortex, one layer of a mini model,
and a perfect model that has the phantom's true drivers:
penalties that every vertex chooses for itself, against penalties shared by region and chosen on some of its vertices
(`alpha_groups`). Scores are of left-out runs, over all vertices and over those of regions that the phantom drives; the
interval of their change is over listeners. Processor time is of one thread, the ways side by side for each listener.
A phantom tests the method and says nothing about brains.
"""

import argparse
import itertools
import time
import warnings

import numpy as np
import pandas as pd
import torch

from brainbook.encoding import BorderWarning, cross_validate
from brainbook.encoding.hemispheres import over_participants
from brainbook.experiment import align, oracle, stack_responses, story_states
from brainbook.experiment.vertices import OWN
from brainbook.phantom import read_truth
from brainbook.recordings import LittlePrince, destrieux


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
            "perfect model": np.concatenate(oracle(truth, language).values, axis=1),
        }
        for listener, (name, features) in itertools.product(prince.participants(language), models.items()):
            recorded, run_of_scan, _ = stack_responses(prince, [listener], "vertices", cache)
            for way, (scores, seconds) in scores_by_way(features, recorded[0], run_of_scan, samples).items():
                means = {place: np.nanmean(scores[inside]) for place, inside in places.items()}
                rows.append({"model": name, "listener": listener, "penalties": way, "seconds": seconds, **means})
    return pd.DataFrame(rows)


def tell(table: pd.DataFrame) -> None:
    """Print ratios of time and changes of r."""
    for model, found in table.groupby("model", sort=False):
        print(model)
        ways = {name: part.set_index("listener") for name, part in found.groupby("penalties", sort=False)}
        for name, part in ways.items():
            words = [f"time {np.median(part.seconds / ways[OWN].seconds):.2f}"]
            for place in ("all", "driven"):
                change = over_participants((part[place] - ways[OWN][place]).to_numpy())
                told = f" {change.estimate:+.4f} ({change.lower:+.4f} to {change.upper:+.4f})" if name != OWN else ""
                words.append(f"r {place} {part[place].mean():.4f}{told}")
            print(f"  {name:<24}" + "   ".join(words))
    print(f"{table.listener.nunique()} listeners; changes against {OWN}, 95% intervals over listeners")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="data/phantom")
    parser.add_argument("--cache", default="cache")
    parser.add_argument("--model", default="mini-causal-joint")
    parser.add_argument("--layer", type=int, default=5)
    parser.add_argument("--samples", type=int, nargs="+", default=[4, 16, 64])
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", BorderWarning)  # vertices that nothing predicts take any penalty
    tell(measure(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
