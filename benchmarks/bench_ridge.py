"""Ridge with one alpha a target: RidgeEncoder beside himalaya and scikit-learn, in one run, taking turns.

    python benchmarks/bench_ridge.py [--quick] [--rounds 2] [--no-growth] [--shapes A C A/4 C/4] [--keep]

Shapes of a participant of Le Petit Prince: 2,800 scans, 20,484 vertices, 20 alphas a target, five contiguous folds.
A: 4,096 features (1,024 units x 4 delays); C: 1,024 features (one layer). `--quick` takes a quarter of scans, features
and targets; without it both sizes are run. Every contestant runs in a process of its own (peak memory is that
process's, above what it held before fitting), in turns, so that a busy machine slows all alike: trust ratios. Beside
the times stands the rate of a float32 matrix product in the same process. Tables go to results/bench/.
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

SHAPES = {"A": (2800, 4096, 20_484), "C": (2800, 1024, 20_484)}
ALPHAS = np.logspace(0, 7, 20)
FOLDS = 5
SKLEARN_TARGETS = 1000
CONTESTANTS = ["brainbook", "brainbook fast", "himalaya KernelRidgeCV", "himalaya RidgeCV", "scikit-learn GridSearchCV"]
OUT = Path("results/bench")


def data(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Features and responses in float32; a tenth of the responses' variance follows the features."""
    n, p, t = shape
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, p), dtype=np.float32)
    few = min(p, 64)
    y = x[:, :few] @ rng.standard_normal((few, t), dtype=np.float32) * np.float32(np.sqrt(0.1 / few))
    y += np.float32(np.sqrt(0.9)) * rng.standard_normal((n, t), dtype=np.float32)
    return x, y


def run_one(name: str, shape: tuple[int, int, int], device: str) -> dict:
    """Fit one contestant in this process: seconds, peak memory, the alphas it chose, and the GEMM rate."""
    import torch
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, KFold

    wanted = shape[2]
    if name.startswith("scikit"):
        shape = (*shape[:2], min(shape[2], SKLEARN_TARGETS))
    x, y = data(shape)
    rate = gemm_rate(device)
    if name.startswith("brainbook"):
        from brainbook.encoding import RidgeEncoder

        model = RidgeEncoder(alphas=ALPHAS, cv=FOLDS, device=device, approximate_alpha_search=name.endswith("fast"))
    elif name.startswith("himalaya"):
        from himalaya.backend import set_backend
        from himalaya.ridge import RidgeCV

        set_backend("torch_cuda" if device == "cuda" else "torch")
        if "Kernel" in name:
            from himalaya.kernel_ridge import KernelRidgeCV

            batches = {"n_targets_batch": 4000, "n_targets_batch_refit": 400}
            model = KernelRidgeCV(alphas=ALPHAS, kernel="linear", cv=KFold(FOLDS), solver_params=batches)
        else:
            batches = {"n_targets_batch": 4000, "n_targets_batch_refit": 400}
            model = RidgeCV(alphas=ALPHAS, cv=KFold(FOLDS), solver_params=batches)
    else:
        from sklearn.linear_model import Ridge

        model = GridSearchCV(Ridge(), {"alpha": ALPHAS}, cv=KFold(FOLDS))
    if device == "cuda":  # a first call loads CUDA's libraries, which is nobody's algorithm
        clone(model).fit(x[:200, :50], y[:200, :50])
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    forget_peak_memory()
    before = peak_memory()
    start, busy = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(x, y)
    if device == "cuda":
        torch.cuda.synchronize()
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    peak = peak_memory()
    best = getattr(model, "best_alphas_", np.array([]))
    best = best.cpu().numpy() if hasattr(best, "cpu") else np.asarray(best)
    extra_gpu = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else 0.0
    return {
        "seconds": seconds,
        "cpu_seconds": busy,
        "seconds_all_targets": seconds * wanted / shape[2],
        "memory_gb": (peak - before) / 1e9,
        "gpu_gb": extra_gpu,
        "gemm_gflops": rate,
        "alphas": np.log10(best).round(3).tolist(),
    }


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
    a @ a
    start = time.perf_counter()
    for _ in range(3):
        b = a @ a
    float(b[0, 0])
    return 3 * 2 * n**3 / (time.perf_counter() - start) / 1e9


