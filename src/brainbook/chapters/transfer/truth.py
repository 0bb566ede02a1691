"""Helpers of the chapter `transfer` for a phantom, whose truth is known: what should gain, and what the states hold."""

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd

from brainbook.chapters.shared import TRIM, Features, true_drivers
from brainbook.encoding import cross_validate
from brainbook.language_models import phantom_targets, read_out
from brainbook.phantom import Truth
from brainbook.phantom.drivers import DRIVERS
from brainbook.stats import compare_runs

DRIVER_ALPHAS = np.logspace(-3, 5, 9)  # drivers have no noise and ask for small penalties
# What a phantom's regions should do when a model has learned what sentences of several languages share: which concept
# a word names, what it means in its scene, and the scene. Sound is each language's own.
EXPECTED = {"word": "gain", "meaning": "gain", "topic": "gain", "sound": "no gain", "none": "no gain"}


def truth_check(changes: pd.DataFrame) -> pd.DataFrame:
    """What a phantom's regions should do after transfer, beside what they did.

    Parameters
    ----------
    changes : rows of `Change.groups` for groups that are a phantom's drivers; other groups are left out.

    Returns
    -------
    The rows with the columns expected ("gain", "no gain"), seen ("gain", "loss", "no clear change", by the interval)
    and `as expected`.
    """
    table = changes[changes.group.isin(EXPECTED)].copy()
    table["expected"] = table.group.map(EXPECTED)
    table["seen"] = np.select([table.lower > 0, table.upper < 0], ["gain", "loss"], "no clear change")
    table["as expected"] = (table.expected == "gain") == (table.seen == "gain")
    return table.reset_index(drop=True)


def check_told(check: pd.DataFrame, placebo: pd.DataFrame) -> str:
    """The truth check in words (Markdown): which groups gain after transfer, and which with the placebo as well.

    Parameters
    ----------
    check, placebo : `truth_check` after transfer and after training on shuffled translations, with the column language.
    """
    gains, same = (
        [f"{row.language} {row.group}" for row in rows[rows.seen == "gain"].itertuples()] for rows in (check, placebo)
    )
    expected = [f"{row.language} {row.group}" for row in check[check.expected == "gain"].itertuples()]
    right, wrong = [name for name in gains if name in expected], [name for name in gains if name not in expected]
    do = "does" if len(wrong) == 1 else "do"
    text = (
        f"**The check:** {len(right)} of {len(expected)} expected gains show, by an interval above zero"
        f"{_in_brackets(right)}; of the {len(check) - len(expected)} groups that must not gain, {len(wrong)} {do}"
        f"{_in_brackets(wrong)}. Trained on shuffled translations, {len(same)} of the same {len(placebo)} groups gain"
        f"{_in_brackets(same)}. "
    )
    alone = [name for name in right if name not in same]
    if alone and same:
        text += f"Gains that show after transfer and not with the shuffled ones: {', '.join(alone)}. "
    elif right and not alone:
        text += "No gain shows after transfer that does not show with the shuffled ones as well. "
    missing = [name for name in expected if name not in right]
    return text + (f"Not shown, and so not claimed: {', '.join(missing)}." if missing else "")


def sound_told(check: pd.DataFrame, placebo: pd.DataFrame, speech: Mapping[str, float]) -> str:
    """What transfer did in the sound regions, in words (Markdown).

    Parameters
    ----------
    check, placebo : as for `check_told`.
    speech : by language, how well "a word or silence?" alone predicts the sound regions (Pearson r).
    """
    lines, same = [], placebo[placebo.group == "sound"].set_index("language").change
    for row in check[check.group == "sound"].itertuples():
        seen = {"gain": "gain", "loss": "lose"}.get(row.seen, "change by no more than their interval")
        lines.append(
            f"listeners of {row.language} {seen} ({row.change:+.4f}, {row.lower:+.4f} to {row.upper:+.4f}; after "
            f"shuffled translations {same[row.language]:+.4f}; one bit, speech or silence, reaches r = "
            f"{speech[row.language]:z.3f} there)"
        )
    return "In the *sound* regions, which no understanding can predict better, " + "; ".join(lines) + "."


