"""What the chapter `alignment` computes beyond the library: drift of FLA, what edges are worth, gains, chance."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from brainbook.chapters import published
from brainbook.chapters.shared import ALPHA, TRIM, Features, ParticipantScores, average_by, rows_with
from brainbook.datasets import Dataset
from brainbook.datasets.little_prince import reliability_by_region
from brainbook.datasets.little_prince_runs import PARTICIPANTS
from brainbook.errors import ConfigurationError
from brainbook.phantom import Truth
from brainbook.phantom.brain import reliability_of_halves, share_from_reliability
from brainbook.stats import compare_runs, fisher_mean, mean_interval, noise_ceiling, run_interval

TRIMS = (0, 2, 4, 8, 12, 16)

# a model's name in the published table; the tiny models stand in for the models after which they are named
PUBLISHED_ROWS = {
    "albert-xlarge-v1": "albert-xlarge-v1",
    "albert-xlarge-v2": "albert-xlarge-v2",
    "brainlm-1": "BrainLM1.0",
    "brainlm-2": "BrainLM2.0",
    "tiny-albert-v1": "albert-xlarge-v1",
    "tiny-albert-v2": "albert-xlarge-v2",
    "tiny-brainlm-1": "BrainLM1.0",
    "tiny-brainlm-2": "BrainLM2.0",
}


def select_participants(
    dataset: Dataset, languages: list[str], participants: int, participant: str = ""
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Select whose scores are computed, and whose recordings are read as well, to compare them with.

    Parameters
    ----------
    participants : how many of each language.
    participant : one name, such as "sub-EN057": only this one is scored, and the first `participants` others who heard
        the same language are read beside it, for its ceiling. "" for the first `participants` of each language.

    Returns
    -------
    scored, read : {language: names}; those who are scored come first among those who are read.

    Raises ConfigurationError when nobody of these languages has that name.
    """
    known = {language: dataset.participants(language) for language in languages}
    if not participant:
        first = {language: names[:participants] for language, names in known.items()}
        return first, first
    for language, names in known.items():
        if participant in names:
            others = [name for name in names if name != participant]
            return {language: [participant]}, {language: [participant, *others[:participants]]}
    raise ConfigurationError(
        f"participant {participant!r} is not among those of {', '.join(languages)} in {dataset.root}: "
        + ", ".join(name for names in known.values() for name in names)
    )


