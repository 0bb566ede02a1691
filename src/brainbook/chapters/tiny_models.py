"""What the chapter `tiny_models` needs: how the tiny models were trained, and what shows that they have learned."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.chapters.brainlm import CONTROLS, losses_by_run
from brainbook.language_models import load_language_model, phantom_targets, read_out, word_states
from brainbook.language_models.brainlm.decoding import bag_of_words_scores, match_scores, matching_by_example
from brainbook.language_models.brainlm.examples import non_overlapping
from brainbook.language_models.brainlm.folders import recorded_pairs, tiny_brainlm_folder
from brainbook.language_models.brainlm.model import load_brainlm
from brainbook.language_models.brainlm.settings import VERSIONS
from brainbook.language_models.names import TINY_BRAINLMS
from brainbook.language_models.registry import UNTRAINED
from brainbook.language_models.tiny.folders import tiny_folder
from brainbook.phantom.story import words_with_truth
from brainbook.stats import mean_interval

HELD_OUT_SEED = 7  # of stories that no model was trained on
CONTEXT = 32  # words read at a time
N_MATCHED = 100  # examples of which every text is read with every brain


def trainings(names: Sequence[str], cache: str | Path = "cache", device: str = "auto") -> tuple[pd.DataFrame, ...]:
    """Return how models were trained, one row each, and their loss curves.

    Returns
    -------
    about : model, steps, learning rate, minutes (of one core, as recorded when it was trained), validation (the lowest
        loss on held-out stories), still falling (by how much that is below the lowest of the first three quarters of
        training, as a share of it: near 0 when the curve is flat).
    curves : model, step, part ("training" or "validation"), loss. Models that were trained before there was a
        validation have none.
    """
    rows, curves = [], []
    for name in names:
        folder = (tiny_brainlm_folder if name in TINY_BRAINLMS else tiny_folder)(name, cache, device=device)
        settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        curve = pd.read_csv(folder / "loss.csv")
        minutes = curve.seconds.max() / 60
        curve = curve.reindex(columns=["step", "loss", "validation"])
        known = curve.validation.dropna()
        early = known[curve.step < 0.75 * settings["steps"]].min()
        about = {name: settings[name] for name in ("steps", "learning_rate")}
        about |= {"minutes": minutes, "validation": known.min()}
        rows.append({"model": name, **about, "still_falling": 1 - known.min() / early})
        curve = curve.rename(columns={"loss": "training"}).melt("step", var_name="part", value_name="loss").dropna()
        curves.append(curve.assign(model=name))
    return pd.DataFrame(rows), pd.concat(curves, ignore_index=True)


def readout_controls(names: Sequence[str], cache: str | Path = "cache", n_sentences: int = 800) -> pd.DataFrame:
    """Compare what can be read out of trained models' layers with what can be of their untrained twins'.

    Returns
    -------
    DataFrame, one row per model and target (of `phantom_targets`): control, model, score and reference (R2 in the best
    layer of the model and of its twin), value (score minus reference), lower and upper (its 95% interval over folds of
    held-out stories), n.
    """
    words = words_with_truth(n_sentences, HELD_OUT_SEED)
    rows, targets = phantom_targets(words)
    stories, tables = words["story"].to_numpy()[rows], []
    for name in names:
        best = []
        for version in (name, UNTRAINED + name):
            states = word_states(load_language_model(version, cache), words["word"].tolist(), CONTEXT, stride=CONTEXT)
            r2 = read_out(states[:, rows], targets, stories).pivot_table("r2", ["target", "layer"], "fold", sort=False)
            best.append(r2.loc[r2.mean(axis=1).groupby("target", sort=False).idxmax()].droplevel("layer"))
        for target in targets:
            trained, untrained = (table.loc[target].to_numpy() for table in best)
            tables.append(_control(f"read-out: {target}", name, trained, untrained))
    return pd.concat(tables, ignore_index=True)


def brainlm_controls(cache: str | Path = "cache", device: str = "auto") -> pd.DataFrame:
    """Compare held-out stories' text and brain in the tiny BrainLMs.

    Returns
    -------
    DataFrame as from `readout_controls`, intervals over stories. Masked words, hidden scans: score and reference are
    losses with the right partner and with another's (or none), value is by how much the right one lowers the loss.
    Matching: how often the right one is preferred to a wrong one, by the model and by counts of words.
    """
    tables = []
    for name, version in TINY_BRAINLMS.items():
        folder, settings = tiny_brainlm_folder(name, cache, device=device), VERSIONS[version]
        model, tokenizer = load_brainlm(folder), load_language_model(str(folder), device="cpu").tokenizer
        train, _, pairs = recorded_pairs(tokenizer)
        pairs = non_overlapping(pairs, pairs.brain.shape[1])
        losses = losses_by_run(model, pairs, tokenizer, settings)
        wide = losses.pivot_table(index="run", columns="brain", values=["text", "scan"])
        for side, column, partner in (("masked words", "text", "brain"), ("hidden scans", "scan", "text")):
            for brain, control in CONTROLS.items():
                if column in wide:
                    other, own = wide[column, brain], wide[column, "real"]
                    label = f"{side}: right {partner} against {control}"
                    tables.append(_control(label, name, own, other, falls=True))
        if "matching" in settings.trained_tasks:
            few = pairs[np.linspace(0, len(pairs) - 1, N_MATCHED).astype(int)]
            scores = {"model": match_scores(model, few), "counts": bag_of_words_scores(train, few, len(tokenizer))}
            right = pd.DataFrame({reader: matching_by_example(by_pair) for reader, by_pair in scores.items()})
            stories = right.groupby(few.run).mean()
            tables.append(_control("matching: against counts of words", name, stories["model"], stories["counts"]))
    return pd.concat(tables, ignore_index=True)


def _control(control: str, name: str, score: np.ndarray, reference: np.ndarray, falls: bool = False) -> pd.DataFrame:
    gain = np.asarray(reference) - score if falls else score - np.asarray(reference)
    about = {"control": control, "model": name, "score": np.mean(score), "reference": np.mean(reference)}
    return mean_interval(gain).to_frame(**about).drop(columns="p").assign(n=len(gain))
