"""The sentences of the chapter `pitfalls`: what they say follows from the numbers that they are given."""

import numpy as np
import pandas as pd

ECHOES, PUBLISHED = "echoes 1 and 2 train, 3 tests", "all published choices"
ONE_FIFTH, FIVE_FOLDS = "published split, 4 to 1", "published split, five folds"
SHUFFLED, UNFILTERED = "shuffled folds", "shuffled folds, no high-pass"
ON_TEST, INSIDE = "layer chosen on test scores", "layer chosen inside training"
CIRCULAR, SINGLE = "circular delays, 3 to 22 scans", "single words, no context"
BIT = "speech or silence"
LEVEL = 0.05


def describe_leaks(of_nothing: pd.Series, verdict: pd.DataFrame, recordings: int) -> str:
    """What the choices add where nothing is.

    Parameters
    ----------
    of_nothing : mean r of recordings with nothing in them, by choice.
    verdict : from `judge`.
    recordings : how many recordings with nothing in them.
    """
    rows = verdict.set_index("choice")
    sizes = {name: f"{row.moves:+.3f} ({row.lower:+.3f} to {row.upper:+.3f})" for name, row in rows.iterrows()}
    text = (
        f"The squares are recordings with nothing in them, where every distance from zero is a mistake; the careful "
        f"protocol finds {of_nothing['careful']:+.3f} there. What a choice adds is a mean and its 95% interval over "
        f"{recordings} such recordings. "
    )
    if ECHOES in sizes:
        text += (
            f"Training on two echoes and testing on the third adds **{sizes[ECHOES]}**; the published split, one fifth "
            f"validating, {sizes[ONE_FIFTH]}, with five-fold cross-validation {sizes[FIVE_FOLDS]}; all published "
            f"choices together **{sizes[PUBLISHED]}**. "
        )
    else:
        text += "Without raw echoes the published split cannot be made here. "
    leaks = rows.lower[UNFILTERED] > 0
    text += f"Shuffled folds add {sizes[SHUFFLED]}, and without a high-pass {sizes[UNFILTERED]}" + (
        ": neighbouring scans share slow noise, and the shuffle puts one of them on each side. "
        if leaks
        else ": no more than chance in these recordings. "
    )
    chosen = rows.lower[ON_TEST] > max(rows.moves[INSIDE], 0)
    return text + (
        f"Choosing each vertex's layer on test scores adds {sizes[ON_TEST]}, choosing it inside the training runs "
        f"{sizes[INSIDE]}" + (": the best of several scores is too good." if chosen else ": no difference that shows.")
    )


def describe_costs(of_model: pd.Series, of_best: pd.Series, chance: float) -> str:
    """What two choices cost where something is: mean r by choice of the model, and of the best features known.

    On real recordings the two are the same.
    """
    lost = [name for name in (CIRCULAR, SINGLE) if of_best["careful"] - of_best[name] > chance]
    cost = ("neither costs more than chance does", f"only this costs power: {' '.join(lost)}", "both cost power")
    other = f", that of the true features {of_best['careful']:.3f}" if of_best["careful"] != of_model["careful"] else ""
    return (
        f"The careful score of the model is {of_model['careful']:.3f}{other}. With these features, circular delays "
        f"give {of_best[CIRCULAR]:.3f} and single words {of_best[SINGLE]:.3f}; {cost[len(lost)]}. The grey band, "
        f"±{chance:.3f}, is how far chance alone moves such a mean: vertices share a story and some noise."
    )


def describe_drowning(something: pd.Series, nothing: pd.Series) -> str:
    """Do all published choices still tell something from nothing? Mean r by choice of the two."""
    if PUBLISHED not in nothing:
        return ""
    apart, careful = (something[name] - nothing[name] for name in (PUBLISHED, "careful"))
    facts = (
        f"Under all published choices the vertices that follow the story score {something[PUBLISHED]:.3f}, those of a "
        f"recording with nothing in it {nothing[PUBLISHED]:.3f}: a difference of {apart:+.3f}, where the careful "
        f"protocol has {careful:+.3f}. "
    )
    if careful <= 0:
        return facts + "The careful protocol finds no signal here that could be hidden."
    if nothing[PUBLISHED] > 2 * max(careful, 0) and abs(apart) < nothing[PUBLISHED] / 4:
        return facts + "The leak hides the signal: with it, recordings with and without a signal score nearly the same."
    if apart > careful > 0:
        return facts + "Here the signal still shows beside what leaks."
    return facts + "What leaks is not the same in both, so the difference does not measure the signal."


