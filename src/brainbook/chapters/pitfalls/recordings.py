"""Recordings with an effect of the story and without one, made ready for the protocols of the chapter `pitfalls`.

A phantom's counterpart is its null twin; real recordings are compared with themselves, moved in time.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from brainbook.chapters.pitfalls.measures import select_targets, with_shifted_copies
from brainbook.chapters.pitfalls.protocols import EncodingData
from brainbook.chapters.shared import (
    EDGE,
    align,
    driver_masks,
    group_masks,
    speech_or_silence,
    story_states,
    true_drivers,
    word_count,
)
from brainbook.datasets import Alice, Dataset, destrieux, open_dataset, to_surface
from brainbook.datasets.cleaning import clean
from brainbook.datasets.files import is_pointer
from brainbook.datasets.images import open_image
from brainbook.datasets.recordings import Recording
from brainbook.encoding import blocks_with_gaps
from brainbook.errors import BrainbookError
from brainbook.language_models import load_language_model, word_states
from brainbook.phantom import Truth, make_phantom, read_truth
from brainbook.store import cached_array

ECHOES = (1, 2, 3)
KINDS = ("responses", "unfiltered", "echo 1", "echo 2", "echo 3", "raw 1", "raw 2", "raw 3")


@dataclass(frozen=True)
class RecordingPair:
    """The same protocols can be applied to both: recordings that follow a story, and recordings that do not.

    Attributes
    ----------
    names : what the two are called on the page: (with an effect, null).
    signal, null : the two.
    nulls : `null` and copies of it that are shifted in time within each run, as further targets.
    best : `signal` with the features that are known to predict best, for what a protocol costs.
    follows : boolean array [targets of signal], those that follow the story, as far as one knows.
    masks : targets of signal by what drives them (a phantom) or by functional group: name -> boolean array; groups of
        which no target was taken are left out.
    edge_features : features in two codings for `score_edges`: (name, coding) -> array [scans, units].
    """

    names: tuple[str, str]
    signal: EncodingData
    null: EncodingData
    nulls: EncodingData
    best: EncodingData
    follows: np.ndarray
    masks: dict[str, np.ndarray]
    edge_features: dict[tuple[str, str], np.ndarray]

    @property
    def n_targets(self) -> int:
        """Targets of one null recording."""
        return self.null.responses.shape[1]


def open_pair(
    data: str | Path, null: str | Path, language: str, copies: int = 4, seed: int = 0, **options: Any
) -> RecordingPair:
    """Open the recordings in a folder and their counterpart: a phantom's null twin, else they themselves moved in time.

    Parameters
    ----------
    data : the recordings. null : where a phantom's null twin is or shall be written; not used by real recordings.
    copies : shifted copies beside the null twin; real recordings get one more, as their original is none.
    seed : of the shifts.
    options : of `encoding_data`.
    """
    dataset = open_dataset(data)
    signal, columns, edges = encoding_data(dataset, language, participants_with_echoes(dataset, language), **options)
    if dataset.is_phantom:
        truth = read_truth(dataset.root)
        twin = open_dataset(null_twin(dataset.root, null, language))
        null_data = encoding_data(twin, language, participants_with_echoes(twin, language), **options)[0]
        nulls = with_shifted_copies(null_data, copies, seed)
        names, masks = ("phantom", "null phantom"), driver_masks(truth, columns)
        follows = ~masks["none"]
        best = select_targets(with_true_features(signal, truth, language), follows)
    else:
        null_data, nulls = (with_shifted_copies(signal, n, seed, original=False) for n in (1, copies + 1))
        names, masks = ("recordings", "recordings, shifted"), group_masks(columns)
        follows, best = np.ones(len(columns), bool), signal
    masks = {name: mask for name, mask in masks.items() if mask.any()}
    return RecordingPair(names, signal, null_data, nulls, best, follows, masks, edges)


def null_twin(data: str | Path, folder: str | Path, language: str = "EN") -> Path:
    """Write a phantom with the story, clock and noise of another but no response to the story, if it is not there.

    Parameters
    ----------
    data : the phantom.
    folder : where its null twin is, or shall be, one participant of the language (of ds003643 with three raw
        echoes); written anew when it is the twin of another phantom.
    """
    original, folder = read_truth(data).parameters, Path(folder)
    same = {name: original[name] for name in ("scans", "seed", "voxel_size", "signal")} | {"null": True}
    same |= {name: original[name] for name in ("layout", "space") if name in original}
    same["echoes"] = 0 if "layout" in same else 1
    if (folder / "truth").is_dir():
        twin = read_truth(folder).parameters
        if language in twin["participants"] and all(twin.get(key) == same.get(key) for key in (*same, "layout")):
            return folder
    return make_phantom(folder, participants={language: 1}, languages=(language,), **same)


def participants_with_echoes(dataset: Dataset, language: str, most: int = 2) -> list[str]:
    """Return the first participants of a language who have raw echoes of every run; if nobody has, simply the first.

    Echoes that are listed but not downloaded are not there; then a line says how to get them. Only datasets with
    `bold` have any.
    """
    everyone = dataset.participants(language)
    with_echoes = [name for name in everyone if _has_echoes(dataset, name)]
    if not with_echoes and hasattr(dataset, "bold"):
        print(
            f"No raw echoes of {everyone[0]} and the others are here (`datalad get {everyone[0]}/func` brings them): "
            "protocols that need echoes are left out."
        )
    return (with_echoes or everyone)[:most]


def encoding_data(
    dataset: Dataset,
    language: str,
    participants: list[str],
    model: str,
    layer: int,
    components: int = 20,
    step: int = 20,
    context: int = 64,
    cache: str | None = "cache",
    device: str = "auto",
    stride: int | None = None,
    edge: float = EDGE,
) -> tuple[EncodingData, pd.DataFrame, dict[tuple[str, str], np.ndarray]]:
    """Put participants side by side as targets, and a language model's states on the clock of the scans.

    Parameters
    ----------
    components : principal components of each layer's states, so that many protocols take seconds each.
    step : every so many vertices of the cortex: a fair sample that is quick to compute with.
    context, stride : of `story_states`.
    edge : seconds at each edge of every run that neither train nor test.

    Returns
    -------
    (the data, the region and hemisphere of every target, features for `score_edges`).
    """
    parts, names = zip(*(_read_participant(dataset, who, step, cache) for who in participants), strict=True)
    common = [name for name in KINDS if all(name in part for part in parts)]
    responses = {name: np.concatenate([part[name] for part in parts], axis=1) for name in common}
    echoes = "echo 1" in responses
    states = story_states(dataset, language, model, context, cache, device, stride)
    single = story_states(dataset, language, model, 0, cache, device)
    contextual = align(dataset, language, states, aggregate="sum")
    data = EncodingData(
        layers=np.stack([principal_components(values, components) for values in contextual.values]),
        layer=layer,
        runs=contextual.run_of_scan,
        responses=responses["responses"],
        single=_aligned(dataset, language, single[layer], components, aggregate="sum"),
        zeros=_aligned(dataset, language, single[layer], components, silence="zeros"),
        unfiltered=responses.get("unfiltered"),
        echoes=np.stack([responses[f"echo {echo}"] for echo in ECHOES]) if echoes else None,
        raw_echoes=np.stack([responses[f"raw {echo}"] for echo in ECHOES]) if echoes else None,
        delays=contextual.delays,
        trim=round(edge / dataset.tr),
    )
    return data, pd.concat(names, ignore_index=True), edge_features(dataset, language, states[layer], components)


def edge_features(
    dataset: Dataset, language: str, states: np.ndarray, components: int
) -> dict[tuple[str, str], np.ndarray]:
    """Return a model, the word count and one bit (speech or silence), as published and as they should be.

    Parameters
    ----------
    states : array [words, units], of one layer.

    Returns
    -------
    (name, coding) -> array [scans, units]. "zeros": the mean of a scan's words, zeros in silence. "centred": silent
    scans hold the mean of the run's others instead, and everything is to be centred before it is delayed. A count and
    a bit have no silence to fill.
    """
    features = {
        ("model", coding): _aligned(dataset, language, states, components, silence=silence)
        for coding, silence in (("zeros", "zeros"), ("centred", "mean"))
    }
    for name, control in (("word count", word_count), ("speech or silence", speech_or_silence)):
        values = control(dataset, language).values[0]
        features |= {(name, coding): values for coding in ("zeros", "centred")}
    return features


def with_true_features(data: EncodingData, truth: Truth, language: str) -> EncodingData:
    """Replace a model's states by what a phantom's regions truly follow.

    A model that predicts little can lose little. With these features one sees what a protocol costs: they hold sound,
    word, meaning and topic side by side as the only layer; `single` holds what a word has without its context, sound
    and word.
    """
    sound, word, *others = true_drivers(truth, language).values
    drivers = np.concatenate([sound, word, *others], axis=1)
    return replace(data, layers=drivers[None], layer=0, single=np.concatenate([sound, word], axis=1))


def alice_data(
    root: str | Path,
    model: str,
    layer: int,
    components: int = 20,
    context: int = 32,
    cache: str | None = None,
    device: str = "auto",
    edge: float = EDGE,
) -> EncodingData | None:
    """Read the recordings of Alice: 6 regions of each participant side by side, one run cut into blocks with gaps.

    None, after printing why and how to get it, when the data or the model is not on this machine.
    """
    try:
        alice = Alice(root)
        loaded = load_language_model(model, cache=cache or "cache", device=device)
    except BrainbookError as error:
        print(f"Left out on this machine: {error}")
        return None
    words = alice.words().word.tolist()
    states = align(alice, "EN", word_states(loaded, words, context=context, cache=cache), aggregate="sum").values
    single = word_states(loaded, words, context=0, cache=cache)[layer]
    unfiltered = [clean(alice.bold(name).to_numpy(), high_pass=None) for name in alice.participants()]
    return EncodingData(
        layers=np.stack([principal_components(values, components) for values in states]),
        layer=layer,
        runs=np.zeros(alice.n_scans, int),
        responses=np.concatenate(list(alice.responses_of_all()), axis=1),
        single=_aligned(alice, "EN", single, components, aggregate="sum"),
        unfiltered=np.concatenate(unfiltered, axis=1),
        splits=blocks_with_gaps(alice.n_scans, 6, gap=8),
        trim=round(edge / alice.tr),
    )


def principal_components(values: np.ndarray, components: int) -> np.ndarray:
    """Project features on their first principal axes: [scans, units] -> float32 [scans, components].

    The axes are those of the stimulus alone: no response takes part. What comes back is not centred, so that zeros stay
    zeros.
    """
    components = min(components, *values.shape)
    axes = PCA(components, svd_solver="full").fit(values).components_
    return (values @ axes.T).astype(np.float32)


def _aligned(dataset: Dataset, language: str, states: np.ndarray, components: int, **options: Any) -> np.ndarray:
    """Return principal components of one layer's states [words, units] on the clock of the scans."""
    return principal_components(align(dataset, language, states[None], **options).values[0], components)


