"""On noise, leaks show and careful choices do not; every choice runs, and what cannot be made is left out."""

import matplotlib

matplotlib.use("Agg")

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.signal import lfilter
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from brainbook.chapters.pitfalls.measures import (
    _refit_echoes,
    average_scores,
    classify_protocols,
    compare_tests,
    null_inflation,
    pearson_p,
    score_edges,
    score_protocols,
    select_targets,
    summarise,
    with_shifted_copies,
)
from brainbook.chapters.pitfalls.protocols import (
    ALPHAS,
    NO_LEAK,
    PROTOCOLS,
    EncodingData,
    all_together,
    echo_split,
    layer_inside,
    layer_on_test,
    published_protocol,
    quiet,
    reference_protocol,
    untrimmed_edges,
)
from brainbook.encoding import Permutations, blocks_with_gaps, cross_validate, delay, published_split
from brainbook.plots import called_significant, inflation, null_scores, score_by_trim


def nothing(seed=0, n_runs=5, length=40, targets=40):
    """Slow noise, read three times with a little heat, and features that have nothing to do with it."""
    rng = np.random.default_rng(seed)
    n = n_runs * length
    slow = lfilter([1], [1, -0.95], rng.standard_normal((n_runs, length, targets)), axis=1)
    slow = ((slow - slow.mean(1, keepdims=True)) / slow.std(1, keepdims=True)).reshape(n, targets)
    noise = rng.standard_normal((n, targets))
    echoes = np.stack([noise + 0.5 * rng.standard_normal(noise.shape) for _ in range(3)])
    features = lfilter([1], [1, -0.9], rng.standard_normal((4, n, 6)), axis=1)
    return EncodingData(
        layers=features,
        layer=1,
        runs=np.repeat(np.arange(n_runs), length),
        responses=noise,
        single=features[0],
        zeros=features[0],
        unfiltered=slow,
        echoes=echoes,
        raw_echoes=10_000 + 100 * echoes,
    )


@pytest.fixture(scope="module")
def measured():
    return score_protocols(nothing(), n_permutations=20)


def test_leaks_make_something_of_nothing_and_other_choices_do_not(measured):
    assert list(measured.choice.unique()) == list(PROTOCOLS)
    r = summarise(measured).set_index("choice").mean_r
    leaks = ["echoes 1 and 2 train, 3 tests", "all published choices", "shuffled folds, no high-pass"]
    assert (r[leaks] > 0.1).all()
    assert r["layer chosen on test scores"] > r["layer chosen inside training"] + 0.03
    harmless = [
        "reference",
        "single words, no context",
        "untrimmed edges, delays over borders",
        "min-max scaling, test by itself",
    ]
    assert (r[harmless].abs() < 0.05).all()


def test_the_refitted_null_keeps_its_level_where_the_score_is_inflated(measured):
    table = summarise(measured).set_index("choice")
    assert table.share_p_scans["shuffled folds, no high-pass"] > 0.5
    assert table.share_p_null["shuffled folds, no high-pass"] < 0.25
    echoed = ["echoes 1 and 2 train, 3 tests", "all published choices"]
    assert (table.share_p_scans[echoed] > 0.5).all() and (table.share_p_null[echoed] < 0.25).all()


def test_a_refit_of_echoes_is_a_new_fit():
    data = replace(nothing(3, n_runs=3, targets=6), trim=3)
    for protocol in (echo_split, all_together):
        x, echoes, ((train, tests),), _ = protocol(data).pipeline
        n, alpha = len(x), 50.0
        found = _refit_echoes(x, echoes, data.runs, alpha, (train, tests), n_permutations=4, seed=5)
        used = np.unique(np.concatenate([train, *tests]) % n)
        draws = Permutations(data.runs[used], "shift", 4, 5)
        moved = list(draws.of(torch.as_tensor(used[:, None])))[2][:, 0, 0].numpy()  # which scan stands where
        order = np.arange(n)
        order[used] = moved
        for r, readings in ((found.score, echoes), (found.null[2], echoes[:, order])):
            stacked = np.concatenate(list(readings))
            fit = Ridge(alpha).fit(x[train % n], stacked[train])
            expected = np.tanh(np.mean([np.arctanh(_r(fit.predict(x[t % n]), stacked[t])) for t in tests], axis=0))
            np.testing.assert_allclose(r, expected, atol=2e-4)


def _r(first, second):
    return [np.corrcoef(a, b)[0, 1] for a, b in zip(first.T, second.T, strict=True)]


