"""Helpers of the chapter `brainlm`: features without a look at the test runs, evaluation by run, gains, encoding."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from transformers import PreTrainedTokenizerBase

from brainbook.chapters.shared import align, speech_or_silence, word_count
from brainbook.datasets import Dataset
from brainbook.encoding import BorderWarning, RidgeEncoder, delay, find_device, leave_one_run_out
from brainbook.errors import ConfigurationError
from brainbook.language_models import LanguageModel, load_language_model, word_states
from brainbook.language_models.brainlm.decoding import (
    bag_of_words_scores,
    decode,
    masked_losses,
    match_scores,
    prediction_scores,
)
from brainbook.language_models.brainlm.examples import BrainText, concatenate, non_overlapping, pair_scans
from brainbook.language_models.brainlm.features import fit_autoencoder, fit_principal_components, reconstruction
from brainbook.language_models.brainlm.folders import recorded_pairs, tiny_brainlm_folder
from brainbook.language_models.brainlm.model import BrainLM, load_brainlm
from brainbook.language_models.brainlm.settings import BRAINS, VERSIONS, BrainLMSettings
from brainbook.language_models.names import TINY_BRAINLMS
from brainbook.stats import correlation, mean_interval

CONTROLS = {"shuffled": "another's", "none": "none"}
N_DECODED = 60  # examples of held-out stories among which a tiny BrainLM finds the right one
SIDES = {"words, by brain": "text", "scan, by text": "scan"}
DECODERS = {"matching": ("matching score", match_scores), "masked_brain": ("predicted scans", prediction_scores)}


def features_of_runs(
    responses: np.ndarray,
    runs: np.ndarray,
    test_runs: list[int],
    n_features: int = 64,
    device: str = "auto",
    **options: Any,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Compute features of all scans by an autoencoder of the training runs, and what it and PCA keep of the test runs.

    Parameters
    ----------
    responses : float32 [participants, scans, targets], z-scored within runs; vertices without signal are 0 or NaN.
        With the copies that are made it is in memory about three times: 7 GB for ten participants' 20,484 vertices.
    runs : int [scans].
    options : for `fit_autoencoder` (seed, steps, n_hidden, ...).

    Returns
    -------
    features : float32 [participants, scans, n_features], scaled by the training scans.
    reconstructed : DataFrame, one row per target and condition ("autoencoder", "PCA"): condition, target, value (R2 on
        the test runs of all participants).
    """
    test = np.isin(runs, test_runs)
    responses = np.nan_to_num(responses) if np.isnan(responses).any() else responses
    train, held_out = (responses[:, rows].reshape(-1, responses.shape[2]) for rows in (~test, test))
    autoencoder, _ = fit_autoencoder(train, n_features, device=device, **options)
    models = {"autoencoder": autoencoder, "PCA": fit_principal_components(train, n_features)}
    reconstructed = pd.concat(
        pd.DataFrame({"condition": name, "target": range(train.shape[1]), "value": reconstruction(model, held_out)})
        for name, model in models.items()
    )
    features = np.stack([autoencoder.transform(scans) for scans in responses])
    mean, scale = features[:, ~test].mean((0, 1)), features[:, ~test].std((0, 1)) + 1e-6
    return ((features - mean) / scale).astype(np.float32), reconstructed.reset_index(drop=True)


def pair_recordings(
    features: np.ndarray,
    runs: np.ndarray,
    dataset: Dataset,
    language: str,
    test_runs: list[int],
    tokenizer: PreTrainedTokenizerBase,
    delay: float = 4.0,
) -> tuple[BrainText, list[BrainText]]:
    """Return examples of all participants' training runs, and of each participant's test runs (those share no scan).

    delay : the brain's answer to words is taken so many seconds later (the nearest whole number of scans).
    """
    known = np.unique(runs).tolist()
    if not set(test_runs) <= set(known) or len(set(test_runs)) in (0, len(known)):
        there = ", ".join(map(str, known))
        raise ConfigurationError(f"test_sections is {test_runs}: name some of the sections {there}, not all of them")
    clock: dict[str, Any] = {"delay": round(delay / dataset.tr), "tr": dataset.tr, "starts": dataset.starts(language)}
    words = dataset.words(language)
    examples = [pair_scans(words, scans, runs, tokenizer, **clock) for scans in features]
    tested = [np.isin(pairs.run, test_runs) for pairs in examples]
    train = concatenate([pairs[~test] for pairs, test in zip(examples, tested, strict=True)])
    held_out = (pairs[test] for pairs, test in zip(examples, tested, strict=True))
    return train, [non_overlapping(pairs, pairs.brain.shape[1]) for pairs in held_out]


