"""Pages of the API: `{api} brainbook.encoding` lists what a room offers, with its docstrings, from the code itself.

Docstrings are numpydoc's but for types, which stand in the text: 'name : what it is'. They are rendered as they are
read in a terminal: sections as headings of a list, examples as code.
"""

import importlib
import inspect
import re
import textwrap

from docutils import nodes
from docutils.parsers.rst import Directive

SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.M)


def setup(app):
    app.add_directive("api", Api)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Api(Directive):
    """All public functions and classes of a module, in the order of its `__all__`."""

    required_arguments = 1

    def run(self):
        module = importlib.import_module(self.arguments[0])
        public = [(name, it) for name in module.__all__ if _is_ours(it := getattr(module, name))]
        return [part for name, it in public for part in _entry(f"{module.__name__}.{name}", it)]


def _is_ours(it) -> bool:
    return (inspect.isfunction(it) or inspect.isclass(it)) and it.__module__.startswith("brainbook")


def _entry(name: str, it) -> list[nodes.Node]:
    section = nodes.section(ids=[nodes.make_id(name)], names=[name])
    short = name.rpartition(".")[2]
    section += nodes.title("", "", nodes.literal("", short))
    section += nodes.literal_block(text=_folded(short + _signature(it)), language="python")
    section += _docstring(inspect.getdoc(it) or "")
    if inspect.isclass(it):
        for method, member in vars(it).items():
            function = getattr(member, "fget", None) or getattr(member, "__func__", member)
            if not method.startswith("_") and inspect.isfunction(function) and function.__doc__:
                item = nodes.definition_list_item()
                item += nodes.term("", "", nodes.literal("", f"{method}{_arguments(member, function)}"))
                item += nodes.definition("", *_docstring(inspect.cleandoc(function.__doc__)))
                section += nodes.definition_list("", item)
    return [section]


def _signature(it) -> str:
    """Return the parameters with their defaults, without annotations."""
    try:
        given = inspect.signature(it)
    except (ValueError, TypeError):
        return "(...)"
    plain = [each.replace(annotation=each.empty) for each in given.parameters.values()]
    return str(given.replace(parameters=plain, return_annotation=given.empty))


def _arguments(member, function) -> str:
    if isinstance(member, property) or not inspect.isfunction(function) or hasattr(member, "func"):
        return ""
    names = list(inspect.signature(function).parameters)
    return f"({', '.join(names[1:] if names[:1] == ['self'] else names)})"


def _folded(signature: str) -> str:
    """Return a signature on one line, or with one parameter a line where that is too long. Defaults, no annotations."""
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