@pytest.mark.parametrize("five_folds", [False, True])
def test_the_published_split_is_scikit_learns_ridge_on_its_rows(five_folds):
    """The penalty by one fifth of echoes 1 and 2, or by each fifth in turn; a tenth of echo 3 tests."""
    data = replace(nothing(4, n_runs=3, length=30, targets=3), trim=4)
    x, inner = data.delayed(data.features)[data.inner], data.inner
    stacked = np.concatenate(list(data.echoes[:, inner]))
    split = published_split(len(inner), seed=0)
    assert len(split.validation) == round(0.2 * 2 * len(inner)) and split.test.min() >= 2 * len(inner)
    rows = np.concatenate([split.train, split.validation])
    folds = [(np.arange(len(split.train)), np.arange(len(split.train), len(rows)))]
    folds = list(KFold(5, shuffle=True, random_state=0).split(rows)) if five_folds else folds

    def fitted(scans, alpha):
        scale = StandardScaler().fit(x[scans % len(inner)])
        ridge = Ridge(alpha).fit(scale.transform(x[scans % len(inner)]), stacked[scans])
        return lambda test: _r(ridge.predict(scale.transform(x[test % len(inner)])), stacked[test])

    chosen = np.mean([[fitted(rows[a], alpha)(rows[b]) for alpha in ALPHAS] for a, b in folds], axis=0).argmax(0)
    expected = [fitted(rows, ALPHAS[best])(split.test)[target] for target, best in enumerate(chosen)]
    np.testing.assert_allclose(published_protocol(data, five_folds).r, expected, atol=1e-3)


def spoken(rng, length=60, n_runs=5):
    """Runs in which speech begins after four scans and ends four before the last; responses follow that alone."""
    runs = np.repeat(np.arange(n_runs), length)
    bit = ((np.arange(length) >= 4) & (np.arange(length) < length - 4)).astype(float)
    response = delay(bit[:, None], (2,))[:, 0]
    bit, response = np.tile(bit, n_runs)[:, None], np.tile(response, n_runs)[:, None]
    states = rng.standard_normal((len(runs), 5)) + 3
    responses = np.concatenate([response + 0.5 * rng.standard_normal((len(runs), 8)),
                                rng.standard_normal((len(runs), 8))], axis=1)  # fmt: skip
    return EncodingData(states[None] * bit, 0, runs, responses), states, bit


def test_edges_of_runs_make_a_score_that_trimming_takes_away(rng):
    data, states, bit = spoken(rng)
    filled = np.where(bit > 0, states, states.mean(0))
    features = {("model", "zeros"): states * bit, ("model", "centred"): filled}
    features |= {("speech or silence", coding): bit for coding in ("zeros", "centred")}
    masks = {"hears": np.arange(16) < 8, "silent": np.arange(16) >= 8}
    table = score_edges(features, data, masks, (0, 8))
    r = table.set_index(["features", "coding", "trim", "group"]).r
    assert r["model", "zeros", 0, "hears"] > 0.4 and r["speech or silence", "centred", 0, "hears"] > 0.4
    assert abs(r["model", "centred", 8, "hears"]) < 0.1 and abs(r["model", "zeros", 0, "silent"]) < 0.1
    assert np.isnan(r["speech or silence", "zeros", 8, "hears"])  # nothing but speech is left
    one = quiet(cross_validate, filled, data.responses, data.runs, data.delays, ALPHAS, trim=8).scores
    assert r["model", "centred", 8, "hears"] == pytest.approx(one[:8].mean())
    figure = score_by_trim(table, 8, value="r", coding="coding", columns=2)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["hears", "silent"] and len(figure.axes[0].lines) == 6


def test_the_reference_protocol_trims_and_centres(rng):
    data, states, bit = spoken(rng)
    kept, trimmed = untrimmed_edges(data), reference_protocol(replace(data, trim=8))
    assert kept.r[:8].mean() > 0.4 and abs(trimmed.r[:8].mean()) < 0.1
    assert kept.n == 300 and trimmed.n == 300 - 5 * 16
    single_run = replace(data, trim=8, runs=np.zeros(300), splits=blocks_with_gaps(300, 4, gap=6))
    used = np.unique(np.concatenate([np.concatenate(split) for split in single_run.folds]))
    np.testing.assert_array_equal(used, np.arange(8, 292))
    moved = replace(data, trim=8, layers=data.layers + 100)
    np.testing.assert_allclose(reference_protocol(moved).r, trimmed.r, atol=1e-4)


def test_tests_of_the_reference_score():
    table = summarise(compare_tests(nothing(1), 60), "test").set_index("test")
    assert len(table) == 6 and table.mean_r.nunique() == 1
    assert table.share_p["refitted permutations"] < 0.2 < table.share_p["Pearson's p, n = vertices"]
    assert table.share_p["corrected t-test over runs"] <= table.share_p["t-test over runs"]