def _read_participant(
    dataset: Any, participant: str, step: int, cache: str | None
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Read a participant's recordings at every `step`-th vertex of the cortex, in all states that the chapter compares.

    Returns (name -> float32 array [scans, vertices], region and hemisphere of every vertex). Names: "responses"
    (cleaned), "unfiltered" (z-scored within the run without a high-pass), and if there are raw echoes "echo 1"..
    (cleaned) and "raw 1".. (as the scanner gave them). Of a dataset without `recording` there are "responses" only: of
    all regions, or of every `step`-th voxel.
    """
    if not hasattr(dataset, "recording"):
        responses = dataset.responses(participant, dataset.targets[0], cache=cache)
        every = slice(None, None, step if responses.names.duplicated().any() else 1)
        return {"responses": responses.values[:, every]}, responses.names.iloc[every]
    regions, runs, tr = destrieux(), dataset.runs(participant), dataset.tr
    vertices = np.flatnonzero(regions.cortex)[::step]
    echoes = ECHOES if _has_echoes(dataset, participant) else ()
    recordings = [
        [dataset.recording(run)] + [dataset.bold(participant, run.section, echo) for echo in echoes] for run in runs
    ]

    def read_run(combined: Recording, *images: Any) -> np.ndarray:  # float32 [kinds, scans, vertices]
        values = combined.to_surface(cache)[:, vertices]
        raw = [to_surface(image, cache=cache)[:, vertices] for image in images]
        cleaned = [clean(values, tr=tr), clean(values, tr=tr, high_pass=None), *(clean(echo, tr=tr) for echo in raw)]
        return np.stack([*cleaned, *raw]).astype(np.float32)

    kinds = KINDS if echoes else KINDS[:2]
    keys = [[run.section, recording.content_key()] for run, (recording, *_) in zip(runs, recordings, strict=True)]
    images: list[Any] = [open_image(run.echoes[echo]).dataobj for run in runs for echo in echoes]
    keys += [image.content_key() for image in images]
    arrays = cached_array(
        f"{cache}/pitfalls" if cache else None,
        participant,
        {"recordings": keys, "vertices": vertices, "kinds": kinds, "tr": tr, "version": 2},
        lambda: np.concatenate([read_run(*of_run) for of_run in recordings], axis=1),
    )
    return dict(zip(kinds, arrays, strict=True)), regions.columns.iloc[regions.region_index[vertices]]


def _has_echoes(dataset: Dataset, participant: str) -> bool:
    return all(
        set(ECHOES) <= set(run.echoes) and not any(is_pointer(run.echoes[echo]) for echo in ECHOES)
        for run in dataset.runs(participant)
    )
