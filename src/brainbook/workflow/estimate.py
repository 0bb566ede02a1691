"""How many runs a study has and what it will take: disk, memory, time; from measured rates, before any of it runs.

In a study file `work` says what one run of an entry does, in stages of `rates.csv`, once for each

    recordings       participant (kept on disk: counted once in a study, whichever runs read them)
    states           model and language (kept likewise), in thousands of words, times the model's cost
    ridge_regions    participant, model and layer: leave one run out over 148 regions; the number says how many fits
    ridge_vertices   the same over 20,484 vertices
                     (to both belongs one `decomposition` of the features a language, model and layer: the participants
                     of a run who heard the same story share it)
    minutes          run: minutes on 2 cores, where nothing better is known

`rates.csv` holds what each takes on 2 CPU cores and on one GPU, and where the number is from:
`benchmarks/bench_scale.py` measures those of the CPU. `models.csv` holds the layers of each model and its cost in
multiples of BERT-base: weights that a word passes through, over the 85 million of BERT-base.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import pandas as pd

from brainbook.workflow.archive import ARCHIVE, archived_table
from brainbook.workflow.readiness import models_of
from brainbook.workflow.status import duration
from brainbook.workflow.study_file import PUBLISHED_PARTICIPANTS, PlannedRun, Study

WORDS = {"EN": 15.4, "FR": 15.4, "CN": 16.0}  # thousands in the story; FR and CN are approximate
UNKNOWN_MODEL = {"layers": 24, "units": 1024, "relative_cost": 3.6}  # taken to be as large as BERT-large
NODES = 16
SHARED = ("download", "recordings", "states")  # computed once in a study


@dataclass
class Amount:
    """Of one chapter or of the whole study: hours of work on each device, megabytes of disk, of memory at the most."""

    runs: int = 0
    cpu_s: float = 0.0
    gpu_s: float = 0.0
    disk_mb: float = 0.0
    memory_mb: float = 0.0
    longest_s: float = 0.0


@dataclass
class Estimate:
    """What a study will take, chapter by chapter."""

    study: str
    chapters: dict[str, Amount] = field(default_factory=lambda: defaultdict(Amount))
    guessed: list[str] = field(default_factory=list)

    @property
    def total(self) -> Amount:
        parts = list(self.chapters.values())
        summed = {key: sum(getattr(part, key) for part in parts) for key in ("runs", "cpu_s", "gpu_s", "disk_mb")}
        most = {key: max((getattr(part, key) for part in parts), default=0.0) for key in ("memory_mb", "longest_s")}
        return Amount(**summed, **most)


def rates() -> pd.DataFrame:
    """The table of rates: stage, unit, device ("cpu" or "gpu"), seconds, memory_mb, disk_mb, source."""
    return pd.read_csv(files("brainbook.workflow").joinpath("rates.csv"))


def model_sizes() -> pd.DataFrame:
    return pd.read_csv(files("brainbook.workflow").joinpath("models.csv")).set_index("model")


def estimate(study: Study) -> Estimate:
    """Add up the work of all runs. Nothing is opened, loaded or asked of a network."""
    table = rates().set_index(["stage", "device"])
    sizes = model_sizes()
    found = Estimate(study.name)
    counted: set[tuple] = set()
    if study.phantom is None:
        _add_download(study, found, table, counted)
    for run in study.runs.values():
        part = found.chapters[run.chapter]
        part.runs += 1
        part.memory_mb = max(part.memory_mb, run.memory_mb)
        part.disk_mb += run.disk_mb
        if not run.work:
            found.guessed.append(run.name)
        run_s = 0.0
        for stage, times in _stages_of(run):
            for key, units in _units(stage, run, sizes):
                if stage in SHARED and key in counted:
                    continue
                counted.add(key)
                device = "gpu" if run.gpus and (stage, "gpu") in table.index else "cpu"
                rate = table.loc[(stage, device)]
                seconds = units * times * rate.seconds
                part.cpu_s += seconds if device == "cpu" else 0.0
                part.gpu_s += seconds if device == "gpu" else 0.0
                part.disk_mb += units * rate.disk_mb
                run_s += seconds
        part.longest_s = max(part.longest_s, run_s)
    return found


def _add_download(study: Study, found: Estimate, table: pd.DataFrame, counted: set[tuple]) -> None:
    people = {key for run in study.runs.values() if "recordings" in run.work for key, _ in _people(run)}
    if people:
        rate = table.loc[("download", "cpu")]
        part = found.chapters["(recordings to download)"]
        part.cpu_s, part.disk_mb = len(people) * rate.seconds, len(people) * rate.disk_mb
        counted.update(("download", person) for person in people)


def _stages_of(run: PlannedRun) -> list[tuple[str, float]]:
    """(stage, how many times) of a run; each ridge brings the decompositions that it needs."""
    stages = []
    for stage, times in (run.work or {"minutes": run.minutes / 3}).items():
        stages += [("decomposition", times)] if stage.startswith("ridge") else []
        stages.append((stage, times))
    return stages


def _languages(run: PlannedRun) -> list[str]:
    given = run.value("languages") or run.value("language")
    if run.value("participant"):  # who heard one story only, whatever else the chapter could read
        given = str(run.value("participant"))[4:6]
    given = [given] if isinstance(given, str) else list(given or PUBLISHED_PARTICIPANTS)
    return [code for code in given if code in PUBLISHED_PARTICIPANTS]


def _people(run: PlannedRun) -> list[tuple[tuple, float]]:
    """The participants that a run reads: one that is named, or the first `participants` of each of its languages."""
    if run.value("participant"):
        return [(("recordings", run.value("participant")), 1.0)]
    limit = run.value("participants")
    people = []
    for code in _languages(run):
        count = PUBLISHED_PARTICIPANTS[code]
        people += [
            (("recordings", code, n), 1.0) for n in range(min(limit, count) if isinstance(limit, int) else count)
        ]
    return people


def _units(stage: str, run: PlannedRun, sizes: pd.DataFrame) -> list[tuple[tuple, float]]:
    """(what it is, for counting it once; how many units) of a stage of one run."""
    if stage == "recordings":
        return _people(run)
    models = [_size(name, sizes) | {"name": name} for name in models_of(run)]
    if stage == "states":
        return [
            (("states", model["name"], code), WORDS[code] * model["relative_cost"])
            for model in models
            for code in _languages(run)
        ]
    if stage == "decomposition" or stage.startswith("ridge"):
        times = len(_languages(run)) if stage == "decomposition" else len(_people(run))
        return [((stage, run.name, model["name"]), times * (model["layers"] + 1.0)) for model in models]
    return [((stage, run.name), 1.0)]


def _size(name: str, sizes: pd.DataFrame) -> dict:
    plain = name.removeprefix("untrained:")
    return sizes.loc[plain].to_dict() if plain in sizes.index else dict(UNKNOWN_MODEL)


def estimate_lines(found: Estimate) -> list[str]:
    """The estimate as lines of text: a table by chapter, the totals on three kinds of machines, the assumptions."""
    lines = [f"{'chapter':<28}{'runs':>7}{'2-core time':>14}{'GPU time':>12}{'disk':>10}{'memory':>9}"]
    for name, part in [*found.chapters.items(), ("all", found.total)]:
        cpu, gpu = duration(part.cpu_s), duration(part.gpu_s) if part.gpu_s else "-"
        disk = f"{part.disk_mb / 1000:.1f} GB"
        lines.append(f"{name:<28}{part.runs:>7}{cpu:>14}{gpu:>12}{disk:>10}{part.memory_mb / 1000:>6.1f} GB")
    total = found.total
    alone = total.cpu_s + total.gpu_s
    cluster = max(alone / NODES, total.longest_s)
    lines += ["", f"One machine (2 cores for each run, {'one GPU' if total.gpu_s else 'no GPU'}): {duration(alone)}."]
    lines.append(f"{NODES} such machines: {duration(cluster)} (no run is shorter than its longest step).")
    lines += ["", "Rates, and where they are from:"]
    for row in rates().itertuples():
        lines.append(f"  {row.stage:<15}{row.device:<5}{row.seconds:>9.2f} s a {row.unit:<26} {row.source}")
    if found.guessed:
        lines.append(f"  {len(found.guessed)} run(s) have no `work`: a third of their `minutes` is taken.")
    lines.append("What is kept on disk (recordings on the surface, states of words) is counted once, whoever reads it.")
    return lines


PAGE = """# How long will it take?

