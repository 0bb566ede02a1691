"""How cost grows: time and memory against scans, features, targets, participants, layers, permutations; many nodes.

    python benchmarks/bench_growth.py [--axes scans features ...] [--keep]

Every axis is measured in a process of its own on one thread, one fit at a time, the rest as in `BASE`; times are CPU
seconds, which a busy machine changes little. The study `paper` is then scheduled on 1 to 256 nodes, each run as long as
the measured rates of `make check` say. `--keep` archives the tables in book/archive/growth, and writes
book/growth.md and its figure from them.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from growth_page import draw, exponents, page

ROOT = Path(__file__).resolve().parents[1]
COMMAND = "python benchmarks/bench_growth.py --keep"
RUNS = 9
BASE = {"scans": 900, "features": 512, "targets": 148, "participants": 1, "layers": 1, "permutations": 0}
AXES = {
    "scans": (450, 900, 1800),
    "features": (256, 512, 1024),
    "targets": (148, 1184, 9472),
    "participants": (1, 8, 64),
    "layers": (1, 2, 4),
    "permutations": (100, 200, 400, 800),
}
NODES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
EXAMPLE = {"participants": 1000, "models": 30, "layers": 25, "languages": 3}


def measure(axis: str) -> list[dict]:
    """Fit at every value of one axis in this process: CPU seconds, and memory beyond that of the imports."""
    from brainbook.encoding import cross_validate, permutation_scores

    forget_peak_memory()
    rows, before = [], peak_memory()
    for value in (AXES[axis][0] // 2, *AXES[axis]):  # the first is warm-up, and is not kept
        size = BASE | {axis: max(value, 1)}
        rng = np.random.default_rng(0)
        runs = np.repeat(np.arange(RUNS), size["scans"] // RUNS)
        shape = (size["layers"], len(runs), size["features"] // 4)
        features = rng.standard_normal(shape, dtype=np.float32)
        responses = rng.standard_normal((len(runs), size["targets"] * size["participants"]), dtype=np.float32)
        responses[:, : shape[-1]] += 0.3 * features[0, :, : responses.shape[1]]
        forget_peak_memory()
        began = time.process_time()
        if axis == "permutations":
            permutation_scores(
                features[0], responses, runs, 1e3, n_permutations=value, delays=(1, 2, 3, 4), device="cpu"
            )
        else:
            cross_validate(list(features), responses, runs, delays=(1, 2, 3, 4), device="cpu")
        seconds = time.process_time() - began
        rows.append({"axis": axis, "value": value, "cpu_s": seconds, "memory_mb": (peak_memory() - before) / 1024})
    return rows[1:]


def forget_peak_memory() -> None:
    """Let Linux count the peak anew; elsewhere the peak of a small fit is that of a larger one before it."""
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Return the peak of this process's memory in kB."""
    if sys.platform == "linux":
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def on_nodes(gpu: bool) -> pd.DataFrame:
    """Schedule the study `paper` on 1 to 256 nodes: hours to the end, how busy nodes are, what the disk carries."""
    from brainbook.workflow.estimate import run_costs
    from brainbook.workflow.schedule import finish_times, longest_chains
    from brainbook.workflow.study_file import read_study
    from brainbook.workflow.times import START_SECONDS

    study = read_study("paper", data="DATA", studies=ROOT / "studies", notebooks=ROOT / "notebooks")
    costs = run_costs(study, gpu=gpu)
    seconds = (costs.cpu_s + costs.gpu_s + START_SECONDS).to_dict()
    before = {name: [earlier.name for earlier in study.before(run)] for name, run in study.runs.items()}
    chains = longest_chains(seconds, before)
    traffic = {name: traffic_mb(run) for name, run in study.runs.items()}
    rows = []
    for nodes in NODES:
        spans = finish_times(seconds, before, nodes, chains)
        end = max(stop for _, stop in spans.values())
        rows.append(
            {
                "device": "gpu" if gpu else "cpu",
                "nodes": nodes,
                "hours": end / 3600,
                "busy": sum(seconds.values()) / (nodes * end),
                "disk_mb_s": sum(traffic.values()) / end,
                "disk_gb": sum(traffic.values()) / 1000,
                "longest_chain_hours": max(chains.values()) / 3600,
                "runs": len(seconds),
            }
        )
    return pd.DataFrame(rows)