def test_a_single_run_leaves_out_what_it_does_not_have():
    data = nothing(2, n_runs=1, length=200, targets=8)
    data = EncodingData(data.layers, 1, data.runs, data.responses, splits=blocks_with_gaps(200, 4, gap=6))
    names = set(score_protocols(data, n_permutations=0).choice)
    assert "reference" in names and not {"untrimmed edges, delays over borders", "all published choices"} & names


def test_averages_of_what_passes():
    r, p = np.array([0.5, 0.3, -0.2, 0.0]), np.array([1e-6, 1e-6, 0.9, 0.5])
    table = average_scores(r, p).set_index("average").value
    assert table.tolist() == pytest.approx([0.15, 0.4, 0.2])
    assert np.isnan(average_scores(r, np.ones(4)).value[1])


def test_pearsons_p_is_scipys(rng):
    from scipy.stats import pearsonr

    x, y = rng.standard_normal((2, 30))
    expected = pearsonr(x, y, alternative="greater")
    assert pearson_p(np.array([expected.statistic]), 30)[0] == pytest.approx(expected.pvalue)


def test_shifted_copies_are_the_same_scans_at_other_times():
    data = nothing()
    more = with_shifted_copies(data, 2, seed=3)
    assert more.responses.shape == (200, 120) and more.raw_echoes.shape == (3, 200, 120)
    np.testing.assert_array_equal(more.responses[:, :40], data.responses)
    alone = with_shifted_copies(data, 2, seed=3, original=False)
    np.testing.assert_array_equal(alone.echoes, more.echoes[:, :, 40:])
    for run in range(5):
        part = slice(40 * run, 40 * (run + 1))
        own, copy = data.responses[part], more.responses[part, 80:]
        shift = int(np.flatnonzero(np.isclose(own[:, 0], copy[0, 0]))[0])
        np.testing.assert_array_equal(np.roll(own, -shift, axis=0), copy)
        np.testing.assert_array_equal(np.roll(data.echoes[2][part], -shift, axis=0), more.echoes[2][part, 80:])


def test_the_verdict_tells_harm_from_nothing():
    data = with_shifted_copies(nothing(), 3)
    table = null_inflation(score_protocols(data, n_permutations=5, n_refitted=40), 40)
    assert table.choice.tolist() == list(PROTOCOLS) and (table.lower <= table.upper).all()
    something = pd.Series(0.1, index=list(PROTOCOLS))
    something["single words, no context"] = 0.02
    verdict = classify_protocols(table, something, chance=0.05).set_index("choice").verdict
    assert verdict["reference"] == "what the others are measured from"
    assert verdict["echoes 1 and 2 train, 3 tests"] == verdict["layer chosen on test scores"] == "harms"
    assert verdict["single words, no context"] == "costs power"
    assert verdict["untrimmed edges, delays over borders"] == "does nothing"


def test_what_leaks_is_not_asked_what_it_costs():
    data = with_shifted_copies(nothing(), 2)
    table = score_protocols(data, n_permutations=0, protocols=NO_LEAK)
    assert set(table.choice) == set(NO_LEAK)
    something = pd.Series(0.1, index=list(NO_LEAK))
    verdict = classify_protocols(
        null_inflation(score_protocols(data, n_permutations=0), 40), something, chance=0.05
    ).set_index("choice")
    assert verdict.loss.isna()[[name for name in PROTOCOLS if name not in NO_LEAK]].all()
    assert not (verdict.verdict == "costs power").any()


def test_some_targets_can_be_taken():
    data = select_targets(nothing(), slice(0, 5))
    assert data.responses.shape[1] == 5 and data.echoes.shape[2] == 5 and data.layers.shape == nothing().layers.shape
    assert reference_protocol(data).r.shape == layer_inside(data).r.shape == (5,)
    assert (layer_on_test(data).r >= reference_protocol(data).r - 1e-9).all()


def test_figures_show_every_row(measured):
    table = summarise(measured).assign(data="null phantom")
    figure = inflation(table)
    assert [label.get_text().replace("\n", " ") for label in figure.axes[0].get_yticklabels()] == list(PROTOCOLS)
    figure = called_significant(table, "choice", {"share_p_scans": "Pearson", "share_p_null": "refitted"})
    assert len(figure.axes[0].get_legend().get_texts()) == 2
    scores = {name: part.r.to_numpy() for name, part in measured.groupby("choice", sort=False)}
    assert len(null_scores(scores).axes) == len(PROTOCOLS)
