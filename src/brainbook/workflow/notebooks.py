"""Chapters as notebooks: their parameters, which of their cells concern the recordings, and how they are executed.

Sources are MyST Markdown (`notebooks/<chapter>.md`, paired by jupytext); executed copies are `.ipynb`.
"""

import ast
import logging
import math
import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from brainbook.errors import ConfigurationError
from brainbook.source_code import code_cells
from brainbook.store import sync

if TYPE_CHECKING:  # imported by those that read or write notebooks: a list of runs does not wait for them
    from nbformat import NotebookNode
    from traitlets.config import Config

# The same run twice on one machine gives the same numbers: no result depends on the order in which a set of words is
# gone through, or on how cuBLAS splits its work. (torch.linalg.lstsq repeats with the driver "gelsd" only.)
REPEATABLE = {"PYTHONHASHSEED": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
# A rendered page shows results: no progress bars, no remark that a notebook's own progress widget is missing.
QUIET = {"TQDM_DISABLE": "1", "PYTHONWARNINGS": "ignore:IProgress not found", "TOKENIZERS_PARALLELISM": "false"}
LONGEST_SOCKET = 100  # bytes of the path of a socket file: Linux takes 107, macOS 103
ENDED = "brainbook_ended"  # marks the output with which a page ended early
GLUE_ROLE = re.compile(r"\{glue:text\}`(\w+)(?::([^`]*))?`")


class Expression(str):
    """The source text of a default that is computed when the notebook runs."""


def notebook_parameters(path: str | Path) -> dict[str, object]:
    """Read the parameters of a chapter and their defaults from the cell tagged `parameters` (in the order written).

    A default that is not a literal is given as its source text, an `Expression`.
    """
    path = Path(path)
    cells = [
        source
        for options, source in code_cells(path.read_text(encoding="utf-8"))
        if "parameters" in options and "parameters" in yaml.safe_load(options).get("tags", [])
    ]
    if len(cells) != 1:
        raise ConfigurationError(f"{path} must have exactly one cell tagged `parameters`, it has {len(cells)}")
    parameters = {}
    for statement in ast.parse(cells[0]).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                parameters[statement.targets[0].id] = ast.literal_eval(statement.value)
            except ValueError:
                parameters[statement.targets[0].id] = Expression(ast.unparse(statement.value))
    return parameters


def chapter_notebook(source: str | Path, data: Any = None) -> "NotebookNode":
    """Read a chapter as the notebook that is executed on the recordings in the folder `data`.

    Cells tagged `phantom` (code or Markdown) concern simulated recordings with a known truth: they are left out when
    `data` (a folder, or the one that a description names) has no folder `truth`. Cells tagged `real` are left out when
    it has one, cells tagged `published` when its layout is another than that of ds003643 as published. None takes the
    chapter's own default for `data`; a chapter without that parameter keeps all its cells.

    Cells tagged `data` read the recordings, in chapters that also have cells tagged `archived`: without the folder the
    code of the former is shown and not run, with it the latter are left out.
    """
    import jupytext
    from nbformat.v4 import new_markdown_cell

    notebook = jupytext.read(source)
    if data is None:
        data = notebook_parameters(source).get("data")
    present = bool(data) and Path(data).exists()
    absent = {"archived"} if present else set()
    if data:
        from brainbook.datasets.description import recordings_folder
        from brainbook.datasets.opening import layout_of

        absent.add("real" if (recordings_folder(data) / "truth").is_dir() else "phantom")
        absent |= {"published"} if layout_of(data) != "little_prince" else set()
    notebook.cells = [cell for cell in notebook.cells if absent.isdisjoint(cell.metadata.get("tags", []))]
    for cell in notebook.cells:
        if not present and "data" in cell.metadata.get("tags", []) and cell.cell_type == "code":
            cell.update(new_markdown_cell(f"```python\n{cell.source}\n```", id=cell.get("id", "")))
            del cell["outputs"], cell["execution_count"]
    return notebook


def insert_glued(notebook: "NotebookNode") -> None:
    """Put glued values into the Markdown of an executed notebook, in place; a number that is not finite becomes a dash.

    Raises ConfigurationError for a name that no cell glued, unless the page ended early (`end_here`).
    """
    values, ended = {}, False
    for cell in notebook.cells:
        ended |= cell.cell_type == "code" and any(
            ENDED in output.get("metadata", {}) for output in cell.get("outputs", [])
        )
        for output in list(cell.get("outputs", [])):
            if name := output.get("metadata", {}).get("scrapbook", {}).get("name"):
                text = output["data"]["application/papermill.record/text/plain"]
                values[name] = float(text) if text in ("nan", "inf", "-inf") else ast.literal_eval(text)
                cell.outputs.remove(output)

    def value_of(match: re.Match) -> str:
        name, spec = match[1], match[2] or ""
        if name not in values and not ended:
            raise ConfigurationError(f"no cell glued {name!r}, which a sentence of the page needs")
        value = values.get(name, math.nan)
        if isinstance(value, str):
            return without_tags(value)
        text = format(value, spec) if math.isfinite(value) else "–"
        return text[1:] if re.fullmatch(r"-0(\.0*)?%?", text) else text  # no minus before a zero

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = GLUE_ROLE.sub(value_of, cell.source)


def without_tags(text: str) -> str:
    """Return Markdown in which no HTML begins: it may hold the words of a file."""
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)


