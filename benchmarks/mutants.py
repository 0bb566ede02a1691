"""Would the tests notice? Plants small faults in the package, one at a time, and runs the tests that reach them.

    python benchmarks/mutants.py [--rooms encoding stats ...] [--number 20] [--seed 0] [--again [--tests ...]] [--keep]

A mutant is the package with one change: another comparison or operator, a constant one larger, `and` for `or`, a
statement that is left out, None returned. It is killed if a test fails (or does not end); a survivor is a fault that
nobody would notice, or a change that changes nothing: look at it. Which tests reach a function is recorded first.
Everything goes to results/mutants.json; `--again` tries the survivors in there once more, after tests were written.
Linux only (it forks); some two minutes of one core for a room and five seconds for a mutant. With --keep the table of
rooms goes to book/archive, with the rooms that were tried earlier.
"""

import argparse
import ast
import compileall
import copy
import json
import os
import py_compile
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results" / "mutants.json"
ROOMS = ("encoding", "stats", "datasets", "number_sense", "workflow")
SLOW = ("test_kill", "test_rehearsal", "test_scheduler", "test_session", "test_slurm", "test_runs")  # whole studies
PRELOADED = (
    *("torch", "transformers", "nilearn.signal", "nilearn.surface", "sklearn.linear_model", "statsmodels.api"),
    *("matplotlib.pyplot", "h5py", "hypothesis", "papermill", "jupytext", "himalaya.ridge", "pydantic"),
)
COMPARISONS = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq},
    **{ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is},
}
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
             ast.Mod: ast.Mult, ast.Pow: ast.Mult}  # fmt: skip


def sites(tree: ast.AST) -> list[tuple[ast.AST, int]]:
    """Return the nodes that can be changed, with the first line of the function that each lies in (0: in none).

    Messages, docstrings and annotations are left as they are.
    """
    found: list[tuple[ast.AST, int]] = []

    def walk(node: ast.AST, function: int) -> None:
        if isinstance(node, ast.FunctionDef):
            function = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if node.name in ("__repr__", "__str__"):
                return
        if changed(node) is not None:
            found.append((node, function))
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "type_params") or isinstance(node, ast.Raise | ast.JoinedStr):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    walk(child, function)

    walk(tree, 0)
    return found


def changed(node: ast.AST) -> ast.AST | None:
    """Return what stands in a node's place in a mutant; None for a node that is left alone."""
    new = copy.copy(node)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        new.ops = [COMPARISONS[type(node.ops[0])](), *node.ops[1:]]
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS and not _is_text(node):
        new.op = OPERATORS[type(node.op)]()
    elif isinstance(node, ast.BoolOp):
        new.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        new.value = not node.value if isinstance(node.value, bool) else node.value + 1
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        new.value = ast.Constant(None)
    elif isinstance(node, ast.AugAssign | ast.Raise) or (isinstance(node, ast.Expr) and _is_call(node.value)):
        return ast.copy_location(ast.Pass(), node)
    else:
        return None
    return new


def _is_text(node: ast.BinOp) -> bool:
    return any(isinstance(n, ast.JoinedStr) or isinstance(getattr(n, "value", 0), str) for n in ast.walk(node))


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call)


def mutant(text: str, number: int) -> tuple[str, dict]:
    """Return a module with its site `number` changed, and what was changed: line, was, is, function."""
    tree = ast.parse(text)
    node, function = sites(tree)[number]
    new = changed(node)
    about = {"line": node.lineno, "was": ast.unparse(node)[:100], "is": ast.unparse(new)[:100], "function": function}

    class Replace(ast.NodeTransformer):
        def visit(self, visited):
            return new if visited is node else self.generic_visit(visited)

    return ast.unparse(ast.fix_missing_locations(Replace().visit(tree))), about


def found_again(each: dict, text: str) -> dict | None:
    """Return a mutant at its place in a module that may have changed since; None if what it changes is gone."""
    places = [{"number": number, **mutant(text, number)[1]} for number in range(len(sites(ast.parse(text))))]
    alike = [place for place in places if (place["was"], place["is"]) == (each["was"], each["is"])]
    return min(alike, key=lambda place: abs(place["line"] - each["line"])) if alike else None


