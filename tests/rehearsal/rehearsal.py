"""The dress rehearsal: the published study from start to finish, small, before the real recordings are there.

    python tests/rehearsal/rehearsal.py FOLDER

writes into FOLDER recordings in the real layout that have no truth, small random models under the published names in a
local copy of the hub's cache, cuts of XNLI and MNIST, and a project of its own; runs `python -m brainbook study paper`
there; builds the pages with warnings as errors; and looks them through. Of the study only the numbers in `SMALLER`,
`SWEEPS` and `RESOURCES` are replaced. Nothing outside FOLDER is written; nothing found there says anything of brains.
"""

import argparse
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pandas as pd
import yaml
from stand_ins import copy_project, write_data, write_hub

from brainbook.datasets import LittlePrince
from brainbook.errors import ConfigurationError
from brainbook.phantom import make_phantom
from brainbook.workflow.notebooks import notebook_parameters

ROOT = Path(__file__).resolve().parents[2]
REAL = os.environ.get("BRAINBOOK_DATA") or ROOT.parent / "shared" / "data"
PHANTOM = {"participants": 2, "scans": 30, "echoes": 0, "truth": False}
# What is smaller than in studies/paper.yaml: numbers only. A key is a parameter of any chapter, or chapter.parameter;
# of a parameter that is a dictionary the keys named here are replaced.
SMALLER = {
    "participants": 2,
    "permutations": 10,
    "pairs": 80,
    "settings": {"steps": 6, "validate_every": 3, "validation_pairs": 8},
    "short": {"steps": 2},
    "transfer": {"pairs": 80, "settings": {"steps": 6, "validate_every": 3, "validation_pairs": 8}},
    "control_steps": 3,
    "drawn": 20,
    "retrieved": 8,
    "alignment.layers": [0, 24],  # of up to seven
    "controls.layers": [0, 12],
    "context": 8,
    "brainlm.n_features": 128,  # which need as many training scans
    "brainlm.training": {"steps": 4, "batch": 8, "accumulate": 1, "precision": "no"},
    "brainlm.autoencoder_steps": 3,
    "brainlm.seeds": [0],
    "brainlm.retrieved": 6,
    "number_sense.preset": "rehearsal",  # the paper's with small numbers
}
# Of three seeds, two languages, two models; of four models whose transfer is studied one of each kind.
SWEEPS = {"seed": [0], "second": [["FR"]], "after": ["brainlm-2"]}
SWEEPS |= dict.fromkeys(("transfer.model", "transfer_to_brains.model"), ["albert-xlarge-v1", "brainlm-2"])
RESOURCES = {"threads": 1, "memory_mb": 3000, "gpus": 0}
# Where a page of real recordings may say 'phantom': in the note that sends readers to the phantom's page, in names of
# code, and in names of files and parameters.
ALLOWED = (r"the phantom's page", r"brainbook\.phantom", r"is_phantom", r"phantom-null", r"`phantom`")


def smaller(study: dict, notebooks: Path) -> dict:
    """The content of a study file with what `SMALLER`, `SWEEPS` and `RESOURCES` say, and nothing else, replaced."""
    runs = []
    for entry in study["runs"]:
        names = (entry["chapter"], entry.get("name", ""))
        defaults = notebook_parameters(notebooks / f"{entry['chapter']}.md")
        parameters, sweep = dict(entry.get("parameters", {})), dict(entry.get("sweep", {}))
        for name in defaults.keys() - sweep.keys():
            for key in (name, *(f"{prefix}.{name}" for prefix in names)):
                if key in SMALLER:
                    value, before = SMALLER[key], parameters.get(name, defaults[name])
                    parameters[name] = _merged(before, value) if isinstance(value, dict) else value
        for name in sweep:
            for key in (name, *(f"{prefix}.{name}" for prefix in names)):
                sweep[name] = SWEEPS.get(key, sweep[name])
        entry = {**entry, "parameters": parameters, **{k: v for k, v in RESOURCES.items() if k in entry}}
        runs.append(entry | {"sweep": sweep} if sweep else entry)
    return {**study, "runs": runs}


def _merged(before: dict, smaller: dict) -> dict:
    changed = {k: _merged(before[k], v) if isinstance(v, dict) else v for k, v in smaller.items() if k in before}
    return {**before, **changed}


