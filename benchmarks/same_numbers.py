"""Which tables of a study are the same, to the bit or to how many digits, when it is run again and run elsewhere?

    python benchmarks/same_numbers.py [--chapters first_model transfer number_sense] [--processes 1] [--keep]

One small study, from its phantom to the tables of its chapters (nothing is shared, no cache is kept), is run as it is;
again; elsewhere, which means in a folder of another name, in another time zone and locale, with another hash seed of
Python and two runs at a time; and with two threads a run. Of each table the digits are counted to which all its numbers
agree with the first: of a column with the largest number m, -log10 of the largest difference / m. With --keep the table
goes to book/archive/promises. Some two and a half minutes of one core for a study.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from brainbook.workflow import archive_table

ROOT = Path(__file__).resolve().parents[1]
PHANTOM = {"participants": 2, "scans": 40, "voxel_size": 8, "languages": ["EN", "FR"], "signal": 4, "seed": 0}
SETTINGS = {"new_words": True, "contrast": 1.0, "language": 1.0, "steps": 10, "learning_rate": 3.0e-4}
SETTINGS |= {"validate_every": 5, "validation_pairs": 40}
TRANSFER = {"second": ["FR"], "pairs": 200, "settings": SETTINGS, "short": {"steps": 4, "learning_rate": 1.0e-3}}
TRANSFER |= {"control_steps": 5, "drawn": 40, "retrieved": 40, "extras": False}
CHAPTERS = {
    "first_model": {},
    "transfer": TRANSFER,
    "number_sense": {"steps": 20, "seeds": 1, "processes": 1},
}
ELSEWHERE = {"TZ": "Asia/Kolkata", "LC_ALL": "C", "PYTHONHASHSEED": "4711"}
VARIANTS = {
    "again": ("again", {}, 1, 1),
    "elsewhere": ("it's elsewhere, at the café", ELSEWHERE, 2, 1),
    "two threads": ("threads", {}, 1, 2),
}
DIGITS = 4  # to which the numbers of two threads and one should agree; the digits that archived tables have
TIMES = ("seconds", "minutes", "finished")  # columns that tell how long something took


def run_study(folder: Path, chapters: list[str], environment: dict[str, str], jobs: int, threads: int) -> Path:
    """Run the study in a new folder with what this checkout says; return the folder of its results."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "Snakefile", folder)
    for name in ("profiles", "notebooks"):
        shutil.copytree(ROOT / name, folder / name)
    runs = [{"chapter": name, "parameters": CHAPTERS[name], "threads": threads} for name in chapters]
    (folder / "studies").mkdir()
    study = {"data": "data/phantom", "phantom": PHANTOM, "device": "cpu", "runs": runs}
    (folder / "studies/same.yaml").write_text(yaml.safe_dump(study))
    command = [sys.executable, "-m", "brainbook", "study", "same", "--jobs", str(jobs * threads)]
    done = subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        logs = [path.read_text()[-2000:] for path in (folder / "logs").rglob("*.log")]
        raise RuntimeError("\n".join([done.stderr, *logs]))
    return folder / "results/same"


def read_tables(results: Path) -> dict[str, pd.DataFrame]:
    """Return every table of the runs by "run/table"."""
    paths = sorted(path for path in results.rglob("*.parquet") if path.parent != results)
    return {str(path.relative_to(results).with_suffix("")): pd.read_parquet(path) for path in paths}


def digits(first: pd.DataFrame, second: pd.DataFrame) -> float:
    """Return to how many digits two tables agree: inf to the bit, 0 where texts, shapes or gaps differ.

    >>> digits(pd.DataFrame({"a": [1.0, 10.0]}), pd.DataFrame({"a": [1.0, 10.001]})).__round__(1)
    4.0
    """
    if list(first) != list(second) or len(first) != len(second):
        return 0.0
    fewest = np.inf
    for name in [name for name in first if not any(time in str(name) for time in TIMES)]:
        one, two = first[name], second[name]
        if not pd.api.types.is_float_dtype(one) or one.isna().ne(two.isna()).any():
            fewest = fewest if one.equals(two) else 0.0
        elif (difference := (one - two).abs().max()) > 0:  # of gaps it is NaN
            fewest = min(fewest, -np.log10(difference / one.abs().max()))
    return max(float(fewest), 0.0)


def compare(first: dict[str, pd.DataFrame], second: dict[str, pd.DataFrame]) -> dict[str, str]:
    """Return for every table "to the bit", or the digits to which it is the same."""
    agreed = {name: digits(table, second[name]) if name in second else 0.0 for name, table in first.items()}
    return {name: "to the bit" if np.isinf(n) else f"{int(n)} digits" for name, n in agreed.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chapters", nargs="+", default=list(CHAPTERS), choices=list(CHAPTERS))
    parser.add_argument("--processes", type=int, default=1, help="studies at the same time")
    parser.add_argument("--keep", action="store_true", help="keep the table with the book")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        with ThreadPoolExecutor(given.processes) as pool:
            studies = {name: pool.submit(run_study, Path(scratch) / variant[0], given.chapters, *variant[1:])
                       for name, variant in {"first": ("study", {}, 1, 1), **VARIANTS}.items()}  # fmt: skip
        tables = {name: read_tables(study.result()) for name, study in studies.items()}
    first = tables.pop("first")
    table = pd.DataFrame({"table": list(first), "rows": [len(rows) for rows in first.values()]})
    for name, other in tables.items():
        table[name] = table["table"].map(compare(first, other))
    print(table.to_string(index=False))
    if given.keep:
        command = f"python benchmarks/same_numbers.py {shlex.join(sys.argv[1:])}"
        notebooks = [f"notebooks/{name}.md" for name in given.chapters]
        print(
            archive_table(
                "promises", "same_numbers", table, command, rests_on=("benchmarks/same_numbers.py", *notebooks)
            )
        )


if __name__ == "__main__":
    main()
