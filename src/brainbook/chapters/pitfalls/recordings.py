"""What the chapter `pitfalls` needs from other rooms: recordings with something in them and with nothing, made ready.

A phantom's counterpart is its null twin; real recordings are compared with themselves, moved in time.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.chapters.pitfalls.measures import only, with_shifted_copies
from brainbook.chapters.pitfalls.protocols import Recording
from brainbook.chapters.shared import (
    TRIM,
    align,
    driver_masks,
    group_masks,
    speech_or_silence,
    story_states,
    word_count,
)
from brainbook.datasets import Alice, LittlePrince, destrieux, to_surface
from brainbook.datasets.cleaning import clean
from brainbook.datasets.files import is_pointer
from brainbook.encoding import blocks_with_gaps, variable_length
from brainbook.errors import BrainbookError, ConfigurationError
from brainbook.language_models import load_language_model, word_states
from brainbook.phantom import Truth, make_phantom, read_truth
from brainbook.store import cached_array
from brainbook.workflow import archived_table

ECHOES = (1, 2, 3)
KINDS = ("responses", "unfiltered", "echo 1", "echo 2", "echo 3", "raw 1", "raw 2", "raw 3")


@dataclass(frozen=True)
class Pair:
    """The same choices can be made about both: recordings that follow a story, and recordings in which nothing does.

    Attributes
    ----------
    names : what the two are called on the page: (with something in them, with nothing).
    something, nothing : the two.
    nulls : `nothing` and copies of it that are shifted in time within each run, as further targets.
    strongest : `something` with the features that are known to predict best, for what a choice costs.
    driven : boolean array [targets of something], those that follow the story, as far as one knows.
    members : targets of something by what drives them (a phantom) or by functional group: name -> boolean array; groups
        of which no target was taken are left out.
    edges : features in two codings for `measure_edges`: (name, coding) -> array [scans, units].
    """

    names: tuple[str, str]
    something: Recording
    nothing: Recording
    nulls: Recording
    strongest: Recording
    driven: np.ndarray
    members: dict[str, np.ndarray]
    edges: dict[tuple[str, str], np.ndarray]

    @property
    def n_targets(self) -> int:
        """Targets of one recording with nothing in it."""
        return self.nothing.responses.shape[1]


def open_pair(
    data: str | Path, null: str | Path, language: str, copies: int = 4, seed: int = 0, **options: object
) -> Pair:
    """The recordings in a folder and their counterpart: a phantom's null twin, else they themselves moved in time.

    Parameters
    ----------
    data : the recordings. null : where a phantom's null twin is or shall be written; not used by real recordings.
    copies : shifted copies beside the null twin; real recordings get one more, as their original is none.
    seed : of the shifts.
    options : of `recording`.
    """
    prince = LittlePrince(data)
    something, columns, edges = recording(prince, language, with_echoes(prince, language), **options)
    if not prince.is_phantom:
        shifted = [with_shifted_copies(something, count, seed, original=False) for count in (1, copies + 1)]
        everywhere = np.ones(something.responses.shape[1], bool)
        names = ("recordings", "recordings, shifted")
        return Pair(names, something, *shifted, something, everywhere, _there(group_masks(columns)), edges)
    truth, twin = read_truth(data), LittlePrince(null_twin(data, null, language))
    nothing = recording(twin, language, with_echoes(twin, language), **options)[0]
    nulls = with_shifted_copies(nothing, copies, seed)
    members = driver_masks(truth, columns)
    driven = ~members["none"]
    strongest = only(with_true_features(something, truth, language), driven)
    return Pair(("phantom", "null phantom"), something, nothing, nulls, strongest, driven, _there(members), edges)


def _there(members: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: chosen for name, chosen in members.items() if chosen.any()}


def null_twin(data: str | Path, folder: str | Path, language: str = "EN", participants: int = 2) -> Path:
    """A phantom with the story, clock and noise of another but no response to the story; written if it is not there.

    Parameters
    ----------
    data : the phantom.
    folder : where its null twin is, or shall be; written anew when it is the twin of another phantom.
    participants : of the language, each with three raw echoes.
    """
    like, folder = read_truth(data).parameters, Path(folder)
    same = {name: like[name] for name in ("scans", "seed", "voxel_size", "signal")} | {"null": True}
    if (folder / "truth").is_dir():
        there = read_truth(folder).parameters
        enough = min(there["participants"].get(language, 0), there["echoes"]) >= participants
        if enough and all(there[name] == value for name, value in same.items()):
            return folder
    return make_phantom(
        folder, participants={language: participants}, languages=(language,), echoes=participants, **same
    )


def with_echoes(prince: LittlePrince, language: str, most: int = 2) -> list[str]:
    """The first participants of a language who have raw echoes of every run; if nobody has, simply the first.

    Echoes that are listed but not downloaded are not there; then a line says how to get them.
    """
    everyone = prince.participants(language)
    having = [who for who in everyone if _has_echoes(prince, who)]
    if not having:
        print(
            f"No raw echoes of {everyone[0]} and the others are here (`datalad get {everyone[0]}/func` brings them): "
            "choices about echoes are left out."
        )
    return (having or everyone)[:most]


def every_vertex(step: int) -> np.ndarray:
    """Every `step`-th vertex of the cortex, int array: a fair sample that is quick to compute with."""
    return np.flatnonzero(destrieux().cortex)[::step]


def measured(prince: LittlePrince, participant: str, vertices: np.ndarray, cache: str | None) -> dict[str, np.ndarray]:
    """A participant's recordings at some vertices, in every state that the chapter compares.

    Returns
    -------
    name -> float32 array [scans, vertices]: "responses" (cleaned), "unfiltered" (z-scored within the run without a
    high-pass), and if there are raw echoes "echo 1".. (cleaned) and "raw 1".. (as the scanner gave them).
    """
    echoes = _has_echoes(prince, participant)
    kinds = KINDS if echoes else KINDS[:2]

    def compute() -> np.ndarray:
        runs = [_one_run(prince, participant, run.section, vertices, echoes, cache) for run in prince.runs(participant)]
        return np.concatenate(runs, axis=1)

    files = [[run.path.name, run.path.stat().st_size, run.path.stat().st_mtime_ns] for run in prince.runs(participant)]
    inputs = {"files": files, "folder": str(prince.root), "vertices": vertices, "kinds": kinds, "version": 1}
    arrays = cached_array(f"{cache}/pitfalls" if cache else None, participant, inputs, compute)
    return dict(zip(kinds, arrays, strict=True))


def recording(
    prince: LittlePrince,
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
    trim: int = TRIM,
) -> tuple[Recording, pd.DataFrame, dict[tuple[str, str], np.ndarray]]:
    """Participants side by side as targets, and a language model's states on the clock of the scans.

    Parameters
    ----------
    components : principal components kept of each layer's states, so that many protocols take seconds each.
    step : every so many vertices of the cortex.
    context, stride : of `story_states`.
    trim : scans at each edge of every run that neither train nor test.

    Returns
    -------
    (the recording, the region and hemisphere of every target, features for `measure_edges`).
    """
    vertices = every_vertex(step)
    parts = [measured(prince, participant, vertices, cache) for participant in participants]
    states, words_alone = (
        story_states(prince, language, model, words, cache, device, window)
        for words, window in ((context, stride), (0, None))
    )
    contextual, alone = (align(prince, language, one, aggregate="sum") for one in (states, words_alone))
    published = align(prince, language, words_alone[layer : layer + 1], silence="zeros")
    layers = np.stack([principal(values, components) for values in contextual.values])
    common = [name for name in KINDS if all(name in part for part in parts)]
    stack = {name: np.concatenate([part[name] for part in parts], axis=1) for name in common}
    echoes = "echo 1" in stack
    found = Recording(
        layers=layers,
        layer=layer,
        runs=contextual.run_of_scan,
        responses=stack["responses"],
        single=principal(alone.values[layer], components),
        zeros=principal(published.values[0], components),
        unfiltered=stack["unfiltered"],
        echoes=np.stack([stack[f"echo {echo}"] for echo in ECHOES]) if echoes else None,
        raw_echoes=np.stack([stack[f"raw {echo}"] for echo in ECHOES]) if echoes else None,
        trim=trim,
    )
    regions = destrieux()
    columns = regions.columns.iloc[np.tile(regions.region_index[vertices], len(participants))].reset_index(drop=True)
    return found, columns, edge_features(prince, language, states[layer], components)


def edge_features(
    prince: LittlePrince, language: str, states: np.ndarray, components: int
) -> dict[tuple[str, str], np.ndarray]:
    """A model, the word count and one bit (speech or silence), as published and as they should be.

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
        ("model", coding): principal(align(prince, language, states[None], silence=silence).values[0], components)
        for coding, silence in (("zeros", "zeros"), ("centred", "mean"))
    }
    for name, feature in (("word count", word_count), ("speech or silence", speech_or_silence)):
        values = feature(prince, language).values[0]
        features |= {(name, coding): values for coding in ("zeros", "centred")}
    return features


