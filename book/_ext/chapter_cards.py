"""`{chapter-cards}`: a card for every chapter that was made, with its question and a picture from its own figures.

The picture is the figure that a chapter's front matter names (`way: {picture: fig-...}`) or its first one, made small.
"""

import base64
import io
import re
from pathlib import Path

import nbformat
from chapter_line import BADGES, read_chapters
from docutils import nodes
from docutils.statemachine import StringList
from PIL import Image, ImageOps
from sphinx.util.docutils import SphinxDirective

SIZE, COLOURS = (320, 200), 48  # of a card's picture: some 10 KB
PICTURES = "book/_static/generated/cards"
QUESTION = re.compile(r"\*\*The questions? of this \w+:\*\*\s*(.*?)(?:\n\s*\n|\Z)", re.DOTALL)


def question_of(notebook: nbformat.NotebookNode) -> str:
    """Return the first question that a chapter asks, as one line; an empty text for a chapter without one."""
    found = (QUESTION.search(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    text = next((match[1] for match in found if match), "")
    line = re.sub(r"\{[\w:]+\}`([^`]*)`", r"\1", " ".join(text.replace("*", "").split()))
    first, mark, _ = line.partition("?")
    return first[:1].upper() + first[1:] + mark


def picture_of(notebook: nbformat.NotebookNode) -> tuple[bytes, str] | None:
    """Return the PNG and the alternative text of the figure that stands for a chapter; None without figures."""
    wanted, first = notebook.metadata.get("way", {}).get("picture"), None
    for cell in notebook.cells:
        about = cell.metadata.get("mystnb", {})
        images = [out.data["image/png"] for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
        if images and "image" in about:
            found = base64.b64decode(images[0]), about["image"]["alt"]
            if about.get("figure", {}).get("name") == wanted:
                return found
            first = first or found
    return first


def small(png: bytes) -> bytes:
    """Return a picture as a card shows it: `SIZE` pixels, on white, few colours."""
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    padded = ImageOps.pad(white.convert("RGB"), SIZE, Image.Resampling.LANCZOS, "white")
    padded.quantize(COLOURS).save(stream := io.BytesIO(), "PNG", optimize=True)
    return stream.getvalue()


class ChapterCards(SphinxDirective):
    """A grid of cards, one a chapter."""

    def run(self):
        root = Path(self.env.srcdir)
        lines = ["::::{grid} 1 2 3 3", ":gutter: 2", ""]
        for page, chapter in read_chapters(root).items():
            self.env.note_dependency(str(root / f"{page}.ipynb"))
            notebook = nbformat.read(root / f"{page}.ipynb", as_version=4)
            lines += [f":::{{grid-item-card}} {chapter.number} · {chapter.title}", f":link: /{page}", ":link-type: doc"]
            if picture := picture_of(notebook):
                path = root / PICTURES / f"{page.rpartition('/')[2]}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(small(picture[0]))
                lines += [f":img-top: /{PICTURES}/{path.name}", f":img-alt: {picture[1]}"]
            text = question_of(notebook) or f"You learn to {chapter.learned}."
            badge = BADGES[chapter.data].partition(":")[0]
            lines += ["", text, "", "```{card-footer}", f"{chapter.reading} · {badge}", "```", ":::", ""]
        node = nodes.container(classes=["chapter-cards"])
        self.state.nested_parse(StringList([*lines, "::::"], "chapter-cards"), 0, node)
        return [node]


def setup(app):
    app.add_directive("chapter-cards", ChapterCards)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
