"""A phantom that hears the real story, and what a real model predicts of it and of people.

`python -m brainbook.chapters.story FOLDER --story little_prince` writes that phantom (the study `story` does it).
"""

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from brainbook.chapters.alice import AVERAGE, GroupResponses, parts_and_totals, score
from brainbook.chapters.shared import (
    EDGE,
    Features,
    ParticipantScores,
    align,
    driver_masks,
    score_participants,
    stack_responses,
    true_drivers,
    word_count,
)
from brainbook.datasets import Alice, LittlePrince, StoryAnnotation
from brainbook.encoding import (
    cross_validate_bands,
    delays_in_scans,
    haemodynamic_response,
    leave_runs_out,
    response_shape,
)
from brainbook.errors import BrainbookError
from brainbook.language_models import load_language_model, word_states
from brainbook.phantom import Truth, make_phantom, real_story
from brainbook.stats import mean_interval

N_COMPONENTS = 50  # principal components of a layer's states, so that a ridge on it takes a second
TWIN = "untrained twin"
LOW_LEVEL = "low-level features"
OF_DRIVER = {  # the feature spaces in which a phantom's drivers lie
    "sound": ("word count", "amplitude"),
    "word": ("frequency and surprisal",),
    "meaning": ("model",),
    "topic": ("model",),
}


def heard_states(
    annotation: StoryAnnotation,
    language: str,
    model: str,
    context: int = 16,
    cache: str | None = "cache",
    device: str = "auto",
) -> np.ndarray:
    """Compute every layer's state of every word of a story, each section by itself: [layers + 1, words, units]."""
    loaded = load_language_model(model, cache=cache or "cache", device=device)
    return word_states(loaded, annotation.words(language), context, language=language, cache=cache)


def write_phantom(
    root: str | Path,
    story: str | Path,
    model: str = "minilm",
    layer: int = 3,
    context: int = 16,
    cache: str = "cache",
    device: str = "auto",
    **options: Any,
) -> Path:
    """Write a phantom that hears the real story, whose brain follows a real model's states of one layer.

    Parameters
    ----------
    story : folder of the annotation (`StoryAnnotation`).
    model, layer, context : whose states, of which layer, after how many words.
    options : of `make_phantom`.
    """
    annotation = StoryAnnotation(story)
    languages = [code for code in options.get("languages", annotation.languages) if code in annotation.languages]
    states = {code: heard_states(annotation, code, model, context, cache, device)[layer] for code in languages}
    return make_phantom(root, story=real_story(annotation, states, f"{model} layer {layer}"), **options)


def made_of(truth: Truth) -> pd.DataFrame:
    """Return what each driver of a phantom with a real story is made of: language, and a column for each driver."""
    table = pd.DataFrame.from_dict(truth.parameters["made_of"], orient="index").map(", ".join)
    return table.rename_axis("language").reset_index()


def reduced(states: np.ndarray, n: int = N_COMPONENTS, seed: int = 0) -> np.ndarray:
    """Reduce every layer's states to its first principal components: [layers, words, units] -> [layers, words, n].

    The components are those of all words; no response has a say in them.
    """
    return np.stack([PCA(n, random_state=seed).fit_transform(layer) for layer in states]).astype(np.float32)