def describe_folds(r: pd.Series) -> str:
    """Does it matter whether one fifth validates or each in turn? Mean r by choice."""
    if ONE_FIFTH not in r:
        return ""
    one, five, echo = r[ONE_FIFTH], r[FIVE_FOLDS], r[ECHOES]
    same = abs(five - one) < 0.1 * max(abs(one), abs(five))
    return (
        f"Choosing the penalty by one fifth of echoes 1 and 2 gives {one:.3f} where nothing is, by each fifth in turn "
        f"{five:.3f}: "
        + ("five folds instead of one change little, because " if same else "the two differ; in both ")
        + f"the validating scans, too, are readings of scans that train. (All of echo 3 as the test: {echo:.3f}.)"
    )


def describe_scatter(careful: pd.Series, leaking: pd.Series) -> str:
    """How single vertices scatter where nothing is: r under the careful protocol, and under the last choice drawn."""
    above = (leaking > 0).mean()
    return (
        f"The careful scores of single vertices scatter around {careful.mean():+.3f} with a standard deviation of "
        f"{careful.std():.3f}: that is what a correlation over a finite story looks like where nothing is, and why a "
        f"single vertex needs a test. Under the last choice {above:.0%} of the vertices lie above zero: "
        + (
            "the leak raises the score of any vertex, signal or not."
            if above > 0.9
            else "the leak spares some of them."
        )
    )


def describe_levels(shares: pd.DataFrame) -> str:
    """Which share of vertices with nothing in them each p-value calls significant, choice by choice.

    shares : choice, share_p_scans, share_p_null (NaN where nothing was refitted).
    """
    table = shares.set_index("choice")
    refitted = table.dropna(subset="share_p_null")
    nearer = (refitted.share_p_null - LEVEL).abs() < (refitted.share_p_scans - LEVEL).abs()
    careful = table.share_p_scans["careful"]
    text = (
        f"Five per cent are nominal. Pearson's p calls {careful:.0%} of the vertices significant under the careful "
        "protocol"
        + (", because neighbouring scans are not independent" if careful > 2 * LEVEL else "")
        + f", and {table.share_p_scans[UNFILTERED]:.0%} with shuffled folds and no high-pass. The refitted null calls "
        f"{refitted.share_p_null['careful']:.0%} and {refitted.share_p_null[UNFILTERED]:.0%}; it is nearer to the "
        f"nominal level under {nearer.sum()} of {len(nearer)} choices, at most {refitted.share_p_null.max():.0%} "
        f"({refitted.share_p_null.idxmax()}). "
    )
    if ECHOES in refitted.index:
        worst = refitted.loc[[name for name in (ECHOES, ONE_FIFTH, FIVE_FOLDS, PUBLISHED) if name in refitted.index]]
        text += (
            f"Where echoes train and test, Pearson's p calls {_span(worst.share_p_scans)} significant and the "
            f"refitted null {_span(worst.share_p_null)}: "
            + (
                "a refit leaks as much as the analysis does, so a *p-value* may be right and the *score* inflated. "
                if worst.share_p_null.max() < 3 * LEVEL < worst.share_p_scans.min()
                else "there even a refitted null is no remedy. "
            )
        )
    return text + (
        "A small p-value is no excuse for an inflated score, nor the other way round. (The refitted null is of one "
        "recording, and its vertices share their noise: such a share scatters from one recording to the next.)"
    )


def _span(shares):
    ends = [f"{shares.min():.0%}", f"{shares.max():.0%}"]
    return " to ".join(dict.fromkeys(ends))


