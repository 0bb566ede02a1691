import ast
import json
import tempfile
from pathlib import Path

import nbformat
import papermill.engines
import pytest
from papermill.exceptions import PapermillExecutionError

from brainbook.errors import ConfigurationError
from brainbook.source_code import PACKAGE, sources
from brainbook.workflow.engine import SHARE, spared
from brainbook.workflow.notebooks import chapter_notebook, execute, notebook_parameters

from .conftest import HEAD, ROOT

CELLS = """
```{code-cell} ipython3
:tags: [parameters]
model = "mini"
layers = [1, 2]
root = 1 + seed
```
```{code-cell} ipython3
%matplotlib inline
from brainbook.workflow import start_run
assert start_run
print(model * 2)
```
"""


def test_parameters_are_read_without_running(tmp_path):
    path = tmp_path / "a.md"
    path.write_text(HEAD + CELLS)
    assert notebook_parameters(path) == {"model": "mini", "layers": [1, 2], "root": "1 + seed"}
    path.write_text(HEAD + "# no cells")
    with pytest.raises(ConfigurationError, match="exactly one cell tagged"):
        notebook_parameters(path)


def test_sources_follow_imports_through_the_package(tmp_path):
    path = tmp_path / "a.md"
    path.write_text(HEAD + CELLS)
    found = {file.relative_to(PACKAGE).as_posix() for file in sources(path)}
    assert {"workflow/run.py", "store.py", "errors.py"} <= found
    assert not [name for name in found if name.startswith(("number_sense", "encoding"))]


def test_a_run_writes_the_notebook_with_its_parameters(tmp_path):
    path = tmp_path / "a.md"
    path.write_text(HEAD + CELLS.replace("root = 1 + seed\n", ""))
    execute(path, tmp_path / "out/a.ipynb", {"model": "xy"})
    cells = nbformat.read(tmp_path / "out/a.ipynb", as_version=4).cells
    assert cells[-1].outputs[0].text == "xyxy\n"
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["a.ipynb"]


TRANSPORT = """
```{code-cell} ipython3
:tags: [parameters]
number = 1
```
```{code-cell} ipython3
import json
from ipykernel.connect import get_connection_file
print(json.load(open(get_connection_file()))["transport"])
```
"""


@pytest.mark.parametrize(("name", "transport"), [("short", "ipc"), ("long" * 25, "tcp")])
def test_a_kernel_needs_no_port_where_the_path_of_a_socket_file_is_short_enough(tmp_path, monkeypatch, name, transport):
    """Ports are taken between choice and use where many kernels begin at once: 'Kernel died before replying'."""
    with tempfile.TemporaryDirectory(prefix=name) as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        (tmp_path / "a.md").write_text(HEAD + TRANSPORT)
        execute(tmp_path / "a.md", tmp_path / "out/a.ipynb", {})
        cells = nbformat.read(tmp_path / "out/a.ipynb", as_version=4).cells
        assert cells[-1].outputs[0].text == f"{transport}\n"
        assert not list(Path(folder).iterdir())


def test_a_failed_run_keeps_what_ran_and_makes_no_result(tmp_path):
    path = tmp_path / "a.md"
    path.write_text(HEAD + CELLS)
    with pytest.raises(PapermillExecutionError, match="seed"):
        execute(path, tmp_path / "out/a.ipynb", {})
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["a.part.ipynb"]


def test_writing_what_ran_so_far_takes_a_small_share_of_the_time():
    """Ten thousand cells of a second, each write of ten seconds: a twentieth of the time goes into writing."""
    now, written = [0.0], []

    def save(**options):
        written.append(now[0])
        now[0] += 10.0

    sparing = spared(save, clock=lambda: now[0])
    for _ in range(10_000):
        now[0] += 1.0
        sparing()
    assert written[0] == 1.0  # at once
    assert 10 * len(written) / now[0] == pytest.approx(SHARE, rel=0.06)


def test_a_chapter_of_many_cells_is_written_a_few_times_and_in_the_end_whole(tmp_path, monkeypatch):
    writes, write = [], papermill.engines.write_ipynb
    monkeypatch.setattr(papermill.engines, "write_ipynb", lambda *given: (writes.append(1), write(*given)))
    cells = "".join(f"```{{code-cell}} ipython3\nprint({number})\n```\n\n" for number in range(60))
    (tmp_path / "a.md").write_text(HEAD + "```{code-cell} ipython3\n:tags: [parameters]\nseed = 0\n```\n\n" + cells)
    execute(tmp_path / "a.md", tmp_path / "a.ipynb", {})
    assert 1 <= len(writes) < 60  # papermill by itself: before and after each
    outputs = [it.get("outputs", []) for it in nbformat.read(tmp_path / "a.ipynb", as_version=4).cells]
    assert "".join(part.text for parts in outputs for part in parts).split() == [str(number) for number in range(60)]


