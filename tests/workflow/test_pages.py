import ast
import base64
import io
import json
import re
from types import SimpleNamespace

import jupytext
import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest

from brainbook.errors import ConfigurationError, DatasetError
from brainbook.workflow import end_here, or_skip_the_rest, pages, show, start_run
from brainbook.workflow.archive import archive_table
from brainbook.workflow.notebooks import execute
from brainbook.workflow.run import MAY_LACK_DATA, RESULTS_OF_A_STUDY

from .conftest import ROOT

PAGE = """---
jupytext:
  text_representation: {{extension: .md, format_name: myst}}
kernelspec: {{display_name: Python 3, language: python, name: python3}}
---

```{{code-cell}} ipython3
from pathlib import Path
from brainbook.workflow import pages
from brainbook.workflow import end_here, or_skip_the_rest
from brainbook.datasets import Alice
from brainbook.workflow import start_run
run = start_run("page", results="{results}")
alice = or_skip_the_rest(run, Alice, "{data}")
```

```{{code-cell}} ipython3
print("participants:", alice.participants())
```
"""


def test_outside_a_notebook_the_error_is_raised(tmp_path):
    run = start_run("page", results=tmp_path)
    with pytest.raises(ValueError, match="invalid literal"):  # not ours: never swallowed
        or_skip_the_rest(run, int, "x")
    with pytest.raises(DatasetError, match="gone"):
        or_skip_the_rest(run, _fails)
    assert or_skip_the_rest(run, dict, a=1) == {"a": 1}


def test_a_page_without_its_data_says_so_and_ends(tmp_path):
    notebook = jupytext.reads(PAGE.format(results=tmp_path / "results", data=tmp_path / "nowhere"), fmt="md:myst")
    jupytext.write(notebook, tmp_path / "page.ipynb")
    done = papermill.execute_notebook(
        tmp_path / "page.ipynb", tmp_path / "out.ipynb", kernel_name="python3", progress_bar=False
    )
    first, second = (cell for cell in done.cells if cell.cell_type == "code")
    shown = "".join(output.get("data", {}).get("text/markdown", "") for output in first.outputs)
    assert "Not computed on this machine" in shown
    assert "make alice" in shown
    assert second.outputs == []  # `alice` is None: had the cell run, it would have failed
    assert json.loads((tmp_path / "results" / "provenance.json").read_text())["chapter"] == "page"


def test_a_page_of_a_study_that_cannot_be_computed_is_not_done(tmp_path, monkeypatch):
    shell = SimpleNamespace(input_transformers_cleanup=[])
    monkeypatch.setattr(pages, "get_ipython", lambda: shell)
    run = start_run("page", results=tmp_path)
    monkeypatch.setenv(RESULTS_OF_A_STUDY, str(tmp_path))
    with pytest.raises(DatasetError, match="gone"):
        or_skip_the_rest(run, _fails)
    monkeypatch.setenv(MAY_LACK_DATA, "1")
    assert or_skip_the_rest(run, _fails) is None
    assert shell.input_transformers_cleanup


def test_a_run_of_a_sweep_ends_where_it_is_asked_to(tmp_path, monkeypatch):
    shell = SimpleNamespace(input_transformers_cleanup=[])
    monkeypatch.setattr(pages, "get_ipython", lambda: shell)
    run = start_run("page", results=tmp_path)
    end_here(run, "")
    assert not shell.input_transformers_cleanup and not (tmp_path / "provenance.json").exists()
    end_here(run, "Enough.")
    (clean,) = shell.input_transformers_cleanup
    assert clean(["import this\n"]) == [] and (tmp_path / "provenance.json").exists()


def _fails():
    raise DatasetError("gone")


@pytest.mark.parametrize("chapter", sorted((ROOT / "notebooks").glob("*.md")), ids=lambda path: path.stem)
def test_a_page_that_may_end_early_ends_with_its_cell(chapter):
    """The rest of a cell still runs after `or_skip_the_rest`: what it loads must not be used before the next cell."""
    for cell in jupytext.read(chapter).cells:
        if cell.cell_type == "code" and "or_skip_the_rest(" in cell.source:
            assert "or_skip_the_rest(" in ast.unparse(ast.parse(cell.source).body[-1]), cell.source


GLUED = """
```{code-cell} ipython3
:tags: [parameters]
seed = 0
```
```{code-cell} ipython3
import numpy as np
from brainbook.workflow import end_here, glue
from brainbook.workflow import start_run
glue(share=np.float32(0.9612), n=np.int64(1200), verdict="excludes zero", absent=np.nan, zero=-1e-9)
END
```

It is {glue:text}`share:.1%` of {glue:text}`n:,`: the interval {glue:text}`verdict`;
{glue:text}`absent:.2f`, {glue:text}`zero:.2f`.
"""