def describe_tests(level: pd.Series) -> str:
    """Which of six tests of the same scores keeps its level? Share called significant where nothing is, by test."""
    order = level.sort_values()
    nominal = ", ".join(f"{name} {value:.0%}" for name, value in order.items() if value <= 1.5 * LEVEL)
    more = ", ".join(f"{name} {value:.0%}" for name, value in order.items() if value > 1.5 * LEVEL)
    scans, vertices = level["Pearson's p, n = scans"], level["Pearson's p, n = vertices"]
    return (
        f"Where nothing is, 5% are nominal. Near it or below: {nominal or 'none of them'}. Clearly above: "
        f"{more or 'none of them'}. With the number of vertices in place of the number of scans Pearson's p calls "
        f"{vertices:.0%}"
        + (": *n* is in the formula, and it is the wrong *n*." if vertices > scans else ", no more than with scans.")
    )


def describe_calibration(levels: pd.DataFrame) -> str:
    """The kept table of many simulated studies in words: test, called, standard_error."""
    called = levels.set_index("test").called
    above = levels.called - 2 * levels.standard_error > LEVEL
    too_many = "; ".join(f"{name} ({called[name]:.1%})" for name in levels.test[above]) or "none of them"
    return (
        "`called` is the share of null targets that a test calls significant at 5%, beside its standard error over "
        f"studies. More than 5%, by two standard errors or more, are called by: {too_many}. Refitted permutations with "
        f"one alpha fixed beforehand call {called['refitted, alpha fixed beforehand']:.1%}, with each target's own "
        f"alpha chosen on the same responses {called['refitted, own alpha a target (median of its folds)']:.1%}, with "
        f"the best alpha chosen anew each time {called['refitted, best of five alphas (best_of=True)']:.1%}, the "
        f"corrected t-test over runs {called['corrected t-test over runs']:.1%}."
    )


def describe_coverage(worst: pd.DataFrame, several: pd.DataFrame) -> str:
    """The kept tables of intervals in words: for each interval its worst case, and those over participants."""
    short = worst[worst.coverage + 2 * worst.standard_error < 0.95]
    listed = "; ".join(f"{row.interval} for the {row.what} ({row.coverage:.1%})" for row in short.itertuples())
    return (
        "The first table shows for each interval the strength of signal at which it covers the true value least often. "
        f"Coverage below 95%, by two standard errors or more: {listed or 'none of them'}. Student's interval over "
        f"participants covers the true value in at least {several.coverage.min():.1%} of cases with "
        f"{several.participants.min()} to {several.participants.max()} participants."
    )


def describe_edges(table: pd.DataFrame, trim: int, nothing: str) -> str:
    """What silence coded as zeros and untrimmed edges do to scores.

    Parameters
    ----------
    table : from `measure_edges`: features, coding, trim, group, r; the group `nothing` has nothing in it.
    trim : the trim that the book uses.
    """
    r = table.set_index(["features", "coding", "trim", "group"]).r
    groups = [name for name in dict.fromkeys(table.group) if name != nothing]
    top = max(groups, key=lambda name: r[BIT, "zeros", 0, name])
    published, bit = r["model", "zeros", 0, top], r[BIT, "zeros", 0, top]
    careful, count = r["model", "centred", trim, top], r["word count", "centred", trim, top]
    text = f"As published (zeros, nothing centred, nothing trimmed) the model scores {published:.3f} in {top}. "
    if bit >= 0.8 * published > 0:
        text += f"One bit a scan, speech or silence, scores {bit:.3f} there: the model's score is no sign of language. "
    elif bit > 0.2 * published:
        text += f"One bit a scan, speech or silence, scores {bit:.3f}: a good part of the model's score. "
    else:
        text += f"One bit a scan, speech or silence, scores {bit:.3f}: little of the model's score. "
    text += f"Centred, filled and with {trim} scans trimmed at each edge, the model scores {careful:.3f}" + (
        f", the word count {count:.3f}. " if np.isfinite(count) else ". "
    )
    bits = table[(table.features == BIT) & (table.coding == "zeros") & (table.group == top)].set_index("trim").r
    left = [there for there, value in bits.items() if abs(value) > 0.01]  # NaN: no silent scan is left
    gone = [there for there in bits.index if not left or there > max(left)]
    if gone and gone[0] == bits.index[0]:
        text += "The bit scores nothing at any trim: these edges do no harm. "
    elif not gone:
        text += "The bit keeps a score at every trim: there is silence inside the sections, too. "
    elif gone[0] <= trim:
        text += f"From {gone[0]} trimmed scans on the bit scores nothing: {trim}, the default, is on the safe side. "
    else:
        text += f"Only from {gone[0]} trimmed scans on the bit scores nothing: the default of {trim} is too few here. "
    others = [name for name in groups if name != top]
    moved = {name: r["model", "centred", trim, name] - r["model", "zeros", 0, name] for name in others}
    if moved:
        most = max(moved, key=lambda name: abs(moved[name]))
        text += f"Elsewhere the model's score moves by {moved[most]:+.3f} at most ({most}). "
    null = r["model", "zeros", 0, nothing]
    if published < 0.02:
        return text + f"Where nothing is, the published way scores {null:+.3f}: these scores are too small to compare."
    if published - careful < published / 4:
        return text + "Of the model's score the edges make little here."
    return text + (
        f"Where nothing is, the published way scores {null:+.3f}: "
        + (
            "no null finds this fault, because the response to speech is real and only the credit is wrong. A control "
            "of one bit finds it."
            if abs(null) < 0.25 * abs(published)
            else "a null shows this, too."
        )
    )


