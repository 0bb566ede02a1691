"""What a study will still take: told from what is known, and compared with what it took."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainbook.workflow import times
from brainbook.workflow.schedule import finish_times, longest_chains
from brainbook.workflow.status import RunStatus
from brainbook.workflow.study_file import read_study
from brainbook.workflow.timeline import WIDTH, Span, idle_seconds, timeline_lines
from brainbook.workflow.times import Plan, machine_pace, past_seconds, plan_lines, time_left

from .conftest import COUNT, HEAD, ROOT

# run, began, ended (s) of builds of the demo on two cores, and the machine's pace as the session's first line had it
# (of the last as `machine_pace` measured it afterwards); beside the last three nothing else ran
BUILDS = {"demo_build.csv": 1.0, "demo_build_2.csv": 1.0, "demo_build_3.csv": 0.74, "demo_build_4.csv": 0.76}


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(times, "START_SECONDS", 0.0)
    for folder in ("studies", "notebooks"):
        Path(folder).mkdir()
    Path("notebooks/count.md").write_text(HEAD + COUNT)

    def read(entries):
        Path("studies/mine.yaml").write_text(f"data: d\nruns: [{entries}]")
        return read_study("mine")

    return read


def test_the_longest_chain_goes_first(study):
    entries = (
        "{chapter: count, name: a, work: {minutes: 1}}, {chapter: count, name: b, work: {minutes: 2}, "
        "sweep: {seed: [1, 2]}, after: [a]}, "
        "{chapter: count, name: c, work: {minutes: 4}, after: [b]}, {chapter: count, name: d, minutes: 15}"
    )
    plan = Plan.of(study(entries), pace=1.0)
    assert plan.priorities() == {"a": 420, "b": 360, "c": 240, "d": 300}
    assert plan.seconds_left(2) == 60 + 120 + 120 + 240, "d begins beside a; then one b after the other, and c"


def test_the_time_left_is_what_runs_took_or_what_the_study_file_says(study):
    entries = "{chapter: count, sweep: {number: [1, 2]}, work: {minutes: 8}}, {chapter: count, name: long, minutes: 30}"
    plan = Plan.of(study(entries), pace=1.0)
    rows = [RunStatus(name, "waiting", Path()) for name in plan.study.runs]
    assert time_left(rows, plan, 1) == 8 * 60 + 8 * 60 + 30 * 60 / 3
    assert time_left(rows, plan, 9) == 600, "no job is shorter than its longest run"
    rows[0] = RunStatus("count/number=1", "done", Path(), seconds=100, finished="2026-02")
    rows[2] = RunStatus("long", "failed", Path())
    assert time_left(rows, plan, 1, since="2026-01") == 100, "a run of the same sweep takes as long as the first"
    assert time_left(rows, plan, 1, since="2026-03") == 480, (
        "what was done before this session says nothing of its pace"
    )
    rows[1] = RunStatus("count/number=2", "running", Path(), seconds=90)
    assert time_left(rows, plan, 1, since="2026-01") == pytest.approx(0.15 * 90), "more than it takes by the others"


def test_a_run_is_expected_to_take_what_it_took_here(study):
    runs = study("{chapter: count, sweep: {number: [1, 2, 3]}, work: {minutes: 8}}")
    parameters = [run.parameters for run in runs.runs.values()]
    states = [
        {"state": "done", "wall_s": 7.0, "parameters": parameters[0]},
        {"state": "running", "took_s": 9.0, "wall_s": 1.0, "parameters": parameters[1]},
        {"state": "done", "wall_s": 7.0, "parameters": {**parameters[2], "number": 4}},
    ]
    for run, state in zip(runs.runs.values(), states, strict=True):
        folder = Path("results/mine", run.name)
        folder.mkdir(parents=True)
        (folder / "state.json").write_text(json.dumps(state))
    assert past_seconds(runs) == {"count/number=1": 7.0, "count/number=2": 9.0}
    plan = Plan.of(runs, pace=2.0)
    assert list(plan.seconds.values()) == [7.0, 9.0, 960.0]
    assert "2 of 3 runs" in plan_lines(plan)[0] and "JOBS=1 16 min" in plan_lines(plan)[1]


def test_the_pace_of_this_machine_is_measured(monkeypatch):
    seconds = iter([0.3, 0.2, 0.4])
    monkeypatch.setattr(times, "probe_seconds", lambda: next(seconds))
    reference = times.rates().set_index("stage").seconds["probe"]
    assert machine_pace(3) == pytest.approx(0.2 / reference)
    monkeypatch.undo()
    assert 0.2 < machine_pace(5) < 20


def test_work_waits_its_turn_and_keeps_every_slot_busy():
    rng = np.random.default_rng(0)
    names = [f"task {number}" for number in range(60)]
    seconds = dict(zip(names, rng.integers(1, 50, 60).tolist(), strict=True))
    before = {
        name: [names[number] for number in rng.integers(0, place, 2)] for place, name in enumerate(names) if place > 9
    }
    width = dict(zip(names, rng.integers(1, 4, 60).tolist(), strict=True))
    chains = longest_chains(seconds, before)
    found = finish_times(seconds, before, 3, chains, width, running=names[:2])
    assert found.keys() == seconds.keys()
    assert all(end - begin == seconds[name] for name, (begin, end) in found.items())
    assert all(found[name][0] >= found[earlier][1] for name in before for earlier in before[name])
    moments = sorted({moment for span in found.values() for moment in span})
    for moment, later in pairwise(moments):
        active = [name for name, (begin, end) in found.items() if begin <= moment and end >= later]
        held = sum(width[name] for name in active)
        assert held <= 3 or set(active) & set(names[:2])
        could = [name for name in names if found[name][0] > moment and width[name] <= 3 - held]
        assert not [name for name in could if all(found[it][1] <= moment for it in before.get(name, ()))]
    assert chains["task 0"] >= seconds["task 0"]


def test_the_timeline_is_that_of_the_last_session(study):
    runs = study("{chapter: count, sweep: {number: [1, 2, 3]}}")
    spans = {"1": ("09:00:00", "09:05:00"), "2": ("12:00:00", "12:01:00"), "3": ("12:00:30", "12:02:00")}
    for number, (began, ended) in spans.items():
        folder = Path(f"results/mine/count/number={number}")
        folder.mkdir(parents=True)
        state = {"began": f"2026-01-01T{began}+00:00", "finished": f"2026-01-01T{ended}+00:00", "cpu_s": 30.0}
        (folder / "state.json").write_text(json.dumps(state))
    lines = timeline_lines(runs)
    assert len(lines) == 4 and "number=1" not in "".join(lines)
    assert lines[1].split() == ["count/number=2", "0", "s", "60", "s", "30", "s", "█" * (WIDTH // 2)]
    assert lines[2].endswith(" " * (WIDTH // 4) + "█" * (3 * WIDTH // 4))
    assert lines[3] == "2 min from the first start to the last end; of 2 cores idle: 38%; 1.0 CPU minutes"
    assert idle_seconds([Span("a", 0, 10), Span("b", 4, 6), Span("c", 5, 7)], 2) == 4 + 3


def replayed(plan: Plan, build: pd.DataFrame, slots: int = 2) -> pd.DataFrame:
    """What the plan says is left at every minute of a build, beside what was left."""
    rows, end = [], build.ended.max()
    for now in np.arange(60.0, end, 60.0):
        running = build[(build.began <= now) & (build.ended > now)]
        ended = build[build.ended <= now]
        told = plan.seconds_left(
            slots,
            dict(zip(running.run, now - running.began, strict=True)),
            dict(zip(ended.run, ended.ended - ended.began, strict=True)),
            set(plan.seconds) - set(build.run),
        )
        rows.append({"minute": now / 60, "told": told, "true": end - now})
    return pd.DataFrame(rows)


@pytest.mark.parametrize("slower, measured", [(1.0, 1.0), (2.0, 2.0), (0.5, 0.5), (1.0, 1.25)])
@pytest.mark.parametrize(("build", "pace"), BUILDS.items())
def test_what_is_left_is_right_within_a_third_from_the_first_minute(
    tmp_path, monkeypatch, build, pace, slower, measured
):
    """Builds of the demo are played again, on slower and faster machines, and where the probe is wrong by a quarter.

    The minutes of the study file are those of an earlier build, when nothing else ran on the machine.
    """
    monkeypatch.chdir(tmp_path)  # what runs of the demo took on this machine does not count here
    build = pd.read_csv(Path(__file__).with_name(build))
    build[["began", "ended"]] *= slower
    demo = read_study("demo", studies=ROOT / "studies", notebooks=ROOT / "notebooks")
    expected = Plan.of(demo, pace=measured * pace)
    told = replayed(expected, build)
    assert len(told) >= 4  # minutes, of the shortest build on the fastest machine
    assert ((told.told - told.true).abs() <= np.maximum(told.true / 3, 10.0)).all(), told.to_string()
