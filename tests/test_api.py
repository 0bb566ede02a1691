"""The public surface: every name is on a page, has an example that runs, and a docstring that fits its signature."""

import doctest
import importlib
import inspect
import io
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from brainbook.phantom import make_phantom
from brainbook.source_code import PACKAGE

from .conftest import ROOT, real_folder

sys.path.insert(0, str(ROOT / "book/_ext"))
from public_names import BLOCK, chapters_using, imports_of_chapters, places, public_names  # noqa: E402

NAMES = [(module, name) for module, names in public_names().items() for name in names]
EXAMPLES = sorted(path for path in PACKAGE.rglob("*.py") if ">>>" in path.read_text(encoding="utf-8"))
SLOW = ("brain_maps", "evaluation", "lebel")  # a store of surfaces, all measures, a layout: 12, 3 and 2 s
SECTIONS = ["Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes", "Examples"]
PHANTOMS = {  # what examples read, in the words of book/api/index.md
    "phantom": {"voxel_size": 10, "echoes": 0},
    "described": {"layout": "fmriprep", "space": "fsaverage5"},
    "lebel": {"layout": "lebel"},
}
REAL = {"alice": "alice", "little_prince": "little_prince"}  # folder of examples: folder of the real data


def object_of(module: str, name: str):
    return public_names()[module][name]


def sections(docstring: str) -> dict[str, str]:
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$", docstring, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def documented_parameters(text: str) -> set[str]:
    """Names before ' : ' at the left edge of a section; 'a, b : both of them' names two."""
    names = [match for line in re.findall(r"^(?! )([\w, *]+?) : ", text, re.MULTILINE) for match in line.split(",")]
    inside = re.findall(r"\. (\w+) : ", text)  # 'score : array [...]. null : array [...]'
    return {name.strip(" *") for name in [*names, *inside]}


def parameters(each) -> set[str]:
    found = inspect.signature(each).parameters.values()
    return {it.name for it in found if it.kind not in (it.VAR_KEYWORD, it.VAR_POSITIONAL) and it.name[0] != "_"}


def all_docs(each) -> str:
    """The docstring of a function; of a class its own and those of its methods."""
    members = vars(each).values() if inspect.isclass(each) else ()
    functions = [getattr(member, "fget", None) or getattr(member, "func", None) or member for member in members]
    return "\n".join([inspect.getdoc(each) or "", *(function.__doc__ or "" for function in functions)])


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_a_public_name_has_an_example(module, name):
    """Of its own; or it is what a function returns whose example shows it; errors and warnings need none."""
    each = object_of(module, name)
    if inspect.isclass(each) and issubclass(each, BaseException):
        return
    makers = re.findall(r"(?:What|Returned by) `(\w+)`", all_docs(each))
    makers = [public_names()[module].get(maker) for maker in makers]
    assert any(">>>" in all_docs(it) for it in [each, *makers])


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_a_docstring_fits_its_signature(module, name):
    """Sections in numpydoc's order; what they name exists, and what exists is named."""
    each, doc = object_of(module, name), inspect.getdoc(object_of(module, name)) or ""
    assert doc.splitlines()[0].endswith((".", ":")), "the first line is a sentence"
    found = sections(doc)
    assert list(found) == [section for section in SECTIONS if section in found]
    if inspect.isclass(each) and issubclass(each, BaseException | tuple):
        return
    if inspect.isclass(each) and "Arguments as of" in doc:
        return
    known = parameters(each)
    options = any(it.kind is it.VAR_KEYWORD for it in inspect.signature(each).parameters.values())
    invented = documented_parameters(found.get("Parameters", "")) - known
    assert options or not invented, f"no such parameters: {invented}"
    text = all_docs(each)
    for other in re.findall(r"arameters as in `(\w+)`|rest is as in `(\w+)`", text):
        text += all_docs(object_of(module, "".join(other))) + all_docs(object_of(module, "flatmap"))
    silent = {it for it in known if not re.search(rf"\b{it}\b", text)}
    assert not silent, f"parameters without a word: {silent}"
    if inspect.isfunction(each):
        gives = inspect.signature(each).return_annotation
        told = "Returns" in found or "Yields" in found or "eturn" in doc or gives is None or inspect.isclass(gives)
        assert told, "what it returns"