def in_own_process(name: str, shape: tuple[int, int, int], device: str) -> dict:
    """Run `run_one` in a new interpreter."""
    order = [sys.executable, __file__, "--one", json.dumps([name, shape, device])]
    found = subprocess.run(order, capture_output=True, text=True, check=False)
    if found.returncode:
        raise RuntimeError(f"{name} at {shape} failed:\n{found.stderr[-2000:]}")
    return json.loads(found.stdout.splitlines()[-1])


def compare(shapes: dict, rounds: int, device: str, names: list[str]) -> pd.DataFrame:
    """All contestants on all shapes, in turns."""
    rows = []
    for label, shape in shapes.items():
        for turn in range(rounds):
            for name in names:
                found = in_own_process(name, shape, device)
                alphas = found.pop("alphas")
                if name == "brainbook":
                    ours = alphas
                same = np.mean(np.equal(ours, alphas)) if len(alphas) == len(ours) else np.nan
                rows.append({"shape": label, "contestant": name, "round": turn, "same_alphas": same, **found})
                print(f"  {label:<12} {name:<26} {found['seconds']:8.2f} s  {found['memory_gb']:6.2f} GB", flush=True)
    return pd.DataFrame(rows)


def growth(shape: tuple[int, int, int], device: str) -> pd.DataFrame:
    """How RidgeEncoder's time grows when one of scans, features, targets is halved and doubled."""
    rows = []
    for axis, name in enumerate(["scans", "features", "targets"]):
        for factor in (0.5, 1, 2):
            changed = tuple(int(size * (factor if place == axis else 1)) for place, size in enumerate(shape))
            found = in_own_process("brainbook", changed, device)
            rows.append(
                {"grows": name, "value": changed[axis], "seconds": found["seconds"], "memory_gb": found["memory_gb"]}
            )
    return pd.DataFrame(rows)


def main() -> None:
    began = time.time()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="only a quarter of scans, features and targets")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--shapes", nargs="+", choices=[*SHAPES, *(f"{name}/4" for name in SHAPES)])
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=CONTESTANTS)
    parser.add_argument("--name", default="ridge", help="of the table in results/bench")
    parser.add_argument("--keep", action="store_true", help="keep the medians with the book, in book/archive/bench")
    parser.add_argument("--no-growth", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, shape, device = json.loads(arguments.one)
        print(json.dumps(run_one(name, tuple(shape), device)))
        return
    import torch

    from brainbook.encoding.alpha_scores import has_bfloat16

    device = "cuda" if torch.cuda.is_available() else "cpu"
    quarter = {f"{name}/4": tuple(size // 4 for size in shape) for name, shape in SHAPES.items()}
    shapes = quarter if arguments.quick else {**quarter, **SHAPES}
    if arguments.shapes:
        shapes = {name: {**quarter, **SHAPES}[name] for name in arguments.shapes}
    bfloat16 = has_bfloat16(torch.device(device))  # without it `fast` changes nothing
    names = [name for name in CONTESTANTS if name in arguments.contestants or name == "brainbook"]
    names = [name for name in names if bfloat16 or not name.endswith("fast")]
    print(f"{device}; bfloat16 in this processor: {bfloat16}")
    table = compare(shapes, arguments.rounds, device, names)
    OUT.mkdir(parents=True, exist_ok=True)
    table.to_csv(OUT / f"{arguments.name}.csv", index=False)
    means = table.groupby(["shape", "contestant"], sort=False).median(numeric_only=True).drop(columns="round")
    ours = means.xs("brainbook", level="contestant").seconds_all_targets
    means["times_brainbook"] = means.seconds_all_targets / ours.reindex(means.index, level="shape")
    print(
        f"\nMedians of {arguments.rounds} rounds on {device}; times_brainbook: how many times as long as RidgeEncoder"
    )
    print(
        f"(scikit-learn: one alpha for all of {SKLEARN_TARGETS:,} targets at most, its time stretched to all targets)."
    )
    print(means.round(3).to_string())
    if arguments.keep:
        from brainbook.workflow import archive_table

        name = torch.cuda.get_device_name() if device == "cuda" else device
        about = {"device": name, "threads": torch.get_num_threads(), "rounds": arguments.rounds}
        command = " ".join(["python benchmarks/bench_ridge.py", *(f"'{a}'" if " " in a else a for a in sys.argv[1:])])
        minutes = (time.time() - began) / 60
        archive_table("bench", arguments.name, means.reset_index().assign(**about), command, minutes=minutes)
    if not arguments.no_growth:
        grown = growth(tuple(size // 4 for size in SHAPES["A"]), device)
        grown.to_csv(OUT / "ridge_growth.csv", index=False)
        print("\nGrowth from a quarter of A:\n" + grown.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
