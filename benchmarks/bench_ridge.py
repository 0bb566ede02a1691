"""Ridge with one alpha a target: RidgeEncoder beside himalaya and scikit-learn, in one run, taking turns.

    python benchmarks/bench_ridge.py [--quick] [--shapes A C] [--contestants ...] [--rounds 1] [--growth] [--keep]

Shapes that people have, 20 alphas a target, five contiguous folds: A, a participant of Le Petit Prince of 2,800 scans,
4,096 features (1,024 units x 4 delays) and 20,484 vertices; C, 1,024 features; the 148 regions of 1, 10 and 50
participants, with the features of A and of C; 25 layers of a small model (512 features, 1,350 scans) on 148 regions,
one after the other. `--quick` takes a quarter of scans, features and targets.

Every contestant runs in a process of its own, in turns, so that a busy machine slows all alike: trust ratios. himalaya
chooses by the correlation, too, and on the same folds; scikit-learn's RidgeCV is what one would take from there: one
alpha for all targets, chosen by leaving out one scan.

- seconds, cpu_seconds: of the fit. times_brainbook: seconds over RidgeEncoder's.
- memory_gb: the process's peak during the fit, above what it held before; gpu_gb: of the GPU.
- same_alphas: share of targets with RidgeEncoder's alpha (it z-scores features in each fold, the others do not).
- r: mean over targets of the correlation on 200 scans that were not fitted; r_difference: mean distance from
  RidgeEncoder's.
- floor_seconds: RidgeEncoder's operations (`operations`), the float64 ones counted twice, at the rate of a float32
  matrix product that the same process measures before (gemm_gflops).
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

ALPHAS = np.logspace(0, 7, 20)
FOLDS, N_TEST, REGIONS = 5, 200, 148
SHAPES = {"A": (2800, 4096, 20_484, 1), "C": (2800, 1024, 20_484, 1)} | {
    f"{name}, regions of {people}": (2800, features, REGIONS * people, 1)
    for name, features in (("A", 4096), ("C", 1024))
    for people in (1, 10, 50)
}
SHAPES["25 layers, regions of 1"] = (1350, 512, REGIONS, 25)
CONTESTANTS = [
    "brainbook",
    "brainbook approximate",
    "himalaya KernelRidgeCV",
    "himalaya KernelRidgeCV numpy",
    "himalaya RidgeCV",
    "scikit-learn RidgeCV",
]
OUT = Path("results/bench")


def takes_part(name: str, shape: tuple, bfloat16: bool) -> bool:
    """Whether a contestant is measured at a shape: not where it would take minutes and be last."""
    scans, features, targets, layers = shape
    wide = features > scans
    return {
        "brainbook": True,
        "brainbook approximate": bfloat16 and targets > 10_000,
        "himalaya KernelRidgeCV": True,
        "himalaya KernelRidgeCV numpy": wide and targets <= 10 * REGIONS,
        "himalaya RidgeCV": not wide and targets <= 50 * REGIONS,
        "scikit-learn RidgeCV": targets <= REGIONS and layers == 1,
    }[name]


def data(shape: tuple[int, int, int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features and responses, float32, of N_TEST scans more; a tenth of the responses follows the features."""
    n, p, t = shape
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n + N_TEST, p), dtype=np.float32)
    few = min(p, 64)
    y = x[:, :few] @ rng.standard_normal((few, t), dtype=np.float32) * np.float32(np.sqrt(0.1 / few))
    y += np.float32(np.sqrt(0.9)) * rng.standard_normal(y.shape, dtype=np.float32)
    return x, y


def make(name: str, device: str):
    """Return an estimator, which says by `best_alphas_` what it chose."""
    from sklearn.model_selection import KFold

    if name.startswith("brainbook"):
        from brainbook.encoding import RidgeEncoder

        approximate = name.endswith("approximate")
        return RidgeEncoder(alphas=ALPHAS, cv=FOLDS, device=device, approximate_alpha_search=approximate)
    if name.startswith("himalaya"):
        from himalaya.backend import set_backend
        from himalaya.kernel_ridge import KernelRidgeCV
        from himalaya.ridge import RidgeCV
        from himalaya.scoring import correlation_score

        set_backend("torch_cuda" if device == "cuda" else "numpy" if name.endswith("numpy") else "torch")
        options = {"n_targets_batch": 4000, "n_targets_batch_refit": 400, "score_func": correlation_score}
        model = KernelRidgeCV if "Kernel" in name else RidgeCV
        return model(alphas=ALPHAS, cv=KFold(FOLDS), fit_intercept=True, solver_params=options)
    from sklearn.linear_model import RidgeCV

    return RidgeCV(alphas=ALPHAS)