@pytest.mark.integration
@pytest.mark.parametrize("end", [False, True])
def test_numbers_stand_in_the_sentences_of_an_executed_page(tmp_path, end):
    head = PAGE.split("\n\n")[0].format()
    early = f'end_here(start_run("page", results="{tmp_path}"), "Enough.")' if end else ""
    (tmp_path / "page.md").write_text(head + GLUED.replace("END", early) + "\nAnd {glue:text}`later`.\n" * end)
    execute(tmp_path / "page.md", tmp_path / "page.ipynb", {})
    cells = nbformat.read(tmp_path / "page.ipynb", as_version=4).cells
    assert cells[2].source.startswith("It is 96.1% of 1,200: the interval excludes zero;\n–, 0.00.")
    assert cells[2].source.endswith("And –.") == end
    assert not any("scrapbook" in output.get("metadata", {}) for output in cells[1].outputs)


def test_a_number_that_no_cell_glued_is_named(tmp_path):
    head = PAGE.split("\n\n")[0].format()
    (tmp_path / "page.md").write_text(head + GLUED.replace("END", "") + "\nAnd {glue:text}`later`.\n")
    with pytest.raises(ConfigurationError, match="no cell glued 'later'"):
        execute(tmp_path / "page.md", tmp_path / "page.ipynb", {})
    assert not (tmp_path / "page.ipynb").exists()


def test_a_table_is_shown_with_plain_names_and_sensible_digits():
    shown = show(pd.DataFrame({"mean_r": [0.12345, float("nan")], "n": [1200, 3]}), digits=2).to_html()
    assert "mean r" in shown and ">0.12<" in shown and ">1,200<" in shown and ">–<" in shown
    assert "row_heading" not in shown
    mixed = {"a b": [-0.0004, 2], "c": ["x_y", True], "d": [np.float32(1234.5678), None], "n": [600.0, None]}
    cells = re.findall(r">([^<>\n]+)</td>", show(pd.DataFrame(mixed)).to_html())
    assert cells == ["0.000", "x_y", "1,234.568", "600", "2.000", "True", "–", "–"]
    p_values = show(pd.DataFrame({"p": [0.0004, 0.04], "p of groups": [float("nan"), 1e-9]})).to_html()
    assert p_values.count("&lt; 0.001<") == 2 or p_values.count("< 0.001<") == 2
    assert ">0.040<" in p_values and ">–<" in p_values


def test_of_a_long_table_a_dozen_rows_are_shown_and_all_can_be_taken_along():
    table = pd.DataFrame({"n": range(30), "r": np.linspace(0, 1, 30)})
    page = show(table).to_html()
    shown, folded = page.split("<details>")
    assert (
        shown.count("<tr") == 1 + 12 and folded.count("<tr") == 1 + 18 and "<summary>18 more rows</summary>" in folded
    )
    sent = re.search(r"data:text/csv;base64,([^\"]+)", folded)[1]
    pd.testing.assert_frame_equal(pd.read_csv(io.BytesIO(base64.b64decode(sent))), table)
    assert "<details" not in show(table[:12]).to_html()


def test_regions_and_hemispheres_are_written_out():
    table = pd.DataFrame({"region": ["S_temporal_sup", "LATL", None], "hemisphere": ["lh", "rh", "lh"], "r": 0.5})
    page = show(table).to_html()
    assert "superior temporal sulcus" in page and "LATL" in page and ">left<" in page and ">right<" in page
    assert "S_temporal_sup" not in page and table.region[0] == "S_temporal_sup"
    indexed = table[:2].set_index(["region", "hemisphere"])
    assert "superior temporal sulcus" in show(indexed).to_html() and ">left<" in show(indexed).to_html()
    two = pd.concat({"ours": table[:2].drop(columns="r")}, axis=1)
    assert "superior temporal sulcus" in show(two).to_html()


def test_a_table_is_that_of_the_run_or_else_of_the_archive(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here, archived = pd.DataFrame({"value": [1.5]}), pd.DataFrame({"value": [2.5]})
    run = start_run("page", results=tmp_path / "mine")
    archive_table("page", "scores", archived, "python make.py", minutes=1)
    pd.testing.assert_frame_equal(pages.saved_or_archived(run, "scores"), archived)
    run.save(here, "scores")
    pd.testing.assert_frame_equal(pages.saved_or_archived(run, "scores"), here)
    with pytest.raises(ConfigurationError, match="no table 'others' of the study 'page'"):
        pages.saved_or_archived(run, "others")