def alignment_errors(dataset: Dataset, language: str, words_per_scan: int = 5) -> list[np.ndarray]:
    """Compute how far fixed-length alignment places each word from the moment it was heard.

    Returns a list over sections of arrays [words, 2]: onset (s after the first scan), and the middle of the scan that
    FLA gives the word to minus the middle of the scan during which it began (s). Words that FLA cuts off at the end are
    left out.
    """
    words, starts, errors = dataset.words(language), dataset.starts(language), []
    for section, n_scans in dataset.scans(language).items():
        onsets = words.onset[words.section == section].to_numpy() + starts[section]
        scan = np.arange(len(onsets)) // words_per_scan
        errors.append(np.column_stack([onsets, (scan - onsets // dataset.tr) * dataset.tr])[scan < n_scans])
    return errors


def scores_by_trim(
    spaces: Mapping[str, Features],
    responses: np.ndarray,
    masks: Mapping[str, np.ndarray],
    trim: int = TRIM,
    trims: Sequence[int] = TRIMS,
    device: str = "auto",
) -> pd.DataFrame:
    """Score features with more and more scans left out at both ends of every section.

    One penalty, and of several layers the last, so that nothing is chosen and the work stays small. Features that never
    change once the edges are left out (one bit, say) score NaN.

    Parameters
    ----------
    spaces : name -> features; those that differ in width by layer are taken together.
    responses : array [participants, scans, targets].
    masks : name -> boolean array [targets].
    trim, trims : scans left out at each edge, those that the chapter leaves out and others to compare, as far as the
        shortest section has enough scans for a score.

    Returns
    -------
    DataFrame: features (the name), trim, group, value (mean r of the participants).
    """
    from brainbook.encoding import ConstantFeatures, cross_validate, run_slices
    from brainbook.encoding.splits import FEWEST

    side_by_side = np.moveaxis(responses, 0, 1).reshape(responses.shape[1], -1)
    tables = []
    for name, space in spaces.items():
        values = np.hstack(space.values) if isinstance(space.values, list) else space.values[-1]
        shortest = min(part.stop - part.start for part in run_slices(space.run_of_scan))
        for n_trimmed in sorted({trim, *(n for n in trims if shortest - 2 * n >= FEWEST)}):
            options: dict[str, Any] = {"alphas": ALPHA, "trim": n_trimmed, "delays": space.delays, "device": device}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConstantFeatures)
                warnings.filterwarnings("ignore", "Mean of empty slice")
                scores = cross_validate(values, side_by_side, space.run_of_scan, **options).scores
                scores = np.nanmean(scores.reshape(len(responses), -1), axis=0)
                table = average_by(scores, masks)
            tables.append(table.assign(features=name, trim=n_trimmed))
    return pd.concat(tables, ignore_index=True)[["features", "trim", "group", "value"]]


def intersubject_correlations(
    responses: np.ndarray, n_scored: int, runs: np.ndarray | None = None, trim: int = TRIM
) -> np.ndarray:
    """Correlate each of the first `n_scored` participants with the mean of all others, and average.

    It is no bound on what a model can score: the mean of few others is noisy, and that of many still holds what they
    share beyond the story's words.

    Parameters
    ----------
    responses : array [participants, scans, targets].
    runs : array [scans]; given, scans are trimmed and the correlation is taken in every run, as scores are.

    Returns
    -------
    array [targets]; NaN where nobody else was recorded.
    """
    from brainbook.encoding import leave_one_run_out

    if len(responses) < 2:
        return np.full(responses.shape[-1], np.nan)
    if runs is not None:
        inner = np.sort(np.concatenate([test for _, test in leave_one_run_out(runs, trim)]))
        responses, runs = responses[:, inner], np.asarray(runs)[inner]
    return fisher_mean(noise_ceiling(responses, runs, keep="each")[:n_scored])


def paired_gain(
    table: pd.DataFrame, first: Mapping[str, str], second: Mapping[str, str], over_runs: bool = False
) -> pd.DataFrame:
    """Compute how much better one condition scores than another in the same participants, group by group.

    Parameters
    ----------
    table : scores: group, participant, run, value, and the columns that the conditions name.
    first, second : the conditions, {"model": "tiny-causal", "alignment": "VLA"}.
    over_runs : take the interval over the runs of the participants' mean, also where there are several.

    Returns
    -------
    DataFrame, one row per group: group, value (`first` minus `second`), lower, upper, p, and over: what the interval is
    over, participants (Student's t) where there are several, else runs, with their variance corrected
    (`compare_runs`).
    """
    sides = [
        rows_with(table, condition).pivot_table("value", ["participant", "run"], "group", sort=False)
        for condition in (first, second)
    ]
    difference, n = (sides[0] - sides[1])[sides[0].columns], table.participant.nunique()
    if n > 1 and not over_runs:
        interval = mean_interval(difference.groupby("participant").mean())
        return interval.to_frame(group=list(difference), over="participants")
    by_run = difference.groupby("run").mean()
    interval = compare_runs(by_run, np.zeros_like(by_run), fisher=False)
    of = "one participant" if n == 1 else f"{n} participants' mean"
    return interval.to_frame(group=list(difference), over=f"runs of {of}")


def interval_over_runs(scores: ParticipantScores, masks: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Compute the participants' mean score by group with its interval over runs (`run_interval`).

    Returns a DataFrame: group, value, lower, upper, p.
    """
    by_run = scores.fold_scores.mean(axis=0)  # runs, targets
    groups = np.column_stack([np.nanmean(by_run[:, mask], axis=1) for mask in masks.values()])
    return run_interval(groups).to_frame(group=list(masks))


def compare_signal(truth: Truth, n: Mapping[str, int]) -> pd.DataFrame:
    """Compare how much of their response participants share, on a phantom and in the real recordings.

    Parameters
    ----------
    n : language -> how many participants are averaged.

    Returns
    -------
    DataFrame, means over the driven regions by language: participant, real_participant (share of one participant's
    variance, at a vertex, that all have in common), ratio of the two, n, group (correlation of averages over two groups
    of `n` such participants), real_n (half of the real participants), real_group (that of their averages, published).
    """
    driven = truth.regions[truth.regions.driver != "none"]
    rows = []
    for language, size in n.items():
        share, halves = driven[f"vertex_share_{language}"], PARTICIPANTS[language] / 2
        published = reliability_by_region().groupby("region")[language].mean()[driven.region]
        real = share_from_reliability(published, halves).mean()
        own = {"language": language, "participant": share.mean(), "real_participant": real}
        groups = {"group": reliability_of_halves(share, size).mean(), "real_n": halves, "real_group": published.mean()}
        rows.append({**own, "ratio": share.mean() / real, "n": size, **groups})
    return pd.DataFrame(rows)


def chance_by_group(
    features: Features,
    layer: int,
    responses: np.ndarray,
    masks: Mapping[str, np.ndarray],
    n_permutations: int = 200,
    seed: int = 0,
    device: str = "auto",
    trim: int = TRIM,
) -> pd.DataFrame:
    """Compute what groups of regions would score if the recordings had been made at another time of the story.

    The participants' mean response is shifted in a circle within each run by a random time and everything is fitted
    anew, with one fixed penalty and one fixed layer, so that nothing is chosen on what is tested.

    Parameters
    ----------
    responses : array [participants, scans, targets].
    masks : name -> boolean array [targets].
    trim : scans at each edge of every section that are left out, of the null as of the score.

    Returns
    -------
    DataFrame: group, value (r of the group average), p (one-sided), lower, upper (2.5 and 97.5 per cent of the null).
    """
    from brainbook.encoding import permutation_p, permutation_scores

    permutations = permutation_scores(
        features.values[layer],
        responses.mean(axis=0),
        features.run_of_scan,
        ALPHA,
        n_permutations=n_permutations,
        seed=seed,
        delays=features.delays,
        trim=trim,
        device=device,
    )
    rows = []
    for group, mask in masks.items():
        value, null = np.nanmean(permutations.score[mask]), np.nanmean(permutations.null[:, mask], axis=1)
        lower, upper = np.quantile(null, (0.025, 0.975))
        p = float(permutation_p(value, null))
        rows.append({"group": group, "value": value, "p": p, "lower": lower, "upper": upper})
    return pd.DataFrame(rows)


def compare_with_published(scores: pd.DataFrame, models: list[str]) -> pd.DataFrame:
    """Return our means beside the published ones, both as Pearson r times 100.

    The published ones are of one participant who heard English: where our scores hold such participants, the first of
    them stands in a column of its own.

    Parameters
    ----------
    scores : columns language, participant, model, alignment, group, value (r), one row per run.
    models : those that the rows are of; each must have a row in the published table.

    Returns
    -------
    DataFrame, one row per model, alignment and group: model, alignment, group, ours (mean of all participants),
    ours_first (that of the first who heard English; left out where nobody did), published.

    Raises ConfigurationError for a model that the published table does not have.
    """
    if unknown := [model for model in models if model not in PUBLISHED_ROWS]:
        known = ", ".join(PUBLISHED_ROWS)
        raise ConfigurationError(f"{', '.join(unknown)}: not in the published table, which has {known}")
    scores, key = scores[scores.model.isin(models)], ["model", "alignment", "group"]
    english = scores[scores.language == "EN"]
    parts = {"ours": scores, "ours_first": english[english.participant == english.participant.min()]}
    means = {name: 100 * part.groupby(key, sort=False).value.mean() for name, part in parts.items() if len(part)}
    theirs = published.alignment().rename(columns={"cerebral_cortex": "cortex", "model": "row"})
    theirs = theirs.melt(["row", "alignment"], var_name="group", value_name="published")
    ours = pd.DataFrame(means).reset_index()
    ours["row"] = ours.model.map(PUBLISHED_ROWS)
    both = ours.merge(theirs, on=["row", "alignment", "group"], how="left", validate="one_to_one")
    return both[[*key, *means, "published"]]
