"""What a page loads, and when; and in its head what it is about, with a picture for those who share it."""

import re

from docutils import nodes
from markupsafe import escape

WIDGET = re.compile(r'<figure class="widget" data-widget="(\w+)"')
PICTURE = "_images/flatmap.png"  # that of the first page
LENGTH = 200  # characters of a description, at most


def choose_scripts(app, page, template, context, doctree):
    """Add the scripts of widgets; leave out those of thebe, which every page would load twice and none uses."""
    for name in sorted(set(WIDGET.findall(context.get("body", "")))):
        app.add_js_file("widgets.js")
        app.add_js_file(f"widget_{name}.js")
    said = {
        script: f"{getattr(script, 'filename', script)} {getattr(script, 'attributes', '')}"
        for script in context.get("script_files", [])
    }
    context["script_files"] = [script for script, words in said.items() if "thebe" not in words.lower()]


def describe(app, page, template, context, doctree):
    """Say in the page's head what it is about: its first paragraph, its title and the picture of the book."""
    if doctree is None:
        return
    paragraphs = [it for it in doctree.findall(nodes.paragraph) if isinstance(it.parent, nodes.section)]
    text = " ".join(paragraphs[0].astext().split()) if paragraphs else app.config.project
    if len(text) > LENGTH:
        text = text[:LENGTH].rpartition(" ")[0] + " …"
    address = app.config.html_baseurl  # without it addresses are relative, which not every reader of them follows
    picture = f"{address.rstrip('/')}/{PICTURE}" if address else context["pathto"](PICTURE, resource=True)
    title = re.sub("<[^>]+>", "", context.get("title", ""))
    about = {"og:title": title, "og:type": "article", "og:description": escape(text), "og:image": picture}
    context["metatags"] = context.get("metatags", "") + "".join(
        [f'<meta name="description" content="{escape(text)}"/>\n']
        + [f'<meta property="{name}" content="{value}"/>\n' for name, value in about.items()]
    )


def load_late(app, page, template, context, doctree):
    """Let the browser load a picture only when its reader comes near it."""
    context["body"] = context.get("body", "").replace("<img ", '<img loading="lazy" ')


def setup(app):
    app.connect("html-page-context", choose_scripts, priority=900)
    app.connect("html-page-context", describe)
    app.connect("html-page-context", load_late)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
