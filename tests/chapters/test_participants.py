"""Group statistics against scipy, statsmodels and the sums of squares of a balanced table."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from brainbook.chapters.participants import group, mixed_model, phantoms
from brainbook.errors import ConfigurationError
from brainbook.plots import shrinking_interval
from brainbook.workflow import start_run

ONE, TWO = {"model": "one"}, {"model": "two"}


def scores(rng, participants=8, sections=9, languages=("EN",), shift=0.05, person=0.05, section=0.03, rest=0.04):
    """Two models; the first is better by `shift`, by another amount in every participant and every section."""
    rows = []
    for language in languages:
        of_section = rng.normal(0, section, sections)
        for number in range(participants):
            own = shift + rng.normal(0, person)
            for run in range(1, sections + 1):
                base = rng.normal(0.1, 0.02)
                z = base + own + of_section[run - 1] + rng.normal(0, rest)
                for model, value in (("one", z), ("two", base)):
                    name = f"sub-{language}{number:03d}"
                    rows.append((language, name, run, "cortex", model, "VLA", np.tanh(value)))
    return pd.DataFrame(rows, columns=[*group.KEY, "value"])


def test_scores_of_runs_are_gathered_once_and_contradictions_named(rng, tmp_path):
    table = scores(rng, participants=2)
    for number, (name, part) in enumerate(table.groupby("participant")):
        start_run("alignment", tmp_path / f"gathered/{number}", parameters={"who": name}).save(part, "scores_by_group")
    on_another_device = table.assign(value=table.value + 1e-6)
    start_run("alignment", tmp_path / "gathered/both").save(on_another_device, "scores_by_group")
    found = group.gather_scores("gathered", root=tmp_path)
    pd.testing.assert_frame_equal(
        found.sort_values(group.KEY, ignore_index=True), table.sort_values(group.KEY, ignore_index=True)
    )
    other = table.assign(value=table.value + 0.1)
    start_run("alignment", tmp_path / "gathered/other").save(other, "scores_by_group")
    with pytest.raises(ConfigurationError, match="disagree about language EN, participant sub-EN000, run 1"):
        group.gather_scores("gathered", root=tmp_path)
    start_run("x", tmp_path / "bad/x").save(table.drop(columns="model"), "scores_by_group")
    with pytest.raises(ConfigurationError, match="lacks the columns model"):
        group.gather_scores("bad", root=tmp_path)


def test_means_and_intervals_are_those_of_scipy(rng):
    participants = group.mean_over_runs(scores(rng, participants=6, languages=("EN", "FR")))
    gain = group.paired_differences(participants, ONE, TWO)
    found = group.group_intervals(group.with_all(gain)).set_index("language")
    assert list(found.index) == ["EN", "FR", "all"] and list(found.n) == [6, 6, 12]
    wide = participants.pivot(index=["language", "participant"], columns="model", values="value")
    test = stats.ttest_rel(wide.one, wide.two)
    assert found.loc["all", "p"] == pytest.approx(test.pvalue)
    assert tuple(found.loc["all", ["lower", "upper"]]) == pytest.approx(tuple(test.confidence_interval(0.95)))
    exact = stats.permutation_test((gain.value,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert found.loc["all", "p_flip"] == pytest.approx(exact.pvalue)
    assert list(found.q) == pytest.approx(list(stats.false_discovery_control(found.p)))


def test_a_participant_s_score_is_the_mean_over_runs_by_fisher_s_z(rng):
    table = scores(rng, participants=1).query("model == 'one'")
    assert group.mean_over_runs(table).value[0] == pytest.approx(np.tanh(np.arctanh(table.value).mean()))


def test_one_participant_has_a_mean_and_nothing_else(rng):
    found = group.group_intervals(group.mean_over_runs(scores(rng, participants=1)), by=["model"])
    assert found.value.notna().all() and found[["spread", "lower", "p", "q"]].isna().all(axis=None)


def test_the_mixed_model_is_the_analysis_of_variance_of_a_balanced_table(rng):
    table = scores(rng, participants=10, sections=9)
    found = mixed_model.mixed_difference(table, ONE, TWO).iloc[0]
    wide = table.pivot(index=["participant", "run"], columns="model", values="value").pipe(np.arctanh)
    z = (wide.one - wide.two).unstack().to_numpy()  # participants, sections
    n, m = z.shape
    left = z - z.mean(1, keepdims=True) - z.mean(0) + z.mean()
    rest = (left**2).sum() / ((n - 1) * (m - 1))
    person, section = m * z.mean(1).var(ddof=1), n * z.mean(0).var(ddof=1)
    assert min(person, section) > rest, "else a spread would sit at its limit, and the formula would not hold"
    error = np.sqrt((person + section - rest) / (n * m))
    assert found["value"] == pytest.approx(z.mean())
    assert found.upper - found["value"] == pytest.approx(stats.t.ppf(0.975, m - 1) * error, rel=0.01)
    assert found.sd_participant == pytest.approx(np.sqrt((person - rest) / m), rel=0.02)
    assert found.sd_section == pytest.approx(np.sqrt((section - rest) / n), rel=0.02)
    assert found.sd_rest == pytest.approx(np.sqrt(rest), rel=0.02)
    assert found.converged and found.n == 10


def test_languages_weigh_alike_in_the_mixed_model(rng):
    table = scores(rng, participants=6, languages=("EN", "FR", "CN"))
    table = table[(table.language != "CN") | table.participant.isin(["sub-CN000", "sub-CN001"])]
    found = mixed_model.mixed_difference(table, ONE, TWO).iloc[0]
    wide = table.pivot(index=["language", "participant", "run"], columns="model", values="value").pipe(np.arctanh)
    by_language = (wide.one - wide.two).groupby("language").mean()
    assert found["value"] == pytest.approx(by_language.mean(), abs=1e-6)


def test_with_languages_fixed_the_interval_is_that_of_their_least_squares_mean(rng):
    import statsmodels.formula.api as formula

    gain = group.paired_differences(
        group.mean_over_runs(scores(rng, participants=5, languages=("EN", "FR", "CN"))), ONE, TWO
    )
    gain = gain[gain.participant != "sub-CN004"]
    fit = formula.ols("value ~ C(language, Sum)", gain).fit()
    found = mixed_model.within_languages(gain).iloc[0]
    assert found["value"] == pytest.approx(fit.params["Intercept"])
    assert (found.lower, found.upper) == pytest.approx(tuple(fit.conf_int().loc["Intercept"]))


def test_no_interval_covers_what_it_leaves_out():
    """Spreads between sections break an interval over participants, between languages the mixed model's too."""
    alike = mixed_model.coverage((0, 0.05, 0, 0.05), (3, 5, 9), 2000).set_index("interval")
    assert ((alike.drop(columns="width") > 0.93) & (alike.drop(columns="width") <= 1)).all(axis=None)
    sections = mixed_model.coverage((0, 0.02, 0.05, 0.05), (3, 5, 9), 2000).set_index("interval")
    assert sections["this story"]["within"] > 0.93 and sections["these languages"]["within"] < 0.85
    assert 0.93 < sections["these languages"]["mixed"] <= 0.99
    languages = mixed_model.coverage((0.05, 0.03, 0.02, 0.05), (3, 5, 9), 2000).set_index("interval")
    assert languages["these languages"]["mixed"] > 0.93 and languages["other languages"]["mixed"] < 0.7
    assert languages.width["pooled"] > 1.2 * languages.width["mixed"] and languages["other languages"]["pooled"] < 0.9