def _in_brackets(names: list[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


def driver_change(
    before: Features, after: Features, drivers: Mapping[str, tuple[np.ndarray, np.ndarray]], device: str = "auto"
) -> pd.DataFrame:
    """How well states predict a phantom's drivers themselves, with no brain and no noise between, for two models.

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
    scores = []
    for features in (before, after):
        with warnings.catch_warnings():  # a driver may rest through a whole section: that one says nothing of it
            warnings.filterwarnings("ignore", "targets that are constant", RuntimeWarning)
            found = cross_validate(
                features.values, targets, features.run_of_scan, None, DRIVER_ALPHAS, trim=TRIM, device=device
            )
        chosen = np.take_along_axis(found.fold_scores, found.chosen_layer()[None], axis=0)[0]
        scores.append(np.arctanh(np.clip(chosen, -0.999999, 0.999999)))
    rows, start = [], 0
    for name, (values, _) in drivers.items():
        place = slice(start, start := start + values.shape[1])
        one, two = (np.nanmean(score[:, place], axis=1, keepdims=True) for score in scores)
        it = compare_runs(two, one, fisher=False)
        rows.append({"driver": name, "before": np.tanh(one.mean()), "after": np.tanh(two.mean()),
                     "change": it.estimate[0], "lower": it.lower[0], "upper": it.upper[0],
                     "p_runs": it.p[0]})  # fmt: skip
    return pd.DataFrame(rows)


def held_by_states(states: Mapping[tuple[str, str], np.ndarray], truth: Truth) -> pd.DataFrame:
    """What can be read, linearly, from the states of a phantom's story in sections not seen: word, sense and scene.

    `states` : (language, model) -> [layers, words, units]. Columns: language, model, target, r2 (of the best layer).
    """
    rows = []
    for (language, model), values in states.items():
        words = truth.words(language)
        heard, targets = phantom_targets(words)
        found = read_out(values[:, heard], targets, words.section.to_numpy()[heard])
        best = found.groupby(["target", "layer"]).r2.mean().groupby("target").max()
        rows += [{"language": language, "model": model, "target": name, "r2": r2} for name, r2 in best.items()]
    return pd.DataFrame(rows)


def drivers_told(held: pd.DataFrame) -> str:
    """`driver_change` of both second languages in words (Markdown); `held` has the columns language and model, too."""
    lines = []
    for (language, model), rows in held.groupby(["language", "model"], sort=False):
        up, down = rows.driver[rows.lower > 0].tolist(), rows.driver[rows.upper < 0].tolist()
        name = {"after": "after transfer", "shuffled": "after shuffled translations"}[model]
        better, worse = (", ".join(names) or "nothing" for names in (up, down))
        lines.append(f"- {language}, {name}: better predicted: {better}; worse: {worse}")
    return "By intervals over runs:\n\n" + "\n".join(lines)


def understood(features: Features, truth: Truth, language: str) -> Features:
    """What a model would hand over that had learned what sentences mean: a positive control of `Change`.

    Parameters
    ----------
    features : values [layers, scans, units], of a phantom's whole story.

    Returns
    -------
    The same features, and beside them in every layer what the phantom's regions of word, meaning and topic truly
    follow.
    """
    drivers = zip(DRIVERS, true_drivers(truth, language).values, strict=True)
    known = [values for name, values in drivers if EXPECTED.get(name) == "gain"]
    layers = [np.concatenate([layer, *known], axis=1) for layer in features.values]
    return Features(np.stack(layers), features.run_of_scan)


def understood_told(check: pd.DataFrame) -> str:
    """The positive control in words (Markdown); `check` is `truth_check` of the change from a model to `understood`."""
    gain, none = (check[check.expected == kind] for kind in ("gain", "no gain"))
    text = (
        f"With all that is to be understood beside its states the model shows {(gain.seen == 'gain').sum()} of "
        f"{len(gain)} expected gains, and {(none.seen == 'gain').sum()} of {len(none)} that must not be. "
    )
    if (none.seen == "gain").any():
        text += "(An interval of 95% errs once in forty times on that side; such gains are small.) "
    if gain["as expected"].all():
        return text + (
            "So the analysis finds understanding where there is any; what transfer gave this model is another matter."
        )
    return text + "So where this analysis sees no gain after transfer, there may be one all the same."