def prepare(folder: Path, real: Path) -> Path:
    """Write recordings, models, data and the project into `folder`, which must be new or empty; the project's path."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ConfigurationError(f"{folder.absolute()} is not empty: name a new folder for the rehearsal")
    data = make_phantom(folder / "ds003643", **PHANTOM)
    prince = LittlePrince(data)
    write_hub(folder / "huggingface", {code: sorted(set(prince.words(code).word)) for code in prince.languages})
    write_data(folder / "data", real)
    project = copy_project(ROOT, folder / "project")
    path = project / "studies" / "paper.yaml"
    study = smaller(yaml.safe_load(path.read_text(encoding="utf-8")), project / "notebooks")
    path.write_text(yaml.safe_dump(study, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return project


def environment(folder: Path) -> dict[str, str]:
    """What the study is run in: the local hub, no network, the small data."""
    folder = folder.absolute()
    own = {"HF_HOME": str(folder / "huggingface"), "HF_HUB_OFFLINE": "1", "BRAINBOOK_DATA": str(folder / "data")}
    unset = (
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "TRANSFORMERS_CACHE",
        "BRAINBOOK_BRAINLM_1",
        "BRAINBOOK_BRAINLM_2",
    )
    return {key: value for key, value in os.environ.items() if key not in unset} | own


def rehearse(folder: str | Path, real: str | Path = REAL, jobs: int = 2) -> list[str]:
    """Prepare, run, build and look through; what is wrong, one line each.

    real : folder that holds xnli/, mnist/ and alice/; what is not there is made up, or, of Alice, left out.
    """
    folder = Path(folder)
    began = time.monotonic()
    project = prepare(folder, Path(real))
    _say(f"prepared in {time.monotonic() - began:.0f} s")
    words = ["study", "paper", "--data", str((folder / "ds003643").absolute())]
    for command in (
        [sys.executable, "-m", "brainbook", *words, "--jobs", str(jobs), "--memory", "100000"],
        [str(Path(sys.executable).with_name("jupyter-book")), "build", ".", "-W", "-n", "--keep-going"],
    ):
        done = subprocess.run(command, cwd=project, env=environment(folder))
        _say(f"{' '.join(command[-6:])} ended with {done.returncode} after {time.monotonic() - began:.0f} s")
        if done.returncode:
            return [f"`{' '.join(command)}` in {project} ended with {done.returncode}"]
    return look_through(project)


def _say(text: str) -> None:
    print(f"rehearsal: {text}", flush=True)


def look_through(project: Path) -> list[str]:
    """What is wrong with the results and pages of a rehearsed project, one line each."""
    problems, pages = [], []
    for path in sorted((project / "results" / "paper").glob("**/state.json")):
        state = json.loads(path.read_text(encoding="utf-8"))
        if state["state"] != "done":
            problems.append(f"{path.parent}: {state['state']}")
            continue
        notebook = nbformat.read(path.with_name("notebook.ipynb"), as_version=4)
        name = str(path.parent.relative_to(project / "results" / "paper"))
        problems += [f"{name}: {problem}" for problem in problems_of(notebook)]
        pages.append(f"{name:<50} {state['wall_s']:7.0f} s")
    chapters = re.findall(r"file: (book/\S+)", (project / "_toc.yml").read_text(encoding="utf-8"))
    absent = [name for name in chapters if not (project / "_build" / "html" / f"{name}.html").is_file()]
    problems += [f"{name}: no page was built" for name in absent]
    _say(f"{len(pages)} runs done, {len(chapters) - len(absent)} of {len(chapters)} pages built\n" + "\n".join(pages))
    return problems


def problems_of(notebook: nbformat.NotebookNode) -> list[str]:
    """Sentences of a phantom, pages that end without their data, and tables of published values that are empty or have
    holes where the paper has none."""
    problems = []
    for cell in notebook.cells:
        texts = [cell.source] if cell.cell_type == "markdown" else list(_texts_of(cell))
        for text in texts:
            rest = re.sub("|".join(ALLOWED), "", text)
            if "Not computed on this machine" in text:
                problems.append(f"ends early: {text[:160]}")
            lines = [line.strip() for line in rest.splitlines() if "phantom" in line.lower()]
            problems += [f"speaks of a phantom: {line[:160]}" for line in lines]
        for match in re.finditer(r"[^\n]{0,80}\bnan\b", "".join(_sentences_of(cell))):
            problems.append(f"a sentence has no number: {match[0].strip()}")
        for table in _tables_of(cell):
            problems += holes(table)
    return problems


def holes(table: pd.DataFrame) -> Iterator[str]:
    """Of a table with published values: no rows, or rows in which the paper has a number and another cell has none."""
    columns = [name for name in map(str, table.columns) if re.search(r"publish|paper", name, flags=re.IGNORECASE)]
    table = table.set_axis([str(name) for name in table.columns], axis=1)
    if columns and table[columns].isna().all().all():
        yield f"no published value in a table with the columns {', '.join(table.columns)}"
    for column in columns:
        rows = table[table[column].notna()]
        empty = [name for name in rows if rows[name].isna().any()]
        if empty:
            yield f"NaN in {', '.join(empty)} where {column} has a number"


def _texts_of(cell: nbformat.NotebookNode) -> Iterator[str]:
    for output in cell.get("outputs", []):
        if output.output_type == "stream" and output.name == "stdout":
            yield output.text
        for kind in ("text/markdown", "text/plain"):
            if text := output.get("data", {}).get(kind):
                yield text
                break


def _sentences_of(cell: nbformat.NotebookNode) -> Iterator[str]:
    for output in cell.get("outputs", []):
        yield output.get("data", {}).get("text/markdown", "")


def _tables_of(cell: nbformat.NotebookNode) -> Iterator[pd.DataFrame]:
    for output in cell.get("outputs", []):
        html = output.get("data", {}).get("text/html", "")
        if "<table" in html:
            for table in pd.read_html(io.StringIO(html)):
                table.columns = [" ".join(map(str, name)) if isinstance(name, tuple) else name for name in table]
                yield table


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="a new folder; it takes some 500 MB")
    parser.add_argument("--jobs", type=int, default=2, help="cores (default 2)")
    parser.add_argument("--real", default=REAL, help="where xnli/, mnist/ and alice/ are cut from (BRAINBOOK_DATA)")
    given = parser.parse_args(arguments)
    try:
        problems = rehearse(given.folder, given.real, given.jobs)
    except ConfigurationError as error:
        parser.error(str(error))
    print("\n".join(problems) or "rehearsal: nothing is wrong", flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