def losses_by_run(
    model: BrainLM, pairs: BrainText, tokenizer: PreTrainedTokenizerBase, settings: BrainLMSettings
) -> pd.DataFrame:
    """Compute the mean `masked_losses` of each run with its own brain, another's and none: run, brain, text, scan.

    `scan` is NaN for a model that was not trained to predict scans.
    """
    brains = ("none",) if settings.brain == "none" else BRAINS
    losses = pd.concat([masked_losses(model, pairs, tokenizer, brain) for brain in brains])
    if "masked_brain" not in settings.trained_tasks:
        losses["scan"] = np.nan
    return losses.groupby(["run", "brain"], as_index=False, sort=False)[["text", "scan"]].mean()


def decode_by_run(model: BrainLM, pairs: BrainText, settings: BrainLMSettings, n: int = 20) -> pd.DataFrame:
    """Decode at most `n` examples of each run in the ways that the model was trained for: by, run, and as `decode`.

    Without such a way the table is empty.
    """
    tables = [
        decode(score(model, chosen)).assign(by=by, run=run)
        for run, chosen in _evenly_by_run(pairs, n)
        for task, (by, score) in DECODERS.items()
        if task in settings.trained_tasks
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def decode_word_counts(
    train: BrainText, pairs: BrainText, tokenizer: PreTrainedTokenizerBase, n: int = 20
) -> pd.DataFrame:
    """Decode as `decode_by_run` does, by scans predicted from counts of words: the baseline of any model."""
    tables = [
        decode(bag_of_words_scores(train, chosen, len(tokenizer))).assign(by="predicted scans", run=run)
        for run, chosen in _evenly_by_run(pairs, n)
    ]
    return pd.concat(tables, ignore_index=True).assign(condition="counts of words")


def _evenly_by_run(pairs: BrainText, n: int) -> list[tuple[int, BrainText]]:
    runs = [(run, pairs[pairs.run == run]) for run in np.unique(pairs.run)]
    return [(run, own[np.unique(np.linspace(0, len(own) - 1, min(n, len(own))).astype(int))]) for run, own in runs]


def evaluate_tiny_brainlms(cache: str | Path = "cache", device: str = "auto") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Evaluate the tiny BrainLMs on stories of their own recordings that were held out.

    Returns
    -------
    losses (see `losses_by_run`; runs are stories) and decoding (see `decode_by_run`; `N_DECODED` examples of all
    stories are decoded together), with the column condition.
    """
    losses, decoding = [], []
    for name, version in TINY_BRAINLMS.items():
        settings, tokenizer = VERSIONS[version], load_language_model(name, cache, "cpu").tokenizer
        model = load_brainlm(tiny_brainlm_folder(name, cache, device=device)).to(find_device(device))
        train, _, pairs = recorded_pairs(tokenizer)
        pairs = non_overlapping(pairs, pairs.brain.shape[1])
        losses.append(losses_by_run(model, pairs, tokenizer, settings).assign(condition=name))
        pairs.run = np.zeros_like(pairs.run)
        decoding.append(decode_by_run(model, pairs, settings, N_DECODED).assign(condition=name))
    decoding.append(decode_word_counts(train, pairs, tokenizer, N_DECODED))
    return pd.concat(losses, ignore_index=True), pd.concat(decoding, ignore_index=True)


def gains(losses: pd.DataFrame, unit: str = "participant") -> pd.DataFrame:
    """Compute how much a segment lowers the other's loss on held-out runs, beside another's segment or none.

    Parameters
    ----------
    losses : condition, run, brain, text and scan as from `losses_by_run`, and perhaps seed and participant.
    unit : what intervals go over later, "participant" or "run".

    Returns
    -------
    DataFrame, one row per condition, side, control and `unit` (mean over seeds and the rest): value, the loss with the
    control minus the loss with the true partner, positive where the partner helps.
    """
    keys, parts = [name for name in ("condition", "seed", "participant", "run") if name in losses], []
    for side, column in SIDES.items():
        wide = losses.dropna(subset=column).pivot_table(index=keys, columns="brain", values=column, sort=False)
        for brain, control in CONTROLS.items():
            if {"real", brain} <= set(wide):
                gain = (wide[brain] - wide["real"]).dropna().rename("value").reset_index()
                mean = gain.groupby(["condition", unit], as_index=False, sort=False)["value"].mean()
                parts.append(mean.assign(side=side, control=control))
    return pd.concat(parts, ignore_index=True)[["side", "control", "condition", unit, "value"]]


def brain_gains(table: pd.DataFrame) -> pd.DataFrame:
    """Compute by how much training with the true brain lowers losses beside another's brain, or none, over seeds.

    Parameters
    ----------
    table : seed, brain ("real", "shuffled", "none"), measure and value (a loss), as `benchmarks/bench_brainlm.py`
        archives it.

    Returns
    -------
    DataFrame, one row per measure and control: measure, control, real and with_control (mean losses), value (positive
    where the true brain is better), lower, upper (95% interval over seeds), p, n.
    """
    wide = table.pivot_table(index=["measure", "seed"], columns="brain", values="value", sort=False)
    tables = []
    for measure, losses in wide.groupby("measure", sort=False):
        for brain, control in CONTROLS.items():
            gain = mean_interval(losses[brain] - losses["real"])
            about = {"real": losses["real"].mean(), "with_control": losses[brain].mean()}
            tables.append(gain.to_frame(measure=measure, control=control, **about).assign(n=len(losses)))
    return pd.concat(tables, ignore_index=True)


def mean_intervals(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Compute the mean of `value` in each group and its interval (see `mean_interval`): `by`, value, lower, upper, n.

    A group of one row has no interval (NaN).
    """
    rows = []
    for group, values in table.groupby(by, sort=False).value:
        interval = mean_interval(values) if len(values) > 1 else None
        limits = (interval.lower, interval.upper) if interval else (np.nan, np.nan)
        rows.append((*group, values.mean(), *limits, len(values)))
    return pd.DataFrame(rows, columns=[*by, "value", "lower", "upper", "n"])


def above(table: pd.DataFrame, limit: float, columns: list[str]) -> str:
    """Name the rows of which the interval lies above `limit` by their `columns`; "nothing" if there is none."""
    rows = table.loc[table.lower > limit, columns].to_numpy()
    return "; ".join(map(", ".join, rows)) or "nothing"


def shuffled_verdict(table: pd.DataFrame, limit: float) -> str:
    """Name whether the condition trained with another's brain lies above `limit`, where nothing can be learned."""
    lower = table.lower[table.condition.str.contains("shuffled")].dropna()
    if lower.empty:
        return "without an interval it cannot be decided"
    return "it does, so trust none of the others" if (lower > limit).any() else "it does not"


def encode_held_out(
    dataset: Dataset,
    language: str,
    models: Mapping[str, LanguageModel],
    responses: np.ndarray,
    masks: Mapping[str, np.ndarray],
    test_runs: list[int],
    layers: list[int],
    context: int = 20,
    device: str = "auto",
    trim: int | None = None,
) -> pd.DataFrame:
    """Score how well each model's states of the words predict the held-out runs (which it was not trained on either).

    The layers stand side by side as features under VLA, centred by the training scans before they are delayed;
    penalties are chosen inside the training runs.

    Parameters
    ----------
    responses : [participants, scans, targets].
    masks : one boolean array [targets] per group.
    trim : scans at each edge of every run that neither train nor score; None as the features say.

    Returns
    -------
    DataFrame: condition (the models, "word count" and "speech or silence"), participant (its number), group, value
    (mean Pearson r).
    """
    n_participants, n_scans, n_targets = responses.shape
    side_by_side, rows = np.moveaxis(responses, 0, 1).reshape(n_scans, -1), []
    words = dataset.words(language)
    features = {
        name: align(dataset, language, word_states(model, words, context)[layers]) for name, model in models.items()
    }
    features |= {"word count": word_count(dataset, language), "speech or silence": speech_or_silence(dataset, language)}
    for condition, aligned in features.items():
        runs = aligned.run_of_scan
        inner = np.sort(
            np.concatenate([scans for _, scans in leave_one_run_out(runs, aligned.trim if trim is None else trim)])
        )
        held_out = np.isin(runs[inner], test_runs)
        train, test = inner[~held_out], inner[held_out]
        values = np.concatenate(aligned.values, axis=1)
        delayed = delay(values - values[train].mean(axis=0), aligned.delays, runs)
        with warnings.catch_warnings():  # regions that nothing drives take any penalty, also the border of the grid
            warnings.simplefilter("ignore", BorderWarning)
            encoder = RidgeEncoder(device=device).fit(delayed[train], side_by_side[train], groups=runs[train])
        r = correlation(encoder.predict(delayed[test]), side_by_side[test]).reshape(n_participants, n_targets)
        for group, mask in masks.items():
            rows += [(condition, number, group, value) for number, value in enumerate(r[:, mask].mean(axis=1))]
    return pd.DataFrame(rows, columns=["condition", "participant", "group", "value"])
