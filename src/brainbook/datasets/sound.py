"""Features of the sound itself: amplitude, mel bands and pitch of a wav or flac file, on the clock of the scans.

Mel bands and pitch need librosa, files need soundfile: `pip install "brainbook[sound]"`.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np

from brainbook.datasets.files import check_content
from brainbook.errors import DatasetError

STEP = 0.01  # seconds
_PIECE = 4000  # steps whose pitch is looked for at a time
_WINDOW = 0.04  # seconds of sound of which a spectrum is made
_RANGE = 80.0  # decibels below the loudest band that still count; speech has some 40
_TOP = 8000.0  # Hz, the end of the mel bands: little of speech lies above


@dataclass(frozen=True)
class Sound:
    """A recording in one channel.

    Attributes
    ----------
    samples : float32 array [samples], between -1 and 1. rate : samples per second.

    Examples
    --------
    >>> Sound(np.zeros(32000, np.float32), rate=16000).seconds
    2.0
    """

    samples: np.ndarray
    rate: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or not len(self.samples) or not np.isfinite(self.samples).all() or self.rate <= 0:
            raise DatasetError(f"a sound is [samples], finite, at a rate above 0: {self.samples.shape}, {self.rate} Hz")

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


@dataclass(frozen=True)
class SoundSeries:
    """Features over time.

    Attributes
    ----------
    seconds : array [steps], ascending: the middle of every step on the clock of the sound.
    values : float32 array [steps, features] or [layers, steps, features]; NaN where a feature has no value, as the
        pitch of silence.
    names : of the features.
    silence : array [features] or [layers, features], what a scan without any value gets.

    Examples
    --------
    >>> series = SoundSeries(np.array([0.5, 1.5, 2.5, 3.5]), np.ones((4, 1), np.float32), ("level",), np.zeros(1))
    >>> series.on_scans(3, tr=2.0)  # nothing was heard in the third scan
    array([[1.],
           [1.],
           [0.]], dtype=float32)
    """

    seconds: np.ndarray
    values: np.ndarray
    names: tuple[str, ...]
    silence: np.ndarray

    def on_scans(self, n_scans: int, tr: float, start: float = 0.0) -> np.ndarray:
        """Average the steps of each scan: float32 array [..., scans, features].

        Parameters
        ----------
        n_scans, tr : number of scans, and seconds from one to the next.
        start : seconds from the first scan to the start of the sound, of either sign (`Dataset.starts`).
        """
        if tr <= 0:
            raise DatasetError(f"tr, the seconds of a scan, must be positive, not {tr}")
        scan = np.floor((self.seconds + start) / tr + 1e-9).astype(int)
        inside = (scan >= 0) & (scan < n_scans)
        values = np.moveaxis(self.values, -2, 0)[inside]  # steps first
        known, shape = np.isfinite(values), (n_scans, *values.shape[1:])
        total, count = np.zeros(shape), np.zeros(shape)
        np.add.at(total, scan[inside], np.where(known, values, 0))
        np.add.at(count, scan[inside], known)
        mean = np.where(count > 0, total / np.maximum(count, 1), self.silence)
        return np.moveaxis(mean, 0, -2).astype(np.float32)


def read_sound(path: str | Path) -> Sound:
    """Read a wav or flac file, `path`, its channels averaged.

    Raises
    ------
    DatasetError : the file is not there or not downloaded, or no sound; or soundfile is not installed.

    Examples
    --------
    >>> from scipy.io import wavfile
    >>> wavfile.write("story.wav", 16000, np.zeros(16000, np.int16))
    >>> read_sound("story.wav").seconds
    1.0
    """
    path, soundfile = check_content(path), _library("soundfile")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise DatasetError(f"{path} cannot be read as sound: {error}. Convert it to wav or flac") from None
    return Sound(samples.mean(axis=1), rate)


def amplitude(sound: Sound, step: float = STEP) -> SoundSeries:
    """Compute the envelope of a sound: the root mean square of each step.

    Examples
    --------
    >>> import numpy as np
    >>> tone = Sound(0.5 * np.sin(2 * np.pi * 200 * np.arange(8000) / 8000), 8000)
    >>> round(float(amplitude(tone, step=0.1).values[0, 0]), 3)
    0.354
    """
    borders = np.arange(0, len(sound.samples), max(1, round(step * sound.rate)))
    lengths = np.diff(np.append(borders, len(sound.samples)))
    squares = np.add.reduceat(np.square(sound.samples, dtype=float), borders) / lengths
    return _series((borders + lengths / 2) / sound.rate, np.sqrt(squares)[:, None], ("amplitude",))


def mel_bands(sound: Sound, n_bands: int = 32, step: float = STEP) -> SoundSeries:
    """Compute the power in bands that are equally wide to the ear, in decibels above the floor.

    The floor lies 80 dB below the loudest band of the whole sound; what is below it, and silence, is 0.

    Parameters
    ----------
    n_bands : from 50 Hz to 8 kHz, or to half of the sound's rate where that is less.

    Returns
    -------
    SoundSeries, features 'mel 82 Hz', ... named by the middle of each band.
    """
    librosa, hop = _library("librosa"), max(1, round(step * sound.rate))
    limits = {"fmin": 50.0, "fmax": min(_TOP, sound.rate / 2)}
    size = 1 << int(np.ceil(np.log2(_WINDOW * sound.rate)))
    power = librosa.feature.melspectrogram(
        y=sound.samples, sr=sound.rate, n_fft=size, hop_length=hop, n_mels=n_bands, **limits
    )
    decibels = librosa.power_to_db(power, ref=max(float(power.max()), 1e-10), top_db=None) + _RANGE
    middles = librosa.mel_frequencies(n_bands + 2, **limits)[1:-1]
    names = tuple(f"mel {middle:.0f} Hz" for middle in middles)
    return _series(np.arange(power.shape[1]) * hop / sound.rate, np.maximum(decibels.T, 0), names)


def pitch(sound: Sound, step: float = STEP, lowest: float = 65.0, highest: float = 400.0) -> SoundSeries:
    """Compute the pitch of the voice, and where there is one.

    Parameters
    ----------
    lowest, highest : Hz between which it is looked for.

    Returns
    -------
    SoundSeries: 'pitch' in semitones above 100 Hz (NaN where nothing is voiced; a scan without voice gets the mean)
    and 'voiced', 1 or 0.

    Source: probabilistic YIN, Mauch & Dixon (2014), ICASSP, as librosa has it.
    """
    librosa, hop = _library("librosa"), max(1, round(step * sound.rate))
    size = 1 << int(np.ceil(np.log2(4 * sound.rate / lowest)))
    n_steps, margin, parts = 1 + len(sound.samples) // hop, round(1 / step), []
    for first in range(0, n_steps, _PIECE):  # the whole sound at once would take gigabytes
        begin = max(0, first - margin)
        samples = sound.samples[begin * hop : (first + _PIECE + margin) * hop]
        hertz, voiced, _ = librosa.pyin(
            samples, fmin=lowest, fmax=highest, sr=sound.rate, frame_length=size, hop_length=hop
        )
        values = np.column_stack([12 * np.log2(np.where(voiced, hertz, np.nan) / 100), voiced])
        parts.append(values[first - begin :][: min(_PIECE, n_steps - first)])
    values = np.concatenate(parts)
    mean = np.nanmean(values[:, 0]) if values[:, 1].any() else 0.0
    return _series(np.arange(n_steps) * hop / sound.rate, values, ("pitch", "voiced"), np.array([mean, 0.0]))


def _series(
    seconds: np.ndarray, values: np.ndarray, names: tuple[str, ...], silence: np.ndarray | None = None
) -> SoundSeries:
    silence = np.zeros(len(names)) if silence is None else silence
    return SoundSeries(np.asarray(seconds, float), values.astype(np.float32), names, silence)


def _library(name: str) -> ModuleType:
    """Import librosa or soundfile, which only sound needs."""
    try:
        return import_module(name)
    except ImportError:
        raise DatasetError(f'{name} is not installed, which sound needs: pip install "brainbook[sound]"') from None
