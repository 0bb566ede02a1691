"""`python -m brainbook run STUDY RUN`: execute one run of a study (what the workflow calls)."""

import argparse
import sys

from brainbook.errors import BrainbookError
from brainbook.notebooks import execute
from brainbook.study_file import NOTEBOOKS, read_study


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m brainbook", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="execute one run of a study")
    run.add_argument("study")
    run.add_argument("run", help="the run's name, as `list` prints it")
    run.add_argument("--data", default=None, help="fills in ${DATA} of the study file")
    listing = commands.add_parser("list", help="print the runs of a study, one a line")
    listing.add_argument("study")
    listing.add_argument("--data", default=None)
    options = parser.parse_args(arguments)
    try:
        study = read_study(options.study, options.data)
        if options.command == "list":
            print("\n".join(study.runs))
            return 0
        if options.run not in study.runs:
            print(f"study {study.name!r} has no run {options.run!r}; it has {', '.join(study.runs)}", file=sys.stderr)
            return 2
    except BrainbookError as error:
        print(error, file=sys.stderr)
        return 2
    planned = study.runs[options.run]
    execute(
        NOTEBOOKS / f"{planned.chapter}.md",
        f"results/{study.name}/{planned.name}/notebook.ipynb",
        planned.parameters,
        threads=planned.threads,
        progress=sys.stderr.isatty(),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
