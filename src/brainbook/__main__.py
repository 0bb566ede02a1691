"""Studies from the command line: `python -m brainbook study demo` runs one, `status demo` shows how far it is."""

import argparse
import os
import re
import signal
import sys
from pathlib import Path

from brainbook.errors import BrainbookError, ConfigurationError
from brainbook.workflow.archive import archive_lines, remake
from brainbook.workflow.execution import execute_run, prepare
from brainbook.workflow.notebooks import chapter_notebook
from brainbook.workflow.session import last_session, run_study
from brainbook.workflow.status import status_lines
from brainbook.workflow.study_file import NOTEBOOKS, Study, read_study
from brainbook.workflow.tables import archive_results

COMMANDS = {
    "study": "run everything that a study still needs",
    "check": "what a study runs, what is missing for it, and what it will take; needs no data and no GPU. Of a "
    "description of recordings (my_study.yaml): what is there, and whether words and scans fit",
    "status": "one line per run: done, running, failed and why",
    "list": "print the runs of a study, one per line",
    "run": "execute one run of a study",
    "prepare": "make what a study's runs need: its phantom, or some of its models",
    "notebook": "print a chapter as the .ipynb that papermill executes on the recordings of --data",
    "keep": "write tables of a study's results into book/archive, to be committed for readers who cannot run it",
    "archive": "list the tables of book/archive, with the minutes they take; make those again that are named",
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m brainbook", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True)
    commands = {name: subparsers.add_parser(name, help=text) for name, text in COMMANDS.items()}
    for name, command in commands.items():
        if name != "archive":
            command.add_argument("chapter" if name == "notebook" else "study")
            command.add_argument("--data", default=None, help="fills in ${DATA} of the study file")
    study = commands["study"]
    study.add_argument("--jobs", type=int, default=2, help="cores (local) or queued runs (cluster) at a time")
    study.add_argument("--memory", type=int, default=6000, help="MB that all local runs together may take")
    study.add_argument("--profile", default="local", help="a folder of profiles/: local or slurm")
    commands["status"].add_argument("--timeline", action="store_true", help="what ran when in the last session")
    commands["run"].add_argument("run", help="the run's name, as `list` prints it")
    commands["prepare"].add_argument("what", nargs="+", help="phantom, or names of models")
    commands["keep"].add_argument("tables", nargs="+", help="names of tables, as the chapter saved them")
    commands["archive"].add_argument("tables", nargs="*", help="such as xnli, or calibration/levels")
    options = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):  # stop as Ctrl-C does, kernels included
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores SIGHUP
            signal.signal(number, signal.default_int_handler)
    if sys.stdout is None:  # the caller closed it: nobody reads the answer
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal of ASCII shows ? for what it does not have
    try:
        code = _run_command(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader, such as `head`, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BrainbookError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:  # such as a disk that is full or may not be written to
        print(f"{error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return 2


def _run_command(options: argparse.Namespace) -> int:
    if options.command == "archive":
        if options.tables:
            return remake(options.tables)
        print("\n".join(archive_lines()))
        return 0
    if options.command == "notebook":
        return _notebook(options.chapter, options.data)
    if options.command == "check" and Path(options.study).suffix in (".yaml", ".yml"):
        from brainbook.datasets import check

        print(report := check(options.study))
        return 0 if report.ok else 1
    data = options.data
    if options.command in ("check", "status", "keep"):  # need no recordings; a status is that of the last session's
        data = data or (options.command == "status" and last_session(options.study).get("data")) or "DATA"
    study = read_study(options.study, data)
    match options.command:
        case "list":
            print("\n".join(study.runs))
        case "status":
            if options.timeline:
                from brainbook.workflow.timeline import timeline_lines

                print("\n".join(timeline_lines(study)))
            else:
                print("\n".join(status_lines(study)))
        case "check":
            return _check(study)
        case "study":
            return _study(study, options)
        case "prepare":
            return prepare(study, *options.what)
        case "keep":
            print("\n".join(str(archive_results(study.name, table)) for table in options.tables))
        case "run":
            if options.run not in study.runs:
                known = ", ".join(study.runs)
                raise ConfigurationError(f"study {study.name!r} has no run {options.run!r}; it has {known}")
            return execute_run(study, study.runs[options.run]) == "failed"
    return 0


def _notebook(chapter: str, data: str | None) -> int:
    source = NOTEBOOKS / f"{chapter}.md"
    if not re.fullmatch(r"\w+", chapter) or not source.is_file():
        known = ", ".join(sorted(path.stem for path in NOTEBOOKS.glob("*.md")))
        raise ConfigurationError(f"there is no chapter {chapter!r}; there are {known}")
    import nbformat

    print(nbformat.writes(chapter_notebook(source, data)))
    return 0


def _study(study: Study, options: argparse.Namespace) -> int:
    from brainbook.workflow.readiness import missing

    if lines := missing(study):
        raise ConfigurationError("\n".join([f"study {study.name!r} lacks {len(lines)} thing(s):", *lines]))
    return run_study(study, options.data, options.jobs, options.memory, options.profile)


def _check(study: Study) -> int:
    from brainbook.workflow.estimate import estimate, estimate_lines
    from brainbook.workflow.readiness import missing
    from brainbook.workflow.times import Plan, plan_lines

    chapters = len({run.chapter for run in study.runs.values()})
    print(f"Study {study.name}: {len(study.runs)} runs of {chapters} chapters; the file is sound.\n")
    print("\n".join([*estimate_lines(estimate(study)), "", *plan_lines(Plan.of(study))]))
    lines = missing(study)
    print("\nMissing on this machine, and needed before it runs:" if lines else "\nNothing is missing.")
    print("\n".join(f"  {line}" for line in lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
