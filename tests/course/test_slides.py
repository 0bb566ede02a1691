"""Slides hold the question, figures with the sentence that reads them, what to remember and exercises, and no code."""

import re

import pytest

from brainbook.course.slides import chapter_slides, main, write_slides
from brainbook.errors import ConfigurationError

PAGE = """<html><body><article class="bd-article"><section id="a">
<h1><span class="section-number">3. </span>Which words?<a class="headerlink" href="#a">#</a></h1>
<div class="chapter-line"><p>
<span class="chapter-mark">Chapter 3</span> <span class="chapter-mark">22 min</span></p></div>
<p>Some <strong>context</strong> first.</p>
<p><strong>The question of this chapter:</strong> how much does it matter?</p>
<div class="tip admonition"><p class="admonition-title">What you will learn</p><ul><li>clocks</li></ul></div>
<section id="b"><h2>One stretch<a class="headerlink" href="#b">#</a></h2>
<p>Here are six scans, from the middle of a <em>section</em>; see
<a href="other.html">there</a>. More text, e.g. this.</p>
<div class="cell"><div class="cell_input"><pre>code()</pre></div>
<div class="cell_output"><img alt="Lines" src="../../_images/one.png" style="width: 9px"/><p>printed</p></div></div>
<p>Lines <strong>fall straight</strong> down, nearly all of them. That is what a clock does.</p>
<p>Another paragraph.</p>
<div class="cell tag_no-slide"><div class="cell_output"><img alt="Left out" src="../../_images/two.png"/></div></div>
<figure class="widget"><img alt="Moved" src="data:image/png;base64,x"/></figure>
<section class="may-skip" id="c"><h3>Details</h3><p>Skipped.</p><img alt="Skipped" src="three.png"/></section>
</section>
<section id="d"><h2>What to remember</h2><ul><li>Score what was not trained on.</li><li>Penalise.</li></ul></section>
<section id="e"><h2>Exercises</h2><div class="exercise admonition" id="x-1">
<p class="admonition-title">Exercise 1 (warm-up)</p>
<section><p>Count them.</p></section></div><div class="solution admonition"><p>Secret.</p></div></section>
<section id="f"><h2>Where these numbers come from</h2><p>There.</p></section>
</section></article></body></html>"""


@pytest.fixture
def book(tmp_path):
    chapters = tmp_path / "html" / "book" / "chapters"
    chapters.mkdir(parents=True)
    (chapters / "words.html").write_text(PAGE)
    (chapters / "chapter_0.html").write_text(PAGE.replace("Chapter 3", "Chapter 0"))
    (tmp_path / "html" / "_images").mkdir()
    (tmp_path / "html" / "_images" / "one.png").write_bytes(b"png")
    return tmp_path / "html"


def test_a_chapter_becomes_slides():
    title, slides, images = chapter_slides(PAGE)
    text = "".join(slides)
    assert title == "3. Which words?" and images == ["../../_images/one.png"]
    assert [re.findall(r"<h[12]>(.*?)</h[12]>", slide)[0] for slide in slides[1:]] == [
        "What you will learn", "One stretch", "What to remember", "Exercise 1 (warm-up)",
    ]  # fmt: skip
    assert "The question of this chapter" in slides[0] and "22 min" in slides[0] and "context" not in slides[0]
    out = ("code()", "printed", "Secret", "Skipped", "There.", "Left out", "Moved", "href", "#</a>", "style=")
    assert not [part for part in out if part in text]


def test_a_figure_has_the_sentence_that_reads_it_and_notes_the_rest():
    stack = chapter_slides(PAGE)[1][2]
    first, second = re.findall(r"<section><h2>.*?</section>", stack, re.DOTALL)
    assert "<p>Here are six scans, from the middle of a <em>section</em>; see\nthere. More text" in first
    assert "<aside" not in first
    shown, _, notes = second.partition("<aside")
    assert 'src="images/one.png"' in shown
    assert "<p>Lines <strong>fall straight</strong> down, nearly all of them.</p>" in shown
    assert "what a clock does" in notes and "Another paragraph." in notes


def test_slides_are_a_folder_that_can_be_carried_away(book, tmp_path, capsys):
    folder = tmp_path / "out" / "slides"
    main([str(book), str(folder)])
    assert "2 chapters" in capsys.readouterr().out and (folder / "images" / "one.png").read_bytes() == b"png"
    page = (folder / "words.html").read_text()
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert (folder / address).is_file(), address
    assert (
        "words.html" in (folder / "index.html").read_text().partition("chapter_0.html")[2]
        and (folder / "reveal" / "LICENSE").is_file()
    )
    (folder / "old.html").touch()
    write_slides(book, folder)
    assert not (folder / "old.html").exists() and not list(folder.parent.glob(".*"))


def test_without_a_book_it_says_what_to_do(tmp_path):
    with pytest.raises(ConfigurationError, match="make book"):
        write_slides(tmp_path, tmp_path / "slides")
