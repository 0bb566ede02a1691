"""The chapter `alignment`: who is scored, scores without edges, gains and chance, ours beside the published table."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brainbook.chapters import Features, published
from brainbook.chapters.alignment import (
    chance_by_group,
    compare_signal,
    compare_with_published,
    intersubject_correlations,
    interval_over_runs,
    paired_gain,
    scores_by_trim,
    select_participants,
)
from brainbook.chapters.shared import TRIM
from brainbook.datasets import functional_groups
from brainbook.datasets.atlas import embedded_destrieux
from brainbook.encoding import cross_validate
from brainbook.errors import ConfigurationError
from brainbook.phantom.brain import plan_regions
from brainbook.stats import compare_runs, fisher_mean, noise_ceiling, run_interval

CHAPTER = Path(__file__).parents[2] / "notebooks" / "alignment.md"
MODELS = ["tiny-albert-v1", "tiny-albert-v2", "tiny-brainlm-1", "tiny-brainlm-2"]
NAMES = {"EN": [f"sub-EN{n:03}" for n in range(1, 6)], "FR": ["sub-FR001"]}


@pytest.fixture
def prince():
    return SimpleNamespace(root="data/somewhere", participants=NAMES.__getitem__)


def test_without_a_name_the_first_of_each_language_are_scored(prince):
    scored, read = select_participants(prince, ["EN", "FR"], 2)
    assert scored == read == {"EN": ["sub-EN001", "sub-EN002"], "FR": ["sub-FR001"]}


def test_one_participant_is_scored_beside_others_of_the_language(prince):
    scored, read = select_participants(prince, ["EN", "FR"], 2, "sub-EN002")
    assert scored == {"EN": ["sub-EN002"]}
    assert read == {"EN": ["sub-EN002", "sub-EN001", "sub-EN003"]}
    assert select_participants(prince, ["FR"], 2, "sub-FR001")[1] == {"FR": ["sub-FR001"]}


def test_an_unknown_participant_is_named_with_those_there_are(prince):
    with pytest.raises(ConfigurationError, match=r"sub-EN009' is not among those of EN, FR in data/somewhere: sub-EN0"):
        select_participants(prince, ["EN", "FR"], 2, "sub-EN009")


def test_ceilings_are_of_those_scored_and_unknown_for_one_alone(rng):
    responses = rng.standard_normal((4, 50, 3)) + rng.standard_normal((50, 3))
    np.testing.assert_allclose(intersubject_correlations(responses, 4), noise_ceiling(responses))
    np.testing.assert_allclose(
        intersubject_correlations(responses, 2), fisher_mean(noise_ceiling(responses, keep="each")[:2])
    )
    assert np.isnan(intersubject_correlations(responses[:1], 1)).all()


def test_inter_subject_correlations_are_taken_where_scores_are(rng):
    runs = np.repeat([1, 2], 40)
    responses = rng.standard_normal((3, 80, 4))
    edge = np.tile(np.r_[np.ones(TRIM), np.zeros(40 - 2 * TRIM), np.ones(TRIM)], 2)[:, None]
    inner = np.flatnonzero(edge[:, 0] == 0)
    expected = noise_ceiling(responses[:, inner], runs[inner])
    np.testing.assert_allclose(intersubject_correlations(responses + 100 * edge, 3, runs), expected)
    assert intersubject_correlations(responses + 100 * edge, 3, runs, trim=0).min() > 0.99


def test_chance_is_that_of_the_scans_that_are_scored(rng):
    """Speech begins and ends with the recording, and nothing else is there: beyond the edges no score is left."""
    runs, place = np.repeat([1, 2, 3, 4], 50), np.tile(np.arange(50), 4)
    speech = ((place > 1) & (place < 46)).astype(float)[:, None]
    features = Features((speech + 0.05 * rng.standard_normal((200, 3))).astype(np.float32)[None], runs)
    responses = 3 * np.roll(speech, 1, axis=0) + rng.standard_normal((2, 200, 6))
    masks = {"all": np.ones(6, bool)}
    trimmed, whole = (chance_by_group(features, 0, responses, masks, n_permutations=99, trim=t) for t in (TRIM, 0))
    assert whole.value.item() > 0.3 and whole.p.item() <= 0.05 and trimmed.p.item() > 0.05


def test_scores_by_trim_are_those_of_cross_validation(rng):
    runs = np.repeat([1, 2, 3], 50)
    wide = Features([rng.standard_normal((150, 2)), rng.standard_normal((150, 3))], runs)
    layers = Features(rng.standard_normal((2, 150, 4)), runs)
    responses = rng.standard_normal((2, 150, 5))
    members = {"all": np.ones(5, bool), "two": np.arange(5) < 2}
    table = scores_by_trim({"wide": wide, "layers": layers}, responses, members, trim=6, trims=(0,))
    for name, values in {"wide": np.hstack(wide.values), "layers": layers.values[1]}.items():
        for trim in (0, 6):
            scores = np.mean(
                [cross_validate(values, one, runs, alphas=1e3, trim=trim).scores for one in responses], axis=0
            )
            rows = table[(table.features == name) & (table.trim == trim)].set_index("group").value
            np.testing.assert_allclose([rows["all"], rows["two"]], [scores.mean(), scores[:2].mean()], atol=1e-6)
    long = scores_by_trim({"layers": layers}, responses, members, trim=6, trims=(0, 20, 21))
    assert set(long.trim) == {0, 6, 20}, "with 21 left out at each edge 8 of 50 scans remain: too few for a score"


CONDITIONS = {"alignment": "VLA"}, {"alignment": "FLA"}


def table_of(values):
    """values : array [participants, runs, alignments]"""
    rows = [
        {"group": "cortex", "participant": f"p{i}", "run": j + 1, "alignment": alignment, "value": values[i, j, k]}
        for i, j in np.ndindex(values.shape[:2])
        for k, alignment in enumerate(("VLA", "FLA"))
    ]
    table = pd.DataFrame(rows)
    other = table.assign(group="visual", value=table.value * (table.alignment == "VLA"))
    return pd.concat([table, other], ignore_index=True)


def test_the_gain_of_several_has_students_interval(rng):
    values = rng.normal(0.1, 0.05, (5, 9, 2))
    cortex, visual = paired_gain(table_of(values), *CONDITIONS).itertuples()
    expected = stats.ttest_rel(*values.mean(axis=1).T).confidence_interval()
    np.testing.assert_allclose([cortex.lower, cortex.upper], [expected.low, expected.high])
    assert (cortex.group, cortex.over, visual.group) == ("cortex", "participants", "visual")
    assert visual.value == pytest.approx(values[..., 0].mean())


def test_the_gain_of_one_is_over_runs_and_wider_than_the_naive_interval(rng):
    values = rng.normal(0.1, 0.05, (1, 9, 2))
    cortex, _ = paired_gain(table_of(values), *CONDITIONS).itertuples()
    gain = values[0, :, 0] - values[0, :, 1]
    naive = stats.ttest_1samp(gain, 0).confidence_interval()
    assert cortex.value == pytest.approx(gain.mean())
    assert cortex.lower < naive.low < naive.high < cortex.upper
    assert cortex.over == "runs of one participant"


def test_the_gain_over_runs_is_of_the_participants_mean(rng):
    values = rng.normal(0.1, 0.05, (3, 9, 2))
    mean, several = values.mean(axis=0), paired_gain(table_of(values), *CONDITIONS, over_runs=True)
    expected = compare_runs(mean[:, :1], mean[:, 1:], fisher=False)
    np.testing.assert_allclose(
        several.loc[0, ["value", "lower"]].astype(float), [expected.estimate[0], expected.lower[0]]
    )
    assert several.over.eq("runs of 3 participants' mean").all()


def test_intervals_over_runs_are_of_the_participants_mean(rng):
    scores = SimpleNamespace(fold_scores=rng.uniform(0, 0.3, (3, 9, 4)))
    table = interval_over_runs(scores, {"all": np.ones(4, bool), "two": np.arange(4) < 2}).set_index("group")
    expected = run_interval(scores.fold_scores.mean(axis=(0, 2))[:, None])
    np.testing.assert_allclose(table.loc["all", ["value", "lower"]], [expected.estimate[0], expected.lower[0]])


@pytest.fixture
def scores():
    """Three participants: .1, .2 and .3 in every row; and a control that is in no published table."""
    rows = itertools.product([*MODELS, "word count"], ("VLA", "FLA"), ("cortex", "visual", "auditory", "linguistic"))
    participants = [("FR", "sub-FR001", 0.1), ("EN", "sub-EN058", 0.2), ("EN", "sub-EN057", 0.3)]
    columns = ["model", "alignment", "group", "language", "participant", "value"]
    return pd.DataFrame([(*row, *one) for row in rows for one in participants], columns=columns)


def test_every_published_number_stands_once_beside_ours(scores):
    table = compare_with_published(scores, MODELS)
    assert len(table) == 8 * 4 and table.ours.round(9).eq(20).all()
    wanted = published.alignment().drop(columns=["model", "alignment"]).to_numpy()
    assert sorted(table.published) == sorted(wanted.ravel())
    cell = table.query("model == 'tiny-brainlm-2' and alignment == 'FLA' and group == 'cortex'")
    assert cell.published.item() == 11.78


def test_the_published_models_may_run_alone(scores):
    one = scores[scores.model == MODELS[0]].replace({"model": {MODELS[0]: "albert-xlarge-v1"}})
    assert len(compare_with_published(one, ["albert-xlarge-v1"])) == 8


def test_a_model_without_a_published_row_is_named(scores):
    with pytest.raises(ConfigurationError, match="word count: not in the published table"):
        compare_with_published(scores, ["word count"])


def test_the_first_english_participant_stands_beside_the_published_one(scores):
    assert compare_with_published(scores, MODELS).ours_first.round(9).eq(30).all()
    assert "ours_first" not in compare_with_published(scores[scores.language == "FR"], MODELS)


def test_the_page_says_where_the_published_table_contradicts_itself():
    table = published.alignment().set_index(["model", "alignment"])
    page = " ".join(CHAPTER.read_text(encoding="utf-8").split())
    gain = table.cerebral_cortex.xs("VLA", level=1) - table.cerebral_cortex.xs("FLA", level=1)
    assert list(gain.index[gain <= 0]) == ["BrainLM1.0"]
    vla, fla = (table.cerebral_cortex["BrainLM1.0", alignment] for alignment in ("VLA", "FLA"))
    assert f"BrainLM1.0 has {vla:.2f} under VLA and {fla:.2f} under FLA" in page
    share = functional_groups().region.nunique() / 74
    least = share * table[["visual", "auditory", "linguistic"]].min(axis=1)
    assert list(table.index[table.cerebral_cortex < least]) == [("albert-xlarge-v2", "FLA")]
    row = table.loc["albert-xlarge-v2", "FLA"]
    assert f"The entry {row.cerebral_cortex:.2f} (albert-xlarge-v2, FLA)" in page
    assert (
        f"hold {share:.0%} of the regions and score {row.visual:.2f}, {row.auditory:.2f} and {row.linguistic:.2f}"
        in page
    )
    assert f"would have at least {least['albert-xlarge-v2', 'FLA']:.1f} if" in page
    rest = gain.drop("albert-xlarge-v2").mean()
    assert f"mean gain over the cortex is {gain.mean():+.1f}; without albert-xlarge-v2 it is {rest:+.1f}" in page


def test_a_phantom_of_signal_one_is_as_clean_as_the_real_recordings():
    plans = {signal: plan_regions(embedded_destrieux(), seed=0, signal=signal) for signal in (1.0, 4.0)}
    tables = [compare_signal(SimpleNamespace(regions=plan), {"EN": 3}) for plan in plans.values()]
    (real, strong) = (table.iloc[0] for table in tables)
    assert real.ratio == pytest.approx(1, abs=0.05) and strong.ratio == pytest.approx(4, rel=0.1)
    assert real.group < strong.group < real.real_group == strong.real_group
    driven = plans[4.0].query("driver != 'none'").vertex_share_EN  # three of them, simulated
    simulated = driven / (driven + (1 - driven) / 3)
    assert strong.group == pytest.approx(simulated.mean())
