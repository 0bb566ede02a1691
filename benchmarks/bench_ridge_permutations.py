"""A refitted null: one linear map, one product a permutation, beside fitting anew with scikit-learn or himalaya.

    python benchmarks/bench_ridge_permutations.py [--quick] [--permutations 10] [--sequential 1000] [--peers ...]
        [--keep]

Nine runs; every permutation is a leave-one-run-out refit at one alpha, scored by r within runs. A tenth of the targets
holds an effect (10% of the variance of every tenth one follows 64 of the features), the others hold nothing.

- "brainbook, one map" draws the given number of permutations of all targets: `permutation_scores`; before and after the
  sequential way, and the faster counts.
- "brainbook, sequential" stops each target once its score was reached ten times: `sequential_permutation_test`, run as
  it is, with up to `--sequential` permutations a target.
- The others fit once a fold and permutation, which is what one would write with them.

`seconds_each` is the time of one permutation of all targets, `seconds_1000` that of 1,000: measured for the sequential
way (with the default 1,000), stretched from `seconds_once` (the map) and `seconds_each` for the others; `cpu_1000` are
CPU seconds likewise, which a busy machine changes little. `draws` are permutations a target, on average, `draws_null`
those of targets that hold nothing; `called_null` and `called_effect` the shares of targets without and with an effect
that have p <= 0.05. `gemm` is the rate of a float32 matrix product around it, in GFLOP/s, which tells what else the
machine was doing. `--quick` takes a quarter of scans, features and targets.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from bench_ridge import gemm_rate

from brainbook.encoding import (
    Permutations,
    RidgeEncoder,
    correlation,
    leave_one_run_out,
    permutation_scores,
    sequential_permutation_test,
)
from brainbook.workflow import archive_table

OUT = Path("results/bench")
SHAPES = {"a tiny model's layer": (1350, 512, 20_484), "a large layer": (2790, 4096, 20_484)}
ALPHA = 1e3
PEERS = ["brainbook", "himalaya", "scikit-learn"]
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


def timed(work: Callable) -> tuple[np.ndarray, object]:
    """Seconds and CPU seconds that it takes, array [2], and what it returns."""
    start = np.array([time.perf_counter(), time.process_time()])
    result = work()
    return np.array([time.perf_counter(), time.process_time()]) - start, result


def measure(shape: tuple[int, int, int], permutations: int, most: int, peers: list[str]) -> Iterator[dict]:
    """One row a way of doing it."""
    x, y, runs = data(*shape)
    effect = np.arange(y.shape[1]) % EVERY == 0
    few = 50_000 // y.shape[1] + 1  # from this many permutations on, the map is made thin where that pays
    counts = (few, few + permutations)
    rounds, rates = [], []

    def all_targets():
        rates.append(gemm_rate("cpu"))
        found = [timed(lambda n=n: permutation_scores(x, y, runs, ALPHA, n_permutations=n)) for n in counts]
        rounds.append([spent for spent, _ in found])
        return found[0][1].null[0]

    null = all_targets()
    rates.append(gemm_rate("cpu"))
    spent, test = timed(lambda: sequential_permutation_test(x, y, runs, ALPHA, n_permutations=most))
    all_targets()
    short, long = np.min(rounds, axis=0)  # each: seconds, CPU seconds
    each = (long - short) / permutations
    once = np.maximum(short - few * each, 0)
    row = {"how": "brainbook, one map", "seconds_once": once[0], "seconds_each": each[0], "draws": 1000}
    row |= {"seconds_1000": once[0] + 1000 * each[0], "cpu_1000": once[1] + 1000 * each[1]}
    yield row | {"difference_in_null_sd": 0.0, "gemm": (rates[0] + rates[-1]) / 2}
    row = {"how": "brainbook, sequential", "draws": test.draws.mean(), "draws_null": test.draws[~effect].mean()}
    row |= {"called_null": (test.p <= 0.05)[~effect].mean(), "called_effect": (test.p <= 0.05)[effect].mean()}
    yield row | {f"seconds_{most}": spent[0], f"cpu_{most}": spent[1], "gemm": (rates[1] + rates[-1]) / 2}
    permuted = next(Permutations(runs, "shift", 1, 0).of(torch.as_tensor(y)))[:, 0].numpy()
    for kind in peers:
        rate = gemm_rate("cpu")
        spent, again = timed(lambda kind=kind: refit(kind, x, permuted, runs))
        row = {"how": f"{kind}, fitted anew", "seconds_once": 0.0, "seconds_each": spent[0], "draws": 1000}
        row |= {"seconds_1000": 1000 * spent[0], "cpu_1000": 1000 * spent[1], "gemm": rate}
        yield row | {"difference_in_null_sd": float(np.abs(again - null).mean() / null.std())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of scans, features and targets")
    parser.add_argument("--permutations", type=int, default=10, help="of all targets, to time one")
    parser.add_argument(
        "--sequential", type=int, default=1000, help="the most that a target draws, one after the other"
    )
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS, help="what is fitted anew")
    parser.add_argument("--keep", action="store_true", help="keep the table with the book, in book/archive/bench")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for name, shape in SHAPES.items():
        shape = tuple(size // 4 for size in shape) if arguments.quick else shape
        for row in measure(shape, arguments.permutations, arguments.sequential, arguments.peers):
            rows.append({"shape": name} | row)
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    print(table.round(3).to_string(index=False))
    OUT.mkdir(parents=True, exist_ok=True)
    table.to_csv(OUT / "permutations.csv", index=False)
    if arguments.keep:
        options = f"--permutations {arguments.permutations} --sequential {arguments.sequential}"
        options += f" --peers {' '.join(arguments.peers)}" if arguments.peers != PEERS else ""
        options += (" --quick" if arguments.quick else "") + " --keep"
        about = {"threads": torch.get_num_threads()}
        archive_table(
            "bench", "permutations", table.assign(**about), f"python benchmarks/bench_ridge_permutations.py {options}"
        )


if __name__ == "__main__":
    main()