def run_one(name: str, shape: tuple[int, int, int, int], device: str) -> dict:
    """Fit one contestant in this process: seconds, memory, the alphas it chose and how well it predicts."""
    import torch

    from brainbook.encoding import correlation

    scans, *sizes, layers = shape
    made = [data((scans, *sizes), seed) for seed in range(layers)]
    rate = gemm_rate(device)
    with warnings.catch_warnings():  # a first call loads libraries, which is nobody's algorithm
        warnings.simplefilter("ignore")
        make(name, device).fit(made[0][0][:200, :50], made[0][1][:200, :50])
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    forget_peak_memory()
    before = peak_memory()
    start, busy = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = [make(name, device).fit(x[:scans], y[:scans]) for x, y in made]
    if device == "cuda":
        torch.cuda.synchronize()
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    peak = peak_memory()
    gpu = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else 0.0
    best = [as_numpy(getattr(model, "best_alphas_", np.array([]))) for model in models]
    r = [correlation(as_numpy(model.predict(x[scans:])), y[scans:]) for model, (x, y) in zip(models, made, strict=True)]
    return {
        "seconds": seconds,
        "cpu_seconds": busy,
        "memory_gb": (peak - before) / 1e9,
        "gpu_gb": gpu,
        "gemm_gflops": rate,
        "alphas": np.log10(np.concatenate(best).astype(float)).round(3).tolist(),
        "r": np.concatenate(r).astype(float).round(5).tolist(),
    }


def as_numpy(values) -> np.ndarray:
    return values.cpu().numpy() if hasattr(values, "cpu") else np.asarray(values)


