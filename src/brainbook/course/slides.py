"""Slides from the chapters: `python -m brainbook.course.slides` makes them of the built pages, for Reveal, offline.

A chapter becomes one page of slides: its question, what is learned, then for each section that a first reading does not
skip its first paragraph and its figures, each with the sentence that reads it; what to remember; the exercises. All
other text of a section is in the speaker's notes (key S). On a page of the book, the class `slide` puts a paragraph on
a slide whole; a cell tagged `no-slide` stays off the slides.
"""

import argparse
import re
import shutil
from copy import copy
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from brainbook.errors import ConfigurationError

if TYPE_CHECKING:
    from bs4 import Tag

_PAGE = Path(__file__).with_name("slide_page")
_SENTENCE_END = re.compile(r"(?<=[.!?:])(?=\s|$)")
_SHORTEST = 40  # characters: what ends earlier is an abbreviation, or says too little alone
_NO_SLIDES = ("Where these numbers come from", "Exercises")


def write_slides(pages: Path, folder: Path) -> list[Path]:
    """Write the slides of all chapters in `pages` (a built book, `_build/html`) into `folder`; return their files.

    `folder` is written whole and can be opened from disk or carried away. Raises ConfigurationError where no chapter is
    built.
    """
    chapters = sorted((pages / "book" / "chapters").glob("*.html"), key=_place)
    if not chapters:
        raise ConfigurationError(f"no chapter is built in {pages}: run `make book` first")
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(_PAGE, new, ignore=shutil.ignore_patterns("*.html"))
    (new / "images").mkdir()
    titles = {}
    for chapter in chapters:
        title, slides, images = chapter_slides(chapter.read_text(encoding="utf-8"))
        for image in images:
            shutil.copy(chapter.parent / image, new / "images" / Path(image).name)
        _write(new / chapter.name, title, slides)
        titles[chapter.name] = title
    links = "".join(f'<li><a href="{name}">{escape(title)}</a></li>' for name, title in titles.items())
    _write(new / "index.html", "Slides", [f'<section class="index"><h2>Slides</h2><ul>{links}</ul></section>'])
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
    return [folder / name for name in titles]


def _place(chapter: Path) -> tuple[int, str]:
    """Return the place of a chapter in the book: the number that stands under its title."""
    number = re.search(r">Chapter (\d+)<", chapter.read_text(encoding="utf-8"))
    return (int(number[1]) if number else 0, chapter.name)


def _write(path: Path, title: str, slides: list[str]) -> None:
    page = Template((_PAGE / "slides.html").read_text(encoding="utf-8"))
    path.write_text(page.substitute(title=escape(title), slides="\n".join(slides)), encoding="utf-8")


def chapter_slides(page: str) -> tuple[str, list[str], list[str]]:
    """Return a chapter's title, its slides (HTML) and the pictures on them (addresses, as on the page).

    page : HTML of a chapter as the book has it.
    """
    from bs4 import BeautifulSoup

    article: Any = BeautifulSoup(page, "html.parser").select_one("article section")
    images = _prepare(article)
    title = article.h1.get_text(" ", strip=True)
    opening = [it for it in article.find_all("p", recursive=False) if it.get_text().startswith("The question")]
    marks = "".join(map(str, article.select("div.chapter-line span.chapter-mark")[1:2]))
    slides = [_slide(article.h1, opening[:1], [], marks)]
    for admonition in article.select("section > div.admonition.tip")[:1]:
        slides.append(_slide(admonition.select_one("p.admonition-title").get_text(), admonition.find_all("ul"), []))
    for section in article.find_all("section", recursive=False):
        heading = section.h2.get_text(" ", strip=True)
        if heading not in _NO_SLIDES:
            stack = _section_slides(section, heading)
            slides.append(f"<section>{''.join(stack)}</section>" if len(stack) > 1 else stack[0])
    exercises = [_slide(heading.get_text(" ", strip=True), [text], []) for heading, text in _exercises(article)]
    return title, slides + ([f"<section>{''.join(exercises)}</section>"] if exercises else []), images