class Reached:
    """A plugin of pytest: which functions of the package each test calls, {test: {(file, first line)}}."""

    def __init__(self, folder: Path):
        self.folder, self.reached, self.seconds, self.failed = str(folder), {}, {}, set()

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed.add(report.nodeid)

    def _record(self, key: str) -> Iterator[None]:
        calls, began = self.reached.setdefault(key, set()), time.process_time()

        def note(frame, event, _):
            if event == "call" and frame.f_code.co_filename.startswith(self.folder):
                calls.add((frame.f_code.co_filename, frame.f_code.co_firstlineno))

        sys.setprofile(note)
        yield
        sys.setprofile(None)
        self.seconds[key] = self.seconds.get(key, 0.0) + time.process_time() - began

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_setup(self, item):
        yield from self._record(item.nodeid.partition("::")[0])  # fixtures count for all tests of their file

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item):
        yield from self._record(item.nodeid)


def in_child(work: Callable[[], object], seconds: float) -> tuple[int | None, float]:
    """Run `work` in a fork of this process; return its exit status and the processor seconds that it took.

    The status is None if it did not end within `seconds` of processor time, or ten times as long by the clock.
    """
    if not (child := os.fork()):
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (round(seconds), round(seconds)))
        status = 70
        try:
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, 1)
            os.dup2(sink, 2)
            status = int(work())
        finally:
            os._exit(status)
    ends = time.monotonic() + 10 * seconds
    while not (done := os.wait4(child, os.WNOHANG))[0] and time.monotonic() < ends:
        time.sleep(0.02)
    if not done[0]:
        os.killpg(child, signal.SIGKILL)
        done = os.wait4(child, 0)
    used = done[2].ru_utime + done[2].ru_stime
    code = os.waitstatus_to_exitcode(done[1])
    return (None if code in (-signal.SIGKILL, -signal.SIGXCPU) else code), used


def run_tests(source: Path, names: list[str], *plugins) -> int:
    """Run tests with the package of a folder, up to the first that fails."""
    sys.path.insert(0, str(source))
    os.environ["PYTHONPATH"] = str(source)
    options = ["-q", "-p", "no:cacheprovider", "-m", "not slow and not book", *([] if plugins else ["-x"])]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # what is in PRELOADED
    return pytest.main([*options, *names], list(plugins))


def tests_of(files: list[str], source: Path, found: Path) -> tuple[dict[str, set], dict[str, float], float]:
    """Return {test or its file: functions that it calls}, seconds of each, and the processor seconds of it all.

    Tests that fail without any mutant are left out, and named.
    """

    def work() -> int:
        plugin = Reached(source / "brainbook")
        run_tests(source, files, plugin)
        reached = {key: sorted(calls) for key, calls in plugin.reached.items() if key not in plugin.failed}
        found.write_text(json.dumps([reached, plugin.seconds, sorted(plugin.failed)]))
        return 0

    _, used = in_child(work, 3000)
    reached, seconds, failed = json.loads(found.read_text())
    print("\n".join(f"left out, as it fails without a mutant: {name}" for name in failed), flush=True)
    return {key: {tuple(call) for call in calls} for key, calls in reached.items()}, seconds, used


def chosen_tests(file: Path, function: int, reached: dict[str, set], seconds: dict[str, float]) -> list[str]:
    """Return the tests that call a function (of a module's top: any function of the module), the quickest first."""

    def calls(key: str) -> bool:
        return any(name == str(file) and function in (0, line) for name, line in reached.get(key, ()))

    names = [key for key in reached if "::" in key and (calls(key) or calls(key.partition("::")[0]))]
    return sorted(names, key=lambda key: seconds[key])


def try_mutant(each: dict, source: Path, tests: list[str], seconds: float) -> tuple[str, float]:
    """Return what became of a mutant ('killed', 'survived', 'not reached', 'no end') and its processor seconds."""
    path = source / each["file"]
    before = path.read_text(encoding="utf-8")
    if not tests:
        return "not reached", 0.0
    path.write_text(mutant(before, each["number"])[0], encoding="utf-8")
    try:
        code, used = in_child(lambda: run_tests(source, tests), seconds)
    finally:
        path.write_text(before, encoding="utf-8")
    return ("no end" if code is None else "killed" if code else "survived"), used