def test_faults_of_docstrings_are_seen():
    text = sections("First.\n\nParameters\n----------\na, b : two.\nc : one. d : another.\n    e : no name\n")
    assert documented_parameters(text["Parameters"]) == {"a", "b", "c", "d"}


@pytest.fixture(scope="session")
def examples_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("examples")


def data_for(text: str, folder: Path) -> None:
    """Make or link the folders data/<name> that examples read; skip where real data is not here."""
    for name in sorted(set(re.findall(r"data/(\w+)", text)) & {*PHANTOMS, *REAL}):
        target = folder / "data" / name
        if name in REAL and not target.exists():
            target.parent.mkdir(exist_ok=True)
            target.symlink_to(real_folder(REAL[name]))
        elif not target.exists():
            make_phantom(target, participants=1, scans=30, languages=("EN",), **PHANTOMS[name])


def globals_of(module) -> dict | None:
    """What an example may use: np, pd, Path and the public names of its room; in rooms without any, its module's."""
    room = module.__name__.split(".")[1]
    public = {
        name: it for page, names in public_names().items() if page.split(".")[1] == room for name, it in names.items()
    }
    return {"np": np, "pd": pd, "Path": Path, **public} if public else None


@pytest.mark.filterwarnings("ignore:Precision loss occurred:RuntimeWarning")  # of responses without noise
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.slow] if path.stem in SLOW else []) for path in EXAMPLES],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_examples_of_docstrings_run(path, examples_folder, monkeypatch):
    monkeypatch.chdir(examples_folder)
    module = importlib.import_module(".".join(["brainbook", *path.relative_to(PACKAGE).with_suffix("").parts]))
    runner, output = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS), io.StringIO()
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, globs=globals_of(module)):
        own = test.name.removeprefix(module.__name__ + ".").split(".")[0]
        test.globs.setdefault(own, getattr(module, own, None))
        data_for(test.docstring or "", examples_folder)
        runner.run(test, out=output.write)
    assert not runner.failures, output.getvalue()


def test_names_of_the_last_release_are_still_there():
    released = (ROOT / "book/api/released_names.txt").read_text(encoding="utf-8").split()
    assert released and not [name for name in released if name not in places()]


def test_every_module_with_public_names_is_on_the_page_of_the_surface():
    index = (ROOT / "book/api/index.md").read_text(encoding="utf-8")
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    for page in (ROOT / "book/api").glob("*.md"):
        if BLOCK.search(page.read_text(encoding="utf-8")):
            assert f"({page.name})" in index and f"file: book/api/{page.stem}\n" in toc


def test_chapters_and_pages_are_linked_both_ways():
    assert "brainbook.encoding.cross_validate" in imports_of_chapters()["first_model"]
    assert "first_model" in chapters_using("brainbook.encoding.cross_validate")
    assert places()["delay"] == "brainbook.encoding.delay"


def test_names_in_text_are_links_without_a_network(tmp_path, monkeypatch):
    """To the page of the package, to another project by an inventory that is written here, and to neither."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "index.md").write_text("# Page\n\n`delay`, `numpy.corrcoef`, `results`, `no_such_name`, `train()`\n")
    (tmp_path / "book/api").mkdir(parents=True)
    (tmp_path / "book/api/encoding.md").write_text("# Names\n\n```{api} brainbook.encoding\n:names: delay\n```\n")
    options = {"extensions": ["myst_parser", "api", "api_links"], "suppress_warnings": ["toc.not_included"]}
    options["source_suffix"] = {".md": "markdown"}  # myst_nb in another test leaves its own in Sphinx's default
    with patch_docutils(), docutils_namespace():
        Sphinx(
            tmp_path, None, tmp_path / "out", tmp_path / "trees", "html",
            confoverrides=options, status=None, warning=io.StringIO(),
        ).build()  # fmt: skip
    page = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    links = dict(re.findall(r'<a class="reference [^"]*" href="([^"]*)"[^>]*><code[^>]*>.*?>([\w.()]+)</span>', page))
    assert links["book/api/encoding.html#brainbook.encoding.delay"] == "delay"
    assert "https://numpy.org/doc/stable/reference/generated/numpy.corrcoef.html#numpy.corrcoef" in links
    assert not {"results", "no_such_name"} & set(links.values())
