"""How long it takes at full size: one participant of 2 mm recordings through the whole path, stage by stage.

    python benchmarks/bench_scale.py FOLDER [--stages phantom recordings ...] [--write]

Makes a phantom in the full shape of ds003643 (73 x 90 x 74 voxels, some 2,800 scans in nine sections) in
FOLDER/phantom. Every stage runs in a process of its own, so that its time and its peak memory are its own, and leaves
what it measured in FOLDER/measured: a bench that was stopped goes on, `--stages` measures some anew. `--write` archives
the table of stages in book/archive/scale, puts the rates into src/brainbook/workflow/rates.csv, from which `make check`
calculates, and writes book/how_long.md.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
RATES = ROOT / "src" / "brainbook" / "workflow" / "rates.csv"
COMMAND = "python benchmarks/bench_scale.py FOLDER --write"
WORDS = 400  # whose states are read, in contexts of 64 words
UNITS = 768
N_REGIONS, N_VERTICES = 148, 20_484
FIT = "one layer of 768 units, four delays, nine runs left out in turn"


def phantom(folder: Path) -> dict:
    from brainbook.phantom import make_phantom

    made = make_phantom(folder / "phantom", participants=1, languages=("EN",), scans=310, voxel_size=2.0, echoes=0)
    size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
    return {"what": "nine runs of 73 x 90 x 74 voxels written", "disk_mb": size // 1_000_000}


def recordings(folder: Path) -> dict:
    bold = _responses(folder, "vertices")
    return {"what": f"{bold.shape[0]} scans to {bold.shape[1]:,} vertices, cleaned", "disk_mb": bold.nbytes // 10**6}


def regions(folder: Path) -> dict:
    bold = _responses(folder, "regions")
    return {"what": f"{bold.shape[0]} scans to {bold.shape[1]} regions, cleaned", "disk_mb": bold.nbytes // 10**6}


def states(folder: Path) -> dict:
    """Of a BERT-base with random weights: its arithmetic is that of the trained one."""
    from transformers import BertConfig, BertModel

    from brainbook.language_models import LanguageModel, load_language_model, word_states

    words = _prince(folder).words("EN").word.tolist()[:WORDS]
    tiny = load_language_model("tiny-bert", cache=str(ROOT / "cache"))
    config = BertConfig(vocab_size=len(tiny.tokenizer))
    model = LanguageModel("bert-base", BertModel(config, add_pooling_layer=False).eval(), tiny.tokenizer)
    began, used = time.perf_counter(), time.process_time()
    word_states(model, words, context=64)
    rate = 1000 / len(words)
    return {
        "what": f"1,000 words through a BERT-base, contexts of 64 words (from {WORDS} words)",
        "seconds": rate * (time.perf_counter() - began),
        "cpu_seconds": rate * (time.process_time() - used),
    }


def align(folder: Path) -> dict:
    """States of the whole story onto scans, once by VLA and once by FLA."""
    import numpy as np

    from brainbook.chapters import align

    prince = _prince(folder)
    drawn = np.random.default_rng(0).standard_normal((1, len(prince.words("EN")), UNITS), dtype=np.float32)
    began, used = time.perf_counter(), time.process_time()
    for alignment in ("VLA", "FLA"):
        align(prince, "EN", drawn, alignment)
    return {
        "what": f"one layer of {len(prince.words('EN')):,} words onto scans, VLA and FLA",
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - used,
    }


def ridge(folder: Path, targets: str) -> dict:
    from brainbook.encoding import cross_validate

    features, responses = _features_and_responses(folder, targets)
    began, used = time.perf_counter(), time.process_time()
    cross_validate(features, responses.values, responses.run_of_scan, device="cpu")
    return {
        "what": f"{FIT}, {responses.values.shape[1]:,} {targets}, penalties chosen inside",
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - used,
    }


def permutations(folder: Path) -> dict:
    from brainbook.encoding import permutation_scores

    features, responses = _features_and_responses(folder, "regions")
    began, used = time.perf_counter(), time.process_time()
    permutation_scores(
        features, responses.values, responses.run_of_scan, 1e3, n_permutations=200, delays=(1, 2, 3, 4), device="cpu"
    )
    return {
        "what": f"{FIT}, {responses.values.shape[1]:,} regions, refitted to 200 shifted recordings",
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - used,
    }


def _prince(folder: Path):
    from brainbook.datasets import LittlePrince

    return LittlePrince(folder / "phantom")


def _responses(folder: Path, targets: str):
    prince = _prince(folder)
    return prince.responses(prince.participants("EN")[0], targets=targets, cache=folder / "cache").values


def _features_and_responses(folder: Path, targets: str):
    import numpy as np

    prince = _prince(folder)
    responses = prince.responses(prince.participants("EN")[0], targets=targets, cache=folder / "cache")
    return np.random.default_rng(0).standard_normal((len(responses.values), UNITS), dtype=np.float32), responses


def probe(folder: Path) -> dict:
    """What `make check` measures on every machine, to say how many times as long it takes as this one."""
    from brainbook.workflow.times import probe_seconds

    return {"what": "the probe of a machine's speed, the best of 8", "seconds": min(probe_seconds() for _ in range(8))}


STAGES = {
    "probe": probe,
    "phantom": phantom,
    "recordings": recordings,
    "regions": regions,
    "states": states,
    "align": align,
    "ridge_regions": lambda folder: ridge(folder, "regions"),
    "ridge_vertices": lambda folder: ridge(folder, "vertices"),
    "permutations": permutations,
}


def measure(stage: str, folder: Path) -> None:
    """Run one stage in this process and leave what it took in FOLDER/measured/<stage>.json."""
    from brainbook.store import write_json
    from brainbook.workflow import commit

    if stage == "recordings":  # what is cached would be measured as nothing
        shutil.rmtree(folder / "cache", ignore_errors=True)
    wall, used = time.perf_counter(), time.process_time()
    record = STAGES[stage](folder)
    record.setdefault("seconds", time.perf_counter() - wall)
    record.setdefault("cpu_seconds", time.process_time() - used)
    record |= {
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "threads": int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count()),
        "load": round(os.getloadavg()[0], 1),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
    }
    write_json(folder / "measured" / f"{stage}.json", record)
    print(stage, json.dumps(record), flush=True)


def measured(folder: Path) -> pd.DataFrame:
    """Return one row per stage: stage, what, seconds, cpu_seconds, memory_mb, disk_mb, threads, load, date, commit."""
    rows = [
        {"stage": stage, **json.loads(path.read_text())}
        for stage in STAGES
        if (path := folder / "measured" / f"{stage}.json").exists()
    ]
    columns = ["stage", "what", "seconds", "cpu_seconds", "memory_mb", "disk_mb", "threads", "load", "date", "commit"]
    return pd.DataFrame(rows).reindex(columns=columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "cache" / "scale")
    parser.add_argument("--stages", nargs="+", choices=STAGES, help="measure these, though they were measured before")
    parser.add_argument("--write", action="store_true", help="renew book/archive/scale, rates.csv and book/how_long.md")
    parser.add_argument("--one", nargs=2, metavar=("STAGE", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        measure(chosen.one[0], Path(chosen.one[1]))
        return
    folder = chosen.folder
    failed = []
    for stage in chosen.stages or [it for it in STAGES if not (folder / "measured" / f"{it}.json").exists()]:
        # the probe is what `make check` finds on any machine: with all cores, whatever the other stages are left
        kept = {name: it for name, it in os.environ.items() if stage != "probe" or not name.endswith("_NUM_THREADS")}
        if subprocess.run([sys.executable, __file__, "--one", stage, str(folder)], env=kept).returncode:
            failed.append(stage)
    if chosen.write:
        stages = measured(folder)
        if stages.empty:
            sys.exit(f"nothing was measured in {folder}: there is nothing to write")
        write(stages)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def with_decomposition(stages: pd.DataFrame) -> pd.DataFrame:
    """The stages with what a ridge takes for any targets at all apart from what each target adds.

    Two fits of the same features to 148 and to 20,484 targets make a straight line: its start is the decomposition,
    which all who heard the same story share, its slope the time of a target.
    """
    of = stages.set_index("stage")
    if not {"ridge_regions", "ridge_vertices"} <= set(of.index):
        return stages
    regions, vertices = of.seconds["ridge_regions"], of.seconds["ridge_vertices"]
    each = (vertices - regions) / (N_VERTICES - N_REGIONS)
    apart = pd.concat([stages, stages[stages.stage == "ridge_regions"].assign(stage="decomposition")])
    seconds = {
        "decomposition": regions - N_REGIONS * each,
        "ridge_regions": N_REGIONS * each,
        "ridge_vertices": N_VERTICES * each,
    }
    return apart.assign(seconds=apart.stage.map(seconds).fillna(apart.seconds))


def write(stages: pd.DataFrame) -> None:
    """Keep the table; put its seconds, memory and disk into the table of rates; write the page anew."""
    from brainbook.workflow import ARCHIVE, archive_table, archived_table

    newest = stages.sort_values("date").iloc[-1]
    archive_table("scale", "stages", stages, COMMAND, date=newest.date, commit_of=newest.commit, root=ROOT / ARCHIVE)
    table = pd.read_csv(RATES)
    for row in with_decomposition(stages).itertuples():
        here = (table.stage == row.stage) & (table.device == "cpu")
        cores = "1 core" if row.threads == 1 else f"{row.threads} cores"
        table.loc[here, ["seconds", "memory_mb"]] = [round(row.seconds, 3), row.memory_mb]
        busy = f", load {row.load:g}" if row.load > row.threads + 1 else ""  # else others used the machine, too
        table.loc[here, "source"] = f"measured {row.date[:10]} on {cores}{busy}"
    for place, row in table[table.device == "gpu"].iterrows():  # assumed ones follow what was measured on the CPU
        if times := re.match(r"assumed: (\d+) times as fast as \d+ core", row.source):
            cpu = table[(table.stage == row.stage) & (table.device == "cpu")].iloc[0]
            cores = re.search(r"\d+ cores?", cpu.source)
            table.loc[place, "seconds"] = round(cpu.seconds / int(times[1]), 2)
            table.loc[place, "source"] = f"assumed: {times[1]} times as fast as {cores[0]}" if cores else row.source
    table.to_csv(RATES, index=False)
    archived = archived_table("scale", "stages", ROOT / ARCHIVE)
    page = how_long(archived.rows, archived.origin())
    (ROOT / "book" / "how_long.md").write_text(page, encoding="utf-8")


PAGE = """# How long will it take?

