"""The end of each half: verdicts follow planted numbers, and every claim's table is one that its chapter saves."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from brainbook.chapters import published, what_holds
from brainbook.chapters.what_holds import brain_cases, drawn, number_cases, strength, verdict, verdicts
from brainbook.errors import ConfigurationError
from brainbook.number_sense.claims import criteria
from brainbook.workflow import archive_table, start_run

ROOT = Path(__file__).parents[2]


def rows(*ends, role="test", reference=0.0):
    """One case for each (lower, upper)."""
    table = pd.DataFrame(ends, columns=["lower", "upper"])
    return table.assign(value=table.mean(axis=1), role=role, reference=reference)


ABOVE, OPEN, BELOW, NONE = (0.1, 0.3), (-0.1, 0.2), (-0.3, -0.1), (np.nan, np.nan)
PASSED, FAILED = rows(ABOVE, role="control"), rows(ABOVE, OPEN, role="control")


@pytest.mark.parametrize(
    "ends, controls, expected",
    [
        ([ABOVE], PASSED, "holds"),
        ([ABOVE, ABOVE], PASSED, "holds"),
        ([ABOVE, OPEN], PASSED, "holds in part"),
        ([ABOVE, ABOVE, BELOW], PASSED, "holds in part"),
        ([ABOVE, *[OPEN] * 9], PASSED, "does not show here"),  # one of ten is what chance lets through
        ([ABOVE] * 3 + [OPEN] * 7, PASSED, "holds in part"),
        ([OPEN], PASSED, "does not show here"),
        ([BELOW], PASSED, "contradicted"),
        ([BELOW, OPEN], PASSED, "contradicted"),
        ([BELOW, *[OPEN] * 9], PASSED, "does not show here"),
        ([ABOVE], FAILED, "no verdict: a control does not pass"),
        ([BELOW], FAILED, "no verdict: a control does not pass"),
        ([ABOVE], rows(ABOVE, NONE, role="control"), "no verdict: a control was not run"),
        ([NONE], PASSED, "not run"),
        ([NONE], FAILED, "not run"),
    ],
)
def test_a_verdict_follows_its_cases_and_its_controls(ends, controls, expected):
    assert verdict(rows(*ends), controls) == expected


def test_what_a_reference_is_and_what_has_no_interval():
    assert verdict(rows((0.4, 0.6), reference=0.5), PASSED[:0]) == "does not show here"
    assert verdict(rows((0.51, 0.6), reference=0.5), PASSED[:0]) == "holds"
    single = rows(NONE).assign(value=0.7)  # one participant
    assert verdict(single, PASSED[:0]) == "cannot be decided"
    assert verdict(rows(NONE, role="none"), PASSED[:0]) == "cannot be tested"
    np.testing.assert_allclose(strength(rows((0.5, 0.7), (-0.2, 0.0), reference=0.5)), [1.0, -6.0])


def planted_scores(gain: float, learned: float, rng) -> pd.DataFrame:
    """Scores of five participants: VLA above FLA by `gain`, a trained model above its untrained twin by `learned`."""
    parts = []
    models = {"brainlm-2": learned, "bert": learned, "untrained:brainlm-2": 0.0, "word count": 0.3}
    for model, extra in models.items():
        for alignment, more in {"VLA": gain, "FLA": 0.0}.items():
            names = [f"sub-EN{number:03d}" for number in range(5)]
            for group in ("cortex", "auditory"):
                value = 0.1 + extra + more + rng.normal(0, 0.001, 5)
                about = {"language": "EN", "run": 1, "group": group, "model": model, "alignment": alignment}
                parts.append(pd.DataFrame({"participant": names, "value": value}).assign(**about))
    return pd.concat(parts, ignore_index=True)


def plant(root, gain=0.05, learned=0.02, rng=None, lowest=0.05):
    run = start_run("participants", results=root / "demo/participants")
    run.save(planted_scores(gain, learned, rng or np.random.default_rng(0)), "scores")
    above = {
        "model": ["brainlm-2"],
        "alignment": "VLA",
        "group": "auditory",
        "value": 0.1,
        "lower": lowest,
        "upper": 0.2,
    }
    run.save(pd.DataFrame(above), "compare_with_published")
    run = start_run("alignment", results=root / "demo/alignment")
    ends = {"value": learned, "lower": learned - 0.01, "upper": learned + 0.01}
    run.save(pd.DataFrame({"model": "brainlm-2", "group": ["word", "meaning"], **ends}), "trained_minus_untrained")
    run = start_run("tiny_models", results=root / "demo/tiny_models")
    run.save(pd.DataFrame({"model": ["tiny-brainlm-2"], "control": "matching", **ends}), "controls")


def by_claim(cases, data):
    table = verdicts(cases)
    return table[table.data == data].set_index("claim").verdict


def test_claims_on_alignment_and_on_models_are_read_off_the_scores(tmp_path, rng):
    (tmp_path / "phantom/truth").mkdir(parents=True)
    for gain, learned, alignment, best in (
        (0.05, 0.02, "holds", "does not show here"),
        (-0.05, 0.02, "contradicted", "does not show here"),
        (0.05, -0.02, "holds", "no verdict: a control does not pass"),
    ):
        plant(tmp_path, gain, learned, rng)
        cases = brain_cases("demo", tmp_path / "phantom", tmp_path)
        found = by_claim(cases, "phantom")
        assert (found["1"], found["2"]) == (alignment, best)
        assert set(cases.query("claim == '1' and role == 'test' and data == 'phantom'").case) == {
            "brainlm-2 cortex", "brainlm-2 auditory", "bert cortex", "bert auditory",
        }  # fmt: skip
    assert set(found[["5", "8", "10"]]) == {"not run"} and found["7"] == "cannot be tested"
    real = by_claim(cases, "ds003643")
    assert real.pop("7") == "cannot be tested" and set(real) == {"not tested here"} and "3" not in real
    assert set(drawn(cases, verdicts(cases)).panel) == {"phantom", "real"}


def test_the_same_rows_of_real_recordings_are_no_phantoms(tmp_path):
    plant(tmp_path)
    cases = brain_cases("demo", tmp_path / "ds003643", tmp_path)
    found = by_claim(cases, "ds003643")
    assert "phantom" not in set(cases.data) and (found["1"], found["2"]) == ("holds", "does not show here")
    plant(tmp_path, learned=-0.02, lowest=-0.01)
    cases = brain_cases("demo", tmp_path / "ds003643", tmp_path)
    assert set(by_claim(cases, "ds003643")[["1", "2"]]) == {"no verdict: a control does not pass"}
    assert "not tested here" not in set(verdicts(cases).verdict)


def test_differences_are_turned_and_placebos_taken_off():
    sides = pd.DataFrame({"published": [0.1, -0.1, np.nan], "value": [0.2, 0.2, 9], "lower": 0.1, "upper": 0.4})
    turned = what_holds.left_minus_right_as_printed(sides)
    np.testing.assert_allclose(turned[["value", "lower", "upper"]], [[0.2, 0.1, 0.4], [-0.2, -0.4, -0.1]])
    gains = {"after": (0.3, 0.4, 0.6), "shuffled": (0.2, 0.2, 0.3)}  # differences .1, .2, .3
    rows = [("EN", n, "cortex", model, value) for model, values in gains.items() for n, value in enumerate(values)]
    table = pd.DataFrame(rows, columns=["language", "participant", "group", "model", "value"])
    gain = what_holds.change_minus_placebo(table).iloc[0]
    assert gain.value == pytest.approx(0.2) and gain.upper - 0.2 == pytest.approx(4.303 * 0.1 / 3**0.5, rel=1e-3)


def test_what_brains_are_worth_is_a_difference_of_losses_over_seeds():
    losses = {"real": (1.0, 1.1, 1.2), "shuffled": (1.1, 1.3, 1.5), "none": (1.0, 1.1, 1.2)}
    rows = [
        (seed, name, "words, brain in view", value)
        for name, three in losses.items()
        for seed, value in enumerate(three)
    ]
    table = pd.DataFrame([*rows, (0, "real", "words alone", 9.0)], columns=["seed", "brain", "measure", "value"])
    gain = what_holds.gain_from_brains(table).set_index("case")
    assert gain.value["shuffled"] == pytest.approx(0.2) and gain.value["none"] == 0
    assert gain.upper["shuffled"] - 0.2 == pytest.approx(4.303 * 0.1 / 3**0.5, rel=1e-3)


def test_a_study_without_results_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="no results"):
        brain_cases("demo", tmp_path, tmp_path)
    with pytest.raises(ConfigurationError, match="study: demo"):
        brain_cases("", tmp_path, tmp_path)


def test_every_test_of_a_claim_reads_a_table_that_its_chapter_saves():
    entries = [
        entry
        for name in ("demo", "paper")
        for entry in yaml.safe_load((ROOT / f"studies/{name}.yaml").read_text())["runs"]
    ]
    chapter_of = {entry.get("name", entry["chapter"]): entry["chapter"] for entry in entries}
    demo, paper = (entry["after"] for entry in entries if entry["chapter"] == "what_holds_brains")
    benchmarks = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").glob("*.py"))
    for spec in published.claims().query("role != 'none'").itertuples():
        table = what_holds.DERIVED.get(spec.table, (spec.table, None))[0]
        if not spec.run:
            assert f'archive_table("{spec.study}", "{table}"' in benchmarks
            continue
        notebook = (ROOT / f"notebooks/{chapter_of[spec.run]}.md").read_text(encoding="utf-8")
        assert f'"{table}")' in notebook, (spec.claim, spec.table)
        assert spec.study or spec.run in demo, spec
        assert spec.study or spec.data == "phantom" or spec.run in paper, spec


def archive_claim(root, names, verdict="holds in part", study="digits", place=0):
    """Archive a claim, the first, as decided by these criteria: of the first two the second is open."""
    claim = criteria().claim.unique()[place]
    decided = pd.DataFrame({"claim": claim, "criterion": names, "kind": "above", "value": 5.0, "difference": 0.3})
    decided = decided.assign(lower=0.2, upper=0.4)
    decided.loc[1, ["difference", "lower", "upper", "kind"]] = 0.1, -0.1, 0.3, "above"
    decided.loc[2, "kind"] = "permutation"
    archive_table(study, "criteria", decided, "make", root=root)
    table = pd.DataFrame({"claim": [claim], "verdict": verdict, "criteria met": "1 of 3"})
    archive_table(study, "claims", table, "make", root=root)
    return claim.split(" ")[0]


def test_claims_on_number_sense_keep_the_verdict_of_their_study(tmp_path):
    names = criteria().query("claim == claim.iloc[0]").criterion.tolist()
    number = archive_claim(tmp_path, names)
    cases = number_cases(["digits", "mnist"], tmp_path / "results", tmp_path)
    table = verdicts(cases).set_index(["data", "claim"])
    first = table.loc[("digits", number)]
    assert (first.verdict, first.met, first.case, first.value) == ("holds in part", "1 of 3", names[1], 0.1)
    assert len(cases.query("data == 'digits' and value == value")) == len(names) - 1  # permutations are not drawn
    rest = table.drop(("digits", number))
    assert set(rest.verdict) == {"not run"} and len(table) == 2 * criteria().claim.nunique()


def test_what_a_study_leaves_out_is_decided_by_the_study_that_completes_it(tmp_path):
    claims = criteria().claim.unique()
    names = {claim: criteria().query("claim == @claim").criterion.tolist() for claim in claims[-2:]}
    archive_claim(tmp_path, names[claims[-2]], "holds", place=-2)
    archive_claim(tmp_path, names[claims[-1]], "holds in part", "more", place=-1)
    cases = number_cases(["digits", "mnist"], tmp_path / "results", tmp_path, completed_by={"digits": "more"})
    table = verdicts(cases).set_index(["data", "claim"]).verdict
    short = [claim.split(" ")[0] for claim in claims]
    assert (table["digits", short[-2]], table["digits", short[-1]]) == ("holds", "holds in part")
    assert (table.drop([("digits", short[-2]), ("digits", short[-1])]) == "not run").all()
    assert cases.claim.unique().tolist() == short  # in the order of the criteria
    archive_claim(tmp_path, names[claims[-2]], "does not show here", "other", place=-2)
    cases = number_cases(["digits"], tmp_path / "results", tmp_path, completed_by={"digits": "other"})
    assert verdicts(cases).set_index("claim").verdict[short[-2]] == "holds"  # its own verdict goes first


@pytest.mark.parametrize("other", [slice(0, -1), slice(0, None)])
def test_claims_decided_by_other_criteria_were_not_run(tmp_path, other):
    names = criteria().query("claim == claim.iloc[0]").criterion.tolist()
    archive_claim(tmp_path, names[other] if other.stop else [*names, "one that is asked no more"])
    assert set(verdicts(number_cases(["digits"], tmp_path / "results", tmp_path)).verdict) == {"not run"}