def _prepare(article: Any) -> list[str]:
    """Take away what is for the page only, and let pictures point into the folder `images`; return where they were."""
    out = "section.may-skip, a.headerlink, figure.widget, .tag_no-slide, .cell_input, div.solution, script"
    for part in article.select(out):
        part.decompose()
    for link in article.find_all("a"):
        link.unwrap()
    images = []
    for image in article.find_all("img"):
        if not image["src"].startswith("data:"):
            images.append(image["src"])
            image["src"] = f"images/{Path(image['src']).name}"
        for name in ("width", "height", "style"):
            image.attrs.pop(name, None)
    return images


def _section_slides(section: Any, heading: str) -> list[str]:
    """Return the slides of one section: what stands before its first figure, then one for each figure."""
    slides: list[str] = []
    shown: list[Any] = []
    notes: list[Any] = []
    blocks = section.find_all(["p", "ul", "ol", "img", "div"], recursive=True)
    for block in blocks:
        inside = block.find_parent(["li", "ul", "ol", "table", "figcaption", "div"])
        if block.name == "img":
            if shown or notes:
                slides.append(_slide(heading, shown, notes))
            shown, notes = [block], []
        elif block.name == "div" and "math" in block.get("class", []):
            shown.append(block)
        elif block.name != "div" and (inside is None or section not in inside.parents):
            wants_text = not any(each.name in ("p", "ul", "ol") for each in shown)
            if "slide" in block.get("class", []):
                shown.append(block)
            elif wants_text and block.name == "p" and shown:  # below a figure: the rest is spoken
                shown.append(_first_sentence(block))
                notes.append(block)
            elif wants_text:
                shown.append(block)
            else:
                notes.append(block)
    return [*slides, _slide(heading, shown, notes)]


def _first_sentence(paragraph: "Tag") -> "Tag":
    """Return a copy of a paragraph that ends with its first sentence of some length, its markup kept."""
    from bs4 import NavigableString

    short, length = copy(paragraph), 0
    for text in [it for it in short.descendants if isinstance(it, NavigableString)]:
        if text.find_parent(["math", "code"]) is None:
            for match in _SENTENCE_END.finditer(text):
                if length + match.start() >= _SHORTEST:
                    _remove_after(text, short)
                    text.replace_with(text[: match.start()])
                    return short
        length += len(text)
    return short


def _remove_after(node: Any, root: "Tag") -> None:
    """Remove all that follows `node` in `root`."""
    while node is not root:
        for later in list(node.next_siblings):
            later.extract()
        node = node.parent


def _exercises(article: "Tag") -> list[tuple["Tag", "Tag"]]:
    """Return title and text of the chapter's exercises."""
    found = [(each.select_one("p.admonition-title"), each) for each in article.select("div.exercise")]
    return [(heading.extract(), each) for heading, each in found if heading]


def _slide(heading: "Tag | str", shown: list, notes: list, below: str = "") -> str:
    title = str(heading) if not isinstance(heading, str) else f"<h2>{escape(heading)}</h2>"
    aside = f'<aside class="notes">{"".join(map(str, notes))}</aside>' if notes else ""
    small = f'<p class="small">{below}</p>' if below else ""
    return f"<section>{title}{''.join(map(str, shown))}{small}{aside}</section>"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m brainbook.course.slides", description=__doc__)
    parser.add_argument("pages", nargs="?", type=Path, default=Path("_build/html"))
    parser.add_argument("folder", nargs="?", type=Path, default=Path("_build/slides"))
    options = parser.parse_args(arguments)
    slides = write_slides(options.pages, options.folder)
    print(f"{len(slides)} chapters: open {options.folder / 'index.html'}")


if __name__ == "__main__":
    main()