def test_the_simulated_study_is_like_this_one(rng):
    table = scores(rng, participants=4, languages=("EN", "FR"))
    gain = group.paired_differences(group.mean_over_runs(table), ONE, TWO)
    spreads, sizes = mixed_model.like_this_study(mixed_model.mixed_difference(table, ONE, TWO), gain, 9)
    assert sizes == (2, 4, 9) and spreads[0] == pytest.approx(gain.groupby("language").value.mean().std())


def test_the_simulated_mixed_interval_is_that_of_the_model(rng):
    """The width that `coverage` takes from sums of squares, against REML on tables drawn alike."""
    wide = [
        mixed_model.mixed_difference(
            scores(rng, participants=4, languages=("EN", "FR", "CN"), section=0.05), ONE, TWO
        ).iloc[0]
        for _ in range(8)
    ]
    simulated = mixed_model.coverage((0, 0.05, 0.05, 0.04), (3, 4, 9), 2000).set_index("interval")
    assert np.mean([row.upper - row.lower for row in wide]) == pytest.approx(simulated.width["mixed"], rel=0.2)


def test_what_participants_share_is_made_a_ceiling(rng):
    """Three participants who share a tenth of their variance: inter-subject .14, a perfect model .32."""
    names = [f"sub-EN{i:03d}" for i in range(3)]
    shared = pd.DataFrame(
        [("EN", name, "cortex", value) for name, value in zip(names, (0.13, 0.14, 0.13484), strict=True)],
        columns=["language", "participant", "group", "value"],
    )
    perfect = group.perfect_models(shared)
    s = 0.1
    assert perfect.intersubject[0] == pytest.approx(np.sqrt(s * 2 * s / (1 + s)), abs=2e-4)
    assert perfect.value[0] == pytest.approx(np.sqrt(s), abs=1e-3)


def test_who_wins_for_how_many(rng):
    table = scores(rng, participants=12, shift=0.3, person=0.01)
    found = group.winners(group.mean_over_runs(table)).set_index("model")
    assert found.n.to_dict() == {"one": 12, "two": 0}
    test = stats.binomtest(12, 12)
    assert tuple(found.loc["one", ["lower", "upper"]]) == pytest.approx(tuple(test.proportion_ci(method="exact")))
    assert found.p.iloc[0] == pytest.approx(test.pvalue, abs=5e-4)
    assert group.winner_repeats(table).iloc[0][["n", "of", "chance"]].tolist() == [12, 12, 0.5]


