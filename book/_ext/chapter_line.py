"""What stands under a chapter's title, and the table of all chapters: made from the chapters themselves.

A chapter says one line in its front matter,

    way: {read: must, learned: "fit an encoding model", skip: [Titles of sections], data: real}

`read` is `must` or `may`; `learned` ends the sentence 'you can'; `skip` names sections that a first reading may leave
out; `data` is said only by chapters without cells tagged `phantom` or `real`. Numbers come from `_toc.yml`, minutes
from `reading_minutes`, exercises from `exercises`, both of `brainbook.course`.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from brainbook.course import exercises, reading_minutes
from brainbook.course.reading import section_titles

FOLDER = "book/chapters/"
BADGES = {"phantom": "phantom: simulated recordings", "real": "real recordings", "simulated": "simulated data",
          "images": "made and real images", "archived": "archived tables"}  # fmt: skip


@dataclass(frozen=True)
class Chapter:
    """One chapter of the book: `minutes` of what must be read, `all_minutes` with what a first reading may skip."""

    page: str
    number: int
    title: str
    read: str
    learned: str
    skip: tuple[str, ...]
    data: str
    minutes: int
    all_minutes: int

    @property
    def reading(self) -> str:
        more = f" ({self.all_minutes} with all sections)" if self.all_minutes > self.minutes else ""
        return f"{self.minutes} min{more}"


def chapter_pages(root: Path) -> list[str]:
    """Pages of chapters in the order of the table of contents."""
    return re.findall(rf"{FOLDER}\w+", (root / "_toc.yml").read_text(encoding="utf-8"))


def read_chapter(notebook: nbformat.NotebookNode, page: str, number: int) -> Chapter | None:
    """What is known of a chapter; None for a notebook without the line in its front matter."""
    way = notebook.metadata.get("way")
    if not way:
        return None
    skip = tuple(way.get("skip", ()))
    tags = {tag for cell in notebook.cells if "admonition" in cell.source for tag in cell.metadata.get("tags", [])}
    data = "phantom" if "phantom" in tags else "real" if "real" in tags else way.get("data", "phantom")
    times = [max(1, round(reading_minutes(notebook, without))) for without in (skip, ())]
    return Chapter(page, number, section_titles(notebook)[0], way["read"], way["learned"], skip, data, *times)


def read_chapters(root: Path) -> dict[str, Chapter]:
    """The chapters that were made: page -> Chapter, in the order of the book."""
    found = {}
    for number, page in enumerate(chapter_pages(root)):  # the refresher is number 0
        path = root / f"{page}.ipynb"
        if path.is_file() and (chapter := read_chapter(nbformat.read(path, as_version=4), page, number)):
            found[page] = chapter
    return found


def add_line(app, doctree, page):
    """Put number, minutes, marks and neighbours under the title of a chapter."""
    chapters = read_chapters(Path(app.srcdir)) if page.startswith(FOLDER) else {}
    if page not in chapters or app.builder.format != "html":
        return
    chapter, others = chapters[page], list(chapters.values())
    place = others.index(chapter)
    marks = nodes.paragraph()
    must = "must read" if chapter.read == "must" else "may be skipped"
    for text, kind in [
        (f"Chapter {chapter.number}", "number"),
        (chapter.reading, "minutes"),
        (must, chapter.read),
        (BADGES[chapter.data], chapter.data),
    ]:
        marks += nodes.inline("", text, classes=["chapter-mark", f"mark-{kind}"])
        marks += nodes.Text(" ")
    line = nodes.container("", marks, classes=["chapter-line"])
    links = nodes.paragraph()
    for before, other in [
        ("Before: ", others[place - 1] if place else None),
        ("Next: ", (others[place + 1 :] or [None])[0]),
    ]:
        if other:
            uri = app.builder.get_relative_uri(page, other.page)
            links += [nodes.Text(before), nodes.reference("", other.title, refuri=uri, internal=True)]
            links += nodes.Text(f" (you can {other.learned}). " if before == "Before: " else ".")
    line += links
    if chapter.skip:
        line += nodes.paragraph(
            "", "A first reading may leave out: " + "; ".join(f"‘{title}’" for title in chapter.skip) + "."
        )
        for title in doctree.findall(nodes.title):
            if isinstance(title.parent, nodes.section) and title.astext() in chapter.skip:
                title.parent["classes"].append("may-skip")
    section = next(doctree.findall(nodes.section))
    section.insert(1, line)


class ChapterTable(SphinxDirective):
    """`{chapter-table}`: every chapter with its minutes, its exercises, and what it took to compute."""

    def run(self):
        root, rows = Path(self.env.srcdir), exercises()
        lines = [
            "| | chapter | read | minutes | data | exercises | computed in | memory |",
            "|--:|---|---|--:|---|---|--:|--:|",
        ]
        for page, chapter in read_chapters(root).items():
            self.env.note_dependency(str(root / f"{page}.ipynb"))
            own = rows[rows["chapter"] == page.removeprefix(FOLDER)]
            work = f"{len(own)}: {own['minutes'].sum()} min" if len(own) else "–"
            minutes = f"{chapter.minutes}" + (f" / {chapter.all_minutes}" if chapter.skip else "")
            link = f"[{chapter.title}](/{page})"
            seconds, memory = cost(nbformat.read(root / f"{page}.ipynb", as_version=4))
            cells = [chapter.number, link, chapter.read, minutes, chapter.data, work, seconds, memory]
            lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
        node = nodes.container()
        self.state.nested_parse(StringList(lines, "chapter-table"), 0, node)
        return node.children


class ClassTable(SphinxDirective):
    """`{class-table} 30 8`: what every chapter takes if 30 students run it at once on 8 cores, nothing being cached.

    Wall time of the run that made the page, times students, divided by cores; its peak memory times students.
    """

    required_arguments = 2

    def run(self):
        root = Path(self.env.srcdir)
        students, cores = (int(it) for it in self.arguments)
        lines = ["| chapter | one student | | all of them | |", "|---|--:|--:|--:|--:|"]
        for page, chapter in read_chapters(root).items():
            seconds, memory = cost(nbformat.read(root / f"{page}.ipynb", as_version=4))
            if "–" not in (seconds, memory):
                minutes = float(seconds.split()[0]) * max(1, students / cores) / 60
                total = float(memory.split()[0]) * students
                cells = [f"[{chapter.title}](/{page})", seconds, memory, f"{minutes:.0f} min", f"{total:.0f} GB"]
                lines.append("| " + " | ".join(cells) + " |")
        node = nodes.container()
        self.state.nested_parse(StringList(lines, "class-table"), 0, node)
        return node.children


def cost(notebook: nbformat.NotebookNode) -> tuple[str, str]:
    """Wall time and memory of a chapter, from the table of its provenance; a dash where it has none."""
    text = json.dumps(
        [output.get("data", {}).get("text/html", "") for cell in notebook.cells for output in cell.get("outputs", [])]
    )
    found = []
    for what, unit in (("wall time \\(s\\)", "s"), ("peak memory \\(GB\\)", "GB")):
        match = re.search(what + r"</td>.*?<td[^>]*>([\d.]+)<", text)
        found.append(f"{float(match[1]):.{1 if unit == 'GB' else 0}f} {unit}" if match else "–")
    return found[0], found[1]


def setup(app):
    app.connect("doctree-resolved", add_line)
    app.add_directive("chapter-table", ChapterTable)
    app.add_directive("class-table", ClassTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