This page is written by `python benchmarks/bench_scale.py FOLDER --write`: one participant in the full shape of ds003643
(2 mm, 73 x 90 x 74 voxels, some 2,800 scans) goes through the whole path on one machine, and what that took is
multiplied. For a study of your own, `make check STUDY=...` does the same sums with its runs.

{stages}## What one unit takes

{rates}

A rate that is *assumed* was not measured; measure it on your machine before you rely on it. No GPU was at hand: every
rate of a GPU is assumed. Memory is the peak of one process.

## {people} participants, {models} models, {layers} layers

{totals}

Assumed: {models} models of {layers} layers that cost as much as BERT-large ({cost:g} times BERT-base) a word,
in contexts of 64 words, read once for each of three languages; layers of 768 units, and leave one run out over nine
runs for every participant, model and layer. All who heard the same story are fitted at once and share the decomposition
of its features; participants who are run one by one do not, and pay for it each. A cluster of {nodes} nodes with one
run each divides the time by {nodes}, because no run waits for another. A node of the CPU columns is the machine of the
rates above, of the GPU columns one GPU beside it; cleaning and projection stay on the CPU.
"""


def how_long(people: int = 112, models: int = 20, layers: int = 25, kept: str | Path = ARCHIVE) -> str:
    """The page "How long will it take?" as Markdown, from the table of rates and the kept one of measured stages."""
    table = rates()
    shown = table[table.stage != "minutes"]
    lines = ["| stage | unit | device | seconds | memory (GB) | disk (MB) | source |", "|---|---|---|--:|--:|--:|---|"]
    for row in shown.itertuples():
        memory = f"{row.memory_mb / 1000:.1f}"
        cells = [row.stage.replace("_", ", "), row.unit, row.device, f"{row.seconds:g}", memory, f"{row.disk_mb:g}"]
        lines.append(f"| {' | '.join([*cells, row.source])} |")
    seconds = table.set_index(["stage", "device"]).seconds
    words = sum(WORDS.values()) * models * UNKNOWN_MODEL["relative_cost"]
    fits, spaces = people * models * layers, len(WORDS) * models * layers
    totals = [
        f"| what | one machine, CPU | {NODES} nodes, CPU | one machine, GPU (assumed) | {NODES} nodes, GPU (assumed) |",
        "|---|--:|--:|--:|--:|",
    ]
    parts = {
        "download": (people, "download"),
        "recordings to the surface": (people, "recordings"),
        "states of words": (words, "states"),
        f"decompositions ({spaces:,}), which regions and vertices share": (spaces, "decomposition"),
        f"ridge, 148 regions ({fits:,} fits)": (fits, "ridge_regions"),
        f"ridge, 20,484 vertices ({fits:,} fits)": (fits, "ridge_vertices"),
    }
    for what, (units, stage) in parts.items():
        cpu = units * seconds[stage, "cpu"]
        gpu = units * seconds.get((stage, "gpu"), seconds[stage, "cpu"])
        shared = 1 if stage == "download" else NODES  # one line to the outside, however many nodes
        cells = [duration(value) for value in (cpu, cpu / shared, gpu, gpu / shared)]
        totals.append(f"| {what} | {' | '.join(cells)} |")
    return PAGE.format(
        stages=_stages(kept),
        rates="\n".join(lines),
        totals="\n".join(totals),
        people=people,
        models=models,
        layers=layers,
        cost=UNKNOWN_MODEL["relative_cost"],
        nodes=NODES,
    )


def _stages(kept: str | Path) -> str:
    """What each stage took for one participant, as a section of the page; "" as long as it was not measured."""
    if not (Path(kept) / "scale" / "stages.csv").is_file():
        return ""
    found = archived_table("scale", "stages", kept)
    lines = ["| stage | what | seconds | CPU seconds | memory (GB) | threads |", "|---|---|--:|--:|--:|--:|"]
    for row in found.rows.itertuples():
        numbers = f"{row.seconds:.1f} | {row.cpu_seconds:.1f} | {row.memory_mb / 1000:.1f} | {row.threads}"
        lines.append(f"| {row.stage.replace('_', ', ')} | {row.what} | {numbers} |")
    table = "\n".join(lines)
    return f"## One participant through the whole path\n\n{table}\n\n{found.origin()}\n\n"
