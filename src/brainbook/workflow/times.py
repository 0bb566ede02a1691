"""How long what is left of a study will take: past runs on this machine, else measured rates and this machine's speed.

Every run leaves how long it took in its `state.json`, and it is expected to take as long again. A run that never ran
here is expected to take what `workflow.estimate` says (by the `work` of the study file), times how much slower this
machine is than that of the rates. As runs end, what they really took corrects what is expected of the others.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from brainbook.source_code import reading_once
from brainbook.workflow.content import is_ready, prerequisites, read_state, run_folder
from brainbook.workflow.estimate import rates, run_costs
from brainbook.workflow.gpus import visible_gpus
from brainbook.workflow.schedule import finish_times, longest_chains
from brainbook.workflow.status import RunStatus, duration
from brainbook.workflow.study_file import Study

START_SECONDS = 4.0  # from a run's turn to its first cell: Snakemake, Python, what the run is made from, the kernel
PREPARE_SECONDS = {"phantom": 60.0}  # what the demo's takes; tiny models come with the package, and one process asks:
MODEL_SECONDS = 1.5
TRUSTED_SECONDS = 240.0  # of work that must be done before what runs took counts as much as what was expected
OVERDUE = 0.15  # of the time that it has run, a run that should have ended is expected to take on


def machine_pace(repeats: int = 3) -> float:
    """Return how many times as long this machine takes as that of the rates: a small probe, the best of `repeats`.

    The probe is what chapters do: matrix products and plain Python, about half of the time each.
    """
    reference = rates().set_index("stage").seconds["probe"]
    return min(probe_seconds() for _ in range(repeats)) / reference


def probe_seconds() -> float:
    """Return the seconds that the probe of `machine_pace` takes now."""
    import numpy as np

    matrix: Any = np.ones((500, 500), np.float32)
    began = time.perf_counter()
    for _ in range(10):
        matrix = matrix @ matrix / 500
    counts: dict[int, int] = {}
    for number in range(300_000):
        counts[number % 1000] = counts.get(number % 1000, 0) + number
    return time.perf_counter() - began


def past_seconds(study: Study) -> dict[str, float]:
    """Return {run: seconds} of those that ran before on this machine with the parameters that they have today."""
    past = {}
    for name, run in study.runs.items():
        state = read_state(run_folder(study, run))
        took = state.get("wall_s") if state.get("state") == "done" else state.get("took_s")
        if isinstance(took, int | float) and state.get("parameters") == run.parameters:
            past[name] = float(took)
    return past


@dataclass
class Plan:
    """What the runs of a study wait for and how long each is expected to take; made once, before a session.

    Attributes
    ----------
    seconds : {run, or "phantom", or the name of a model: expected seconds}; of what is prepared only what is not ready.
    stamps : {"phantom" or a model: what says that it is ready}, as from `content.prerequisites`.
    n_past : how many runs are expected to take what they took here before.
    pace : how many times as long as on the machine of the rates the others are taken to need.
    """

    study: Study
    seconds: dict[str, float]
    stamps: dict[str, tuple[Path, str]]
    n_past: int
    pace: float

    @classmethod
    def of(cls, study: Study, pace: float | None = None) -> "Plan":
        """Make the plan of a study; `pace` is measured when it is not given and some run never ran here."""
        past = past_seconds(study)
        if pace is None:
            pace = machine_pace() if set(study.runs) - set(past) else 1.0
        costs = run_costs(study, gpu=bool(visible_gpus()))
        with reading_once():
            stamps = {name: stamp for name, stamp in prerequisites(study).items() if not is_ready(*stamp)}
        prepared = {name: pace * PREPARE_SECONDS.get(name, MODEL_SECONDS) for name in stamps}
        return cls(study, prepared | (costs.cpu_s * pace + costs.gpu_s).to_dict() | past, stamps, len(past), pace)

    @cached_property
    def before(self) -> dict[str, list[str]]:
        """{run: all that it waits for}."""
        study = self.study
        waits_for = {name: [earlier.name for earlier in study.before(run)] for name, run in study.runs.items()}
        for name, run in study.runs.items():
            waits_for[name] += run.models
            waits_for[name] += ["phantom"] if study.phantom and run.parameters.get("data") == study.data else []
        return waits_for

    @cached_property
    def chains(self) -> dict[str, float]:
        """{run: expected seconds from its start to the end of all that waits for it}; what is prepared goes first."""
        return longest_chains(self.seconds, self.before) | dict.fromkeys(self.stamps, 1e6)

    def priorities(self) -> dict[str, int]:
        """Return {entry of the study file: the longest chain that one of its runs begins, in seconds}."""
        entries: dict[str, int] = {}
        for name in self.study.runs:
            entries[_entry(name)] = max(entries.get(_entry(name), 0), round(self.chains[name]))
        return entries

    def seconds_left(
        self, slots: int, running: Mapping[str, float] | None = None, ended: Mapping[str, float] | None = None,
        others: Collection[str] = (),
    ) -> float:  # fmt: skip
        """Return the expected seconds until all is done.

        Parameters
        ----------
        slots : cores (one machine), or runs at a time (a cluster).
        running : {run: seconds for which it has been running}.
        ended : {run: seconds that it took} of those that ended in this session.
        others : what needs nothing more: done before this session, failed, ready.
        """
        running, ended = dict(running or {}), dict(ended or {})
        start = START_SECONDS * self.pace
        expected = {name: each + start for name, each in self.seconds.items()}
        known = {name: took + start for name, took in ended.items()}
        known |= {name: since for name, since in running.items() if since > expected[name]}  # takes at least so long
        of_entry = {_entry(name): [each for each in ended if _entry(each) == _entry(name)] for name in ended}
        left = {}
        for name, each in expected.items():
            alike = of_entry.get(_entry(name))  # runs of the same sweep say more than all together
            pace = _ratio(known, expected, alike, 0.0) if alike else _ratio(known, expected, known, TRUSTED_SECONDS)
            if name in running:
                left[name] = max(each * pace - running[name], OVERDUE * running[name])
            elif name not in ended and name not in others:
                left[name] = each * pace
        width = {name: run.threads for name, run in self.study.runs.items()}
        times = finish_times(left, self.before, slots, self.chains, width, running)
        return max((end for _, end in times.values()), default=0.0)


def _entry(name: str) -> str:
    return name.split("/")[0]


def _ratio(known: Mapping[str, float], expected: Mapping[str, float], names: Collection[str], prior: float) -> float:
    """Return what runs took over what was expected of them, with `prior` seconds of work that took as expected."""
    return (sum(known[name] for name in names) + prior) / (sum(expected[name] for name in names) + prior)


def time_left(rows: list[RunStatus], plan: Plan, slots: int, since: str = "") -> float:
    """Return the expected seconds until a session that began at `since` (UTC, ISO format) has done all that it can."""
    ended = {row.run: row.seconds for row in rows if row.state == "done" and row.finished >= since and row.seconds}
    running = {row.run: row.seconds or 0.0 for row in rows if row.state == "running"}
    others = {row.run for row in rows if row.state in ("done", "failed")} - ended.keys()
    others |= {name for name, stamp in plan.stamps.items() if is_ready(*stamp)}
    return plan.seconds_left(slots, running, ended, others)


def plan_lines(plan: Plan, slots: Sequence[int] = (1, 2, 4, 8)) -> list[str]:
    """Return what a study is expected to take on this machine, as text: by how many of its runs go at a time."""
    n_runs, n_past = len(plan.study.runs), plan.n_past
    known = f"{n_past} of {n_runs} runs take what they took here before" if n_past else "no run of it ran here before"
    lines = [
        f"This machine, with everything to be done: {known}; the others need {plan.pace:.2f} times the rates' time."
    ]
    times = {each: plan.seconds_left(each) for each in slots}
    lines.append("  " + ", ".join(f"JOBS={each} {duration(seconds)}" for each, seconds in times.items()))
    return lines
