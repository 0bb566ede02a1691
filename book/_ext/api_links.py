"""Links between pages and names: `delay` in any page's text leads to its page, `numpy.corrcoef` to numpy's.

Of words of every day only `train()` is a name. A chapter ends with the names that its code imports. Names of other
packages stand in external_names.csv (package, kind, name, page); inventories for intersphinx are written from it, so
that a build needs no network.
"""

import csv
import zlib
from pathlib import Path

from api import link
from docutils import nodes
from public_names import imports_of_chapters, pages, places

NAMES = Path(__file__).with_name("external_names.csv")
HOMES = {
    "numpy": "https://numpy.org/doc/stable/",
    "scipy": "https://docs.scipy.org/doc/scipy/",
    "sklearn": "https://scikit-learn.org/stable/",
    "nilearn": "https://nilearn.github.io/stable/",
    "nibabel": "https://nipy.org/nibabel/",
    "torch": "https://docs.pytorch.org/docs/stable/",
    "himalaya": "https://gallantlab.org/himalaya/",
}
EVERYDAY = {
    "check",
    "clean",
    "evaluate",
    "exercises",
    "fit",
    "given",
    "pair",
    "results",
    "sentences",
    "train",
    "viewer",
}
UNLINKED = (nodes.reference, nodes.title, nodes.term)


def setup(app):
    app.setup_extension("sphinx.ext.intersphinx")
    app.connect("config-inited", point_at_inventories, priority=100)  # before intersphinx reads its settings
    app.connect("doctree-read", link_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def external_names() -> list[dict[str, str]]:
    with NAMES.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def inventory(package: str) -> bytes:
    """Return an inventory in Sphinx's format, version 2, of the names of a package in external_names.csv."""
    rows = [row for row in external_names() if row["package"] == package]
    lines = [f"{row['name']} py:{row['kind']} 1 {row['page']}#$ -\n" for row in rows]
    head = f"# Sphinx inventory version 2\n# Project: {package}\n# Version: \n# The rest is compressed using zlib.\n"
    return head.encode() + zlib.compress("".join(lines).encode())


def point_at_inventories(app, config):
    folder = Path(app.doctreedir).parent / "inventories"
    folder.mkdir(parents=True, exist_ok=True)
    for package in HOMES:
        (folder / f"{package}.inv").write_bytes(inventory(package))
    config.intersphinx_mapping = {name: (home, str(folder / f"{name}.inv")) for name, home in HOMES.items()}


def link_names(app, doctree):
    """Make links of names in backticks; at the end of a chapter list the names that its code imports."""
    page = app.env.docname
    here = {module for module, name in pages().items() if name in app.env.found_docs}  # a book may lack pages
    known = {text: full for text, full in places().items() if full.rpartition(".")[0] in here}
    known |= {row["name"]: row["name"] for row in external_names()}
    for literal in list(doctree.findall(nodes.literal)):
        text = literal.astext().removesuffix("()")
        is_name = text in known and (text not in EVERYDAY or literal.astext().endswith("()"))
        if is_name and not _inside(literal, UNLINKED) and literal.get("classes") in ([], ["docutils"]):
            literal.parent.replace(literal, link(known[text], literal.astext()))
    names = imports_of_chapters().get(page.removeprefix("book/chapters/")) if "chapters/" in page else None
    names = [name for name in names or () if name in known]
    if names:
        line = nodes.paragraph("", "From the package: ", classes=["from-the-package"])
        for number, name in enumerate(names):
            line += [nodes.Text(", " if number else ""), link(name, name.rpartition(".")[2])]
        list(doctree.findall(nodes.section))[0].append(line)


def _inside(node, kinds) -> bool:
    while node is not None:
        if isinstance(node, (*kinds,)) or node.tagname == "pending_xref":
            return True
        node = node.parent
    return False