def with_true_features(data: Recording, truth: Truth, language: str) -> Recording:
    """The same responses of a phantom, and in place of a model's states what its regions truly follow.

    A model that predicts little can lose little. With these features one sees what a choice costs: they hold sound,
    word, meaning and topic side by side as the only layer; `single` holds what a word has without its context, sound
    and word.
    """
    drivers = {name: values.astype(np.float32) for name, (values, _) in truth.drivers(language).items()}
    single = np.concatenate([drivers["sound"], drivers["word"]], axis=1)
    return replace(data, layers=np.concatenate(list(drivers.values()), axis=1)[None], layer=0, single=single)


def alice_recording(
    root: str | Path,
    model: str,
    layer: int,
    components: int = 20,
    context: int = 32,
    cache=None,
    device="auto",
    trim: int = TRIM,
) -> Recording | None:
    """The real recordings of Alice: 6 regions of each participant side by side, one run cut into blocks with gaps.

    None, after printing why and how to get it, when the data or the model is not on this machine.
    """
    try:
        alice = Alice(root)
        loaded = load_language_model(model, cache=cache or "cache", device=device)
    except BrainbookError as error:
        print(f"Left out on this machine: {error}")
        return None
    words = alice.words()

    def states(words_before: int) -> np.ndarray:
        kept = word_states(loaded, words.word.tolist(), context=words_before, cache=cache)
        return variable_length(kept, words.onset.to_numpy(), alice.n_scans, alice.tr, aggregate="sum")

    people = alice.responses_of_all()
    unfiltered = np.stack([clean(alice.bold(who).to_numpy(), high_pass=None) for who in alice.participants()])
    return Recording(
        layers=np.stack([principal(values, components) for values in states(context)]),
        layer=layer,
        runs=np.zeros(alice.n_scans, int),
        responses=_side_by_side(people),
        single=principal(states(0)[layer], components),
        unfiltered=_side_by_side(unfiltered),
        splits=blocks_with_gaps(alice.n_scans, 6, gap=8),
        trim=trim,
    )


