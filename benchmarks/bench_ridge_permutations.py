"""A refitted null: one linear map, one product a permutation, beside fitting anew with scikit-learn or himalaya.

    python benchmarks/bench_ridge_permutations.py [--quick] [--permutations 10] [--sequential 1000] [--keep]

Nine runs; every permutation is a leave-one-run-out refit at one alpha, scored by r within runs. A tenth of the targets
holds an effect (10% of the variance of every tenth one follows 64 of the features), the others hold nothing.

- "brainbook, one map" draws the given number of permutations of all targets: `permutation_scores`.
- "brainbook, sequential" stops each target once its score was reached ten times: `sequential_permutation_test`, run as
  it is, with up to `--sequential` permutations a target.
- The others fit once a fold and permutation, which is what one would write with them.

`seconds_each` is the time of one permutation of all targets, `seconds_1000` that of 1,000: measured for the sequential
way (with the default 1,000), stretched from `seconds_once` (the map) and `seconds_each` for the others. `draws` are
permutations a target, on average; `called_null` and `called_effect` the shares of targets without and with an effect
that have p <= 0.05. `gemm` is the rate of a float32 matrix product right before, in GFLOP/s, which tells what else the
machine was doing. `--quick` takes a quarter of scans, features and targets.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from bench_ridge import gemm_rate

from brainbook.encoding import (
    RidgeEncoder,
    correlation,
    leave_one_run_out,
    permutation_scores,
    sequential_permutation_test,
)
from brainbook.encoding.nulls import Permutations
from brainbook.study import keep

OUT = Path("results/bench")
SHAPES = {"a mini's layer": (1350, 512, 20_484), "a large layer": (2790, 4096, 20_484)}
ALPHA = 1e3
EVERY, SHARE = 10, 0.1  # every tenth target has an effect: this share of its variance


def data(n: int, p: int, t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features [scans, features], responses [scans, targets] (both float32) and runs [scans]."""
    rng = np.random.default_rng(0)
    runs = np.repeat(np.arange(9), n // 9)
    x = rng.standard_normal((len(runs), p), dtype=np.float32)
    x = (x - x.mean(0)) / x.std(0)
    y = rng.standard_normal((len(runs), t), dtype=np.float32)
    effect = x[:, :64] @ rng.standard_normal((64, len(y[0, ::EVERY])), dtype=np.float32) / 8
    y[:, ::EVERY] = np.sqrt(1 - SHARE) * y[:, ::EVERY] + np.sqrt(SHARE) * effect
    return x, y, runs


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


def measure(shape: tuple[int, int, int], permutations: int, most: int) -> list[dict]:
    """One row a way of doing it."""
    x, y, runs = data(*shape)
    gemm = [gemm_rate("cpu")]
    few = 50_000 // y.shape[1] + 1  # from this many permutations on, the map is made thin where that pays
    start = time.perf_counter()
    permutation_scores(x, y, runs, ALPHA, n_permutations=few)
    first = time.perf_counter() - start
    start = time.perf_counter()
    found = permutation_scores(x, y, runs, ALPHA, n_permutations=few + permutations)
    each = max(time.perf_counter() - start - first, 1e-9) / permutations
    once = max(first - few * each, 0.0)
    rows = [{"how": "brainbook, one map", "seconds_once": once, "seconds_each": each, "draws": 1000}]
    rows[0] |= {"seconds_1000": once + 1000 * each, "difference_in_null_sd": 0.0}
    gemm.append(gemm_rate("cpu"))
    start = time.perf_counter()
    test = sequential_permutation_test(x, y, runs, ALPHA, n_permutations=most)
    seconds = time.perf_counter() - start
    effect = np.arange(y.shape[1]) % EVERY == 0
    rows.append({"how": "brainbook, sequential", "draws": test.draws.mean(), "draws_null": test.draws[~effect].mean()})
    rows[1] |= {"called_null": (test.p <= 0.05)[~effect].mean(), "called_effect": (test.p <= 0.05)[effect].mean()}
    rows[1] |= {f"seconds_{most}": seconds}
    permuted = next(Permutations(runs, "shift", 1, 0).of(torch.as_tensor(y)))[:, 0].numpy()
    for kind in ("brainbook", "himalaya", "scikit-learn"):
        gemm.append(gemm_rate("cpu"))
        start = time.perf_counter()
        again = refit(kind, x, permuted, runs)
        seconds = time.perf_counter() - start
        difference = float(np.abs(again - found.null[0]).mean() / found.null[0].std())
        rows.append({"how": f"{kind}, fitted anew", "seconds_once": 0.0, "seconds_each": seconds, "draws": 1000})
        rows[-1] |= {"seconds_1000": 1000 * seconds, "difference_in_null_sd": difference}
    return [row | {"gemm": rate} for row, rate in zip(rows, gemm, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of scans, features and targets")
    parser.add_argument("--permutations", type=int, default=10, help="of all targets, to time one")
    parser.add_argument(
        "--sequential", type=int, default=1000, help="the most that a target draws, one after the other"
    )
    parser.add_argument("--keep", action="store_true", help="keep the table with the book, in book/kept/bench")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    tables = []
    for name, shape in SHAPES.items():
        shape = tuple(size // 4 for size in shape) if arguments.quick else shape
        rows = measure(shape, arguments.permutations, arguments.sequential)
        tables.append(pd.DataFrame(rows).assign(shape=name).set_index("shape").reset_index())
        print(tables[-1].round(3).to_string(index=False), flush=True)
    table = pd.concat(tables, ignore_index=True)
    OUT.mkdir(parents=True, exist_ok=True)
    table.to_csv(OUT / "permutations.csv", index=False)
    if arguments.keep:
        options = f"--permutations {arguments.permutations} --sequential {arguments.sequential}"
        options += " --quick" if arguments.quick else ""
        about = {"threads": torch.get_num_threads()}
        keep("bench", "permutations", table.assign(**about), f"python benchmarks/bench_ridge_permutations.py {options}")


if __name__ == "__main__":
    main()