This page is written by `python benchmarks/bench_scale.py FOLDER --write`: one participant in the full shape of ds003643
(2 mm, 73 x 90 x 74 voxels, some 2,800 scans) goes through the whole path on one machine, and what that took is
multiplied. For a study of your own, `make check STUDY=...` does the same sums with its runs.

{stages}## What one unit takes

{rates}

A rate that is *assumed* was not measured; measure it on your machine before you rely on it. No GPU was at hand: every
rate of a GPU is assumed. Memory is the peak of one process.

## {participants} participants, {models} models, {layers} layers

{totals}

Assumed: {models} models of {layers} layers that cost as much as BERT-large ({cost:g} times BERT-base) per word,
in contexts of 64 words, read once for each of three languages; layers of 768 units, and leave one run out over nine
runs for every participant, model and layer. All who heard the same story are fitted at once and share the decomposition
of its features; participants who are run one by one do not, and pay for it each. A cluster of {nodes} nodes with one
run each divides the time by {nodes}, because no run waits for another. A node of the CPU columns is the machine of the
rates above, of the GPU columns one GPU beside it; cleaning and projection stay on the CPU.
"""


def how_long(stages: pd.DataFrame, origin: str, participants: int = 112, models: int = 20, layers: int = 25) -> str:
    """Return the page "How long will it take?" as Markdown, from the rates and the table of stages and its origin."""
    from brainbook.workflow.estimate import NODES, UNKNOWN_MODEL, WORDS, rates
    from brainbook.workflow.status import duration

    table = rates()
    cells = [
        [row.stage.replace("_", ", "), row.unit, row.device, f"{row.seconds:g}", f"{row.memory_mb / 1000:.1f}",
         f"{row.disk_mb:g}", row.source]
        for row in table[~table.stage.isin(["minutes", "probe"])].itertuples()
    ]  # fmt: skip
    shown = _markdown(["stage", "unit", "device", "seconds", "memory (GB)", "disk (MB)", "source"], "lllrrrl", cells)
    seconds = table.set_index(["stage", "device"]).seconds
    words = sum(WORDS.values()) * models * UNKNOWN_MODEL["relative_cost"]
    fits, designs = participants * models * layers, len(WORDS) * models * layers
    parts = {
        "download": (participants, "download"),
        "recordings to the surface": (participants, "recordings"),
        "states of words": (words, "states"),
        f"decompositions ({designs:,}), which regions and vertices share": (designs, "decomposition"),
        f"ridge, 148 regions ({fits:,} fits)": (fits, "ridge_regions"),
        f"ridge, 20,484 vertices ({fits:,} fits)": (fits, "ridge_vertices"),
    }
    cells = []
    for what, (units, stage) in parts.items():
        cpu = units * seconds[stage, "cpu"]
        gpu = units * seconds.get((stage, "gpu"), seconds[stage, "cpu"])
        nodes = 1 if stage == "download" else NODES  # one line to the outside, however many nodes
        cells.append([what, *map(duration, (cpu, cpu / nodes, gpu, gpu / nodes))])
    machines = ["one machine, CPU", f"{NODES} nodes, CPU"]
    machines += ["one machine, GPU (assumed)", f"{NODES} nodes, GPU (assumed)"]
    return PAGE.format(
        stages=_stages(stages, origin),
        rates=shown,
        totals=_markdown(["what", *machines], "lrrrr", cells),
        participants=participants,
        models=models,
        layers=layers,
        cost=UNKNOWN_MODEL["relative_cost"],
        nodes=NODES,
    )


def _stages(stages: pd.DataFrame, origin: str) -> str:
    """What each stage took for one participant, as a section of the page."""
    cells = [
        [row.stage.replace("_", ", "), row.what, f"{row.seconds:.1f}", f"{row.cpu_seconds:.1f}",
         f"{row.memory_mb / 1000:.1f}", str(row.threads)]
        for row in stages[stages.stage != "probe"].itertuples()
    ]  # fmt: skip
    table = _markdown(["stage", "what", "seconds", "CPU seconds", "memory (GB)", "threads"], "llrrrr", cells)
    return f"## One participant through the whole path\n\n{table}\n\n{origin}\n\n"


def _markdown(columns: list[str], sides: str, cells: list[list[str]]) -> str:
    rule = "|" + "|".join({"l": "---", "r": "--:"}[side] for side in sides) + "|"
    return "\n".join(["| " + " | ".join(columns) + " |", rule, *("| " + " | ".join(row) + " |" for row in cells)])


if __name__ == "__main__":
    main()