def _check_kernel() -> None:
    """Refuse a kernel called python3 that belongs to another environment: it would compute with other packages."""
    from jupyter_client.kernelspec import KernelSpecManager

    kernel = KernelSpecManager().get_kernel_spec("python3")
    program = Path(kernel.argv[0])
    # a bare name stands for the Python that asks
    if program.parent != Path() and program.parent.absolute() != Path(sys.executable).parent.absolute():
        raise ConfigurationError(
            f"the kernel python3 starts {program}, not {sys.executable}: {kernel.resource_dir} belongs to another "
            "environment. `jupyter kernelspec remove python3` takes it away"
        )


def _kernel_sockets(folder: Path) -> "Config":
    """Return traitlets' settings by which a kernel is spoken to through socket files in `folder`.

    TCP ports are chosen a second before the kernel opens them: kernels that begin at the same time, and any program
    that connects somewhere, can take one of them in between, and the kernel dies. Ports remain where the path of
    a socket file would be longer than the system takes.
    """
    from traitlets.config import Config

    if len(os.fsencode(folder / "kernel-ipc-0")) > LONGEST_SOCKET:
        return Config()
    return Config(KernelManager={"transport": "ipc", "connection_file": str(folder / "kernel.json")})


def execute(
    source: str | Path,
    output: str | Path,
    parameters: dict[str, object],
    threads: int = 1,
    environment: dict[str, str] | None = None,
) -> None:
    """Run the chapter `source` with `parameters` and write the executed notebook to `output`.

    The working folder is the current one; `environment` adds variables to that of the kernel. What the cells print goes
    to the log (stderr) as well. While it runs, and if it fails, what was executed so far lies in `<output>.part.ipynb`
    (while it runs perhaps a moment late: see `engine`), so that the failing cell can be read; `output` itself appears
    only when all cells succeeded. Raises papermill.PapermillExecutionError when a cell fails.
    """
    import nbformat
    import papermill

    from brainbook.workflow.engine import ENGINE
    from brainbook.workflow.pictures import lighten

    _check_kernel()
    source, output = Path(source), Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f"{output.stem}.part.ipynb")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    before = dict(os.environ)
    os.environ.update(limits | REPEATABLE | QUIET | (environment or {}))  # the kernel inherits it
    runtime = TemporaryDirectory(prefix="brainbook-")  # of the kernel's sockets: a user's home may be read only
    os.environ["JUPYTER_RUNTIME_DIR"] = runtime.name
    try:
        notebook = chapter_notebook(source, parameters.get("data"))
        options = {"progress_bar": False, "log_output": True, "config": _kernel_sockets(Path(runtime.name))}
        options |= {"kernel_name": "python3", "engine_name": ENGINE}
        papermill.execute_notebook(notebook, partial, parameters, **options)
    finally:
        os.environ.clear()
        os.environ.update(before)
        runtime.cleanup()
    executed = nbformat.read(partial, as_version=4)
    insert_glued(executed)
    lighten(executed)
    for cell in executed.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):  # the table of provenance has them, readable
            cell.metadata["tags"] = [*cell.metadata["tags"], "remove-cell"]
    with partial.open("w", encoding="utf-8") as stream:
        nbformat.write(executed, stream)
    sync(partial)
    partial.replace(output)
