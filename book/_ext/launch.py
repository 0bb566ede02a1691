"""Every chapter as a notebook that runs by itself: a download, and buttons for Colab and Binder.

The notebook is the executed page with its figures and numbers, without the parameters of the study that made it, and
with `.binder/begin.py` as its first cell. Only `book_repository` of `_config.yml` knows the repository:
where it is empty, there are no buttons and nothing is fetched.
"""

import re
from pathlib import Path

import nbformat
from chapter_line import FOLDER, chapter_pages
from docutils import nodes

BRANCH = (
    "notebooks"  # of the repository: what is in the built book's folder of that name (Colab opens files of GitHub only)
)
FENCE = re.compile(r"^(`{3,})\{(\w[\w-]*)\} ?([^\n]*)\n((?::[^\n]*\n)*)(.*?)^\1$", re.MULTILINE | re.DOTALL)


def readable(markdown: str) -> str:
    """Return a page's Markdown without what only Sphinx reads: roles become words, boxes and exercises quotations."""

    def quote(match: re.Match) -> str:
        title = match[3] if match[2] == "admonition" else f"Exercise: {match[3]}" if match[2] == "exercise" else ""
        body = f"{match[5].strip()}" if match[2] in ("admonition", "exercise") else ""
        return "\n".join(f"> {line}" for line in f"**{title}**\n\n{body}".splitlines()) if title else ""

    text = FENCE.sub(quote, markdown)
    text = re.sub(r"\{numref\}`[^`]*`", "the figure", text)
    text = re.sub(r"\{cite:\w\}`([^`]*)`", r"[\1]", text)
    text = re.sub(r"\{\w[\w:]*\}`([^`<]*?)(?: *<[^`]*>)?`", r"\1", text)
    return re.sub(r"^\([\w-]+\)=\n", "", text, flags=re.MULTILINE)


def standalone(notebook: nbformat.NotebookNode, begin: str) -> nbformat.NotebookNode:
    """Return a chapter's executed notebook as it is offered: the source `begin` as a cell, then its own cells."""
    cells = [nbformat.v4.new_code_cell(begin.strip(), metadata={"cellView": "form"})]
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            continue
        cell = nbformat.from_dict(cell)
        if cell.cell_type == "markdown":
            cell.source = readable(cell.source)
        cells.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def write_notebooks(app, error):
    """Write the notebooks of all chapters beside the pages."""
    if error or app.builder.format != "html":
        return
    root = Path(app.srcdir)
    begin = (root / ".binder/begin.py").read_text(encoding="utf-8")
    begin = begin.replace('REPOSITORY = ""', f'REPOSITORY = "{app.config.book_repository}"')
    folder = Path(app.outdir, "notebooks")
    for page in chapter_pages(root):
        if (root / f"{page}.ipynb").is_file():
            folder.mkdir(exist_ok=True)
            made = standalone(nbformat.read(root / f"{page}.ipynb", as_version=4), begin)
            nbformat.write(made, folder / f"{page.rpartition('/')[2]}.ipynb")


def launch_links(repository: str, chapter: str) -> dict[str, str]:
    """Return {name: address} of where a chapter's notebook can be opened; nothing without a repository on GitHub."""
    owner = repository.removeprefix("https://github.com/").removesuffix(".git").strip("/")
    if not repository.startswith("https://github.com/"):
        return {}
    return {
        "Colab": f"https://colab.research.google.com/github/{owner}/blob/{BRANCH}/{chapter}.ipynb",
        "Binder": f"https://mybinder.org/v2/gh/{owner}/HEAD?urlpath=lab/tree/notebooks/{chapter}.ipynb",
    }


def add_links(app, doctree, page):
    """Put the links under the title of a chapter, below what `chapter_line` says of it."""
    lines = [it for it in doctree.findall(nodes.container) if "chapter-line" in it["classes"]]
    if not page.startswith(FOLDER) or app.builder.format != "html" or not lines:
        return
    chapter = page.removeprefix(FOLDER)
    links = f'<a href="../../notebooks/{chapter}.ipynb" download>download</a>'
    for name, address in launch_links(app.config.book_repository, chapter).items():
        links += f' · <a href="{address}">open in {name}</a>'
    lines[0] += nodes.raw("", f"<p>This page as a notebook: {links}</p>", format="html")


def setup(app):
    app.add_config_value("book_repository", "", "html")
    app.connect("doctree-resolved", add_links, priority=600)  # after chapter_line
    app.connect("build-finished", write_notebooks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