def forget_peak_memory() -> None:
    """Let the peak begin anew at what is held now (Linux): making the data took more than it left."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """The most that this process ever held since the last `forget_peak_memory`, in bytes (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def gemm_rate(device: str, n: int = 1536) -> float:
    """Rate of a float32 matrix product in GFLOP/s."""
    import torch

    a = torch.randn(n, n, device=device)
    float((a @ a)[0, 0])
    start = time.perf_counter()
    for _ in range(3):
        b = a @ a
    float(b[0, 0])
    return 3 * 2 * n**3 / (time.perf_counter() - start) / 1e9


def operations(shape: tuple[int, int, int, int], device: str) -> float:
    """Count RidgeEncoder's multiplications and additions, those in float64 twice: 1e9 of them.

    A fold goes one of three ways, as the package decides: eigenvectors of the Gram matrix (9 n^3, Golub & Van Loan,
    Matrix Computations, section 8.3) and products for all alphas at once, the Gram matrix made tridiagonal (4/3 n^3) or
    a Cholesky factor (n^3 / 3) for each alpha. The last fit goes one of the latter two.
    """
    import torch

    from brainbook.encoding.fold_systems import FoldSystem, TridiagonalSystem, kind_of_search
    from brainbook.encoding.ridge_design import PRIMAL_BELOW

    scans, p, t, layers = shape
    train, test, a = scans * (FOLDS - 1) // FOLDS, scans // FOLDS, len(ALPHAS)
    primal = p < PRIMAL_BELOW * scans
    n = p if primal else train
    x = torch.empty(scans, p, device="meta")
    design = SimpleNamespace(
        x=x, primal=primal, device=torch.device(device), dtype=torch.float32, diagonal=max(p, scans)
    )
    plans, targets = [(range(train), [range(test)])], SimpleNamespace(n_targets=t)
    kind = kind_of_search(design, plans, ALPHAS, targets)
    if kind is TridiagonalSystem:
        of_fold = 2 * 4 / 3 * n**3 + 4 * n**2 * (test + t) + a * (16 * n * min(test, t) + 2 * test * n * t)
    elif kind is FoldSystem:
        of_fold = a * (n**3 / 3 + 2 * n**2 * min(test, t) + 2 * test * n * t)
    else:  # eigenvectors; P and P'P of the test scans; loadings, pairs of eigenvalues, products with what is observed
        of_fold = 2 * 9 * n**3 + 2 * test * n**2 + 2 * 2 * test * n**2 + 2 * 2 * n**2 * t + 2 * test * n * t
    if primal:  # X'X in float64 and X'Y, once for all folds by parts, and again at the end
        return (
            layers * (FOLDS * of_fold + 2 * (2 * 2 * scans * p**2 + 2 * scans * p * t) + at_the_end(design, p, t)) / 1e9
        )
    of_fold += train**2 * p + 2 * test * train * p  # half of X X', and the test scans with the training scans
    return layers * (FOLDS * of_fold + scans**2 * p + at_the_end(design, scans, t)) / 1e9


def at_the_end(design: SimpleNamespace, n: int, t: int) -> float:
    """Count the operations of the last fit, its Gram matrix apart, if it uses all alphas."""
    from brainbook.encoding.fold_systems import FoldSystem, final_fold

    if final_fold(design, np.resize(ALPHAS, t)) is FoldSystem:
        return len(ALPHAS) * n**3 / 3 + 2 * n**2 * t
    return 2 * 4 / 3 * n**3 + 8 * n**2 * t + 16 * n * t


def in_own_process(name: str, shape: tuple, device: str) -> dict:
    """Run `run_one` in a new interpreter."""
    order = [sys.executable, __file__, "--one", json.dumps([name, shape, device])]
    done = subprocess.run(order, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} at {shape} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(shapes: dict, rounds: int, device: str, names: list[str], bfloat16: bool) -> pd.DataFrame:
    """Return one row per shape, contestant and round."""
    rows = []
    for label, shape in shapes.items():
        for turn in range(rounds):
            for name in names:
                if not takes_part(name, shape, bfloat16):
                    continue
                measured = in_own_process(name, shape, device)
                alphas, r = np.array(measured.pop("alphas")), np.array(measured.pop("r"))
                if name == "brainbook":
                    own_alphas, own_r, own_seconds = alphas, r, measured["seconds"]
                    measured["floor_seconds"] = operations(shape, device) / measured["gemm_gflops"]
                row = {"shape": label, "scans": shape[0], "features": shape[1], "targets": shape[2]}
                row |= {"contestant": name, "round": turn, "times_brainbook": measured["seconds"] / own_seconds}
                row["same_alphas"] = np.mean(own_alphas == alphas) if alphas.shape == own_alphas.shape else np.nan
                row |= {"r": r.mean(), "r_difference": np.abs(r - own_r).mean(), **measured}
                rows.append(row)
                print(
                    f"  {label:<24} {name:<30} {row['seconds']:8.2f} s {row['times_brainbook']:6.2f} x"
                    f" {row['memory_gb']:6.2f} GB  r {row['r']:.4f}",
                    flush=True,
                )
    return pd.DataFrame(rows)


def growth(shape: tuple, device: str) -> pd.DataFrame:
    """How RidgeEncoder's time grows when one of scans, features, targets is halved and doubled."""
    rows = []
    for axis, name in enumerate(["scans", "features", "targets"]):
        for factor in (0.5, 1, 2):
            changed = tuple(int(size * (factor if place == axis else 1)) for place, size in enumerate(shape))
            measured = in_own_process("brainbook", changed, device)
            columns = {"seconds": measured["seconds"], "memory_gb": measured["memory_gb"]}
            rows.append({"grows": name, "value": changed[axis], **columns})
    return pd.DataFrame(rows)


def main() -> None:
    began = time.time()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of scans, features and targets")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=CONTESTANTS)
    parser.add_argument("--name", default="ridge", help="of the table in results/bench")
    parser.add_argument("--keep", action="store_true", help="keep the medians with the book, in book/archive/bench")
    parser.add_argument("--growth", action="store_true", help="also halve and double scans, features, targets")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, shape, device = json.loads(arguments.one)
        print(json.dumps(run_one(name, tuple(shape), device)))
        return
    import torch

    from brainbook.encoding.alpha_scores import has_bfloat16

    device = "cuda" if torch.cuda.is_available() else "cpu"
    part = 4 if arguments.quick else 1
    shapes = {name: (*(size // part for size in SHAPES[name][:3]), SHAPES[name][3]) for name in arguments.shapes}
    names = [name for name in CONTESTANTS if name in arguments.contestants or name == "brainbook"]
    print(f"{device}, {torch.get_num_threads()} threads")
    table = compare(shapes, arguments.rounds, device, names, has_bfloat16(torch.device(device)))
    OUT.mkdir(parents=True, exist_ok=True)
    table.to_csv(OUT / f"{arguments.name}.csv", index=False)
    medians = table.groupby(["shape", "contestant"], sort=False).median(numeric_only=True).drop(columns="round")
    print(f"\nMedians of {arguments.rounds} rounds on {device}")
    print(medians.round(3).to_string())
    if arguments.keep:
        from brainbook.workflow import archive_table

        name = torch.cuda.get_device_name() if device == "cuda" else device
        about = {"device": name, "threads": torch.get_num_threads(), "rounds": arguments.rounds}
        command = " ".join(["python benchmarks/bench_ridge.py", *(f"'{a}'" if " " in a else a for a in sys.argv[1:])])
        minutes = (time.time() - began) / 60
        archive_table("bench", arguments.name, medians.reset_index().assign(**about), command, minutes=minutes)
    if arguments.growth:
        grown = growth((700, 1024, 5121, 1), device)
        grown.to_csv(OUT / "ridge_growth.csv", index=False)
        print("\nGrowth from a quarter of A:\n" + grown.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
