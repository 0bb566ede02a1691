"""Pages of the API: `{api} brainbook.encoding` lists what a room offers, with its docstrings, from the code itself.

Docstrings are numpydoc's but for types, which stand in the text: 'name : what it is'. They are rendered as they are
read in a terminal: sections as headings of a list, examples as code. `{public-names}` is the list of all names.
"""

import inspect
import re
import textwrap

from docutils import nodes
from docutils.parsers.rst import directives
from public_names import anchor, chapters_using, offered, pages, public_names
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.M)


def setup(app):
    app.add_directive("api", Api)
    app.add_directive("public-names", PublicNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Api(SphinxDirective):
    """All public functions and classes of a module, or those behind `:names:`; intersphinx can point at each."""

    required_arguments = 1
    option_spec = {"names": directives.unchanged}

    def run(self):
        module, found = self.arguments[0], []
        for name, each in offered(module, self.options.get("names", "").split()).items():
            found += _entry(self.env.found_docs, module, name, each)
            kind = "class" if inspect.isclass(each) else "function"
            self.env.get_domain("py").note_object(anchor(module, name), kind, anchor(module, name), location=found[-1])
        return found


class PublicNames(SphinxDirective):
    """The public surface on one page: a row a module, a link for each of its names."""

    def run(self):
        listed = nodes.definition_list()
        for module, names in public_names().items():
            links = nodes.paragraph()
            for name in names:
                links += [link(anchor(module, name), name), nodes.Text(" ")]
            page = page_link(f"/{pages()[module]}", nodes.literal("", module))
            listed += nodes.definition_list_item("", nodes.term("", "", page), nodes.definition("", links))
        return [listed]


def link(target: str, text: str) -> addnodes.pending_xref:
    """Return a link to a Python name, of this package or of one that book/_ext/external_names.csv lists."""
    options = {"refdomain": "py", "reftype": "obj", "reftarget": target, "refexplicit": True, "refwarn": True}
    return addnodes.pending_xref("", nodes.literal("", text), **options)


def page_link(page: str, content: nodes.Node) -> addnodes.pending_xref:
    options = {"refdomain": "std", "reftype": "doc", "reftarget": page, "refexplicit": True, "refwarn": True}
    return addnodes.pending_xref("", content, **options)


def _entry(found_docs: set[str], module: str, name: str, each) -> list[nodes.Node]:
    section = nodes.section(ids=[anchor(module, name)], names=[anchor(module, name)])
    section += nodes.title("", "", nodes.literal("", name))
    section += nodes.literal_block(text=_folded(name + _signature(each)), language="python")
    section += _docstring(inspect.getdoc(each) or "")
    if inspect.isclass(each):
        for method, member in vars(each).items():
            function = getattr(member, "fget", None) or getattr(member, "__func__", member)
            if not method.startswith("_") and inspect.isfunction(function) and function.__doc__:
                item = nodes.definition_list_item()
                item += nodes.term("", "", nodes.literal("", f"{method}{_arguments(member, function)}"))
                item += nodes.definition("", *_docstring(inspect.cleandoc(function.__doc__)))
                section += nodes.definition_list("", item)
    chapters = [chapter for chapter in chapters_using(anchor(module, name)) if f"book/chapters/{chapter}" in found_docs]
    if chapters:
        used = nodes.paragraph("", "Used in the chapters ", classes=["used-in"])
        for number, chapter in enumerate(chapters):
            name_of = nodes.inline("", chapter.replace("_", " "))
            used += [nodes.Text(", " if number else ""), page_link(f"/book/chapters/{chapter}", name_of)]
        section += used
    return [section]


def _signature(each) -> str:
    """Return the parameters with their defaults, without annotations."""
    try:
        given = inspect.signature(each)
    except (ValueError, TypeError):
        return "(...)"
    plain = [parameter.replace(annotation=parameter.empty) for parameter in given.parameters.values()]
    text = str(given.replace(parameters=plain, return_annotation=given.empty))
    for name, value in vars(inspect.getmodule(each)).items():  # a long default is a constant that has a name
        if isinstance(value, tuple) and len(value) > 6:
            text = text.replace(f"={value}", f"={name}")
    return text


def _arguments(member, function) -> str:
    if isinstance(member, property) or not inspect.isfunction(function) or hasattr(member, "func"):
        return ""
    names = list(inspect.signature(function).parameters)
    return f"({', '.join(names[1:] if names[:1] == ['self'] else names)})"


def _folded(signature: str) -> str:
    """Return a signature on one line, or folded where that is too long. Defaults, no annotations."""
    plain = re.sub(r"<(?:function|class) '?([\w.]+)'?[^>]*>", r"\1", signature)
    plain = re.sub(r"array\(.*?\)", "array", plain, flags=re.S)
    if len(plain) <= 88:
        return plain
    return "\n".join(textwrap.wrap(plain, 88, subsequent_indent="    ", break_long_words=False))


def _docstring(text: str) -> list[nodes.Node]:
    """Return a docstring as paragraphs, its sections as lists of what they name."""
    found: list[nodes.Node] = []
    parts = SECTION.split(text)
    found += _paragraphs(parts[0])
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        found.append(nodes.rubric("", heading))
        found += _examples(body) if heading == "Examples" else _named(body)
    return found


def _paragraphs(text: str) -> list[nodes.Node]:
    blocks = [block for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]
    return [nodes.paragraph("", "", *_inline(" ".join(block.split()))) for block in blocks]


def _inline(text: str) -> list[nodes.Node]:
    """Return text in which what stands in backticks is code."""
    pieces = text.split("`")
    return [
        nodes.literal("", piece) if number % 2 else nodes.Text(piece) for number, piece in enumerate(pieces) if piece
    ]


def _named(body: str) -> list[nodes.Node]:
    """Return 'name : text' with its continuation lines as a definition list; other text as paragraphs."""
    found: list[nodes.Node] = []
    for block in re.split(r"\n(?=\S)", body.strip("\n")):
        match = re.match(r"([\w ,.*]+?) : (.*)", block, re.S)
        if match is None:
            found += _paragraphs(block)
            continue
        if not found or not isinstance(found[-1], nodes.definition_list):
            found.append(nodes.definition_list())
        item = nodes.definition_list_item("", nodes.term("", "", nodes.literal("", match[1])))
        item += nodes.definition("", *_paragraphs(match[2]))
        found[-1] += item
    return found


def _examples(body: str) -> list[nodes.Node]:
    return [nodes.literal_block(text=textwrap.dedent(body).strip(), language="pycon")]
