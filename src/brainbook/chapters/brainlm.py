"""What the chapter on BrainLM does more than once: features without a look at the test runs, conditions over seeds,
gains with their intervals, and the kept tiny models on recordings that they were not trained on.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from brainbook.chapters.shared import TRIM, align, speech_or_silence, word_count
from brainbook.datasets import LittlePrince
from brainbook.encoding import RidgeEncoder, correlation, delay, leave_one_run_out
from brainbook.language_models.brainlm.decoding import (
    apart,
    bag_of_words_scores,
    decode,
    masked_losses,
    match_scores,
    prediction_scores,
)
from brainbook.language_models.brainlm.examples import BrainText, join, pair_scans
from brainbook.language_models.brainlm.features import PrincipalComponents, fit_autoencoder, reconstruction
from brainbook.language_models.brainlm.model import BrainLM, load_brainlm
from brainbook.language_models.brainlm.pretraining import (
    BRAINS,
    TINY_BRAINLMS,
    VERSIONS,
    BrainLMSettings,
    brainlm_folder,
    new_brainlm,
    recorded_pairs,
    start_source,
    train_brainlm,
)
from brainbook.language_models.hidden_states import word_states
from brainbook.language_models.registry import LanguageModel, choose_device, load_language_model


def features_of_runs(
    responses: np.ndarray, runs: np.ndarray, test_runs: list[int], n_features: int = 64, device: str = "auto", **options
) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Features of all scans from an autoencoder of the training runs, and what it and PCA keep of the test runs.

    Parameters
    ----------
    responses : float32 [participants, scans, targets], z-scored within runs; vertices without signal are 0 or NaN.
        With the copies that are made it is in memory about three times: 7 GB for ten people's 20,484 vertices.
    runs : int [scans].
    options : for `fit_autoencoder` (seed, steps, n_hidden, ...).

    Returns
    -------
    features : float32 [participants, scans, n_features], scaled by the training scans.
    kept : DataFrame, a row a target and maker: maker, target, r2 (on the test runs, all participants).
    curve : the autoencoder's loss.
    """
    test = np.isin(runs, test_runs)
    responses = np.nan_to_num(responses) if np.isnan(responses).any() else responses
    train, held_out = (responses[:, rows].reshape(-1, responses.shape[2]) for rows in (~test, test))
    model, curve = fit_autoencoder(train, n_features, device=device, **options)
    kept = pd.concat(
        pd.DataFrame({"maker": name, "target": range(train.shape[1]), "r2": reconstruction(maker, held_out)})
        for name, maker in (("autoencoder", model), ("PCA", PrincipalComponents(train, n_features)))
    )
    coded = np.stack([model.encode(one) for one in responses])
    mean, scale = coded[:, ~test].mean((0, 1)), coded[:, ~test].std((0, 1)) + 1e-6
    return ((coded - mean) / scale).astype(np.float32), kept.reset_index(drop=True), curve


def pair_recordings(
    features: np.ndarray,
    runs: np.ndarray,
    words: pd.DataFrame,
    test_runs: list[int],
    start: str = "tiny-bert",
    cache: str | Path = "cache",
    device: str = "auto",
    delay: int = 2,
) -> tuple[BrainText, list[BrainText]]:
    """Examples of all participants' training runs, and of each participant's test runs (those share no scan).

    delay : the brain's answer to words is taken this many scans later.
    """
    tokenizer = load_language_model(start, cache, device).tokenizer
    cut = [pair_scans(words, one, runs, tokenizer, delay=delay) for one in features]
    tested = [np.isin(pairs.run, test_runs) for pairs in cut]
    train = join([pairs[~test] for pairs, test in zip(cut, tested, strict=True)])
    return train, [apart(pairs[test], pairs.brain.shape[1]) for pairs, test in zip(cut, tested, strict=True)]


