import numpy as np
import pandas as pd
import pytest

from brainbook.numbers.claims import Pick, criteria, judge_criteria, verdicts


def evaluation(value, seeds=3, spread=0.01) -> pd.DataFrame:
    """All that the criteria ask for; `value(pick)` says the mean over seeds of each."""
    picks = [asked.pick for asked in criteria()] + [a.other for a in criteria() if isinstance(a.other, Pick)]
    rows = []
    for pick in dict.fromkeys(picks):
        n = 1 if pick.arm == "pixels" else seeds
        for seed in range(n):
            rows.append(
                {
                    "design": pick.design,
                    "arm": pick.arm,
                    "measure": pick.measure,
                    "source": pick.source,
                    "target": pick.target or pick.source,
                    "factor": pick.factor,
                    "condition": pick.condition,
                    "seed": seed,
                    "value": value(pick) + spread * (seed - (n - 1) / 2),
                }
            )
    return pd.DataFrame(rows)


def test_a_network_that_does_all_the_paper_says():
    def value(pick):
        if pick.arm == "multi" and pick.design != "published":
            return 0.9
        ours = {"multi": 0.8, "private": 0.95}.get(pick.arm, -0.3)
        return ours - 0.5 * (pick.factor == "shape") - 0.6 * ("shuffled" in pick.measure)

    decided = verdicts(judge_criteria(evaluation(value)))
    assert set(decided.verdict) == {"holds"}
    assert len(decided) == 12


def test_a_network_at_chance_does_nothing():
    def value(pick):
        return {"recall": 1 / 9, "association": 1 / 9 if pick.factor == "number" else 0.25}.get(pick.measure, 0.0)

    decided = verdicts(judge_criteria(evaluation(value))).set_index("claim").verdict
    assert set(decided) == {"does not show here", "holds in part"}
    # "only if objects are seen too" keeps its half: with digits alone there is nothing
    assert sorted(name[0] for name in decided.index[decided == "holds in part"]) == ["5", "6"]


def test_intervals_decide_and_not_means():
    judged = judge_criteria(evaluation(lambda pick: 0.3, spread=0.4)).set_index(["claim", "criterion"])
    recall = judged.loc["1 Recalled images keep their number", "objects: accuracy above chance"]
    assert recall.difference > 0
    assert recall.lower < 0 < recall.upper
    assert recall.holds is False


def test_one_seed_tells_nothing():
    judged = judge_criteria(evaluation(lambda pick: 0.5, seeds=1))
    assert judged.holds.isna().all()
    assert set(verdicts(judged).verdict) == {"cannot be told"}


def test_what_was_not_run_is_left_out():
    table = evaluation(lambda pick: 0.5)
    decided = verdicts(judge_criteria(table[table.design == "published"]))
    assert not any(name.startswith(("B", "C")) for name in decided.claim)


def test_limits_that_criteria_are_held_against():
    others = {(a.claim[0], a.what): a.other for a in criteria() if not isinstance(a.other, Pick)}
    assert others["1", "objects: accuracy above chance"] == pytest.approx(1 / 9)
    assert others["8", "objects: above guessing the nearest number"] == pytest.approx(112 / 336)
    assert np.isclose(others["C", "objects to digits: colour, above chance"], 0.25)
