"""What a run is made from, and whether what it left is whole and current: content decides, never a date."""

import time
from contextlib import suppress
from pathlib import Path

from brainbook.errors import ConfigurationError
from brainbook.source_code import PACKAGE, code_fingerprint
from brainbook.store import fingerprint, read_json, write_json
from brainbook.workflow.study_file import PlannedRun, Study
from brainbook.workflow.tables import archive_changes

INDEX = "contents.json"
NOT_READ = ("results", "cache", "viewers", "null")  # parameters that name what a run writes


def run_folder(study: Study, run: PlannedRun) -> Path:
    return Path("results") / study.name / run.name


def run_key(study: Study, run: PlannedRun) -> dict[str, str]:
    """Return keys of what a run's result depends on: {"text", "code", "parameters", "data", "earlier runs": key}.

    The code counts by its meaning, all else by its content: the files of every folder that a parameter names, and the
    tables of the runs that come before.
    """
    notebook = study.notebooks / f"{run.chapter}.md"
    values = [value for key, value in {**run.defaults, **run.parameters}.items() if key not in NOT_READ]
    given = {value for value in values if isinstance(value, str) and value and Path(value).exists()}
    folders = given | {root for value in given if (root := described_root(value))}
    earlier = [run_folder(study, before) for before in study.before(run)]
    return {
        "text": fingerprint(notebook),
        "code": code_fingerprint([notebook]),
        "parameters": fingerprint(run.parameters),
        "data": fingerprint({folder: folder_key(folder, Path(study.cache)) for folder in folders}),
        "earlier runs": fingerprint(
            [[str(path), path] for folder in earlier for path in sorted(folder.glob("*.parquet"))]
        ),
    }


def described_root(path: str) -> str | None:
    """Return the folder of the recordings that a description file describes; None for any other file or folder."""
    if Path(path).suffix not in (".yaml", ".yml") or not Path(path).is_file():
        return None
    from brainbook.datasets.description import recordings_folder

    root = recordings_folder(path)
    return str(root) if root.is_dir() else None


def folder_key(folder: str | Path, cache: Path) -> str:
    """Return a key of the names and contents of all files in a folder (or of one file); what is hidden does not count.

    Every file is read once: its key is remembered in `cache` for as long as device, number, size and both times of the
    file stay what they were. The time of change (ctime) is set by the system at every write and cannot be set back by
    `cp -a`, `rsync -t` or `touch`; files changed in the last two seconds are not remembered.
    """
    folder = Path(folder)
    paths = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
    paths = [path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    stamps = {}
    for path in paths:
        with suppress(OSError):  # a link to a file that was not downloaded: its name still counts
            state = path.stat()
            if not path.is_dir():
                stamps[path] = f"{state.st_dev} {state.st_ino} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"
    remembered = _read_or_nothing(cache / INDEX)
    new = {stamp: fingerprint(path) for path, stamp in stamps.items() if stamp not in remembered}
    settled = (time.time() - 2) * 1e9
    if settled_keys := {stamp: key for stamp, key in new.items() if int(stamp.rpartition(" ")[2]) < settled}:
        with suppress(OSError):  # where nothing can be remembered, everything is read again
            write_json(cache / INDEX, remembered | settled_keys)
    known = remembered | new
    return fingerprint({str(path.relative_to(folder)): known.get(stamps.get(path, ""), "") for path in paths})


def _read_or_nothing(path: Path) -> dict:
    try:
        return read_json(path)
    except ConfigurationError:
        return {}


def outputs_of(folder: Path) -> dict[str, str]:
    """Return keys of the files that a run left in its own folder."""
    names = [*sorted(path.name for path in folder.glob("*.parquet")), "notebook.ipynb", "provenance.json"]
    return {name: fingerprint(folder / name) for name in names if (folder / name).is_file()}


def read_state(folder: Path) -> dict:
    """Read `state.json`; {} when there is none (or a damaged one)."""
    return _read_or_nothing(folder / "state.json")


def why_not_current(study: Study, run: PlannedRun) -> str:
    """Return why the run has to be made: "not done", what changed, or what is damaged; "" when it is current."""
    folder = run_folder(study, run)
    state = read_state(folder)
    made_from, outputs = state.get("made_from"), state.get("outputs")
    if state.get("state") != "done" or not isinstance(made_from, dict) or not isinstance(outputs, dict):
        return "not done"
    try:
        present, current = outputs_of(folder), run_key(study, run)
    except FileNotFoundError:  # another process removes it: it begins that run, or an earlier one, anew
        return "not done"
    damaged = [name for name in outputs if present.get(name) != outputs[name]]
    changed = [what for what, key in current.items() if made_from.get(what) != key]
    changed += [] if damaged else archive_changes(folder)
    reasons = [f"changed: {', '.join(changed)}"] if changed else []
    return "; ".join(reasons + ([f"damaged or gone: {', '.join(damaged)}"] if damaged else []))


def prerequisites(study: Study) -> dict[str, tuple[Path, str]]:
    """Return what is made before the runs: {"phantom" or a model's name: (its stamp, what the stamp should say)}."""
    rooms = PACKAGE / "language_models"
    needed = {}
    if study.phantom is not None:
        made_by, story = "phantom/dataset.py", study.phantom.get("story")
        if story is not None:
            made_by, story = "chapters/story.py", folder_key(story, Path(study.cache))
        key = fingerprint(study.phantom, _code(PACKAGE / made_by), *([story] if story else []))
        needed["phantom"] = (Path(study.data) / ".made-from", key)
    starts = ["tiny-bert"] if any(model.startswith("tiny-brainlm") for model in study.models) else []
    for model in dict.fromkeys([*starts, *study.models]):  # a tiny BrainLM begins as the tiny BERT
        code = _code(rooms / ("brainlm/folders.py" if model.startswith("tiny-brainlm") else "tiny/folders.py"))
        needed[model] = (Path(study.cache) / "models" / f"{model}.ready", code)
    return needed


def _code(module: Path) -> str:
    return code_fingerprint([module])


def is_ready(stamp: Path, key: str) -> bool:
    return stamp.is_file() and stamp.read_text(encoding="utf-8", errors="replace").strip() == key
