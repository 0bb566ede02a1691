"""Every figure of a page is told in words: an image without alternative text, or a frame without a title, is a warning.

The book is built with warnings as errors, so that no figure is published that a screen reader cannot read. A chapter's
figure has its words in the metadata of its cell (`mystnb: image: alt:`).
"""

import re

from docutils import nodes
from sphinx.util import logging

log = logging.getLogger(__name__)
_TAG = re.compile(r"<(img|iframe)\b[^>]*>", re.IGNORECASE)
_WORDS = {"img": re.compile(r"""\balt\s*=\s*["'][^"']*\w"""), "iframe": re.compile(r"""\btitle\s*=\s*["'][^"']*\w""")}


def unreadable(doctree) -> list[tuple[nodes.Node, str]]:
    """Images and frames of a page that have no words: (node, what it is)."""
    found = []
    for image in doctree.findall(nodes.image):
        if not re.search(r"\w", image.get("alt", "")) or image["alt"] == image["uri"]:
            found.append((image, f"image {image['uri']}"))
    for raw in doctree.findall(nodes.raw):
        if "html" in raw.get("format", "").split():
            tags = [(tag.group(0), tag.group(1).lower()) for tag in _TAG.finditer(raw.astext())]
            found += [(raw, text[:120]) for text, kind in tags if not _WORDS[kind].search(text)]
    return found


def check(app, doctree, page):
    for node, what in unreadable(doctree):
        log.warning("%s has no alternative text", what, location=(page, node.line), type="alt_text")


def setup(app):
    app.connect("doctree-resolved", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