def traffic_mb(run) -> float:
    """Return the MB that a run reads and writes on the shared disk: responses, and states of words, twice.

    The first run that asks for states writes them; here every run is taken to, so that this is no underestimate.
    """
    from brainbook.workflow import estimate

    models, codes = estimate.models_of(run), estimate._languages(run)
    sizes = pd.read_csv(Path(estimate.__file__).with_name("models.csv")).set_index("model")
    people = len(estimate._participants(run)) if "recordings" in run.work else 0
    responses = people * (230 if "ridge_vertices" in run.work else 2)
    states = sum(
        sum(estimate.WORDS[code] for code in codes) * 1000 * (of.layers + 1) * of.units * 4 / 1e6
        for of in (sizes.loc[name] if name in sizes.index else sizes.loc["bert-large-uncased"] for name in models)
    )
    return responses + 2 * states * ("states" in run.work)


def example() -> pd.DataFrame:
    """What 1,000 participants and 30 models take, by stage: node hours on two cores, and GB on the disk."""
    from brainbook.workflow.estimate import UNKNOWN_MODEL, WORDS, rates

    table = rates().set_index(["stage", "device"]).xs("cpu", level="device")
    participants, models, layers = EXAMPLE["participants"], EXAMPLE["models"], EXAMPLE["layers"]
    units = {
        "download": participants,
        "recordings": participants,
        "states": models * sum(WORDS.values()) * UNKNOWN_MODEL["relative_cost"],
        "decomposition": models * layers * EXAMPLE["languages"],
        "ridge_regions": participants * models * layers,
        "ridge_vertices": participants * models,
    }
    rows = [
        {
            "stage": stage,
            "units": n,
            "hours": n * table.seconds[stage] / 3600,
            "disk_gb": n * table.disk_mb[stage] / 1000,
        }
        for stage, n in units.items()
    ]
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--axes", nargs="+", choices=AXES, default=list(AXES))
    parser.add_argument("--keep", action="store_true", help="archive the tables and write book/growth.md")
    parser.add_argument("--rest", action="store_true", help="leave the curves as archived, renew the other tables")
    parser.add_argument("--one", choices=AXES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one)))
        return
    tables = {"nodes": pd.concat([on_nodes(False), on_nodes(True)]), "example": example()}
    if not chosen.rest:
        tables["curves"] = measure_all(chosen.axes)
        print(exponents(tables["curves"]).to_string(index=False))
    print(*(table.to_string(index=False) for table in tables.values()), sep="\n")
    if chosen.keep and len(chosen.axes) == len(AXES):
        from brainbook.workflow import ARCHIVE, archive_table

        for name, table in tables.items():
            archive_table("growth", name, table, COMMAND, root=ROOT / ARCHIVE)
        write_page()


def measure_all(axes: list[str]) -> pd.DataFrame:
    """Measure every axis in a process of its own: axis, value, cpu_s, memory_mb."""
    rows = []
    for axis in axes:
        done = subprocess.run([sys.executable, __file__, "--one", axis], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{axis}: {done.stderr[-2000:]}")
        rows += json.loads(done.stdout.splitlines()[-1])
        print(f"{axis} measured", flush=True)
    return pd.DataFrame(rows)


def archived() -> dict:
    """Return the archived tables of this benchmark by name."""
    from brainbook.workflow.archive import ARCHIVE, read_archived

    return {name: read_archived("growth", name, ROOT / ARCHIVE) for name in ("curves", "nodes", "example")}


def page_text() -> str:
    """Return the page from the archived tables."""
    base = ", ".join(f"{count:,} {name.rstrip('s') if count == 1 else name}" for name, count in BASE.items() if count)
    tables = archived()
    origin = tables["curves"].origin()
    return page(*(table.rows for table in tables.values()), origin=origin, command=COMMAND, n_runs=RUNS, base=base)


def write_page() -> None:
    """Write book/growth.md and its figure."""
    (ROOT / "book/growth.md").write_text(page_text(), encoding="utf-8")
    draw(archived()["curves"].rows, ROOT / "book/pictures/growth.png")


if __name__ == "__main__":
    main()
