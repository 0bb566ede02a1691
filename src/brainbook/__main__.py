"""Studies from the command line: `python -m brainbook study demo` runs one, `status demo` tells how far it is."""

import argparse
import os
import re
import sys
from pathlib import Path

from brainbook.errors import BrainbookError, ConfigurationError
from brainbook.workflow.study_file import Study, read_study


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m brainbook", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    added = {
        name: commands.add_parser(name, help=text)
        for name, text in {
            "study": "run everything that a study still lacks",
            "check": "what a study runs, what it lacks, and what it will take; needs no data and no GPU",
            "status": "one line a run: done, running, failed and why",
            "list": "print the runs of a study, one a line",
            "run": "execute one run of a study",
            "prepare": "make what a study's runs need: its phantom, or one of its models",
            "notebook": "print a chapter as the .ipynb that papermill executes on the recordings of --data",
            "keep": "write tables of a study's results into book/archive, to be committed for readers who cannot run it",
            "archive": "list the tables of book/archive, with the minutes they take; make those again that are named",
        }.items()
    }
    for name, command in added.items():
        if name == "archive":
            command.add_argument("tables", nargs="*", help="such as xnli, or calibration/levels")
            continue
        command.add_argument("chapter" if name == "notebook" else "study")
        command.add_argument("--data", default=None, help="fills in ${DATA} of the study file")
    added["study"].add_argument("--jobs", type=int, default=2, help="cores (local) or queued runs (cluster) at a time")
    added["study"].add_argument("--memory", type=int, default=6000, help="MB that all local runs together may take")
    added["study"].add_argument("--profile", default="local", help="a folder of profiles/: local or slurm")
    added["run"].add_argument("run", help="the run's name, as `list` prints it")
    added["prepare"].add_argument("what", help="phantom, or a model's name")
    added["keep"].add_argument("tables", nargs="+", help="names of tables, as the chapter saved them")
    options = parser.parse_args(arguments)
    if sys.stdout is None:  # the caller closed it: nobody reads the answer
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal of ASCII shows ? for what it does not have
    try:
        status = _do(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read the answer, `head` say, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BrainbookError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:  # a disk that is full or may not be written to, say
        print(f"{error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return 2


def _do(options: argparse.Namespace) -> int:
    if options.command == "archive":
        from brainbook.workflow.archive import archive_lines, remake

        if options.tables:
            return remake(options.tables)
        print("\n".join(archive_lines()))
        return 0
    if options.command == "notebook":
        return _notebook(options.chapter, options.data)
    study = read_study(options.study, options.data or _known_data(options))
    if options.command == "list":
        print("\n".join(study.runs))
    elif options.command == "status":
        from brainbook.workflow.status import status_lines

        print("\n".join(status_lines(study)))
    elif options.command == "check":
        return _check(study)
    elif options.command == "study":
        if lacks := _lacks(study):
            print("\n".join([f"study {study.name!r} lacks {len(lacks)} thing(s):", *lacks]), file=sys.stderr)
            return 2
        from brainbook.workflow.session import run_study

        return run_study(study, options.data, options.jobs, options.memory, options.profile)
    elif options.command == "prepare":
        from brainbook.workflow.execution import prepare

        return prepare(study, options.what)
    elif options.command == "keep":
        from brainbook.workflow.tables import archive_results

        print("\n".join(str(archive_results(study.name, table)) for table in options.tables))
    elif options.command == "run":
        if options.run not in study.runs:
            print(f"study {study.name!r} has no run {options.run!r}; it has {', '.join(study.runs)}", file=sys.stderr)
            return 2
        from brainbook.workflow.execution import execute_run

        return execute_run(study, study.runs[options.run]) == "failed"
    return 0


def _known_data(options: argparse.Namespace) -> str | None:
    """What stands for ${DATA} where nobody gave it: of a plan nothing that is here, of a status the last session's."""
    if options.command in ("check", "status", "keep"):
        from brainbook.workflow.session import last_session

        return (options.command == "status" and last_session(options.study).get("data")) or "DATA"
    return None


def _notebook(chapter: str, data: str | None) -> int:
    import nbformat

    from brainbook.workflow.notebooks import chapter_notebook
    from brainbook.workflow.study_file import NOTEBOOKS

    source = NOTEBOOKS / f"{chapter}.md"
    if not re.fullmatch(r"\w+", chapter) or not source.is_file():
        known = ", ".join(sorted(path.stem for path in NOTEBOOKS.glob("*.md")))
        raise ConfigurationError(f"there is no chapter {chapter!r}; there are {known}")
    print(nbformat.writes(chapter_notebook(source, data)))
    return 0


def _lacks(study: Study) -> list[str]:
    from brainbook.workflow.readiness import missing

    return missing(study)


def _check(study: Study) -> int:
    from brainbook.workflow.estimate import estimate, estimate_lines

    chapters = len({run.chapter for run in study.runs.values()})
    print(f"Study {study.name}: {len(study.runs)} runs of {chapters} chapters; the file is sound.\n")
    print("\n".join(estimate_lines(estimate(study))))
    lacks = _lacks(study)
    print("\nNothing is missing." if not lacks else "\nMissing on this machine, and needed before it runs:")
    print("\n".join(f"  {line}" for line in lacks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