def describe_groups(table: pd.DataFrame, without: str | None) -> str:
    """Scores by group under the careful protocol and under all published choices.

    Parameters
    ----------
    table : mean r, a row for each choice (the index), a column for each group.
    without : the group that follows nothing, where one is known.
    """
    last = PUBLISHED if PUBLISHED in table.index else UNFILTERED
    careful, other = table.loc["careful"], table.loc[last]
    best = careful.idxmax()
    text = f"The careful protocol finds {careful.max():+.3f} in the group that it predicts best ({best})"
    if without is None:
        spread = [f"{row.min():.3f} to {row.max():.3f}" for row in (careful, other)]
        return f"{text}; its groups range from {spread[0]}, under “{last}” from {spread[1]}."
    text += f" and {careful[without]:+.3f} in regions that follow nothing. Under “{last}” these score "
    text += f"{other[without]:.3f}, the best group {other.max():.3f}: "
    if other[without] > other.max() / 2:
        return text + "one would call all of them language regions."
    return text + "the regions that follow nothing still stand apart."


def describe_verdict(verdict: pd.DataFrame) -> str:
    """Which choices harm, which cost, which do nothing."""
    groups = {name: "; ".join(part.choice) for name, part in verdict.groupby("verdict")}
    harms, costs, nothing = (groups.get(name, "none of them") for name in ("harms", "costs power", "does nothing"))
    return (
        f"*Does harm*, because it makes something of nothing: {harms}. *Costs power*, because more is lost where "
        f"something is than chance explains: {costs}. *Does nothing* that could be seen here: {nothing}."
    )


def describe_alice(r: pd.Series) -> str:
    """The choices on the recordings of Alice: mean r by choice."""
    text = (
        f"The careful score is {r['careful']:.3f}. Shuffled folds give {r[SHUFFLED]:.3f}, without a high-pass "
        f"{r[UNFILTERED]:.3f}; the layer chosen on test scores {r[ON_TEST]:.3f}, chosen inside the training blocks "
        f"{r[INSIDE]:.3f}. Nobody knows the truth of these recordings. "
    )
    raised = [name for name in (SHUFFLED, UNFILTERED, ON_TEST) if r[name] > r["careful"]]
    if raised:
        text += (
            f"But choices that raise a score where nothing is raise it here as well ({'; '.join(raised)}): what "
            "they add need not be brain. "
        )
    low = r[CIRCULAR] < r["careful"] / 2
    return (
        text
        + f"Circular delays give {r[CIRCULAR]:.3f}"
        + (": in one short run, delays of 3 to 22 scans mostly miss the response." if low else ".")
    )


def describe_shared(shared: float) -> str:
    """How much two echoes have in common over scans: their correlation, median over vertices."""
    return (
        f"Echo 1 and echo 3 correlate at r = {shared:.2f} over scans (median over vertices): "
        + ("most" if shared**0.5 > 0.7 else "part")
        + " of what echo 3 holds stood in echo 1 already, noise and all."
    )
