"""What ran when: a session's runs on the clock, how busy its cores were, and what it cost in CPU time."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from brainbook.errors import ConfigurationError
from brainbook.store import read_json
from brainbook.workflow.content import read_state, run_folder
from brainbook.workflow.status import duration
from brainbook.workflow.study_file import Study

WIDTH = 32  # characters of the longest bar
PAUSE_S = 120.0  # without any run: before it lies another session


@dataclass(frozen=True)
class Span:
    """One run, or the making of the phantom or a model: when it began and ended (s), its CPU seconds if known."""

    name: str
    began: float
    ended: float
    cpu_s: float | None = None


def _timestamp(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def last_session_spans(study: Study) -> list[Span]:
    """Return what ran in the last session, in the order in which it began; times in seconds since 1970."""
    records = {name: read_state(run_folder(study, run)) for name, run in study.runs.items()}
    for name in ("phantom", "models"):
        path = Path("logs", study.name, f"{name}.json")
        records[name] = read_json(path) if path.exists() else {}
    whole = {name: record for name, record in records.items() if {"began", "finished"} <= record.keys()}
    spans = [
        Span(name, _timestamp(it["began"]), _timestamp(it["finished"]), it.get("cpu_s")) for name, it in whole.items()
    ]
    session: list[Span] = []
    for span in sorted(spans, key=lambda it: it.ended, reverse=True):
        if session and span.ended < min(it.began for it in session) - PAUSE_S:
            break
        session.append(span)
    return sorted(session, key=lambda it: it.began)


def idle_seconds(spans: list[Span], slots: int) -> float:
    """Return for how many seconds slots were free between the first start and the last end, over all slots."""
    began, ended = min(it.began for it in spans), max(it.ended for it in spans)
    moments = sorted({began, ended, *(it.began for it in spans), *(it.ended for it in spans)})
    idle = 0.0
    for start, stop in zip(moments, moments[1:], strict=False):
        busy = sum(it.began <= start and it.ended >= stop for it in spans)
        idle += max(0, slots - busy) * (stop - start)
    return idle


def timeline_lines(study: Study, slots: int = 2) -> list[str]:
    """Return the last session as text: one bar per run on a common clock; last how long all took, idle time, CPU time.

    Raises ConfigurationError when nothing has run.
    """
    spans = last_session_spans(study)
    if not spans:
        raise ConfigurationError(f"no run of study {study.name!r} has ended: `make study STUDY={study.name}` runs it")
    start = spans[0].began
    total = max(max(it.ended for it in spans) - start, 1.0)
    scale, names = WIDTH / total, max(len(it.name) for it in spans)
    lines = [f"{'':<{names}}  begins   takes     CPU"]
    for it in spans:
        first = round((it.began - start) * scale)
        bar = " " * first + "█" * max(1, round((it.ended - start) * scale) - first)
        cpu = "" if it.cpu_s is None else f"{it.cpu_s:.0f} s"
        lines.append(
            f"{it.name:<{names}} {it.began - start:>6.0f} s{it.ended - it.began:>6.0f} s{cpu:>8}  {bar}".rstrip()
        )
    idle = idle_seconds(spans, slots)
    last = (
        f"{duration(total)} from the first start to the last end; of {slots} cores idle: {idle / (slots * total):.0%}"
    )
    known = [it.cpu_s for it in spans if it.cpu_s is not None]
    return [*lines, last + (f"; {sum(known) / 60:.1f} CPU minutes" if len(known) == len(spans) else "")]
