"""Where a study stands: what is done, runs, failed (and why) or waits, and how long the rest will take."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from brainbook.workflow.content import is_ready, prerequisites, read_state, run_folder, why_not_current
from brainbook.workflow.execution import DONE, is_locked
from brainbook.workflow.study_file import PlannedRun, Study

ORDER = ("failed", "interrupted", "running", "waiting", "out of date", "done")


@dataclass
class Standing:
    """How one run stands.

    Attributes
    ----------
    state : one of `ORDER`. "interrupted": its process is gone; "out of date": what it was made from changed, or what it
        left is damaged.
    why : for a failed run its error, for a waiting one what it waits for, what changed or is damaged; one line.
    seconds : how long it took, or has been running; None when it has not begun.
    """

    run: str
    chapter: str
    state: str
    why: str = ""
    seconds: float | None = None
    memory_mb: float | None = None
    finished: str | None = None


def standings(study: Study, since: str | None = None) -> list[Standing]:
    """How every run of the study stands, in the study's order.

    With `since` (UTC, ISO format), while a session runs: failures before that time count as waiting (the session that
    began then tries again), and of what is done only the stamp is looked at, not the content.
    """
    found = {name: _standing(study, run, since) for name, run in study.runs.items()}
    for name, run in study.runs.items():
        stopped = [other.name for other in study.before(run) if found[other.name].state == "failed"]
        if found[name].state == "waiting" and stopped:
            found[name].why = f"for {stopped[0]}, which failed"
    return list(found.values())


def _standing(study: Study, run: PlannedRun, since: str | None) -> Standing:
    folder = run_folder(study, run)
    state = read_state(folder)
    about = {"run": run.name, "chapter": run.chapter, "memory_mb": _number(state, "peak_memory_mb")}
    ended = {"seconds": _number(state, "wall_s"), "finished": str(state.get("finished", ""))}
    if state.get("state") == "running" and is_locked(folder):
        began = datetime.fromisoformat(state["began"])
        return Standing(**about, state="running", seconds=(datetime.now(UTC) - began).total_seconds())
    if state.get("state") == "done":
        why = ("" if (folder / DONE).exists() else "to be made again") if since else why_not_current(study, run)
        return Standing(**about, **ended, state="out of date" if why else "done", why=why)
    if state.get("state") == "failed" and (since is None or ended["finished"] >= since):
        return Standing(**about, **ended, state="failed", why=str(state.get("error", "")))
    if state.get("state") == "running" and since is None:
        return Standing(**about, state="interrupted", why="its process is gone; the next make runs it again")
    return Standing(**about, state="waiting")


def _number(state: dict, key: str) -> float | None:
    return state[key] if isinstance(state.get(key), int | float) else None


def prerequisite_standings(study: Study) -> list[Standing]:
    """How the phantom and the study's own models stand, as rows like those of the runs."""
    found = []
    for name, (stamp, key) in prerequisites(study).items():
        log = prerequisite_log(study.name, name)
        title = name if name == "phantom" else f"model {name}"
        if is_ready(stamp, key):
            found.append(Standing(title, "", "done"))
        elif stamp.exists():
            found.append(Standing(title, "", "out of date", why="what makes it changed"))
        elif log.exists() and (lines := log.read_text(errors="replace").strip().splitlines()):
            found.append(Standing(title, "", "failed", why=lines[-1][:300]))
        else:
            found.append(Standing(title, "", "waiting"))
    return found


def prerequisite_log(study: str, name: str) -> Path:
    return Path("logs") / (f"{study}/phantom.log" if name == "phantom" else f"models/{name.removeprefix('model ')}.log")


def status_lines(study: Study) -> list[str]:
    """One line a run, the failed ones first, each with its reason and its log; last a line of counts."""
    runs = standings(study)
    rows = [row for row in prerequisite_standings(study) if row.state != "done"] + runs
    width = max(len(row.run) for row in rows)
    lines = []
    for row in sorted(rows, key=lambda row: ORDER.index(row.state)):
        notes = []
        if row.why:
            notes.append(row.why)
        if row.seconds is not None:
            notes.append(duration(row.seconds))
        if row.state == "done" and row.memory_mb:
            notes.append(f"{row.memory_mb / 1000:.1f} GB")
        if row.state == "failed":
            named = prerequisite_log(study.name, row.run) if not row.chapter else f"logs/{study.name}/{row.run}.log"
            notes.append(f"see {named}")
        lines.append(f"{row.state:<12} {row.run:<{width}}  {' · '.join(notes)}".rstrip())
    return [*lines, summary(runs, study)]


def summary(rows: list[Standing], study: Study, jobs: int | None = None) -> str:
    """The progress line: how many runs are done, running, failed and waiting, and the time left."""
    counts = Counter(row.state for row in rows)
    waiting = counts["waiting"] + counts["interrupted"] + counts["out of date"]
    parts = [f"{counts['done']} of {len(rows)} done", f"{counts['running']} running", f"{counts['failed']} failed"]
    if waiting:
        parts.append(f"{waiting} waiting")
    if jobs and (waiting or counts["running"]):
        parts.append(f"about {duration(time_left(rows, study, jobs))} left")
    return f"{study.name}: {' · '.join(parts)}"


def time_left(rows: list[Standing], study: Study, jobs: int) -> float:
    """Seconds until all is done if `jobs` runs go on at a time: each takes as long as its chapter's runs took so far.

    A chapter of which no run is done is taken to need a third of the time that the study file allows it.
    """
    took: dict[str, list[float]] = {}
    for row in rows:
        if row.state in ("done", "out of date") and row.seconds is not None:
            took.setdefault(row.chapter, []).append(row.seconds)
    left = 0.0
    longest = 0.0
    for row in rows:
        if row.state in ("done", "failed"):
            continue
        known = took.get(row.chapter)
        expected = sum(known) / len(known) if known else study.runs[row.run].minutes * 20.0
        rest = max(expected - (row.seconds or 0.0), 1.0) if row.state == "running" else expected
        left += rest
        longest = max(longest, rest)
    return max(left / jobs, longest)


def duration(seconds: float) -> str:
    """'45 s', '12 min', '3 h 20 min', '4 days'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"
    return f"{seconds / 86400:.1f} days"