def train_conditions(
    train: BrainText,
    held_out: list[BrainText],
    conditions: dict[str, BrainLMSettings],
    seeds: tuple[int, ...] = (0, 1),
    start: str = "tiny-bert",
    cache: str | Path = "cache",
    device: str = "auto",
    retrieved: int = 20,
) -> tuple[dict[str, pd.DataFrame], dict[str, LanguageModel]]:
    """Train a BrainLM in each condition and seed, and try it on the runs that were held out.

    Parameters
    ----------
    train, held_out : see `pair_recordings`. retrieved : stretches of a held-out run to choose among.

    Returns
    -------
    tables : "curves" (condition, seed, step, loss, ...), "losses" (condition, seed, participant, run, brain, text,
        scan: see `masked_losses`), "decoding" (condition, seed, participant, run, by, and what `decode` gives; only of
        models that were trained for it).
    models : condition -> the text half of the model of the last seed.
    """
    source = start_source(start, cache, device)
    text = load_language_model(source, cache, "cpu")
    tables: dict[str, list[pd.DataFrame]] = {"curves": [], "losses": [], "decoding": []}
    models = {}
    for condition, settings in conditions.items():
        for seed in seeds:
            name = {"condition": condition, "seed": seed}
            model = new_brainlm(text, source, train.brain.shape[-1], seed)
            here = {"description": f"{condition}, seed {seed}"}
            curve = train_brainlm(model, train, text.tokenizer, replace(settings, seed=seed), device, **here)
            tables["curves"].append(curve.assign(**name))
            models[condition] = LanguageModel(f"{condition}, seed {seed}", model.eval().text.bert, text.tokenizer)
            for participant, pairs in enumerate(held_out):
                where = {**name, "participant": participant}
                tables["losses"] += [one.assign(**where) for one in _losses(model, pairs, text.tokenizer, settings)]
                tables["decoding"] += [one.assign(**where) for one in _decoded(model, pairs, settings, retrieved)]
    for participant, pairs in enumerate(held_out):
        for run in np.unique(pairs.run):
            linear = _linear(train, _evenly(pairs[pairs.run == run], retrieved), text.tokenizer)
            tables["decoding"].append(linear.assign(seed=seeds[0], participant=participant, run=run))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items() if parts}, models


def _losses(model: BrainLM, pairs: BrainText, tokenizer, settings: BrainLMSettings) -> list[pd.DataFrame]:
    found = []
    for brain in ("none",) if settings.brain == "none" else BRAINS:
        table = masked_losses(model, pairs, tokenizer, brain)
        if not settings.tasks.get("masked_brain"):
            table["scan"] = np.nan  # it never learned to
        found.append(table.groupby(["run", "brain"], as_index=False)[["text", "scan"]].mean())
    return found


def _decoded(model: BrainLM, pairs: BrainText, settings: BrainLMSettings, most: int) -> list[pd.DataFrame]:
    found = []
    for run in np.unique(pairs.run):
        mine = _evenly(pairs[pairs.run == run], most)
        found += [table.assign(run=run) for table in _decoded_by_both(model, mine, settings)]
    return found


def _decoded_by_both(model: BrainLM, pairs: BrainText, settings: BrainLMSettings) -> list[pd.DataFrame]:
    ways = {"matching": ("matching score", match_scores), "masked_brain": ("predicted scans", prediction_scores)}
    chosen = [way for task, way in ways.items() if settings.tasks.get(task)]
    return [decode(score(model, pairs)).assign(by=by) for by, score in chosen]


def _linear(train: BrainText, pairs: BrainText, tokenizer) -> pd.DataFrame:
    scores = bag_of_words_scores(train, pairs, len(tokenizer))
    return decode(scores).assign(condition="counts of words", by="predicted scans")


def _evenly(pairs: BrainText, most: int) -> BrainText:
    return pairs[np.unique(np.linspace(0, len(pairs) - 1, min(most, len(pairs))).astype(int))]


