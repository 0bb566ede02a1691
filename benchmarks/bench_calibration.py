"""Do p-values and intervals hold their level? Many simulated studies with a known truth.

    python benchmarks/bench_calibration.py [--quick] [--studies 60] [--parts levels coverage participants] [--keep]

One participant, nine runs, autocorrelated noise whose drifts a 1/128 Hz high-pass has taken out, as recordings have.

1. Level: where nothing is there, how many targets does each test call significant at 5%?
2. Coverage: two feature spaces that hold a signal under their own noise; how often do 95% intervals of the score, and
   of the difference of the two, hold the truth (the mean over other recordings)?
3. Participants: the same for intervals over participants who each respond in their own way.

Tables go to results/bench/, with --keep also to book/archive/calibration/, which the chapter `pitfalls` shows. Standard
errors are over studies, because the targets of a study share its features.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import stats
from scipy.signal import lfilter

from brainbook.chapters.pitfalls.measures import compare_tests
from brainbook.chapters.pitfalls.protocols import EncodingData
from brainbook.encoding import cross_validate, delay, permutation_scores
from brainbook.stats import compare_nulls, compare_runs, fisher_z, mean_interval, null_interval, run_interval
from brainbook.workflow import archive_table

OUT = Path("results/bench")
DELAYS = (1, 2, 3, 4)
LENGTH, RUNS, UNITS = 80, 9, 16
ALPHA = 300.0
TRUTH = 200  # recordings apart from those that are judged, whose mean score is taken for the truth
PARTS = ("levels", "coverage", "participants")


def coloured(rng: np.random.Generator, columns: int, memory: float) -> np.ndarray:
    """Autoregressive noise of unit variance [LENGTH, columns]."""
    noise = lfilter([1], [1, -memory], rng.standard_normal((LENGTH + 50, columns)), axis=0)[50:]
    return noise * np.sqrt(1 - memory**2)


def noise(rng: np.random.Generator, targets: int) -> np.ndarray:
    """Noise of a cleaned recording [scans, targets], z-scored within runs: own, shared by all targets, and drifts."""
    places = np.arange(LENGTH) + 0.5
    slow = np.cos(np.pi * np.outer(places, np.arange(int(2 * LENGTH * 2 / 128) + 1)) / LENGTH)
    parts = []
    for _ in range(RUNS):
        part = coloured(rng, targets, 0.4) + 0.4 * coloured(rng, 1, 0.4)
        part += 0.6 * np.cos(np.pi * np.outer(places, np.arange(1, 6)) / LENGTH) @ rng.standard_normal((5, targets))
        part -= slow @ np.linalg.lstsq(slow, part, rcond=None)[0]
        parts.append((part - part.mean(0)) / part.std(0))
    return np.concatenate(parts)


def features(rng: np.random.Generator) -> np.ndarray:
    """Features of a story [scans, UNITS], with some memory as states of words have."""
    return np.concatenate([coloured(rng, UNITS, 0.5) for _ in range(RUNS)])


def levels(studies: int, targets: int, permutations: int) -> pd.DataFrame:
    """Share of null targets called significant at 5% by each test: mean and standard error over studies."""
    runs = np.repeat(np.arange(RUNS), LENGTH)
    shares = []
    for study in range(studies):
        rng = np.random.default_rng([1, study])
        x, y = features(rng), noise(rng, targets)
        data = EncodingData(x[None], 0, runs, y, delays=DELAYS)
        tests = compare_tests(data, permutations, seed=study)
        called = (tests.p <= 0.05).groupby(tests.test, sort=False).mean().to_dict()
        found = cross_validate(x, y, runs, DELAYS, np.logspace(1, 5, 9))
        options = {"n_permutations": permutations, "seed": study, "delays": DELAYS}
        own = np.median(found.best_alphas, axis=0)
        each = permutation_scores(x, y, runs, own, **options)
        called["refitted, own alpha a target (median of its folds)"] = (each.p() <= 0.05).mean()
        best = permutation_scores(x, y, runs, np.logspace(1, 5, 5), best_of=True, **options)
        called["refitted, best of five alphas (best_of=True)"] = (best.p() <= 0.05).mean()
        one = permutation_scores(x, y, runs, ALPHA, **options)
        called["refitted, alpha fixed beforehand"] = (one.p() <= 0.05).mean()
        called["refitted, pooled over targets"] = (one.p(pooled=True) <= 0.05).mean()
        called["refitted, any target at all (family_p)"] = (one.family_p() <= 0.05).any()
        regions = one.regions(np.arange(targets) // 10)
        called["refitted, regions of ten targets"] = (regions[2] <= 0.05).mean()
        turned = permutation_scores(x, y, runs, ALPHA, null="phase", **options)
        called["refitted, phase randomisation"] = (turned.p() <= 0.05).mean()
        shares.append(called)
    table = pd.DataFrame(shares)
    found = pd.DataFrame({"called": table.mean(), "standard_error": table.std() / np.sqrt(studies)})
    return found.rename_axis("test").reset_index()


def coverage(share: float, better: bool, studies: int, targets: int, permutations: int) -> pd.DataFrame:
    """How often intervals of one participant hold the truth, by kind of interval."""
    runs, rng = np.repeat(np.arange(RUNS), LENGTH), np.random.default_rng([2, int(1000 * share), better])
    hidden = features(rng)
    spaces = [hidden if better else hidden + 0.7 * features(rng), hidden + (1.0 if better else 0.7) * features(rng)]
    weights = rng.standard_normal((UNITS * len(DELAYS), targets))
    signal = delay(hidden, DELAYS, runs) @ weights
    signal *= np.sqrt(share) / signal.std(0)
    kept = {"score": [], "difference": []}

    def recorded():
        return signal + np.sqrt(1 - share) * noise(rng, targets)

    apart = np.mean(
        [
            [fisher_z(cross_validate(space, y, runs, DELAYS, ALPHA).fold_scores) for space in spaces]
            for y in (recorded() for _ in range(TRUTH))
        ],
        axis=(0, 2),
    )  # spaces, targets
    truths = {"score": apart[0], "difference": apart[0] - apart[1]}
    for study in range(studies):
        y = recorded()
        folds = [cross_validate(space, y, runs, DELAYS, ALPHA).fold_scores for space in spaces]
        nulls = [
            permutation_scores(space, y, runs, ALPHA, delays=DELAYS, n_permutations=permutations, seed=study)
            for space in spaces
        ]
        z = [np.arctanh(fold) for fold in folds]
        plain = {"score": _plain(z[0]), "difference": _plain(z[0] - z[1])}
        found = {
            "score": {"corrected t over runs": run_interval(folds[0]), "refitted null": null_interval(nulls[0])},
            "difference": {"corrected t over runs": compare_runs(*folds), "refitted null": compare_nulls(*nulls)},
        }
        for what, intervals in found.items():
            scale = np.arctanh if what == "score" else np.asarray
            ends = {name: (scale(one.lower), scale(one.upper)) for name, one in intervals.items()}
            kept[what].append({"plain t over runs": plain[what], **ends})
    rows = []
    for what, studies_kept in kept.items():
        truth = truths[what]
        for name in studies_kept[0]:
            held = [((ends[name][0] <= truth) & (truth <= ends[name][1])).mean() for ends in studies_kept]
            width = np.mean([ends[name][1] - ends[name][0] for ends in studies_kept])
            rows.append(
                (share, better, what, name, np.mean(held), np.std(held) / np.sqrt(studies), width, truth.mean())
            )
    columns = ["signal_share", "one_better", "what", "interval", "coverage", "standard_error", "width", "truth_z"]
    return pd.DataFrame(rows, columns=columns)


def participants(n: int, studies: int, targets: int) -> pd.DataFrame:
    """Coverage of t-intervals over participants: scores, and differences of two spaces that are alike on average."""
    runs = np.repeat(np.arange(RUNS), LENGTH)
    rng = np.random.default_rng([3, n])
    hidden = features(rng)
    spaces = [hidden + 0.7 * features(rng) for _ in range(2)]
    x = delay(hidden, DELAYS, runs)
    common = rng.standard_normal((x.shape[1], targets))

    def participant():
        signal = x @ (common + 0.7 * rng.standard_normal(common.shape))
        y = 0.35 * signal / signal.std(0) + noise(rng, targets)
        return [cross_validate(space, y, runs, DELAYS, ALPHA).scores for space in spaces]

    apart = _scores_and_difference([participant() for _ in range(2 * TRUTH)])
    everyone = _scores_and_difference([participant() for _ in range(n * studies)])
    rows = []
    for what, truth in {name: z.mean(0) for name, z in apart.items()}.items():
        held = []
        for group in np.split(everyone[what], studies):
            interval = mean_interval(group)
            held.append(((interval.lower <= truth) & (truth <= interval.upper)).mean())
        rows.append((n, what, np.mean(held), np.std(held) / np.sqrt(studies)))
    return pd.DataFrame(rows, columns=["participants", "what", "coverage", "standard_error"])


def _scores_and_difference(scores) -> dict[str, np.ndarray]:
    """Fisher's z of the first space's scores, and first - second, from [participants, spaces, targets]."""
    z = fisher_z(scores)
    return {"score": z[:, 0], "difference": z[:, 0] - z[:, 1]}


def _plain(z):
    found = stats.ttest_1samp(z, 0).confidence_interval(0.95)
    return found.low, found.high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the studies")
    parser.add_argument("--studies", type=int, default=60)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--keep", action="store_true", help="keep the tables with the book")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    studies = max(4, arguments.studies // (10 if arguments.quick else 1))
    OUT.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    if "levels" in arguments.parts:
        show("levels", levels(studies, 100, 99), f"Null targets called significant at 5%, {studies} studies", arguments)
    if "coverage" in arguments.parts:
        cases = [(share, better) for share in (0.0, 0.03, 0.15) for better in (False, True)]
        covered = pd.concat([coverage(*case, studies, 60, 99) for case in cases], ignore_index=True)
        show("coverage", covered, "Coverage of 95% intervals, one participant with nine runs", arguments)
    if "participants" in arguments.parts:
        table = pd.concat([participants(n, studies, 60) for n in (3, 8)], ignore_index=True)
        show("participants", table, "Coverage of 95% t-intervals over participants", arguments)
    print(f"\n{time.perf_counter() - start:.0f} s")


def show(name: str, table: pd.DataFrame, title: str, arguments: argparse.Namespace) -> None:
    """Print a table, write it to results/bench/, and keep it with the book if that was asked for."""
    table.to_csv(OUT / f"calibration_{name}.csv", index=False)
    print(f"{title}:\n{table.round(4).to_string(index=False)}\n", flush=True)
    if arguments.keep:
        archive_table(
            "calibration", name, table, f"python benchmarks/bench_calibration.py --keep --studies {arguments.studies}"
        )


if __name__ == "__main__":
    main()
