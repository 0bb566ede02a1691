"""A refitted null: one linear map, one product a permutation, beside fitting anew with scikit-learn or himalaya.

    python benchmarks/bench_ridge_permutations.py [--quick] [--permutations 10] [--keep]

Nine runs; every permutation is a leave-one-run-out refit at one alpha, scored by r within runs. Times are for the given
number of permutations and, in the last column, stretched to 1,000 (the map itself is made once). `--quick` takes a
quarter of scans, features and targets. Peers fit once a fold and permutation, which is what one would write with them.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brainbook.encoding import RidgeEncoder, correlation, leave_one_run_out, permutation_scores
from brainbook.encoding.nulls import Permutations
from brainbook.study import keep

OUT = Path("results/bench")
SHAPES = {"a mini's layer": (1350, 512, 20_484), "a large layer": (2790, 4096, 20_484)}
ALPHA = 1e3


def refit(kind: str, x: np.ndarray, y: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Scores of one leave-one-run-out refit, [targets]."""
    scores = []
    for train, test in leave_one_run_out(runs):
        if kind == "himalaya":
            from himalaya.backend import set_backend
            from himalaya.kernel_ridge import KernelRidge

            set_backend("torch")
            predicted = KernelRidge(alpha=ALPHA).fit(x[train], y[train]).predict(x[test]).numpy()
        elif kind == "scikit-learn":
            from sklearn.linear_model import Ridge

            predicted = Ridge(alpha=ALPHA).fit(x[train], y[train]).predict(x[test])
        else:
            predicted = RidgeEncoder(alphas=[ALPHA]).fit(x[train], y[train]).predict(x[test])
        scores.append(np.arctanh(correlation(predicted, y[test])))
    return np.tanh(np.mean(scores, axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of scans, features and targets")
    parser.add_argument("--permutations", type=int, default=10)
    parser.add_argument("--keep", action="store_true", help="keep the table with the book, in book/kept/bench")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for name, shape in SHAPES.items():
        n, p, t = (size // 4 for size in shape) if arguments.quick else shape
        rng = np.random.default_rng(0)
        runs = np.repeat(np.arange(9), n // 9)
        x = rng.standard_normal((len(runs), p), dtype=np.float32) @ np.diag(np.geomspace(1, 0.05, p)).astype(np.float32)
        y = rng.standard_normal((len(runs), t), dtype=np.float32)
        x = (x - x.mean(0)) / x.std(0)
        start = time.perf_counter()
        permutation_scores(x, y, runs, ALPHA, n_permutations=1)
        once = time.perf_counter() - start
        start = time.perf_counter()
        found = permutation_scores(x, y, runs, ALPHA, n_permutations=arguments.permutations + 1)
        each = max(time.perf_counter() - start - once, 1e-9) / arguments.permutations
        rows.append((name, "brainbook, one map", once, each, once + 999 * each, 0.0))
        permuted = next(Permutations(runs, "shift", 1, 0).of(torch.as_tensor(y)))[:, 0].numpy()
        for kind in ("brainbook", "himalaya", "scikit-learn"):
            start = time.perf_counter()
            again = refit(kind, x, permuted, runs)
            seconds = time.perf_counter() - start
            difference = float(np.abs(again - found.null[0]).mean() / found.null[0].std())
            rows.append((name, f"{kind}, fitted anew", 0.0, seconds, 1000 * seconds, difference))
    columns = ["shape", "how", "seconds_once", "seconds_each", "seconds_1000", "difference_in_null_sd"]
    table = pd.DataFrame(rows, columns=columns)
    OUT.mkdir(parents=True, exist_ok=True)
    table.to_csv(OUT / "permutations.csv", index=False)
    print(table.round(3).to_string(index=False))
    if arguments.keep:
        options = f"--permutations {arguments.permutations}" + (" --quick" if arguments.quick else "")
        about = {"threads": torch.get_num_threads()}
        keep("bench", "permutations", table.assign(**about), f"python benchmarks/bench_ridge_permutations.py {options}")


if __name__ == "__main__":
    main()
