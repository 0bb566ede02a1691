"""Is a phantom's laterality found, and do 95% intervals hold it? Over several phantoms, each with brains of its own.

    python benchmarks/bench_laterality.py [--seeds 8] [--participants 3] [--scans 150] [--keep]

For every seed a phantom is written (about a minute of one core), read by the loader of the real data, and predicted
with its true drivers (all of them side by side) and with a model that holds but a part: half of each driver's
dimensions, mixed with as many units of noise. Three estimates are compared with the index of the truth:

- scores: index of the mean r, each region's penalty and driver chosen inside training runs;
- covariances: `index_of_amplitudes` of `participants_covariance`, one penalty, with the true drivers;
- covariances, partial model: the same with the model that holds a part.

The table goes to results/bench/laterality.csv, its summary with --keep to book/archive/calibration, which
the chapter `hemispheres` shows.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.chapters import stack_responses, true_drivers
from brainbook.chapters.group_scores import GroupScores
from brainbook.chapters.hemispheres import laterality_recovered, participants_covariance
from brainbook.chapters.shared import Features, score_participants
from brainbook.datasets import LittlePrince
from brainbook.phantom import make_phantom, read_truth
from brainbook.workflow import archive_table

OUT = Path("results/bench")
ALPHA = 1e3


def partial(features: Features, rng: np.random.Generator) -> np.ndarray:
    """Half of each driver's dimensions and as many units of noise, mixed at random: array [scans, units]."""
    held = np.concatenate([values[:, : max(1, values.shape[1] // 2)] for values in features.values], axis=1)
    held = (held - held.mean(axis=0)) / held.std(axis=0)
    both = np.concatenate([held, rng.standard_normal(held.shape)], axis=1)
    return (both @ np.linalg.qr(rng.standard_normal((both.shape[1],) * 2))[0]).astype(np.float32)


def study(seed: int, participants: int, scans: int, folder: Path) -> pd.DataFrame:
    """Classes and pairs of one phantom under the three estimates: estimate, kind, label, value, lower, upper, truth."""
    root = make_phantom(folder / f"phantom-{seed}", participants=participants, scans=scans, seed=seed, echoes=0)
    prince, truth = LittlePrince(root), read_truth(root)
    rng, scores = np.random.default_rng(seed), {}
    covariances = {"covariances": [], "covariances, partial model": []}
    for language in prince.languages:
        people = prince.participants(language)
        responses, runs, columns = stack_responses(prince, people, cache=None)
        drivers = true_drivers(truth, language)
        scores[language] = score_participants(drivers, responses, people, columns)
        models = np.concatenate(drivers.values, axis=1), partial(drivers, rng)
        for values, parts in zip(models, covariances.values(), strict=True):
            parts.append(participants_covariance(Features(values[None], runs), 0, responses, ALPHA))
    found = {"scores": laterality_recovered(GroupScores.of(scores).scores, truth.regions, scores=True)}
    found |= {name: laterality_recovered(np.concatenate(parts), truth.regions) for name, parts in covariances.items()}
    tables = []
    for name, (classes, pairs) in found.items():
        tables.append(classes.assign(estimate=name, kind="class"))
        pairs = pairs.assign(estimate=name, kind="pair", label=pairs.side)
        tables.append(pairs[["label", "value", "lower", "upper", "truth", "estimate", "kind"]])
    return pd.concat(tables, ignore_index=True).assign(seed=seed)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """By estimate: index over truth in lopsided classes (mean over seeds), and how many intervals hold the truth."""
    rows = {}
    for name, part in table.groupby("estimate", sort=False):
        classes, pairs = part[part.kind == "class"], part[part.kind == "pair"]
        lopsided = classes[classes.label != "alike"]
        ratio = (lopsided.value / lopsided.truth).groupby(lopsided.seed).mean()
        rows[name] = {
            "phantoms": part.seed.nunique(), "ratio": ratio.mean(), "standard_error": ratio.sem(),
            "classes": len(classes), "classes_held": classes.held.mean(),
            "pairs": len(pairs), "pairs_held": pairs.held.mean(),
        }  # fmt: skip
    return pd.DataFrame(rows).T.rename_axis("estimate").reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--participants", type=int, default=3, help="of each language")
    parser.add_argument("--scans", type=int, default=150, help="of a section")
    parser.add_argument("--keep", action="store_true", help="keep the summary with the book")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # regions that nothing drives take any penalty
    tables = []
    for seed in range(given.seeds):
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            tables.append(study(seed, given.participants, given.scans, Path(folder)))
        print(f"phantom {seed}: {time.perf_counter() - start:.0f} s", flush=True)
    table = pd.concat(tables, ignore_index=True)
    table["held"] = (table.lower <= table.truth) & (table.truth <= table.upper)
    OUT.mkdir(parents=True, exist_ok=True)
    table.to_csv(OUT / "laterality.csv", index=False, float_format="%.5g")
    brief = summary(table)
    if given.keep:
        command = f"python benchmarks/bench_laterality.py --keep --seeds {given.seeds}"
        archive_table("calibration", "laterality", brief, command)
    print(brief.round(3).to_string(index=False))
    classes = table[table.kind == "class"].groupby(["estimate", "label"], sort=False)
    print(classes[["value", "truth", "held"]].mean().round(3).to_string())


if __name__ == "__main__":
    main()
