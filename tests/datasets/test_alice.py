import shutil

import numpy as np
import pytest

from brainbook.datasets import Alice
from brainbook.encoding import haemodynamic_response
from brainbook.errors import ConfigurationError, DatasetError


def test_participants_and_who_is_left_out(alice_folder):
    alice = Alice(alice_folder)
    assert alice.participants() == ["s18", "s22"]
    assert alice.left_out == {"s33": "the recording is zero in all six regions at all 362 scans"}
    assert "2 participants, left out: s33" in repr(alice)
    with pytest.raises(DatasetError, match="s33 is left out: the recording is zero"):
        alice.bold("s33")
    with pytest.raises(DatasetError, match="no participant is called 's99'; they are s18, s22"):
        alice.motion("s99")


def test_scans_of_zeros_are_no_recording(alice_folder):
    path = alice_folder / "alice_data_shared" / "10mm" / "s22-timecourses.txt"
    values = np.loadtxt(path)
    values[[4, 5, 9]] = 0
    np.savetxt(path, values)
    alice = Alice(alice_folder)
    assert alice.participants() == ["s18"]
    assert alice.left_out["s22"].endswith("zero in all six regions at 3 of 362 scans (4, 5, 9, counted from 0)")


def test_shapes_and_clocks(alice_folder):
    alice = Alice(alice_folder)
    bold = alice.bold("s18")
    assert bold.shape == (362, 6)
    assert list(bold.columns) == ["LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG"]
    assert bold.index.name == "scan"
    motion = alice.motion("s18")
    assert motion.shape == (362, 6)
    assert motion.to_numpy().max() < 99  # the ten volumes before scan 0 are gone
    assert alice.words().onset.tolist() == [0.5, 1.0]
    assert alice.words().word.tolist() == ["Alice", "was"]
    np.testing.assert_allclose(alice.word_rate, np.arange(362) + 0.5)
    np.testing.assert_allclose(alice.sound_power, np.arange(362) + 0.5)


def test_responses_are_clean_and_free_of_motion(alice_folder):
    alice = Alice(alice_folder)
    responses = alice.responses_of_all()
    assert responses.shape == (2, 362, 6)
    np.testing.assert_allclose(responses.std(axis=1, ddof=1), 1, rtol=1e-4)
    together = np.hstack([responses[1], alice.motion("s22")])
    assert np.abs(np.corrcoef(together.T)[:6, 6:]).max() < 0.15
    assert not np.allclose(responses[1], alice.responses("s22", motion=False).values)
    assert alice.responses("s22").names.region.tolist() == list(alice.regions)
    assert [run.n_scans for run in alice.runs("s22")] == [362]


def test_missing_and_damaged_parts(alice_folder, tmp_path):
    with pytest.raises(DatasetError, match=r"no folder .*nowhere.*make alice"):
        Alice(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="no folder .*6mm"):
        Alice(alice_folder, radius=6)
    with pytest.raises(ConfigurationError, match="radius is 8"):
        Alice(alice_folder, radius=8)
    data = alice_folder / "alice_data_shared"
    with pytest.raises(DatasetError, match="holds 0 files .*generic-predictors"):
        _ = Alice(alice_folder).predictors
    (data / "s18-rate.txt").write_text("1\n2\n")
    with pytest.raises(DatasetError, match="s18-rate.txt has 2 rows of 1 numbers, not 362 of 1"):
        _ = Alice(alice_folder).word_rate
    (data / "s18-rp_run.txt").unlink()
    with pytest.raises(DatasetError, match="holds 0 files s18-rp"):
        Alice(alice_folder).motion("s18")
    (data / "10mm" / "s18-timecourses.txt").write_text("soon\n")
    with pytest.raises(DatasetError, match="s18-timecourses.txt is no table of numbers"):
        _ = Alice(alice_folder).participants()
    np.savetxt(data / "10mm" / "s18-timecourses.txt", np.full((362, 6), np.nan))
    with pytest.raises(DatasetError, match="row 1, column 1: the value is not finite"):
        _ = Alice(alice_folder).participants()
    shutil.rmtree(data / "10mm")
    (data / "10mm").mkdir()
    with pytest.raises(DatasetError, match="holds no s"):
        Alice(alice_folder)
    (alice_folder / "alice_stim_shared" / "story.TextGrid").unlink()


def test_the_real_recordings(real_alice):
    alice = Alice(real_alice)
    assert len(alice.participants()) == 27
    assert list(alice.left_out) == ["s33"]
    assert alice.responses_of_all(motion=False).shape == (27, 362, 6)
    assert np.isfinite(alice.responses_of_all()).all()
    assert len(alice.words()) == 2127
    assert alice.words().offset.max() < alice.n_scans * alice.tr
    assert alice.predictors.shape == (362, 12)
    assert Alice(real_alice, radius=6).bold("s18").shape == (362, 6)


def test_the_clocks_of_the_real_files_agree(real_alice):
    """The published word rate must follow the onsets at lag 0 and at no other: so scan 0 is where we say it is."""
    alice = Alice(real_alice)
    step = 0.1
    counts = np.histogram(alice.words().onset, np.arange(0, 724 + step, step))[0]
    rate = np.convolve(counts, haemodynamic_response(np.arange(0, 32, step)))[: len(counts)]
    on_scans = rate[:: int(alice.tr / step)][:362]

    def at_lag(lag, published):
        return np.corrcoef(on_scans[10 + lag : 350 + lag], published[10:350])[0, 1]

    lags = range(-4, 5)
    assert max(lags, key=lambda lag: at_lag(lag, alice.word_rate)) == 0
    assert at_lag(0, alice.word_rate) > 0.9
    assert max(lags, key=lambda lag: at_lag(lag, alice.predictors.rate.to_numpy())) == 0


def test_people_agree_with_each_other(real_alice):
    """Averages of two halves of the people correlate in the temporal lobe: the files are aligned with one another."""
    responses = Alice(real_alice).responses_of_all()
    halves = responses[::2].mean(axis=0), responses[1::2].mean(axis=0)
    agreement = [np.corrcoef(halves[0][:, region], halves[1][:, region])[0, 1] for region in range(6)]
    assert agreement[2] > 0.5  # left posterior temporal lobe
    assert min(agreement) > 0.1
