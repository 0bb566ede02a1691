"""A phantom, whose truth is known, for the chapter `transfer_to_brains`: what should gain, and what the states hold."""

import warnings
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from brainbook.chapters.shared import Features, true_drivers
from brainbook.encoding import BorderWarning, cross_validate
from brainbook.language_models import phantom_targets, read_out
from brainbook.phantom import Truth
from brainbook.phantom.drivers import DRIVERS
from brainbook.stats import compare_runs, fisher_z

DRIVER_ALPHAS = np.logspace(-3, 5, 9)  # drivers have no noise and ask for small penalties
# What a phantom's regions should do when a model has learned what sentences of several languages share: which concept
# a word names, what it means in its scene, and the scene. Sound is each language's own.
EXPECTED = {"word": "gain", "meaning": "gain", "topic": "gain", "sound": "no gain", "none": "no gain"}


def truth_check(changes: pd.DataFrame) -> pd.DataFrame:
    """Put what a phantom's regions should do after transfer beside what they did.

    Parameters
    ----------
    changes : rows of `change_by_group` with the column language; groups that are no driver of a phantom are left out.

    Returns
    -------
    The rows with the columns name (language and group), expected ("gain", "no gain"), seen ("gain", "loss", "no clear
    change", by the interval) and `as expected`.
    """
    table = changes[changes.group.isin(EXPECTED)].reset_index(drop=True)
    expected = table.group.map(EXPECTED)
    seen = np.select([table.lower > 0, table.upper < 0], ["gain", "loss"], "no clear change")
    name = table.language + " " + table.group
    return table.assign(
        name=name, expected=expected, seen=seen, **{"as expected": (expected == "gain") == (seen == "gain")}
    )


def add_true_features(features: Features, truth: Truth, language: str) -> Features:
    """Return what a model would give that had learned what sentences mean: a positive control.

    Parameters
    ----------
    features : values [layers, scans, units], of a phantom's whole story.

    Returns
    -------
    The same features, and beside them in every layer what the phantom's regions of word, meaning and topic truly
    follow.
    """
    drivers = zip(DRIVERS, true_drivers(truth, language).values, strict=True)
    true = [values for name, values in drivers if EXPECTED.get(name) == "gain"]
    layers = [np.concatenate([layer, *true], axis=1) for layer in features.values]
    return replace(features, values=np.stack(layers))


def driver_change(
    before: Features, after: Features, drivers: Mapping[str, tuple[np.ndarray, np.ndarray]], device: str = "auto"
) -> pd.DataFrame:
    """Compare how well two models' states predict a phantom's drivers themselves, with no brain and no noise between.

    Parameters
    ----------
    before, after : values [layers, scans, units], of the same story.
    drivers : of `Truth.drivers`: name -> (values [scans, dimensions], run of each scan).

    Returns
    -------
    driver, before, after (mean r over dimensions and left-out runs, layer chosen inside the training runs), change (z)
    with its interval paired over runs, p_runs.
    """
    targets = np.concatenate([values for values, _ in drivers.values()], axis=1).astype(np.float32)
    scores = [_scores_of_chosen_layer(features, targets, device) for features in (before, after)]
    ends = np.cumsum([values.shape[1] for values, _ in drivers.values()])
    rows = []
    for name, one, two in zip(drivers, *[np.split(score, ends[:-1], axis=1) for score in scores], strict=True):
        first, second = (np.nanmean(score, axis=1, keepdims=True) for score in (one, two))
        change = compare_runs(second, first, fisher=False).to_frame(driver=[name])
        rows.append(change.assign(before=np.tanh(first.mean()), after=np.tanh(second.mean())))
    table = pd.concat(rows, ignore_index=True).rename(columns={"value": "change", "p": "p_runs"})
    return table[["driver", "before", "after", "change", "lower", "upper", "p_runs"]]


def _scores_of_chosen_layer(features: Features, targets: np.ndarray, device: str) -> np.ndarray:
    """Fisher's z of each left-out run, [runs, targets], of the layer that its training runs choose."""
    with warnings.catch_warnings():  # a driver may rest through a whole section, and be predicted by any penalty
        warnings.filterwarnings("ignore", "targets that are constant", RuntimeWarning)
        warnings.simplefilter("ignore", BorderWarning)
        fit = cross_validate(
            features.values, targets, features.run_of_scan, None, DRIVER_ALPHAS, trim=features.trim, device=device
        )
    return fisher_z(np.take_along_axis(fit.fold_scores, fit.chosen_layer()[None], axis=0)[0])


def held_by_states(states: Mapping[tuple[str, str], np.ndarray], truth: Truth) -> pd.DataFrame:
    """Read out word, sense and scene, linearly, from the states of a phantom's story in sections not seen.

    `states` : (language, model) -> [layers, words, units]. Columns: language, model, target, r2 (of the best layer).
    """
    tables = []
    for (language, model), values in states.items():
        words = truth.words(language)
        heard, targets = phantom_targets(words)
        r2 = read_out(values[:, heard], targets, words.section.to_numpy()[heard]).groupby(["target", "layer"]).r2.mean()
        tables.append(r2.groupby("target").max().reset_index().assign(language=language, model=model))
    return pd.concat(tables, ignore_index=True)[["language", "model", "target", "r2"]]