def test_cells_about_the_truth_are_left_out_on_real_recordings(tmp_path):
    path = tmp_path / "a.md"
    tagged = '\n+++ {"tags": ["phantom"]}\n\nA phantom.\n\n+++ {"tags": ["real"]}\n\nReal.\n\n+++\n\nBoth.\n'
    path.write_text(HEAD + CELLS.replace("model =", f'data = "{tmp_path / "phantom"}"\nmodel =') + tagged)
    (tmp_path / "phantom/truth").mkdir(parents=True)
    for data, seen in ((None, ["A phantom.", "Both."]), (tmp_path, ["Real.", "Both."])):
        cells = chapter_notebook(path, data).cells
        assert [cell.source for cell in cells if cell.cell_type == "markdown"][1:] == seen


def test_cells_about_the_published_layout_and_the_truth_follow_the_recordings_that_a_description_names(tmp_path):
    path, described = tmp_path / "a.md", tmp_path / "my_study.yaml"
    tagged = '\n+++ {"tags": ["published"]}\n\nNine.\n\n+++ {"tags": ["phantom"]}\n\nA phantom.\n\n+++\n\nBoth.\n'
    path.write_text(HEAD + CELLS.replace("model =", 'data = "x"\nmodel =') + tagged)
    described.write_text("root: recordings\n")
    (tmp_path / "recordings").mkdir()
    seen = {}
    for name, truth in (("real", False), ("simulated", True)):
        if truth:
            (tmp_path / "recordings/truth").mkdir()
        for data in (described, tmp_path / "recordings"):
            cells = chapter_notebook(path, data).cells[1:]
            seen[name, data.name] = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert seen == {
        ("real", "my_study.yaml"): ["Both."],
        ("real", "recordings"): ["Nine.", "Both."],
        ("simulated", "my_study.yaml"): ["A phantom.", "Both."],
        ("simulated", "recordings"): ["Nine.", "A phantom.", "Both."],
    }


def test_a_kernel_of_another_environment_is_named_before_anything_runs(tmp_path, monkeypatch):
    """As `python -m ipykernel install --user` leaves one behind for every other environment."""
    (tmp_path / "a.md").write_text(HEAD + CELLS.replace("root = 1 + seed\n", ""))
    kernel = tmp_path / "jupyter/kernels/python3"
    kernel.mkdir(parents=True)
    program = ["/other/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": program, "display_name": "P", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    with pytest.raises(ConfigurationError, match="starts /other/bin/python, not .*belongs to another environment"):
        execute(tmp_path / "a.md", tmp_path / "out/a.ipynb", {})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.md")), ids=lambda path: path.stem)
def test_cells_that_need_a_truth_are_tagged_or_ask_for_it(path, tmp_path):
    """On recordings without a truth no cell may call what refuses them."""
    for cell in chapter_notebook(path, tmp_path).cells:
        for statement in ast.parse(cell.source).body if cell.cell_type == "code" else []:
            calls = [node.func for node in ast.walk(statement) if isinstance(node, ast.Call)]
            names = {call.id for call in calls if isinstance(call, ast.Name)} & {"read_truth", "null_twin"}
            assert not names or "is_phantom" in ast.unparse(statement), ast.unparse(statement)


def test_cells_that_read_absent_data_are_shown_and_not_run(tmp_path):
    cells = """
```{code-cell} ipython3
:tags: [parameters]
data = "recordings"
```
```{code-cell} ipython3
:tags: [data]
print(open(data))
```
```{code-cell} ipython3
:tags: [archived]
print("from the archive")
```
"""
    path, data = tmp_path / "a.md", tmp_path / "recordings"
    path.write_text(HEAD + cells)
    absent = chapter_notebook(path, data)
    nbformat.validate(absent)
    assert [cell.cell_type for cell in absent.cells[1:]] == ["code", "markdown", "code"]
    assert absent.cells[2].source == "```python\nprint(open(data))\n```"
    data.mkdir()
    assert [cell.source for cell in chapter_notebook(path, data).cells[2:]] == ["print(open(data))"]
