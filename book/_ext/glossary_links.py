"""The first time that a chapter uses a term of the glossary, the term is a link to it. No chapter has to mark it."""

import re
from functools import cache

from docutils import nodes

# Terms that are everyday words as well: a page says `{term}` where it means the term.
EVERYDAY = {
    "run",
    "state",
    "section",
    "null",
    "leak",
    "echo",
    "fold",
    "target",
    "context",
    "contrast",
    "surface",
    "token",
}
OUTSIDE = (nodes.title, nodes.literal, nodes.literal_block, nodes.reference, nodes.math, nodes.math_block, nodes.raw,
           nodes.caption, nodes.term, nodes.table, nodes.container)  # fmt: skip


def setup(app):
    app.connect("doctree-resolved", link_terms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


@cache
def pattern_of(terms: tuple[str, ...]) -> re.Pattern:
    """Match any of the terms, the longest first, also in the plural, and in lower case unless it is an abbreviation."""
    forms = [
        re.escape(term) if term[:2].isupper() else f"(?i:{re.escape(term)})" for term in sorted(terms, key=len)[::-1]
    ]
    return re.compile(rf"(?<![\w-])({'|'.join(forms)})(?:e?s)?(?![\w-])")


def link_terms(app, doctree, page):
    if not page.startswith("book/chapters/") or app.builder.format != "html":
        return
    objects = app.env.get_domain("std").objects
    places = {name.lower(): (name, *place) for (kind, name), place in objects.items() if kind == "term"}
    open_terms = {name for name in places if name not in EVERYDAY}
    for text in list(doctree.findall(nodes.Text)):
        above, parent = [], text.parent
        while parent is not None:
            above.append(parent)
            parent = parent.parent
        in_text = any(isinstance(node, nodes.paragraph | nodes.list_item) for node in above)
        if not open_terms or not in_text or any(isinstance(node, OUTSIDE) for node in above):
            continue
        parts, rest = [], text.astext()
        written = tuple(sorted(places[name][0] for name in open_terms))
        while match := pattern_of(written).search(rest):
            name, document, label = places[match[1].lower()]
            uri = f"{app.builder.get_relative_uri(page, document)}#{label}"
            parts.append(nodes.Text(rest[: match.start()]))
            parts.append(nodes.reference("", match[0], refuri=uri, internal=True, classes=["glossary-link"]))
            rest = rest[match.end() :]
            said = {name} | set(name.split())  # 'ceiling' is said with 'noise ceiling'
            open_terms -= {each.lower() for each in said}
            written = tuple(each for each in written if each not in said)
            if not written:
                break
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(rest)])
