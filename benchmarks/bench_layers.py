"""Every layer of a model fitted at once, against as many fits one by one.

    python benchmarks/bench_layers.py [--layers 25] [--targets 20484] [--scans 2800] [--features 1024] [--full]

What layers can share is the responses: reading them, their block of memory, their sums over each fold. What they cannot
share is the decomposition of each fold and the products with its eigenvectors. The wish was a third of the separate
time, give or take a half (a ratio of 0.5 or below); this says what it is. By default a quarter of the scans, features
and targets and 5 layers, which keeps the proportions of the parts; `--full` takes the shape of a participant. One layer
is timed between the joint fits, so that a busy machine slows both alike: trust the ratio.
"""

import argparse
import time
import warnings

import numpy as np

from brainbook.encoding import cross_validate

RUNS = 9


def data(layers: int, scans: int, features: int, targets: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Layers of a model that change little from one to the next, responses that follow them weakly, runs."""
    rng = np.random.default_rng(0)
    x = np.empty((layers, scans, features), np.float32)
    x[0] = rng.standard_normal((scans, features))
    for layer in range(1, layers):
        x[layer] = 0.9 * x[layer - 1] + np.sqrt(1 - 0.81) * rng.standard_normal((scans, features))
    y = x[layers // 2, :, :32] @ rng.standard_normal((32, targets), dtype=np.float32) / 16
    y += rng.standard_normal((scans, targets), dtype=np.float32)
    return x, y, np.arange(scans) * RUNS // scans


def seconds(x: np.ndarray, y: np.ndarray, runs: np.ndarray) -> float:
    """Wall time of cross-validating layers [layers, scans, features]."""
    start = time.perf_counter()
    cross_validate(x, y, runs, delays=None, device="cpu")
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--scans", type=int, default=700)
    parser.add_argument("--features", type=int, default=256)
    parser.add_argument("--targets", type=int, default=5121)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--full", action="store_true", help="25 layers, 2,800 scans, 1,024 features, 20,484 targets")
    given = parser.parse_args()
    shape = (25, 2800, 1024, 20_484) if given.full else (given.layers, given.scans, given.features, given.targets)
    warnings.simplefilter("ignore")  # of alphas at the grid's edge: these responses are made up
    x, y, runs = data(*shape)
    seconds(x[:1, :, :32], y[:, :64], runs)  # whatever is loaded at the first call
    single, joint = [], []
    for number in range(given.rounds):
        single.append(seconds(x[number % shape[0]][None], y, runs))
        joint.append(seconds(x, y, runs))
    single.append(seconds(x[-1:], y, runs))
    one, all_ = float(np.median(single)), float(np.median(joint))
    print(f"{shape[0]} layers, {shape[1]} scans in {RUNS} runs, {shape[2]} features, {shape[3]} targets")
    print(f"{'one layer':<32}{one:8.1f} s   ({min(single):.1f} to {max(single):.1f})")
    print(f"{'all layers at once':<32}{all_:8.1f} s   ({min(joint):.1f} to {max(joint):.1f})")
    print(f"{'at once / one by one':<32}{all_ / (shape[0] * one):8.2f}     (wished for: 0.50 or less)")


if __name__ == "__main__":
    main()
