"""What the chapter on BrainLM does more than once: features without a look at the test runs, conditions over seeds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.language_models.brain_features import PrincipalComponents, fit_autoencoder, reconstruction
from brainbook.language_models.brain_text import BrainText, join, pair_scans
from brainbook.language_models.brainlm import BRAINS, BrainLMSettings, new_brainlm, train_brainlm
from brainbook.language_models.brainlm_decoding import apart, decode, masked_losses, match_scores
from brainbook.language_models.brainlm_model import BrainLM
from brainbook.language_models.minis import mini_folder
from brainbook.language_models.zoo import load_language_model


def features_of_runs(
    responses: np.ndarray, runs: np.ndarray, test_runs: list[int], n_features: int = 64, device: str = "auto", **options
) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Features of all scans from an autoencoder of the training runs, and what it and PCA keep of the test runs.

    Parameters
    ----------
    responses : float32 [participants, scans, targets], z-scored within runs. runs : int [scans].

    Returns
    -------
    features : float32 [participants, scans, n_features], scaled by the training scans.
    kept : DataFrame, a row a target and maker: maker, target, r2 (on the test runs, all participants).
    curve : the autoencoder's loss.
    """
    test = np.isin(runs, test_runs)
    train, held_out = (np.concatenate(list(responses[:, rows])) for rows in (~test, test))
    model, curve = fit_autoencoder(train, n_features, device=device, **options)
    kept = pd.concat(
        pd.DataFrame({"maker": name, "target": range(train.shape[1]), "r2": reconstruction(maker, held_out)})
        for name, maker in (("autoencoder", model), ("PCA", PrincipalComponents(train, n_features)))
    )
    coded = np.stack([model.encode(one) for one in responses])
    mean, scale = coded[:, ~test].mean((0, 1)), coded[:, ~test].std((0, 1)) + 1e-6
    return ((coded - mean) / scale).astype(np.float32), kept.reset_index(drop=True), curve


def train_conditions(
    features: np.ndarray,
    runs: np.ndarray,
    words: pd.DataFrame,
    test_runs: list[int],
    conditions: dict[str, BrainLMSettings],
    seeds: tuple[int, ...] = (0, 1),
    start: str = "mini-bert",
    cache: str | Path = "cache",
    device: str = "auto",
    retrieved: int = 40,
) -> tuple[dict[str, pd.DataFrame], dict[str, BrainLM]]:
    """Train a BrainLM in each condition and seed on the training runs, and try it on the others.

    Returns
    -------
    tables : "curves" (condition, seed, step, loss, ...), "losses" (condition, seed, participant, run, brain, text,
        scan: see `masked_losses`), "decoding" (condition, seed, participant, run, direction, measure, value, chance, n;
        only of models that were trained to match).
    models : condition -> the model of the last seed.
    """
    folder = mini_folder(start, cache, device=device)
    text = load_language_model(str(folder), device="cpu")
    cut = [pair_scans(words, one, runs, text.tokenizer) for one in features]
    train = join([pairs[~np.isin(pairs.run, test_runs)] for pairs in cut])
    held_out = [pairs[np.isin(pairs.run, test_runs)] for pairs in cut]
    tables: dict[str, list[pd.DataFrame]] = {"curves": [], "losses": [], "decoding": []}
    models = {}
    for condition, settings in conditions.items():
        for seed in seeds:
            name = {"condition": condition, "seed": seed}
            model = new_brainlm(text, folder, features.shape[-1], seed)
            here = {"description": f"{condition}, seed {seed}"}
            curve = train_brainlm(model, train, text.tokenizer, replace(settings, seed=seed), device, **here)
            tables["curves"].append(curve.assign(**name))
            models[condition] = model.eval()
            for participant, pairs in enumerate(held_out):
                where = {**name, "participant": participant}
                tables["losses"] += [one.assign(**where) for one in _losses(model, pairs, text.tokenizer, settings)]
                if settings.tasks.get("matching"):
                    tables["decoding"] += [one.assign(**where) for one in _decoded(model, pairs, retrieved)]
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items() if parts}, models


def _losses(model: BrainLM, pairs: BrainText, tokenizer, settings: BrainLMSettings) -> list[pd.DataFrame]:
    found = []
    for brain in ("none",) if settings.brain == "none" else BRAINS:
        table = masked_losses(model, pairs, tokenizer, brain)
        if not settings.tasks.get("masked_brain"):
            table["scan"] = np.nan  # it never learned to
        found.append(table.groupby(["run", "brain"], as_index=False)[["text", "scan"]].mean())
    return found


def _decoded(model: BrainLM, pairs: BrainText, most: int) -> list[pd.DataFrame]:
    found = []
    for run in np.unique(pairs.run):
        mine = apart(pairs[pairs.run == run], pairs.brain.shape[1])
        found.append(decode(match_scores(model, mine[np.arange(min(most, len(mine)))])).assign(run=run))
    return found


def differences(losses: pd.DataFrame, column: str, other: str, by: str = "condition") -> pd.DataFrame:
    """Loss with another's brain (or none) minus with one's own: positive where the true partner helps.

    Returns one row a participant and `by` (mean over seeds and runs): value in the units of the loss.
    """
    keys = [by, "seed", "participant", "run"]
    wide = losses.pivot_table(index=keys, columns="brain", values=column)
    if "real" not in wide or other not in wide:
        return pd.DataFrame(columns=[by, "participant", "value"])
    gain = (wide[other] - wide["real"]).dropna().rename("value").reset_index()
    return gain.groupby([by, "participant"], as_index=False)["value"].mean()
