"""No code of somebody else is run, no text of a user or a file is taken for a command, a path or a page's markup."""

import ast
import re
from pathlib import Path

import pandas as pd
import pytest

from brainbook.datasets.files import check_name
from brainbook.errors import BrainbookError
from brainbook.workflow import show
from brainbook.workflow.notebooks import GLUE_ROLE, insert_glued, without_tags
from brainbook.workflow.run import ChapterRun
from brainbook.workflow.study_file import read_study

ROOT = Path(__file__).resolve().parents[1]
CODE = [*(ROOT / "src").rglob("*.py"), *(ROOT / "book/_ext").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
UNPICKLING = {"pickle", "cPickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"}
RUNNING = {"eval", "exec", "compile", "__import__", "system", "popen", "getoutput", "getstatusoutput", "mktemp"}
READING = {"read_pickle", "read_hdf", "to_pickle", "unsafe_load", "full_load", "load_all", "torch_load"}
PROCESSES = {"run", "Popen", "call", "check_call", "check_output"}
SCRIPT = "</script><script>alert(1)</script>"


def forbidden(text: str) -> list[str]:
    """What a text of Python does that no file of this project may do, one line for each."""
    found = []
    for node in ast.walk(ast.parse(text)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [f"{node.lineno}: imports {name}" for name in names if name.split(".")[0] in UNPICKLING]
        if isinstance(node, ast.Call):
            found += [f"{node.lineno}: {problem}" for problem in _of_call(node)]
    return found


def _of_call(node: ast.Call) -> list[str]:
    called, options = ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}
    name, owner = called.rpartition(".")[2], called.rpartition(".")[0]
    problems = []
    if (name in RUNNING and owner in ("", "os", "builtins", "subprocess", "tempfile")) or name in READING:
        problems.append(f"calls {called}")
    if options.get("shell", "False") != "False" or (owner == "subprocess" and name in PROCESSES and _is_text(node)):
        problems.append(f"{called} starts a shell")
    if (owner, name) == ("torch", "load") and options.get("weights_only") != "True":
        problems.append("torch.load without weights_only=True")
    if (owner, name) == ("np", "load") and options.get("allow_pickle", "False") != "False":
        problems.append("np.load with allow_pickle")
    if (owner, name) == ("yaml", "load"):
        problems.append("yaml.load: use store.read_yaml")
    if options.get("trust_remote_code", "False") != "False":
        problems.append(f"{called} trusts remote code")
    return problems


def _is_text(node: ast.Call) -> bool:
    """Whether a command is one text, which a system may take apart, rather than a list of words."""
    return bool(node.args) and isinstance(node.args[0], ast.JoinedStr | ast.Constant | ast.BinOp)


@pytest.mark.parametrize(
    "code",
    [
        *("import pickle", "from joblib import load", "eval(text)", "os.system(text)", "subprocess.run(c, shell=True)"),
        *("subprocess.run(f'ls {name}')", "torch.load(path)", "torch.load(path, weights_only=False)", "yaml.load(x)"),
        *("np.load(path, allow_pickle=True)", "pd.read_pickle(path)", "tempfile.mktemp()"),
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
    ],
)
def test_what_is_forbidden_is_seen(code):
    assert len(forbidden(code)) == 1
    assert not forbidden(
        "model.eval(); re.compile(x); torch.load(p, weights_only=True); np.load(p); subprocess.run([a])"
    )


def test_no_file_of_the_project_unpickles_or_runs_text():
    found = {str(path.relative_to(ROOT)): lines for path in CODE if (lines := forbidden(path.read_text("utf-8")))}
    assert len(CODE) > 200 and not found


def test_every_loader_of_the_hub_refuses_remote_code():
    """Where it is left unset, transformers asks on standard input whether a model's own code may run."""
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text("utf-8")
        loads = re.findall(r"\bAuto\w+\.from_pretrained\(|auto_class\.from_pretrained\(", text)
        assert not loads or re.search(r'"trust_remote_code"\]? ?[:=] False', text), path


def test_shell_commands_quote_what_users_say():
    """The only shell lines are Snakemake's, of words that are quoted, and make's, of variables that the shell keeps."""
    lines = re.findall(r'shell:\s*\n?\s*"([^"]*)"', (ROOT / "Snakefile").read_text())
    assert lines and all(set(re.findall(r"\{(.*?)\}", line)) == {"params.command:q", "log:q"} for line in lines)
    makefile = (ROOT / "Makefile").read_text()
    given = re.findall(r"^override (\w+)", makefile, re.MULTILINE)
    assert {"STUDY", "DATA", "PARTICIPANTS"} <= set(given)
    recipes = "\n".join(line for line in makefile.splitlines() if line.startswith("\t"))
    assert not [name for name in given if re.search(rf"(?<!\$)\$\({name}\)", recipes)], "make would expand it"


def test_the_server_answers_this_machine_only():
    makefile = (ROOT / "Makefile").read_text()
    assert re.findall(r"http\.server .*", makefile) == re.findall(r"http\.server .*--bind 127\.0\.0\.1.*", makefile)


LEAVING = ["..", ".", "", "../x", "/x", "a/b", "a\\b", "sub-<b>", SCRIPT, "a\nb", "a;b", "$(x)", "'", "~", "-x"]


@pytest.mark.parametrize("name", LEAVING)
def test_a_name_that_could_leave_its_folder_or_page_is_refused(name, tmp_path):
    with pytest.raises(BrainbookError):
        check_name(name, tmp_path)
    with pytest.raises(BrainbookError):
        read_study(name, studies=tmp_path, notebooks=tmp_path)
    with pytest.raises(BrainbookError):
        ChapterRun("one", tmp_path, {}).save(pd.DataFrame({"a": [1]}), name)
    assert not list(tmp_path.iterdir())


def test_names_as_people_have_them():
    for name in ("sub-EN057", "UTS01", "s18", "sub 1", "sub-Zoë", "一号", "a.b+c"):
        assert check_name(name, "x") == name


def test_text_of_files_is_escaped_in_tables():
    table = pd.DataFrame({SCRIPT: [SCRIPT, "a & b"], "r": [0.5, 0.25]}, index=[SCRIPT, "<img src=x onerror=alert(1)>"])
    for shown in (table, table.set_index([SCRIPT, "r"]).assign(n=1), table.T, table.set_index(SCRIPT).T):
        html = show(shown).to_html()
        assert "<script" not in html and "<img" not in html and "&lt;script&gt;alert(1)" in html
    assert "a &amp; b" in show(table).to_html()


def test_text_of_files_is_no_markup_in_sentences():
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    output = new_output("display_data", data={"application/papermill.record/text/plain": repr(SCRIPT)})
    output.metadata["scrapbook"] = {"name": "who"}
    page = new_notebook(cells=[new_code_cell("", outputs=[output]), new_markdown_cell("It was {glue:text}`who`.")])
    insert_glued(page)
    assert GLUE_ROLE.pattern and "<script" not in page.cells[1].source and "alert(1)" in page.cells[1].source
    assert without_tags("p < .001, <b>x</b> <!-- y --> 3<4") == "p < .001, &lt;b>x&lt;/b> &lt;!-- y --> 3<4"
