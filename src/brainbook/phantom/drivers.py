"""What could drive a region: time courses made from the words of a story and from what is true of them.

- sound: how many words, and how much sound power;
- word: the identity of each content word, the same in every scene;
- meaning: what the word means in the scene over and above word and scene, gathered over recent words (leak 0.7);
- topic: the scene itself and what was meant in the last ten seconds or so. It goes on in silences.

Sound, word and meaning are brief events at word onsets; topic is a state that lasts until the next word.
"""

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from brainbook.datasets.little_prince import LittlePrince
from brainbook.phantom.world import N_SCENES, World

TR = LittlePrince.tr  # seconds, of ds003643: other layouts say theirs
DRIVERS = ("sound", "word", "meaning", "topic")
MEANING_LEAK = 0.7  # share of the gathered meaning that is left one content word later
TOPIC_LEAK = 0.93  # about ten seconds of speech
TOPIC_DIMENSIONS = 4  # of meaning that last; few, so that topic is not meaning over again
CELLS = 4  # of the fine clock in a scan
HAEMODYNAMIC_SECONDS = 32.0


def word_drivers(words: pd.DataFrame, world: World) -> dict[str, np.ndarray]:
    """Return what each word contributes to each driver.

    Parameters
    ----------
    words : from `tell_story`, any number of sections.

    Returns
    -------
    dict of arrays [words, dimensions]: sound (2: one for each word, loudness times duration), word (16, zeros for
    function words), meaning (16, zeros for function words), topic (8: one-hot scene minus 1/4; four dimensions of
    meaning, gathered for long).
    """
    concept, meant, scene = (words[name].to_numpy() for name in ("concept", "meant", "scene"))
    sections = words["section"].to_numpy()
    named = concept >= 0
    power = (words["loudness"] * (words["offset"] - words["onset"])).to_numpy()
    sound = np.stack([np.ones(len(words)), power], axis=1)
    identity = np.where(named[:, None], world.vectors[concept], 0.0)
    inside = np.where((meant >= 0)[:, None], world.interactions[scene, meant], 0.0)
    gathered = leaky_sum(inside, meant >= 0, sections, MEANING_LEAK)
    meaning = np.where((meant >= 0)[:, None], gathered, 0.0)
    scenes = np.eye(N_SCENES)[scene] - 1 / N_SCENES
    slow = leaky_sum(inside[:, :TOPIC_DIMENSIONS], meant >= 0, sections, TOPIC_LEAK)
    slow /= max(slow.std(), 1e-12)
    return {"sound": sound, "word": identity, "meaning": meaning, "topic": np.hstack([scenes / scenes.std(), slow])}


def leaky_sum(values: np.ndarray, counts: np.ndarray, sections: np.ndarray, leak: float) -> np.ndarray:
    """Return a running sum that keeps a share `leak` of itself at each row that counts, anew in each section."""
    gathered = np.zeros_like(values)
    state = np.zeros(values.shape[1])
    for row in range(len(values)):
        if row == 0 or sections[row] != sections[row - 1]:
            state = np.zeros_like(state)
        if counts[row]:
            state = leak * state + values[row]
        gathered[row] = state
    return gathered


def story_drivers(
    words: pd.DataFrame,
    world: World,
    n_scans: dict[int, int],
    cells: int = 1,
    tr: float = TR,
    starts: dict[int, float] | None = None,
) -> dict[int, dict[str, np.ndarray]]:
    """Put what each word contributes on a regular clock of `cells` steps per scan, section by section.

    Parameters
    ----------
    words : from `tell_story`, of all sections.
    n_scans : {section: scans}. tr : seconds from one scan to the next.
    starts : {section: seconds from scan 0 to zero of the words' clock}; None: they are the same moment.

    Returns
    -------
    {section: {driver: array [n_scans * cells, dimensions]}}: sums over the words that begin in the step; for topic the
    mean of the state over the step (zero before the first word and after the last).
    """
    contributions = word_drivers(words, world)
    sections = {}
    for section, n in n_scans.items():
        rows = (words["section"] == section).to_numpy()
        of_section, start = {name: each[rows] for name, each in contributions.items()}, (starts or {}).get(section, 0.0)
        sections[section] = on_clock(words[rows], of_section, n, cells, tr, start)
    return sections


def on_clock(
    words: pd.DataFrame,
    contributions: dict[str, np.ndarray],
    n_scans: int,
    cells: int = 1,
    tr: float = TR,
    start: float = 0.0,
) -> dict[str, np.ndarray]:
    """Put the words of one section on its clock (see `story_drivers`)."""
    n_steps, onsets = n_scans * cells, words["onset"].to_numpy() + start
    step = np.minimum((onsets / (tr / cells)).astype(int), n_steps - 1)
    clock = {}
    for name in ("sound", "word", "meaning"):
        clock[name] = np.zeros((n_steps, contributions[name].shape[1]))
        np.add.at(clock[name], step, contributions[name])
    fine = np.arange(n_steps * 8 // cells) * (tr / 8) + tr / 16  # eight moments in a scan
    latest = np.searchsorted(onsets, fine, side="right") - 1
    on = (latest >= 0) & (fine < words["offset"].max() + start + 1.0)
    state = np.where(on[:, None], contributions["topic"][np.maximum(latest, 0)], 0.0)
    clock["topic"] = state.reshape(n_steps, 8 // cells, -1).mean(axis=1)
    return clock


def convolve(fine: np.ndarray, peak: float, tr: float = TR) -> np.ndarray:
    """Convolve a driver with the haemodynamic response: array [scans * CELLS, dimensions] -> [scans, dimensions].

    A scan is taken to see the brain at its middle, so the response of scan k to a step at t seconds is
    h((k + 1/2) tr - t). Nothing comes from before the section.
    """
    from brainbook.encoding import haemodynamic_response  # brings scikit-learn along, which takes a second

    lags = (np.arange(HAEMODYNAMIC_SECONDS * CELLS / tr) + 0.5) * tr / CELLS
    curve = haemodynamic_response(lags, peak)
    return lfilter(curve, 1.0, fine, axis=0)[CELLS // 2 - 1 :: CELLS]


def slow_basis(n_scans: int, tr: float = TR, cutoff_seconds: float = 128.0) -> np.ndarray:
    """Return orthonormal slow time courses [scans, k]: constant, straight line, cosines slower than the cut-off."""
    order = int(np.floor(2 * n_scans * tr / cutoff_seconds))
    times = (np.arange(n_scans) + 0.5) / n_scans
    columns = [np.ones(n_scans), times - 0.5, *(np.cos(np.pi * k * times) for k in range(1, order + 1))]
    return np.linalg.qr(np.stack(columns, axis=1))[0]


def without_slow(values: np.ndarray, tr: float = TR) -> np.ndarray:
    """Return one section's array [scans, ...] without its constant, line and slow cosines (1/128 Hz)."""
    basis = slow_basis(len(values), tr)
    return values - (basis @ (basis.T @ values)).astype(values.dtype)