def low_level(annotation: Any, language: str) -> Features:
    """Return what knows no meaning, by scan: word count; frequency, surprisal and amplitude where they are known."""
    known, amplitude = annotation.word_values(language), annotation.amplitude(language)
    count = word_count(annotation, language)
    columns = [count.values[0]]
    if known.shape[1]:
        standard = ((known - known.mean()) / known.std()).to_numpy(np.float32)
        columns.append(align(annotation, language, standard[None]).values[0])
    if amplitude:
        scans = annotation.scans(language)
        means = [
            amplitude[section]["amplitude"].groupby(amplitude[section]["onset"] // annotation.tr).mean()
            for section in scans
        ]
        values = [part.reindex(range(n), fill_value=0.0) for part, n in zip(means, scans.values(), strict=True)]
        columns.append(np.concatenate(values)[:, None])
    return Features(np.hstack(columns).astype(np.float32)[None], count.run_of_scan, count.tr)


def score_phantom(
    prince: LittlePrince,
    truth: Truth,
    annotation: StoryAnnotation,
    language: str,
    states: Mapping[str, np.ndarray],
    cache: str | None = "cache",
    device: str = "auto",
    words_per_scan: int = 5,
) -> dict[str, ParticipantScores]:
    """Score a phantom's participants: each model's states under VLA, the first also under FLA, and the controls.

    states : {name: array [layers, words, units]}; the first is the model, of which FLA is tried too.
    """
    participants = prince.participants(language)
    responses, _, columns = stack_responses(prince, participants, cache=cache)
    spaces = {name: align(prince, language, values) for name, values in states.items()}
    model = next(iter(states))
    spaces[f"{model}, FLA"] = align(prince, language, states[model], "FLA", words_per_scan=words_per_scan)
    spaces[LOW_LEVEL] = low_level(annotation, language)
    spaces["word count"] = word_count(prince, language)
    spaces["true drivers"] = true_drivers(truth, language)
    return {
        name: score_participants(space, responses, participants, columns, device=device)
        for name, space in spaces.items()
    }


def scores_by_driver(scores: Mapping[str, ParticipantScores], truth: Truth) -> pd.DataFrame:
    """Average scores over the regions of each driver: participant, features, group, value (mean over runs)."""
    tables = []
    for name, result in scores.items():
        table = result.table(driver_masks(truth, result.columns))
        means = table.groupby(["participant", "group"], sort=False).value.mean().reset_index()
        tables.append(means.assign(features=name))
    return pd.concat(tables, ignore_index=True)


def layers_by_driver(scores: Mapping[str, ParticipantScores], truth: Truth, names: Iterable[str]) -> pd.DataFrame:
    """Average every layer's scores over the regions of each driver: participant, features, layer, group, value."""
    rows = []
    for name in names:
        result = scores[name]
        masks = {group: mask for group, mask in driver_masks(truth, result.columns).items() if mask.any()}
        for group, mask in masks.items():
            means = np.nanmean(result.layer_scores[:, :, mask], axis=2)  # layers, participants
            for (layer, number), value in np.ndenumerate(means):
                rows.append((result.participants[number], name, layer, group, value))
    return pd.DataFrame(rows, columns=["participant", "features", "layer", "group", "value"])


def band_spaces(annotation: Any, language: str, states: np.ndarray) -> dict[str, np.ndarray]:
    """Return feature spaces for banded ridge: {name: array [scans, units]}; `states` [words, units] of one layer."""
    columns, n_known = low_level(annotation, language).values[0], annotation.word_values(language).shape[1]
    parts = np.split(columns, [1, 1 + n_known], axis=1)
    names = ("word count", "frequency and surprisal", "amplitude")
    spaces = {name: part for name, part in zip(names, parts, strict=True) if part.shape[1]}
    return spaces | {"model": align(annotation, language, states[None]).values[0]}


def score_bands(
    prince: LittlePrince,
    truth: Truth,
    language: str,
    spaces: Mapping[str, np.ndarray],
    cache: str | None = "cache",
    device: str = "auto",
    n_candidates: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute how much of the regions' mean response over participants each feature space explains.

    Three sections are predicted from the six others at a time, and the penalties chosen in three parts of those.

    Returns
    -------
    DataFrame with one row per driver and space: driver, space, value (mean share of R2 over the driver's regions; the
    spaces add up to the row 'all, own penalties', beside which stands the R2 with one penalty for all), largest (share
    of the regions in which the space is the largest).
    """
    responses, runs, columns = stack_responses(prince, prince.participants(language), cache=cache)
    arguments = spaces, responses.mean(axis=0), runs, delays_in_scans(prince.tr), np.logspace(0, 6, 7)
    options: dict[str, Any] = {
        "splits": leave_runs_out(runs, 3, round(EDGE / prince.tr)),
        "inner_folds": 3,
        "device": device,
    }
    banded = cross_validate_bands(*arguments, n_candidates=n_candidates, seed=seed, **options)
    plain = cross_validate_bands(*arguments, n_candidates=1, **options)
    winner = np.array(banded.names)[banded.space_scores.argmax(axis=0)]
    rows = []
    for driver, mask in driver_masks(truth, columns).items():
        for name, of_space in parts_and_totals(banded, plain).items():
            largest = (winner[mask] == name).mean() if name in banded.names else np.nan
            rows.append((driver, name, of_space[mask].mean(), largest))
    return pd.DataFrame(rows, columns=["driver", "space", "value", "largest"])


def shape_of_sound(
    prince: LittlePrince, truth: Truth, annotation: StoryAnnotation, language: str, cache: str | None = "cache"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Estimate the response to a word in the regions that follow the sound, the effect of its amplitude taken out.

    Returns
    -------
    shape : series ('estimated', 'true shape'), seconds, value (mean over the regions), lower, upper (over sections).
    peaks : region, hemisphere, true (s), estimated (s, from a parabola through the highest three values).
    """
    responses, runs, columns = stack_responses(prince, prince.participants(language), cache=cache)
    mask = driver_masks(truth, columns)["sound"]
    spaces = band_spaces(annotation, language, np.zeros((len(annotation.words(language)), 1), np.float32))
    mean = responses.mean(axis=0)[:, mask]
    delays = range(-1, round(16 / prince.tr))
    arguments = runs, delays, prince.tr
    others: dict[str, Any] = {"others": spaces.get("amplitude"), "trim": round(EDGE / prince.tr)}
    by_region = response_shape(spaces["word count"], mean, *arguments, **others)
    overall = response_shape(spaces["word count"], mean.mean(axis=1, keepdims=True), *arguments, **others)
    true = columns[mask].merge(truth.regions, on=["region", "hemisphere"], how="left")
    curves = np.stack([haemodynamic_response(overall.seconds, peak) for peak in true.hrf_peak]).mean(axis=0)
    estimated = overall.to_frame({"series": ["estimated"]})
    scale = (estimated.value @ curves) / (curves @ curves)
    expected = pd.DataFrame({"series": "true shape", "seconds": overall.seconds, "value": scale * curves})
    weights = by_region.interval().estimate  # delays, regions
    top = weights[1:-1].argmax(axis=0) + 1
    before, at, after = (weights[top + shift, np.arange(weights.shape[1])] for shift in (-1, 0, 1))
    seconds = by_region.seconds[top] + prince.tr * (before - after) / (2 * (before - 2 * at + after))
    peaks = true[["region", "hemisphere"]].assign(true=true.hrf_peak, estimated=seconds)
    return pd.concat([estimated, expected], ignore_index=True), peaks


def score_alice(
    alice: Alice, group: GroupResponses, states: Mapping[str, np.ndarray], device: str = "auto"
) -> pd.DataFrame:
    """Score Alice's participants with the same features as the phantom's, mean of the six regions.

    The low-level features are the published ones: word rate, sound power, frequency and trigram surprisal, which their
    authors have convolved with a haemodynamic response, so they are not delayed.

    Returns
    -------
    DataFrame: participant, features, layer (-1: the one that training scans choose), group ("six regions"), value.
    """
    spaces: dict[str, Any] = {name: align(alice, "EN", values).values for name, values in states.items()}
    spaces["word count"] = word_count(alice, "EN").values
    tables = [score(group, values, device).assign(features=name) for name, values in spaces.items()]
    published = alice.predictors[["frequency", "trigram_word"]].to_numpy()
    columns = np.column_stack([alice.word_rate, alice.sound_power, published])
    standard = ((columns - columns.mean(axis=0)) / columns.std(axis=0)).astype(np.float32)
    tables.append(score(group, standard[None], device, delays=(0,)).assign(features=LOW_LEVEL))
    table = pd.concat(tables, ignore_index=True)
    table = table[table.participant != AVERAGE]
    means = table.groupby(["participant", "features", "layer"], sort=False).value.mean().reset_index()
    return means.assign(group="six regions")


def interval_table(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Average `value` over each group's participants, with Student's interval: columns `by`, value, lower, upper, p.

    Groups may have different participants. A group of a single one has no interval: its limits are NaN.
    """
    single = table.groupby([*by, "participant"], sort=False)["value"].mean()
    parts = []
    for key, values in single.groupby(level=by, sort=False):
        names = dict(zip(by, key, strict=True))
        if len(values) > 1:
            parts.append(mean_interval(values.to_numpy()).to_frame(**names))
        else:
            parts.append(pd.DataFrame([{**names, "value": values.iloc[0]}]))
    return pd.concat(parts, ignore_index=True)


def gains(table: pd.DataFrame, first: str, by: list[str]) -> pd.DataFrame:
    """Compare features with all others, paired by participant: other, columns `by`, value (first - other), interval.

    table : participant, features, columns `by`, value.
    """
    wide = table.pivot_table(index=["participant", *by], columns="features", values="value", sort=False)
    others = wide.drop(columns=first)
    differences = others.rsub(wide[first], axis=0).melt(ignore_index=False, var_name="other").reset_index()
    return interval_table(differences.dropna(), ["other", *by])


def describe_gain(gain: pd.Series) -> str:
    """Describe a difference with its interval: 'better than (+0.024, +0.008 to +0.040)'."""
    sure = "better than" if gain.lower > 0 else "worse than" if gain.upper < 0 else "not surely different from"
    return f"{sure} ({gain.value:+.3f}, {gain.lower:+.3f} to {gain.upper:+.3f})"


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and write the phantom; the exit status is 2 if that is refused."""
    parser = argparse.ArgumentParser(
        prog="python -m brainbook.chapters.story", description=str(write_phantom.__doc__).split("\n")[0]
    )
    parser.add_argument("folder", help="folder to write; a phantom that is already there is replaced")
    parser.add_argument("--story", required=True, help="folder of the annotation: EN/, FR/, CN/")
    parser.add_argument("--model", default="minilm")
    for name, default in (("layer", 3), ("context", 16), ("participants", 3), ("seed", 0), ("echoes", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--voxel-size", type=float, default=6.0)
    parser.add_argument("--signal", type=float, default=1.0)
    options = vars(parser.parse_args(arguments))
    try:
        print(write_phantom(options.pop("folder"), **options))
    except BrainbookError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
