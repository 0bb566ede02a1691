"""Where a study stands: what is done, runs, failed (and why) or waits, and how long the rest will take."""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from brainbook.source_code import reading_once
from brainbook.workflow.content import is_ready, prerequisites, read_state, run_folder, why_not_current
from brainbook.workflow.execution import DONE, is_locked
from brainbook.workflow.study_file import PlannedRun, Study

ORDER = ("failed", "interrupted", "running", "waiting", "out of date", "done")


@dataclass
class RunStatus:
    """The status of one run, or of the phantom or a model that runs need.

    Attributes
    ----------
    state : one of `ORDER`. "interrupted": its process is gone; "out of date": what it was made from changed, or what it
        left is damaged.
    why : for a failed run its error, for a waiting one what it waits for, what changed or is damaged; one line.
    seconds : how long it took, or has been running; None when it has not begun.
    log : where its output went.
    """

    run: str
    state: str
    log: Path
    why: str = ""
    seconds: float | None = None
    memory_mb: float | None = None
    finished: str = ""


def run_statuses(study: Study, since: str | None = None) -> list[RunStatus]:
    """Return the status of every run of the study, in the study's order.

    With `since` (UTC, ISO format), while a session runs: failures before that time count as waiting (the session that
    began then tries again), and of what is done only the stamp is looked at, not the content.
    """
    statuses = {name: _run_status(study, run, since) for name, run in study.runs.items()}
    for name, run in study.runs.items():
        failed = [before.name for before in study.before(run) if statuses[before.name].state == "failed"]
        if statuses[name].state == "waiting" and failed:
            statuses[name].why = f"for {failed[0]}, which failed"
    return list(statuses.values())


def _run_status(study: Study, run: PlannedRun, since: str | None) -> RunStatus:
    folder = run_folder(study, run)
    record = read_state(folder)
    numbers = {key: record[key] for key in ("wall_s", "peak_memory_mb") if isinstance(record.get(key), int | float)}
    status = RunStatus(run.name, "waiting", Path("logs", study.name, f"{run.name}.log"))
    if record.get("state") in ("done", "failed"):
        status.seconds, status.finished = numbers.get("wall_s"), str(record.get("finished", ""))
    if record.get("state") == "done":
        status.memory_mb = numbers.get("peak_memory_mb")
        status.why = ("" if (folder / DONE).exists() else "to be made again") if since else why_not_current(study, run)
        status.state = "out of date" if status.why else "done"
    elif record.get("state") == "failed" and (since is None or status.finished >= since):
        status.state, status.why = "failed", str(record.get("error", ""))
    elif record.get("state") == "running" and is_locked(folder):
        status.state = "running"
        with suppress(KeyError, TypeError, ValueError):  # a damaged state
            began = datetime.fromisoformat(record["began"])
            status.seconds = max(0.0, (datetime.now(UTC) - began).total_seconds())  # a clock may have been set back
    elif record.get("state") == "running" and since is None:
        status.state, status.why = "interrupted", "its process is gone; the next make runs it again"
    return status


def prerequisite_statuses(study: Study) -> list[RunStatus]:
    """Return the status of the study's phantom and of its own models."""
    statuses = []
    for name, (stamp, key) in prerequisites(study).items():
        log = Path("logs", study.name, "phantom.log" if name == "phantom" else "models.log")
        status = RunStatus(name if name == "phantom" else f"model {name}", "waiting", log)
        if is_ready(stamp, key):
            status.state = "done"
        elif stamp.exists():
            status.state, status.why = "out of date", "what makes it changed"
        elif log.exists() and (lines := log.read_text(errors="replace").strip().splitlines()):
            status.state, status.why = "failed", lines[-1][:300]
        statuses.append(status)
    return statuses


@reading_once()
def status_lines(study: Study) -> list[str]:
    """Return one line per run, the failed ones first, each with its reason and its log; last a line of counts."""
    runs = run_statuses(study)
    rows = [row for row in prerequisite_statuses(study) if row.state != "done"] + runs
    width = max(len(row.run) for row in rows)
    lines = []
    for row in sorted(rows, key=lambda row: ORDER.index(row.state)):
        notes = [row.why] if row.why else []
        notes += [] if row.seconds is None else [duration(row.seconds)]
        notes += [f"{row.memory_mb / 1000:.1f} GB"] if row.state == "done" and row.memory_mb else []
        notes += [f"see {row.log}"] if row.state == "failed" else []
        lines.append(f"{row.state:<12} {row.run:<{width}}  {' · '.join(notes)}".rstrip())
    return [*lines, summary(runs, study)]


def summary(rows: list[RunStatus], study: Study, seconds_left: float | None = None) -> str:
    """Return the progress line: how many runs are done, running, failed and waiting; the time left if it is given."""
    counts = Counter(row.state for row in rows)
    waiting = counts["waiting"] + counts["interrupted"] + counts["out of date"]
    parts = [f"{counts['done']} of {len(rows)} done", f"{counts['running']} running", f"{counts['failed']} failed"]
    parts += [f"{waiting} waiting"] if waiting else []
    parts += [f"about {duration(seconds_left)} left"] if seconds_left is not None else []
    return f"{study.name}: {' · '.join(parts)}"


def duration(seconds: float) -> str:
    """Return a duration as text: '45 s', '12 min', '3 h 20 min', '4.0 days'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"
    return f"{seconds / 86400:.1f} days"
