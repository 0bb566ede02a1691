"""How many runs a study has and what it will take: disk, memory, time; from measured rates, before any of it runs.

In a study file `work` says what one run of an entry does, in stages of `rates.csv`, once for each

    recordings       participant (cached on disk: counted once in a study, however many runs read them)
    states           model and language (cached likewise), in thousands of words, times the model's cost
    ridge_regions    participant, model and layer: leave one run out over 148 regions; the number says how many fits
    ridge_vertices   the same over 20,484 vertices
                     (to both belongs one `decomposition` of the features per language, model and layer: the
                     participants of a run who heard the same story share it)
    minutes          run: minutes on 2 cores, where nothing better is known

`rates.csv` holds what each takes on 2 CPU cores and on one GPU, and where the number is from:
`benchmarks/bench_scale.py` measures those of the CPU. `models.csv` holds the layers of each model and its cost in
multiples of BERT-base: weights that a word passes through, over the 85 million of BERT-base.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pandas as pd

from brainbook.datasets.little_prince_runs import PARTICIPANTS as PUBLISHED_PARTICIPANTS
from brainbook.workflow.status import duration
from brainbook.workflow.study_file import PlannedRun, Study, models_of

WORDS = {"EN": 15.4, "FR": 15.4, "CN": 16.0}  # thousands in the story; FR and CN are approximate
UNKNOWN_MODEL = {"layers": 24, "relative_cost": 3.6}  # taken to be as large as BERT-large
NODES = 16
SHARED = ("recordings", "states")  # computed once in a study
TOTAL = dict.fromkeys(("runs", "cpu_s", "gpu_s", "disk_mb"), "sum") | dict.fromkeys(("memory_mb", "longest_s"), "max")


@dataclass
class Estimate:
    """What a study will take.

    Attributes
    ----------
    chapters : by chapter: runs, cpu_s and gpu_s (seconds on each device), disk_mb, memory_mb, longest_s (of one run).
    guessed : the runs whose entries say nothing of their work.
    """

    chapters: pd.DataFrame
    guessed: list[str]

    @property
    def total(self) -> pd.Series:
        """Return the same of the whole study: sums; of memory_mb and longest_s the largest."""
        return self.chapters.agg(TOTAL)


def rates() -> pd.DataFrame:
    """Read the table of rates: stage, unit, device ("cpu" or "gpu"), seconds, memory_mb, disk_mb, source."""
    return pd.read_csv(files("brainbook.workflow").joinpath("rates.csv"))


def estimate(study: Study) -> Estimate:
    """Add up the work of all runs. Nothing is opened, loaded or asked of a network."""
    rows = run_costs(study).reset_index(drop=True)
    if study.phantom is None and (downloads := _downloads(study)):
        rows = pd.concat([pd.DataFrame(downloads), rows])
    chapters = rows.groupby("chapter", sort=False).agg(TOTAL)
    return Estimate(chapters, [run.name for run in study.runs.values() if not run.work])


def run_costs(study: Study, gpu: bool = True) -> pd.DataFrame:
    """Return what each run takes, one row per run, on the machine of the rates; what runs share, the first one pays.

    Parameters
    ----------
    gpu : whether runs that ask for a GPU get one.

    Returns
    -------
    DataFrame with the runs' names as its index: chapter, runs (1), cpu_s, gpu_s, disk_mb, memory_mb, longest_s.
    """
    table = rates().set_index(["stage", "device"])[["seconds", "disk_mb"]].to_dict("index")
    sizes = pd.read_csv(files("brainbook.workflow").joinpath("models.csv")).set_index("model").to_dict("index")
    counted: set[tuple] = set()
    rows = {}
    for run in study.runs.values():
        amount: dict[str, Any] = {
            "runs": 1,
            "cpu_s": 0.0,
            "gpu_s": 0.0,
            "disk_mb": run.disk_mb,
            "memory_mb": run.memory_mb,
        }
        amount |= {"chapter": run.chapter, "longest_s": 0.0}
        for stage, key, units in _steps(run, sizes):
            if stage in SHARED and (stage, *key) in counted:
                continue
            counted.add((stage, *key))
            device = "gpu" if gpu and run.gpus > 0 and (stage, "gpu") in table else "cpu"
            rate = table[stage, device]
            amount[f"{device}_s"] += units * rate["seconds"]
            amount["longest_s"] += units * rate["seconds"]
            amount["disk_mb"] += units * rate["disk_mb"]
        rows[run.name] = amount
    return pd.DataFrame.from_dict(rows, orient="index")


def _downloads(study: Study) -> list[dict]:
    """Return what the recordings of all participants take to download, each once, as a row of `run_costs`."""
    rate = rates().set_index("stage").loc["download"]
    read = {
        participant for run in study.runs.values() if "recordings" in run.work for participant in _participants(run)
    }
    zeros = dict.fromkeys(TOTAL, 0.0)
    row = {
        "chapter": "(recordings to download)",
        "cpu_s": len(read) * rate.seconds,
        "disk_mb": len(read) * rate.disk_mb,
    }
    return [zeros | row] if read else []


def _steps(run: PlannedRun, sizes: dict[str, dict]) -> Iterator[tuple[str, tuple, float]]:
    """Yield (stage, what it is computed for, how many units) of a run; each ridge brings its decompositions."""
    models = models_of(run)
    size = {model: dict(UNKNOWN_MODEL) for model in models}
    size |= {model: sizes[name] for model in models if (name := model.removeprefix("untrained:")) in sizes}
    for stage, times in (run.work or {"minutes": run.minutes / 3}).items():
        if stage == "recordings":
            yield from ((stage, participant, times) for participant in _participants(run))
        elif stage == "states":
            for model in models:
                for code in _languages(run):
                    yield stage, (model, code), times * WORDS[code] * size[model]["relative_cost"]
        elif stage.startswith("ridge"):
            for model in models:
                layers = times * (size[model]["layers"] + 1.0)
                yield "decomposition", (run.name, model), layers * len(_languages(run))
                yield stage, (run.name, model), layers * len(_participants(run))
        else:
            yield stage, (run.name,), times


def _languages(run: PlannedRun) -> list[str]:
    given = run.value("languages") or run.value("language") or list(PUBLISHED_PARTICIPANTS)
    if run.value("participant"):  # who heard one story only, whatever else the chapter could read
        given = str(run.value("participant"))[4:6]
    return [code for code in ([given] if isinstance(given, str) else given) if code in PUBLISHED_PARTICIPANTS]


def _participants(run: PlannedRun) -> list[tuple]:
    """Return the participants that a run reads: the named one, or the first `participants` of each language."""
    if run.value("participant"):
        return [(run.value("participant"),)]
    limit = run.value("participants")
    counts = {code: PUBLISHED_PARTICIPANTS[code] for code in _languages(run)}
    if isinstance(limit, int):
        counts = {code: min(limit, count) for code, count in counts.items()}
    return [(code, number) for code, count in counts.items() for number in range(count)]


def estimate_lines(result: Estimate) -> list[str]:
    """Return the estimate as text: a table by chapter, the totals on three kinds of machines, the assumptions."""
    lines = [f"{'chapter':<28}{'runs':>7}{'2-core time':>14}{'GPU time':>12}{'disk':>10}{'memory':>9}"]
    total = result.total
    for name, amount in [*result.chapters.iterrows(), ("all", total)]:
        cpu, gpu = duration(amount.cpu_s), duration(amount.gpu_s) if amount.gpu_s else "-"
        disk = f"{amount.disk_mb / 1000:.1f} GB"
        lines.append(f"{name:<28}{amount.runs:>7.0f}{cpu:>14}{gpu:>12}{disk:>10}{amount.memory_mb / 1000:>6.1f} GB")
    alone = total.cpu_s + total.gpu_s
    cluster = max(alone / NODES, total.longest_s)
    lines += ["", f"One machine (2 cores for each run, {'one GPU' if total.gpu_s else 'no GPU'}): {duration(alone)}."]
    lines.append(f"{NODES} such machines: {duration(cluster)} (no run is shorter than its longest step).")
    lines += ["", "Rates, and where they are from:"]
    for row in rates().itertuples():
        lines.append(f"  {row.stage:<15}{row.device:<5}{row.seconds:>9.2f} s per {row.unit:<26} {row.source}")
    if result.guessed:
        lines.append(f"  {len(result.guessed)} run(s) have no `work`: a third of their `minutes` is taken.")
    lines.append(
        "What is cached (recordings on the surface, states of words) is counted once, however many runs read it."
    )
    return lines