def draw(room: str, number: int, seed: int) -> list[dict]:
    """Return `number` mutants of a room: file, number of the site, what is changed."""
    places = []
    for path in sorted((ROOT / "src/brainbook" / room).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        places += [(path, text, site) for site in range(len(sites(ast.parse(text))))]
    drawn = random.Random(f"{seed} {room}").sample(places, min(number, len(places)))
    return [
        {"room": room, "file": str(path.relative_to(ROOT / "src")), "number": site, **mutant(text, site)[1]}
        for path, text, site in sorted(drawn)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rooms", nargs="+", default=list(ROOMS), choices=ROOMS)
    parser.add_argument("--number", type=int, default=20, help="mutants of each room")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="of processor time until a mutant's tests have no end"
    )
    parser.add_argument("--again", action="store_true", help="try the survivors of the last time")
    parser.add_argument("--tests", nargs="+", default=[], help="files, those of new tests; by default all of the rooms")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    os.chdir(ROOT)
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else []
    for name in PRELOADED:
        import_module(name)  # once, not in every child
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(source, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
        paths = [path for room in options.rooms for path in sorted((ROOT / "tests" / room).glob("test_*.py"))]
        files = options.tests or [str(path.relative_to(ROOT)) for path in paths if path.stem not in SLOW]
        reached, seconds, used = tests_of(files, source, Path(scratch) / "reached.json")
        print(f"{used / 60:.1f} minutes of one core for {len(seconds)} tests and files without a mutant", flush=True)
        for room in options.rooms:
            if options.again:
                mutants = [
                    each for each in known if each["room"] == room and each["after"] in ("survived", "not reached")
                ]
            else:
                mutants = draw(room, options.number, options.seed)
                known = [each for each in known if each["room"] != room] + mutants
            for each in mutants:
                if (place := found_again(each, (source / each["file"]).read_text(encoding="utf-8"))) is None:
                    continue
                each.update(place)
                tests = chosen_tests(source / each["file"], each["function"], reached, seconds)
                after, spent = try_mutant(each, source, tests, options.seconds)
                if after != "not reached" or not options.tests:
                    each["after"] = after
                each.setdefault("before", each["after"])
                used += spent
                print(f"{each['after']:<12}{each['file']}:{each['line']}  {each['was']}  ->  {each['is']}", flush=True)
                RESULTS.parent.mkdir(exist_ok=True)
                RESULTS.write_text(json.dumps(known, indent=1))
            print(f"== {room}: {used / 60:.1f} minutes of one core until here", flush=True)
    table = with_earlier(summary(known))
    print(table.to_string(index=False))
    if options.keep:
        from brainbook.workflow import archive_table

        rooms = " ".join(table["room"])  # all of them from the beginning: what --again needs is not archived
        command = f"python benchmarks/mutants.py --rooms {rooms} --number {options.number} --seed {options.seed} --keep"
        print(archive_table("mutants", "rooms", table, command))


def summary(mutants: list[dict]) -> pd.DataFrame:
    """Return a row per room: how many mutants, and what share was killed, at first and now."""
    table, killed = pd.DataFrame(mutants), ("killed", "no end")
    rows = []
    for room, own in table.groupby("room", sort=False):
        shares = {name: own[name].isin(killed).mean() for name in ("before", "after")}
        rows.append({"room": room, "mutants": len(own), **{f"killed {name}": share for name, share in shares.items()},
                     "not reached": int((own["after"] == "not reached").sum())})  # fmt: skip
    return pd.DataFrame(rows)


def with_earlier(table: pd.DataFrame) -> pd.DataFrame:
    """Add the rooms that only the archived table has, and the commit at which each room was tried."""
    from brainbook.workflow.archive import commit, read_archived  # not before: children import the package's copy

    earlier = read_archived("mutants", "rooms")
    rows = earlier.rows if "commit" in earlier.rows else earlier.rows.assign(commit=earlier.commit)
    rows = [rows[~rows["room"].isin(table["room"])], table.assign(commit=commit())]
    return pd.concat(rows).sort_values("room", key=lambda room: room.map(ROOMS.index), ignore_index=True)


if __name__ == "__main__":
    main()