OWN_BENCHMARK = ("laterality", "alpha_groups")


def archived_calibration(table: str) -> pd.DataFrame | None:
    """A table of calibration that is kept with the book, after printing when it was made and how.

    `benchmarks/bench_calibration.py` makes them, and a benchmark of its own those named in OWN_BENCHMARK. None, after
    printing how to make it, when it is not there.
    """
    try:
        kept = archived_table("calibration", table)
    except ConfigurationError:
        maker = table if table in OWN_BENCHMARK else "calibration"
        print(f"Not kept yet: python benchmarks/bench_{maker}.py --keep makes the table {table!r}")
        return None
    print(f"Kept result of {kept.date[:10]}: {kept.command}")
    return kept.rows


def principal(values: np.ndarray, components: int) -> np.ndarray:
    """Features on their first principal axes: [scans, units] -> float32 [scans, components].

    The axes are those of the stimulus alone: no response takes part. What comes back is not centred, so that zeros stay
    zeros.
    """
    axes = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)[2]
    return (values @ axes[:components].T).astype(np.float32)


def _has_echoes(prince, participant):
    return all(
        set(ECHOES) <= set(run.echoes) and not any(is_pointer(run.echoes[echo]) for echo in ECHOES)
        for run in prince.runs(participant)
    )


def _one_run(prince, participant, section, vertices, echoes, cache) -> np.ndarray:
    """float32 [kinds, scans, vertices]"""

    def read(echo=None):
        return to_surface(prince.bold(participant, section, echo=echo), cache=cache)[:, vertices]

    whole = read()
    found = [clean(whole), clean(whole, high_pass=None)]
    if echoes:
        raw = [read(echo) for echo in ECHOES]
        found += [clean(values) for values in raw] + raw
    return np.stack(found).astype(np.float32)


def _side_by_side(people: np.ndarray) -> np.ndarray:
    """[participants, scans, regions] -> [scans, participants x regions]"""
    return np.moveaxis(people, 0, 1).reshape(people.shape[1], -1)