@pytest.mark.integration
def test_without_a_difference_winners_are_seldom_significant(rng):
    p = [
        group.winners(
            pd.DataFrame(
                [("EN", who, "cortex", model, rng.normal()) for who in range(15) for model in "abc"],
                columns=["language", "participant", "group", "model", "value"],
            ),
            n_draws=999,
        ).p.iloc[0]
        for _ in range(200)
    ]
    assert np.mean(np.array(p) <= 0.05) < 0.1


def test_models_are_compared_only_where_everybody_has_them(rng):
    participants = group.mean_over_runs(scores(rng, participants=3))
    with pytest.raises(ConfigurationError, match=r"sub-EN000 \(EN\) has no score of one"):
        group.winners(participants.iloc[1:] if participants.model[0] == "one" else participants.iloc[:-1])
    with pytest.raises(ConfigurationError, match="choose one alignment"):
        group.winners(pd.concat([participants, participants.assign(alignment="FLA")]))
    with pytest.raises(ConfigurationError, match="no participant has both"):
        group.paired_differences(participants, ONE, {"model": "three"})


@pytest.mark.parametrize("effect, power", [(0.3, 0.8), (0.5, 0.9), (1.5, 0.8), (3.0, 0.8), (30.0, 0.8)])
def test_participants_needed_reach_the_power_and_no_fewer_do(effect, power):
    from statsmodels.stats.power import TTestPower

    n = group.participants_needed(-0.01 * effect, 0.01, power)
    found = TTestPower()
    assert found.power(effect, n, 0.05) >= power
    assert n == 3 or found.power(effect, n - 1, 0.05) < power


def test_a_spread_at_zero_is_no_failure(rng):
    for _ in range(3):
        found = mixed_model.mixed_difference(
            scores(rng, participants=6, person=0.0, section=0.0, rest=0.1), ONE, TWO
        ).iloc[0]
        assert found.converged and found.sd_participant < 0.05 and found.sd_rest == pytest.approx(0.1, abs=0.03)


def test_the_spread_of_languages_together_is_that_of_the_analysis_of_variance(rng):
    import statsmodels.formula.api as formula

    gain = group.paired_differences(
        group.mean_over_runs(scores(rng, participants=5, languages=("EN", "FR", "CN"))), ONE, TWO
    )
    spread, n = group.pooled_spread(gain)
    fit = formula.ols("value ~ C(language)", gain).fit()
    assert spread["cortex"] == pytest.approx(np.sqrt(fit.mse_resid)) and n == fit.df_resid + 1
    with pytest.raises(ConfigurationError, match="two participants of a language"):
        group.pooled_spread(gain.drop_duplicates("language"))


def test_the_interval_of_a_spread_covers_it(rng):
    drawn = rng.normal(0, 2.0, size=(2000, 6)).std(axis=1, ddof=1)
    lower, upper = np.array([group.spread_interval(it, 6) for it in drawn]).T
    assert np.mean((lower < 2) & (upper > 2)) == pytest.approx(0.95, abs=0.02)


def test_a_plan_tells_the_interval_that_the_group_will_have(rng):
    values = rng.normal(0.02, 0.01, 9)
    test = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = group.half_widths(values.std(ddof=1), 9, [9, 36])
    assert found.value[0] == pytest.approx((test.high - test.low) / 2)
    assert found.value[1] < found.value[0] / 2 and (found.lower < found.upper).all()
    planned = group.plan(0.02, 9, [0.01, 0.02])
    assert planned.participants[0] > planned.participants[1] and (planned.fewest < planned.most).all()
    ax = shrinking_interval(found.assign(group="cortex"), present=9, band="cortex")
    assert ax.get_xlabel() == "Participants" and len(ax.lines) == 2
    plt.close("all")


def test_sizes_that_show_need_every_group():
    rows = [(150, 1.0, "word", 0.1), (150, 1.0, "topic", -0.1), (300, 1.0, "word", 0.1), (300, 1.0, "topic", 0.1)]
    effects = pd.DataFrame(
        [*rows, (150, 4.0, "word", 0.0), (150, 4.0, "none", -1.0)], columns=["scans", "signal", "group", "lower"]
    )
    assert phantoms.sizes_that_show(effects, ["word", "topic"]).values.tolist() == [[300, 1.0]]
    assert len(phantoms.sizes_that_show(effects, ["word"])) == 2


def test_seeds_are_compared_by_what_their_intervals_say():
    planted = {"gain": (0.1, 0.2), "loss": (-0.1, -0.2), "nothing": (0.0, 0.01), "one alone": (0.1, 0.0)}
    rows = [
        (seed, effect, "EN", "word", value, value - 0.05, value + 0.05)
        for effect, values in planted.items()
        for seed, value in enumerate(values)
    ]
    columns = ["seed", "effect", "language", "group", "value", "lower", "upper"]
    table = phantoms.compare_seeds(pd.DataFrame(rows, columns=columns)).set_index("effect")
    assert table.says.to_dict() == {
        "gain": "above zero",
        "loss": "below zero",
        "nothing": "unclear",
        "one alone": "differ",
    }
    assert table.loc["gain", "seed 1"] == "+0.200 (+0.150 to +0.250)"
