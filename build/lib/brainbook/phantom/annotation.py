"""Writes what was heard in the files of ds003643: a table of words, TextGrids and prosody for each language."""

from pathlib import Path

import numpy as np
import pandas as pd

TIME_STEP = 0.1  # seconds between two rows of prosody
_PITCH = {"EN": 180.0, "FR": 200.0, "CN": 120.0}  # Hz; the readers differ
_BLANK_EVERY = 997  # rows: now and then the table has a row without a word, as the dataset's tables do


def write_annotation(
    folder: Path, language: str, words: pd.DataFrame, seconds: dict[int, float], rng: np.random.Generator
) -> None:
    """Write `lpp{language}_word_information.csv`, nine TextGrids and `lpp{language}_prosody.csv`.

    Parameters
    ----------
    words : from `tell_story`; seconds : {section: length of its audio}.
    """
    folder.mkdir(parents=True)
    table = words[["word", "lemma", "onset", "offset", "pos", "section"]].copy()
    blanks = table.iloc[_BLANK_EVERY::_BLANK_EVERY].assign(word="", lemma="", pos="")
    blanks["offset"] = blanks["onset"]
    blanks.index = blanks.index - 0.5  # before the word that begins at the same moment
    table = pd.concat([table, blanks]).sort_index().reset_index(drop=True)
    table.to_csv(folder / f"lpp{language}_word_information.csv", lineterminator="\n")
    for section in sorted(seconds):
        inside = words[words["section"] == section]
        text = textgrid({f"{language} words": _intervals(inside)}, seconds[section])
        (folder / f"lpp{language}_section{section}.TextGrid").write_text(text, encoding="utf-8", newline="\n")
    prosody = pd.concat([_prosody(words[words["section"] == s], s, seconds[s], language, rng) for s in sorted(seconds)])
    prosody.to_csv(folder / f"lpp{language}_prosody.csv", index=False, lineterminator="\n", float_format="%.3f")


def _intervals(words: pd.DataFrame) -> list[tuple[float, float, str]]:
    """Return the words as intervals: start, end, label."""
    return list(zip(words["onset"].tolist(), words["offset"].tolist(), words["word"].tolist(), strict=True))


def textgrid(tiers: dict[str, list[tuple[float, float, str]]], seconds: float) -> str:
    """Return Praat's long text form: interval tiers that cover all of the sound, silences as empty intervals."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {seconds:.3f}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, labelled) in enumerate(tiers.items(), start=1):
        intervals: list[tuple[float, float, str]] = []
        now = 0.0
        for onset, offset, label in labelled:
            if onset > now + 1e-6:
                intervals.append((now, onset, ""))
            intervals.append((max(onset, now), offset, label.replace('"', '""')))
            now = offset
        if seconds > now + 1e-6:
            intervals.append((now, seconds, ""))
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += ["        xmin = 0", f"        xmax = {seconds:.3f}", f"        intervals: size = {len(intervals)}"]
        for place, (start, end, text) in enumerate(intervals, start=1):
            lines += [
                f"        intervals [{place}]:",
                f"            xmin = {start:.3f}",
                f"            xmax = {end:.3f}",
            ]
            lines.append(f'            text = "{text}"')
    return "\n".join(lines) + "\n"


def _prosody(
    words: pd.DataFrame, section: int, seconds: float, language: str, rng: np.random.Generator
) -> pd.DataFrame:
    """Return intensity (dB) and fundamental frequency (Hz, 0 in silence) every 0.1 s."""
    time = np.arange(0, seconds, TIME_STEP)
    latest = np.searchsorted(words["onset"].to_numpy(), time, side="right") - 1
    spoken = (latest >= 0) & (time < words["offset"].to_numpy()[np.maximum(latest, 0)])
    loudness = np.where(spoken, words["loudness"].to_numpy()[np.maximum(latest, 0)], 0.003)
    intensity = 62 + 20 * np.log10(loudness) + rng.normal(0, 0.5, len(time))
    pitch = np.where(spoken, _PITCH[language] * (1 + 0.15 * (loudness - 1)) + rng.normal(0, 8, len(time)), 0.0)
    return pd.DataFrame({"section": section, "time": time, "intensity": intensity, "f0": np.maximum(pitch, 0)})
