"""What is to be corrected in the annotation of ds003643, and the clock of its sections, as two small tables.

    python examples/little_prince_corrections.py ANNOTATION [book/upstream]

ANNOTATION holds EN/, FR/ and CN/ (or some of them). `tokens.csv` has one row per distinct label that is no word or is
damaged; `clocks.csv` has one row per section. Neither holds the story's text.
"""

import argparse
from pathlib import Path

import pandas as pd

from brainbook.datasets import StoryAnnotation, changed_words


def tokens(annotation: StoryAnnotation) -> pd.DataFrame:
    """Return language, file, was, is ('' if left out), why, how many, and the rows where, up to five."""
    tables = []
    for language in annotation.languages:
        for path in sorted((annotation.root / language).glob(f"lpp{language}_*.csv")):
            if "word_information" in path.name:
                changed = changed_words(path, language)
                tables.append(changed.assign(language=language, file=path.name))
    changed = pd.concat(tables)
    groups = changed.groupby(["language", "file", "was", "is", "why"], sort=False)["row"]
    rows = groups.agg(count="size", rows=lambda rows: " ".join(map(str, rows.head(5))))
    return rows.reset_index()


def clocks(annotation: StoryAnnotation) -> pd.DataFrame:
    """Return the words of each section beside the length of its audio and the scans of its recording (s, scans)."""
    rows = []
    for language in annotation.languages:
        words, seconds = annotation.words(language), annotation.audio_seconds(language)
        for section, n_scans in annotation.scans(language).items():
            own = words[words["section"] == section]
            clock = {"words": len(own), "first_onset": own["onset"].min(), "last_offset": own["offset"].max()}
            clock |= {"audio": seconds[section], "scans": n_scans, "scans_end": annotation.tr * n_scans}
            rows.append({"language": language, "section": section, **clock})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("annotation", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("book/upstream"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, table in (("tokens", tokens), ("clocks", clocks)):
        rows = table(StoryAnnotation(options.annotation))
        rows.to_csv(options.folder / f"{name}.csv", index=False, float_format="%.2f")
        print(options.folder / f"{name}.csv", len(rows), "rows")
