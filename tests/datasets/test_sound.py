"""Features of synthesised sounds, whose envelope, spectrum and pitch are known."""

import sys

import numpy as np
import pytest

from brainbook.datasets.sound import Sound, SoundSeries, amplitude, mel_bands, pitch, read_sound
from brainbook.errors import DatasetError

RATE = 8000


def tone(hertz, seconds=2.0, rate=RATE, loudness=0.5):
    return (loudness * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_files_are_read_in_one_channel(tmp_path, kind):
    soundfile = pytest.importorskip("soundfile")
    stereo = np.column_stack([tone(200), tone(200, loudness=0.1)])
    soundfile.write(tmp_path / f"x.{kind}", stereo, RATE)
    sound = read_sound(tmp_path / f"x.{kind}")
    assert sound.rate == RATE and sound.seconds == 2.0
    np.testing.assert_allclose(sound.samples, tone(200, loudness=0.3), atol=1e-4)


def test_what_is_no_sound_is_named(tmp_path, monkeypatch):
    pytest.importorskip("soundfile")
    (tmp_path / "x.wav").write_text("no sound at all")
    with pytest.raises(DatasetError, match=r"x\.wav cannot be read as sound.*Convert it"):
        read_sound(tmp_path / "x.wav")
    with pytest.raises(DatasetError, match="does not exist"):
        read_sound(tmp_path / "y.wav")
    with pytest.raises(DatasetError, match="finite"):
        Sound(np.array([0.0, np.nan]), RATE)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(DatasetError, match=r"soundfile is not installed.*brainbook\[sound\]"):
        read_sound(tmp_path / "x.wav")


def test_the_envelope_is_the_one_that_shaped_the_tone():
    times = np.arange(4 * RATE) / RATE
    envelope = 0.5 + 0.4 * np.sin(2 * np.pi * 1.5 * times)
    series = amplitude(Sound((envelope * np.sin(2 * np.pi * 400 * times)).astype(np.float32), RATE), step=0.02)
    expected = 0.5 + 0.4 * np.sin(2 * np.pi * 1.5 * series.seconds)
    assert series.values.shape == (200, 1) and series.seconds[0] == pytest.approx(0.01)
    np.testing.assert_allclose(series.values[:, 0] * np.sqrt(2), expected, atol=0.02)


def test_a_tone_is_loudest_in_its_band_and_silence_is_zero():
    pytest.importorskip("librosa")
    samples = np.concatenate([tone(300, 1), tone(2000, 1), np.zeros(RATE, np.float32)])
    series = mel_bands(Sound(samples, RATE), n_bands=20)
    middles = np.array([float(name.split()[1]) for name in series.names])
    for second, hertz in ((0, 300), (1, 2000)):
        inside = (series.seconds > second + 0.1) & (series.seconds < second + 0.9)
        assert abs(np.log(middles[series.values[inside].mean(0).argmax()] / hertz)) < 0.2
    assert series.values.max() == pytest.approx(80, abs=0.1)
    assert not series.values[series.seconds > 2.1].any()


def test_the_pitch_of_a_tone_is_its_frequency():
    pytest.importorskip("librosa")
    harmonics = sum(tone(150 * k, 1.0, loudness=0.3 / k) for k in (1, 2, 3))
    series = pitch(Sound(np.concatenate([harmonics, np.zeros(RATE, np.float32)]), RATE), step=0.05)
    early, late = (series.values[(series.seconds > a) & (series.seconds < b)] for a, b in ((0.1, 0.8), (1.3, 1.9)))
    np.testing.assert_allclose(early[:, 0], 12 * np.log2(1.5), atol=0.2)
    assert early[:, 1].all() and not late[:, 1].any() and np.isnan(late[:, 0]).all()
    on_scans = series.on_scans(4, 0.5)
    assert on_scans[3].tolist() == pytest.approx([series.silence[0], 0])
    assert on_scans[0, 0] == pytest.approx(12 * np.log2(1.5), abs=0.2)


@pytest.mark.parametrize(("tr", "start"), [(2.0, 0.0), (1.5, 10.0), (2.0045, -4.0)])
def test_steps_are_averaged_on_the_scans_clock(rng, tr, start):
    seconds, values = np.sort(rng.uniform(0, 30, 400)), rng.standard_normal((2, 400, 3)).astype(np.float32)
    values[:, 5, 1] = np.nan
    found = SoundSeries(seconds, values, ("a", "b", "c"), np.full((2, 3), 7.0)).on_scans(25, tr, start)
    assert found.shape == (2, 25, 3) and found.dtype == np.float32
    for scan in range(25):
        mine = np.floor((seconds + start) / tr) == scan
        expected = np.nanmean(values[:, mine], axis=1) if mine.any() else np.full((2, 3), 7.0)
        np.testing.assert_allclose(found[:, scan], expected, atol=1e-6)
