"""Praat's TextGrid, read as its manual defines it, with the line of every interval.

The manual (https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html) says what counts in a text file: numbers
that stand free, texts in double quotes (a double quote within is doubled), flags in angle brackets; everything else is
for the eye, so the long and the short form are one. The library praatio reads both too, and the tests compare with it;
it is not used here because it hides damage: it sorts intervals by time, drops the sign of negative times, and stops
silently at the first damaged row of a short form.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

from brainbook.errors import AnnotationError

_TOKEN = re.compile(
    r'"(?P<text>(?:[^"]++|"")*+)"'  # possessive: a quote that is never closed costs no memory
    r"|(?<!\S)(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?!\S)"
    r"|(?<!\S)(?P<flag><\w+>)(?!\S)"
    r"|(?<!\S)!.*"
)


class Interval(NamedTuple):
    """A labelled stretch of time (seconds) and the line of the file that its label stands on."""

    start: float
    end: float
    text: str
    line: int


def read_tiers(text: str, path: str | Path) -> list[tuple[int, str, list[Interval]]]:
    """Return the interval tiers of a TextGrid: (number, name, intervals) in the file's order, without point tiers.

    Raises AnnotationError, with the line, if `text` is no TextGrid or ends too early.
    """
    tokens = _Tokens(text, path)
    if not tokens.take("text").startswith("ooTextFile") or tokens.take("text") != "TextGrid":
        tokens.fail('not a TextGrid: the first two lines must say "ooTextFile" and "TextGrid"')
    tokens.take("number")
    tokens.take("number")
    if tokens.take("flag") != "<exists>":
        return []
    tiers = []
    for number in range(1, tokens.count() + 1):
        kind, name = tokens.take("text"), tokens.take("text")
        if kind not in ("IntervalTier", "TextTier"):
            tokens.fail(f"tier {name!r} is a {kind!r}, not an IntervalTier or a TextTier")
        tokens.take("number")
        tokens.take("number")
        entries = [tokens.interval(kind) for _ in range(tokens.count())]
        if kind == "IntervalTier":
            tiers.append((number, name, entries))
    return tiers


class _Tokens:
    """The numbers, texts and flags of a file one by one, and the line that the last one stands on."""

    def __init__(self, text: str, path: str | Path) -> None:
        self.path, self.line = path, 1
        self._tokens = self._scan(text)

    @staticmethod
    def _scan(text: str) -> Iterator[tuple[str, str, int]]:
        line, position = 1, 0
        for match in _TOKEN.finditer(text):
            line += text.count("\n", position, match.start())
            position = match.start()
            if match.lastgroup:
                yield match.lastgroup, match.group(match.lastgroup), line

    def take(self, kind: str) -> str:
        next_kind, value, self.line = next(self._tokens, ("the end of the file", "", self.line))
        if next_kind != kind:
            shown = f"{next_kind} {value[:40]!r}" if value else next_kind
            self.fail(f"a {kind} is expected, not {shown}; the TextGrid is damaged or cut off")
        return value.replace('""', '"') if kind == "text" else value

    def count(self) -> int:
        value = float(self.take("number"))
        if not (value.is_integer() and 0 <= value < 10_000_000):
            self.fail(f"{value:g} is no number of tiers or intervals")
        return int(value)

    def interval(self, kind: str) -> Interval:
        start = float(self.take("number"))
        end = float(self.take("number")) if kind == "IntervalTier" else start
        text = self.take("text")
        return Interval(start, end, text, self.line)

    def fail(self, what: str) -> NoReturn:
        raise AnnotationError(f"{self.path}, line {self.line}: {what}")