def pretrained(
    cache: str | Path = "cache", device: str = "auto", most: int = 60
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """The tiny BrainLMs that are kept on disk, on stories of their own listener that they were not trained on.

    Returns
    -------
    tables : "losses" and "decoding" as from `train_conditions`; one participant, runs are stories, and `most`
        stretches of all stories are decoded together.
    curves : model -> its loss curve.
    """
    losses, decoding, curves = [], [], {}
    for name, version in TINY_BRAINLMS.items():
        folder, settings = brainlm_folder(name, cache, device=device), VERSIONS[version]
        tokenizer = load_language_model(name, cache, "cpu").tokenizer
        train, pairs = recorded_pairs(tokenizer)
        pairs = apart(pairs, pairs.brain.shape[1])
        model = load_brainlm(folder).to(choose_device(device))
        where = {"condition": name, "seed": settings.seed, "participant": 0}
        losses += [one.assign(**where) for one in _losses(model, pairs, tokenizer, settings)]
        decoding += [one.assign(**where) for one in _decoded_by_both(model, _evenly(pairs, most), settings)]
        curves[name] = pd.read_csv(folder / "loss.csv")
    decoding.append(_linear(train, _evenly(pairs, most), tokenizer))
    return {"losses": pd.concat(losses, ignore_index=True), "decoding": pd.concat(decoding, ignore_index=True)}, curves


CONTROLS = {"shuffled": "another's", "none": "none"}
SIDES = {"words, by brain": "text", "scan, by text": "scan"}


def gains(losses: pd.DataFrame, unit: str = "participant") -> pd.DataFrame:
    """How much a segment lowers the other's loss on held-out runs, beside another's segment or none.

    Parameters
    ----------
    losses : as from `train_conditions`. unit : what intervals go over later, "participant" or "run".

    Returns
    -------
    DataFrame, a row a condition, side, control and `unit` (mean over seeds and the rest): value, the loss with the
    control minus the loss with the true partner, positive where the partner helps.
    """
    parts = []
    for side, column in SIDES.items():
        keys = ["condition", "seed", "participant", "run"]
        wide = losses.dropna(subset=column).pivot_table(index=keys, columns="brain", values=column, sort=False)
        for brain, control in CONTROLS.items():
            if {"real", brain} <= set(wide):
                gain = (wide[brain] - wide["real"]).dropna().rename("value").reset_index()
                mean = gain.groupby(["condition", unit], as_index=False, sort=False)["value"].mean()
                parts.append(mean.assign(side=side, control=control))
    return pd.concat(parts, ignore_index=True)[["side", "control", "condition", unit, "value"]]


def with_intervals(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean of `value` in each group and its 95% interval by Student's t: columns `by`, value, lower, upper, n.

    A group of one row has no interval (NaN).
    """
    found = table.groupby(by, sort=False).value.agg(["mean", "sem", "count"]).reset_index()
    half = found["sem"] * stats.t.ppf(0.975, (found["count"] - 1).clip(lower=1))
    found = found.assign(value=found["mean"], lower=found["mean"] - half, upper=found["mean"] + half, n=found["count"])
    return found[[*by, "value", "lower", "upper", "n"]]


def encode_held_out(
    prince: LittlePrince,
    language: str,
    models: dict[str, LanguageModel],
    responses: np.ndarray,
    members: dict[str, np.ndarray],
    test_runs: list[int],
    layers: list[int],
    context: int = 20,
    device: str = "auto",
    trim: int = TRIM,
) -> pd.DataFrame:
    """How well each model's states of the words predict the held-out runs (which it was not trained on either).

    The layers stand side by side as features under VLA, centred by the training scans before they are delayed;
    penalties are chosen inside the training runs.

    Parameters
    ----------
    responses : [participants, scans, targets]. members : boolean array [targets] a group.
    trim : scans at each edge of every run that neither train nor score.

    Returns
    -------
    DataFrame: condition (the models, "word count" and "speech or silence"), participant (its number), group, value
    (mean Pearson r).
    """
    n_participants, n_scans, n_targets = responses.shape
    side_by_side, rows = np.moveaxis(responses, 0, 1).reshape(n_scans, -1), []
    told = prince.words(language)
    features = {name: align(prince, language, word_states(one, told, context)[layers]) for name, one in models.items()}
    features |= {"word count": word_count(prince, language), "speech or silence": speech_or_silence(prince, language)}
    for condition, heard in features.items():
        inner = np.sort(np.concatenate([scans for _, scans in leave_one_run_out(heard.run_of_scan, trim)]))
        held_out = np.isin(heard.run_of_scan[inner], test_runs)
        train, test = inner[~held_out], inner[held_out]
        values = np.concatenate(heard.values, axis=1)
        shifted = delay(values - values[train].mean(axis=0), (1, 2, 3, 4), heard.run_of_scan)
        encoder = RidgeEncoder(device=device).fit(shifted[train], side_by_side[train], groups=heard.run_of_scan[train])
        r = correlation(encoder.predict(shifted[test]), side_by_side[test]).reshape(n_participants, n_targets)
        for group, chosen in members.items():
            rows += [(condition, number, group, value) for number, value in enumerate(r[:, chosen].mean(axis=1))]
    return pd.DataFrame(rows, columns=["condition", "participant", "group", "value"])


def above_zero(table: pd.DataFrame) -> str:
    """The rows of a table of gains whose interval lies above zero, in words; "nothing" if there is none."""
    sure = table[table.lower > 0]
    told = [f"{r.side} ({r.condition}): {r.value:.4f} [{r.lower:.4f}, {r.upper:.4f}]" for r in sure.itertuples()]
    return "; ".join(told) or "nothing"


def shuffled_rule(table: pd.DataFrame, limit: float = 0.0) -> str:
    """Whether the condition that was trained with another's brain stays where nothing can be learnt, in a sentence.

    Parameters
    ----------
    table : rows with condition, value and lower (NaN without an interval). limit : 0 for gains, chance for accuracies.
    """
    rows = table[table.condition.str.contains("shuffled")]
    rule = f"The condition with the shuffled brain must not lie above {'chance' if limit else 'zero'}; "
    if rows.empty or rows.lower.isna().all():
        return rule + "without an interval nobody can tell whether it does."
    high = rows[rows.lower > limit]
    if high.empty:
        return rule + "it does not."
    return rule + f"it does ({', '.join(f'{value:.4g}' for value in high.value)}), so trust none of the others."


def above_chance(table: pd.DataFrame, chance: float = 0.5) -> str:
    """The rows of a table of accuracies whose interval lies above chance, in words; "nothing" if there is none."""
    sure = table[table.lower > chance]
    told = [
        f"{r.direction} by {r.by} ({r.condition}): {r.value:.3f} [{r.lower:.3f}, {r.upper:.3f}]"
        for r in sure.itertuples()
    ]
    return "; ".join(told) or "nothing"
