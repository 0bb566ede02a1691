"""References to figures that this book has not drawn: a page that ended early, or a figure that needs a known truth.

A sentence reads its figure by {numref}`fig-chapter-name`. Where the cell that draws it was not run, the sentence says
'the figure, which was not drawn here' in place of a number, and the book is built all the same.
"""

from docutils import nodes

ABSENT = "the figure (not drawn here)"


def without_number(app, env, node, contnode):
    """Return what stands for a reference to a figure that is not there; None for any other reference."""
    if node.get("reftype") == "numref" and node.get("reftarget", "").startswith("fig-"):
        return nodes.inline("", ABSENT, classes=["absent-figure"])
    return None


def setup(app):
    app.connect("missing-reference", without_number)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
