"""What the chapter `your_recordings` needs beyond the library: a folder shown, arrays written, regions scored."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from brainbook.chapters.shared import Features, average_by, score_participants
from brainbook.datasets import Dataset


def files_of(folder: str | Path, participant: str, most: int = 12) -> str:
    """Return the names of the files at the top of a folder and of one participant's, one a line."""
    folder = Path(folder)
    top = sorted(path for path in folder.iterdir() if not path.name.startswith((participant[:4], ".", "truth")))
    own = sorted(path for path in folder.rglob(f"{participant}_*") if path.is_file())
    lines = [f"{path.name}/" if path.is_dir() else path.name for path in top]
    lines += [str(path.relative_to(folder)) for path in own[:most]]
    return "\n".join(lines + [f"... {len(own) - most} more files of {participant}"] * (len(own) > most))


def write_arrays(
    dataset: Dataset, folder: str | Path, language: str, participants: list[str], reader: str | Path
) -> Path:
    """Write recordings as `examples/arrays.py` reads them: words, parcels, and an array a participant and story.

    Every section becomes a story of its own. A copy of `reader` lies beside the description that names it. Returns the
    description.
    """
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "words").mkdir(parents=True)
    shutil.copy(reader, folder)
    names = {run.section: f"{run.story}-{run.section}" for run in dataset.runs(participants[0])}
    words, starts = dataset.words(language), dataset.starts(language)
    for section, part in words.groupby("section"):
        part = part.assign(onset=part.onset + starts[section], offset=part.offset + starts[section])
        part[["word", "onset", "offset"]].to_csv(folder / "words" / f"{names[section]}.csv", index=False)
    for participant in participants:
        responses = dataset.responses(participant)
        for section, story in names.items():
            np.save(folder / f"{participant}_{story}.npy", responses.values[responses.run_of_scan == section])
    responses.names[["region", "hemisphere"]].to_csv(folder / "parcels.csv", index=False)
    description = folder / "dataset.yaml"
    keys = {"reader": f"{Path(reader).stem}.Arrays", "options": {"tr": dataset.tr, "language": language}}
    description.write_text(yaml.safe_dump(keys, sort_keys=False), encoding="utf-8")
    return description


def scores_by_space(
    spaces: Mapping[str, Features],
    responses: np.ndarray,
    participants: list[str],
    columns: pd.DataFrame,
    masks: Mapping[str, np.ndarray],
    **options: Any,
) -> pd.DataFrame:
    """Score several feature spaces in the same participants, by sets of targets.

    Parameters
    ----------
    spaces : name -> features.
    responses : array [participants, scans, targets].
    masks : name -> boolean array [targets].
    options : of `score_participants`.

    Returns
    -------
    DataFrame: condition (the space's name), participant, group, value (mean r over runs).
    """
    tables = []
    for name, features in spaces.items():
        scores = score_participants(features, responses, participants, columns, **options).mean_scores
        table = average_by(scores, masks).rename(columns={"axis_0": "participant"})
        tables.append(table.assign(condition=name, participant=np.asarray(participants)[table.participant]))
    return pd.concat(tables, ignore_index=True)
