"""`{archived} study/table` shows an archived table, and when and by what it was made; `:columns: a b` chooses."""

import pandas as pd
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from brainbook.workflow import archived_table


def setup(app):
    app.add_directive("archived", Archived)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Archived(SphinxDirective):
    """A table of `book/archive` and its origin."""

    required_arguments = 1
    option_spec = {"columns": directives.unchanged}

    def run(self):
        name = self.arguments[0]
        self.env.note_dependency(f"book/archive/{name}.csv")
        archived = archived_table(*name.split("/"), root=f"{self.env.srcdir}/book/archive")
        columns = self.options.get("columns", "").split() or list(archived.rows)
        lines = [*markdown(archived.rows[columns]), "", archived.origin()]
        node = nodes.container()
        self.state.nested_parse(StringList(lines, name), 0, node)
        return node.children


def markdown(rows: pd.DataFrame) -> list[str]:
    """Return the lines of a table in Markdown; columns of numbers are set to the right."""
    numbers = [pd.api.types.is_numeric_dtype(rows[name]) for name in rows]
    lines = [[name.replace("_", " ") for name in rows], ["--:" if is_number else "---" for is_number in numbers]]
    lines += [[_cell(value) for value in row] for row in rows.to_numpy(object)]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines]


def _cell(value: object) -> str:
    """Return a value as it is written; what was not measured is left empty."""
    if pd.isna(value):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
