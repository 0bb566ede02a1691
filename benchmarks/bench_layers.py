"""Every layer of a model fitted at once, against as many fits one by one.

    python benchmarks/bench_layers.py [--layers 25] [--targets 20484] [--scans 2800] [--features 1024] [--full]

The wish was a third of the separate time, give or take a half (a ratio of 0.5 or below). Two things are measured: all
layers at once, and all layers at once with alphas shared by regions (`alpha_groups`), each chosen on 16 vertices.

A count of operations says why sharing the responses alone cannot bring it. One layer of the full shape (n = 2,800 scans
in 9 runs, p = 1,024 features, T = 20,484 targets, 13 alphas; 36 pairs of runs left out to choose alphas, 9 single runs
to score; 1 GF = 1e9 of them):

    X'Y by run, for the choice and for the scores         2 x 117.5 GF =   235 GF
    eigenvectors' X'Y, of every fold                     45 x  43.0 GF = 1,933 GF
    pairs of eigenvalues (norms of all alphas' predictions)  72 x 43.0 GF = 3,093 GF
    predictors' Y, of every test run of every fold       72 x  13.0 GF =   940 GF
    13 alphas                                            72 x   1.6 GF =   118 GF
    predictions of the chosen alpha                       9 x  13.0 GF =   117 GF
    decompositions in float64 (Gram matrices, eigh)      45 x  11   GF =   500 GF, slower ones
    --------------------------------------------------------------------------------
    the layer's own                                                     6.9e3 GF
    of the responses alone (standardise, centre, sums)       some 10 n T = 0.6 GF, bound by memory: 1 to 3% of the time

Every product above has a factor that is the layer's (its features or its eigenvectors). Layers stacked into one tall
matrix need the same operations, and matrices of this size run at the processor's speed already. What the responses
alone need is done once for all folds of a layer; done once for all layers it would save those 1 to 3% again. So layers
at once cost what they cost one by one, in one call and in the memory of one.

But nine tenths of the count are the choice of alphas, 36 x 13 of them for each target, and neighbouring vertices need
not choose one by one. With 148 regions of 138 vertices, 16 of them looked at, the targets' part of the choice falls to
an eighth; what remains are the decompositions and one fit of each of nine folds. `bench_alpha_groups.py` tells what
that costs in scores.

Measured on 2026-11-27, one thread beside other work, processor time against the layers one by one (83.4 s each): 25
layers of the full shape at once 0.97 (2,014 s), with alphas by region 0.29 (597 s). The default shape, on a free
machine: 0.99 and 0.35.

By default a quarter of the scans, features and targets and 5 layers, which keeps the proportions of the parts; `--full`
takes the shape of a participant. One layer is timed between the joint fits, so that a busy machine slows both alike:
trust the ratio, and of a busy machine that of processor time.
"""

import argparse
import time
import warnings

import numpy as np

from brainbook.encoding import cross_validate

RUNS = 9
REGION = 138  # vertices of fsaverage5 in a region of one hemisphere, on average


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


def seconds(x: np.ndarray, y: np.ndarray, runs: np.ndarray, **options) -> tuple[float, float]:
    """Wall time and processor time of cross-validating layers [layers, scans, features]."""
    start, used = time.perf_counter(), time.process_time()
    cross_validate(x, y, runs, delays=None, device="cpu", **options)
    return time.perf_counter() - start, time.process_time() - used


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
    regions = np.arange(shape[3]) // REGION
    took = {"one layer": [], "all layers at once": [], "the same, alphas by region": []}
    for number in range(given.rounds):
        took["one layer"].append(seconds(x[number % shape[0]][None], y, runs))
        took["all layers at once"].append(seconds(x, y, runs))
        took["the same, alphas by region"].append(seconds(x, y, runs, alpha_groups=regions))
    took["one layer"].append(seconds(x[-1:], y, runs))
    print(f"{shape[0]} layers, {shape[1]} scans in {RUNS} runs, {shape[2]} features, {shape[3]} targets")
    for place, kind in enumerate(("wall", "processor")):
        print(f"{kind} time; against the layers one by one (wished for: 0.50 or less)")
        one = np.median([times[place] for times in took["one layer"]])
        for name, times in took.items():
            found = [time[place] for time in times]
            ratio = f"{np.median(found) / (shape[0] * one):8.2f}" if name != "one layer" else ""
            print(f"  {name:<30}{np.median(found):8.1f} s   ({min(found):.1f} to {max(found):.1f}){ratio}")


if __name__ == "__main__":
    main()
