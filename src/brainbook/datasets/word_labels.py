"""Labels of an annotation as a reader would write them: what is no word is left out, what is damaged is repaired."""

import html
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd

PAUSES = frozenset({"", "sp", "sil", "#"})
NO_WORDS = frozenset({"spn", "nsn"})  # spoken and other noise, of the Montreal forced aligner and of Kaldi
_EDGES = '.,;:!?…"«»“”„—– '  # not the hyphen of '-il' and not the apostrophe of "j'" or "'ll"
_NEGATION = re.compile(r"(do|does|did|ca|could|would|should|has|have|had|is|are|was|were)nt")
_BRACKETED = re.compile(r"\[.*\]|<.*>|\{.*\}|\(.*\)")
_SPREADSHEET = re.compile(r"#(?:NAME\?|N/A|REF!|VALUE!|DIV/0!|NUM!|NULL!)")
_INVISIBLE = re.compile("[\x80-\x9f\u00ad\u200b\u200e\u200f\u2060\ufeff]")
_ENTITY = re.compile(r"&#?\w+;")
# Praat's manual, "Special symbols": a backslash and two characters
_MARKS = {'"': "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303", ",": "\u0327"}
_LETTERS = {"o/": "ø", "O/": "Ø", "ao": "å", "Ao": "Å", "ae": "æ", "Ae": "Æ", "oe": "œ", "Oe": "Œ", "ss": "ß"}
_LETTERS |= {"cv": "č", "Cv": "Č", "sv": "š", "Sv": "Š", "zv": "ž", "Zv": "Ž", "<<": "«", ">>": "»", "bs": "\\"}
_SIGN = re.compile(r"\\(?:([A-Za-z])([\"'`^~,])|(" + "|".join(_LETTERS) + "))")


@cache
def known_corrections(language: str | None) -> tuple[dict[int, str], dict[str, str]]:
    """Return what is known to be wrong in ds003643, {row: word} and {label: word}; '' for a row that is no word.

    Rows (by the label in the file's first column) as the public code of earlier studies of this dataset corrects them:
    repeated lines, a mismatch with the text, damaged accents and elisions. Labels: numbers spelled for the aligner,
    truth values of a spreadsheet, a Praat sign that lost its quote.
    """
    path = Path(__file__).with_name("little_prince_corrections.csv")
    table = pd.read_csv(path, dtype=str, keep_default_na=False).query("language == @language")
    by_row = {int(row.row): row.word for row in table.itertuples() if row.row}
    return by_row, {row.label: row.word for row in table.itertuples() if row.label}


def as_written(label: str, dataset: str | None = None) -> tuple[str, str]:
    """Return a label as a reader would write it ('' if it is no word), and why it was changed ('' if it was not).

    Everywhere: HTML entities, UTF-8 that was read as Latin-1, Praat's backslash signs, invisible characters and accents
    apart from their letters are repaired; noise, labels in brackets, errors of a spreadsheet and what has neither
    letter nor digit are no words, nor are pauses ('sp', 'sil', '#', ''), of which nothing is said.
    With `dataset` ("EN", "FR" or "CN" of ds003643) also what is known of its labels (`known_corrections`), punctuation
    at the edges of a word, and n't without its apostrophe.
    """
    word, why = label.strip(), []
    known = known_corrections(dataset)[1].get(word)
    if known or word.casefold() in PAUSES:
        return known or "", "a label known to be wrong" if known else ""

    def repair(function: Callable[[str], str], reason: str) -> None:
        nonlocal word
        repaired = function(word).strip()
        if repaired != word:
            word = repaired
            why.append(reason)

    repair(lambda word: _ENTITY.sub(lambda entity: html.unescape(entity[0]), word), "an HTML entity")
    repair(_recoded, "UTF-8 that was read as another encoding")
    repair(_without_signs, "a Praat sign")
    repair(lambda word: _INVISIBLE.sub("", word), "an invisible character")
    repair(lambda word: unicodedata.normalize("NFC", word), "a letter and its accent apart")
    if word.casefold() in NO_WORDS | PAUSES - {""}:
        return "", "a noise or pause, no word"
    if _SPREADSHEET.fullmatch(word):
        return "", "a spreadsheet's error in place of a word"
    if _BRACKETED.fullmatch(word):
        return "", "a label in brackets, no word"
    if not any(character.isalnum() for character in word):
        return "", "no letter or digit"
    if dataset:
        repair(lambda word: word.strip(_EDGES), "punctuation")
    if dataset == "EN" and _NEGATION.fullmatch(word):
        repair(lambda word: f"{word[:-2]}n't", "an apostrophe lost")
    return word, "; ".join(why)


def _recoded(word: str) -> str:
    """Return a word of UTF-8 that was read as a Western encoding: 'Ã©tÃ©' is 'été'."""
    for encoding in ("cp1252", "latin-1"):
        try:
            recoded = word.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        if not re.search("[\x80-\x9f]", recoded):  # control characters: it was no such word
            return recoded
    return word


def _without_signs(word: str) -> str:
    word = re.sub(r"^\\` ?", "", word)  # an opening quote
    word = re.sub(r"\\` ?", "'", word)  # an apostrophe: "it\` ll"
    accented = _SIGN.sub(lambda sign: _LETTERS[sign[3]] if sign[3] else sign[1] + _MARKS[sign[2]], word)
    return word if accented == word else unicodedata.normalize("NFC", accented)
