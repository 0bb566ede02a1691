"""What was heard in Le Petit Prince, without any recording: words, the clock of the scans, sound and word values.

A folder with EN/, FR/ and CN/ (or some of them), as the annotation of ds003643 (CC0; Li et al. 2022) has them. A
language's words are in lpp{language}_word_information.csv or in nine tables lpp{language}_section{n}.TextGrid.csv.
Beside them may lie, from public repositories that state no licence (for local studies, not to be passed on):

    section{n}_rms.csv.gz    onset (s), amplitude of the sound every 10 ms
    gpt2_surprisal.tsv/.csv  one row per word: surprisal, with the section and the onset of the word

and the column logfreq in the table of words.
"""

import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainbook.datasets.base import once
from brainbook.datasets.files import check_content, read_table
from brainbook.datasets.little_prince import HOW_TO_GET, LittlePrince
from brainbook.datasets.little_prince_runs import LANGUAGES, N_SECTIONS
from brainbook.datasets.word_checks import check_clock
from brainbook.datasets.words import clean_words, read_words
from brainbook.errors import AnnotationError, DatasetError

_SCANS = Path(__file__).with_name("little_prince_scans.csv")


class StoryAnnotation:
    """The words of Le Petit Prince on the clock of its scans; what chapters ask of `LittlePrince` but the recordings.

    Parameters
    ----------
    root : the folder that holds EN/, FR/ or CN/.

    Attributes
    ----------
    tr : 2.0 s from one scan to the next. languages : those whose words are here.

    Raises
    ------
    DatasetError : there is no such folder, or it has the words of no language.

    Examples
    --------
    >>> story = StoryAnnotation("data/little_prince")
    >>> len(story.words("EN")), story.scans("EN")[1]
    (15342, 282)
    """

    tr = LittlePrince.tr

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.languages = tuple(code for code in LANGUAGES if self._tables(code))
        if not self.languages:
            raise DatasetError(
                f"{self.root.absolute()} holds no EN/, FR/ or CN/ with the words of Le Petit Prince "
                f"(lppEN_word_information.csv). {HOW_TO_GET}"
            )

    def __repr__(self) -> str:
        return f"StoryAnnotation({str(self.root)!r}: {', '.join(self.languages)})"

    def scans(self, language: str) -> dict[int, int]:
        """Return {section: scans of its preprocessed recording in ds003643}. Scan 0 is at the start of the audio."""
        return self._clock(language, "scans_preprocessed")

    def starts(self, language: str) -> dict[int, float]:
        """Return {section: 0.0}: scan 0 is at the start of the section's audio."""
        return dict.fromkeys(self.scans(language), 0.0)

    def audio_seconds(self, language: str) -> dict[int, float]:
        """Return {section: duration of its audio in seconds}."""
        return self._clock(language, "audio_seconds")

    @once
    def words(self, language: str) -> pd.DataFrame:
        """Return what was heard: word, onset, offset (seconds from the start of its section's audio), section."""
        tables = self._tables(self._checked(language))
        parts = [_section_words(path, language, section) for section, path in tables.items() if section]
        words = pd.concat(parts, ignore_index=True) if parts else read_words(tables[0], language)
        check_clock(words, self.audio_seconds(language), self.root / language)
        return words

    def word_values(self, language: str) -> pd.DataFrame:
        """Return what is known of each word of `words(language)`: log frequency and surprisal, as published, if here.

        A word that a table has no row for gets the mean of the others, a log frequency of -inf the lowest there is.
        French has neither in the public tables: the DataFrame then has no column.
        """
        folder, columns = self.root / self._checked(language), {}
        if (table := folder / f"lpp{language}_word_information.csv").is_file():
            columns["frequency"] = (table, ",", "onset", "logfreq")
        if (table := folder / "gpt2_surprisal.tsv").is_file():
            columns["surprisal"] = (table, "\t", "section_time_onset", "surprisal")
        elif (table := folder / "gpt2_surprisal.csv").is_file():
            columns["surprisal"] = (table, ",", "onset", "surprisal")
        words = self.words(language)
        values = {name: _by_onset(words, *source) for name, source in columns.items()}
        return pd.DataFrame({name: value for name, value in values.items() if value is not None}, index=words.index)

    def amplitude(self, language: str) -> dict[int, pd.DataFrame]:
        """Return {section: table of onset (s) and amplitude of the sound}; {} for a language that has none here."""
        folder = self.root / self._checked(language)
        paths = {section: folder / f"section{section}_rms.csv.gz" for section in self.scans(language)}
        missing = [path for path in paths.values() if not path.is_file()]
        if len(missing) == len(paths):
            return {}
        if missing:
            raise DatasetError(f"{missing[0]} is missing, though other sections have theirs")
        return {section: _read_numbers(path, ("onset", "amplitude")) for section, path in paths.items()}

    def _tables(self, language: str) -> dict[int, Path]:
        """Return {0: the table of all words}, or {section: table}, or {} where neither is whole."""
        folder, sections = self.root / language, range(1, N_SECTIONS + 1)
        whole = folder / f"lpp{language}_word_information.csv"
        parts = {section: folder / f"lpp{language}_section{section}.TextGrid.csv" for section in sections}
        if whole.is_file():
            return {0: whole}
        return parts if all(path.is_file() for path in parts.values()) else {}

    @cached_property
    def _scans(self) -> pd.DataFrame:
        return pd.read_csv(_SCANS)

    def _clock(self, language: str, column: str) -> dict[int, Any]:
        own = self._scans[self._scans.language == self._checked(language)].sort_values("section")
        return dict(zip(own.section.tolist(), own[column].tolist(), strict=True))

    def _checked(self, language: str) -> str:
        if language not in self.languages:
            known = ", ".join(self.languages)
            raise DatasetError(f"{language!r} is not in {self.root}, which has the words of {known}")
        return language


def _section_words(path: Path, language: str, section: int) -> pd.DataFrame:
    """Read one section's table with the columns text, onset, offset."""
    times = {"onset": float, "offset": float}
    table = read_table(path, {"text": str, **times}, error=AnnotationError).rename(columns={"text": "word"})
    return clean_words(table.assign(section=section), path, language)


def _by_onset(words: pd.DataFrame, path: Path, sep: str, onset: str, column: str) -> np.ndarray | None:
    """Return a column of a table of words for each of `words`, matched by section and onset; None without that column.

    AnnotationError where less than nine words in ten are in the table: it then belongs to other words.
    """
    table = read_table(path, {"section": int, onset: float}, sep=sep, error=AnnotationError)
    if column not in table:
        return None
    keys = pd.MultiIndex.from_arrays([table["section"], table[onset].round(2)])
    values = pd.Series(pd.to_numeric(table[column], errors="coerce").to_numpy(), keys).groupby(level=[0, 1]).sum()
    own = values.reindex(pd.MultiIndex.from_arrays([words["section"], words["onset"].round(2)]))
    if own.isna().mean() > 0.1:
        raise AnnotationError(f"{path} has no {column} for {own.isna().mean():.0%} of the words: it is of other words")
    own = own.replace(-np.inf, own[np.isfinite(own)].min())  # the logarithm of zero: as rare as the rarest
    return own.fillna(own.mean()).to_numpy()


def _read_numbers(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        return pd.read_csv(check_content(path), usecols=columns).astype(float)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} is no table of {' and '.join(columns)} ({error}): get it again") from None
