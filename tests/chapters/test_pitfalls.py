"""Recordings of the chapter `pitfalls`: what is read, compared with itself, or said to be missing."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from brainbook.chapters import archived_calibration
from brainbook.chapters.pitfalls import recordings
from brainbook.chapters.pitfalls.protocols import EncodingData, applicable, reference_protocol, single_words
from brainbook.chapters.pitfalls.recordings import (
    edge_features,
    open_pair,
    participants_with_echoes,
    principal_components,
    with_true_features,
)
from brainbook.workflow import archive_table


def test_archived_tables_say_where_they_are_from_and_missing_ones_how_to_make_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert archived_calibration("levels") is None
    assert "bench_calibration.py --keep makes the table 'levels'" in capsys.readouterr().out
    archive_table(
        "calibration", "levels", pd.DataFrame({"test": ["a"], "called": [0.05]}), "python this.py", commit_of="abc"
    )
    assert archived_calibration("levels").called.tolist() == [0.05]
    assert "python this.py" in capsys.readouterr().out


def test_true_features_show_what_single_words_lose(rng):
    runs = np.repeat([1, 2, 3, 4], 60)
    widths = {"sound": 2, "word": 3, "meaning": 3, "topic": 2}
    drivers = {name: (rng.standard_normal((240, width)), runs) for name, width in widths.items()}
    delayed = np.roll(drivers["meaning"][0], 2, axis=0)  # two scans later, as a response is
    responses = (delayed @ rng.standard_normal((3, 5)) + rng.standard_normal((240, 5))).astype(np.float32)
    model = rng.standard_normal((2, 240, 4)).astype(np.float32)
    data = EncodingData(model, 1, runs, responses, single=model[0])
    true = with_true_features(data, SimpleNamespace(drivers=lambda language: drivers, tr=2.0), "EN")
    assert true.layers.shape == (1, 240, 10) and true.single.shape == (240, 5) and true.layers.dtype == np.float32
    np.testing.assert_array_equal(true.responses, responses)
    assert reference_protocol(true).r.mean() > 0.5 > reference_protocol(data).r.mean() + 0.3
    assert single_words(true).r.mean() < 0.2


def test_real_recordings_are_compared_with_themselves_at_other_times(rng, monkeypatch):
    """Nothing is read from a truth: responses moved in time stand for recordings with nothing in them."""
    data = EncodingData(rng.standard_normal((1, 40, 2)), 0, np.repeat([1, 2], 20), rng.standard_normal((40, 3)))
    columns = pd.DataFrame({"region": ["G_temporal_middle", "G_cuneus", "G_rectus"], "hemisphere": "lh"})
    prince = SimpleNamespace(is_phantom=False, participants=lambda _: ["sub-EN057"], runs=lambda who: [], bold=None)
    monkeypatch.setattr(recordings, "open_dataset", lambda root: prince)
    monkeypatch.setattr(recordings, "encoding_data", lambda *arguments, **options: (data, columns, {}))
    for name in ("read_truth", "null_twin", "with_true_features"):
        monkeypatch.setattr(recordings, name, None)
    pair = open_pair("real", "nowhere", "EN", copies=2, seed=1)
    assert pair.names == ("recordings", "recordings, shifted") and pair.n_targets == 3
    assert pair.signal is data and pair.best is data and pair.follows.all()
    assert pair.nulls.responses.shape == (40, 9)
    np.testing.assert_array_equal(pair.nulls.responses[:, :3], pair.null.responses)
    assert not np.isclose(pair.nulls.responses[:, :3], data.responses).all(axis=0).any()
    np.testing.assert_array_equal(np.sort(pair.null.responses[:20], axis=0), np.sort(data.responses[:20], axis=0))
    assert {name: chosen.tolist() for name, chosen in pair.masks.items()} == {
        "cortex": [True, True, True],
        "visual": [True, True, False],
        "auditory": [True, False, False],
    }  # no linguistic region is among the targets


def test_echoes_that_are_only_listed_are_not_there(tmp_path, capsys):
    def runs(who):
        echoes = {echo: tmp_path / f"{who}_{echo}.nii.gz" for echo in (1, 2, 3)}
        for path in echoes.values():
            if who == "there":
                path.write_bytes(b"content")
            elif not path.is_symlink():
                path.symlink_to(tmp_path / "annex" / path.name)  # not downloaded: a link that leads nowhere
        return [SimpleNamespace(echoes=echoes)]

    prince = SimpleNamespace(participants=lambda language: ["listed", "there"], runs=runs, bold=None)
    assert participants_with_echoes(prince, "EN") == ["there"] and not capsys.readouterr().out
    prince.participants = lambda language: ["listed"]
    assert participants_with_echoes(prince, "EN") == ["listed"]
    assert "datalad get listed/func" in capsys.readouterr().out


def test_features_of_edges_leave_silence_at_zero_or_fill_it(rng):
    states = rng.standard_normal((6, 4)).astype(np.float32) + 5
    prince = SimpleNamespace(
        tr=2.0,
        words=lambda language: pd.DataFrame(
            {"word": list("abcdef"), "onset": [2.0, 2.5, 4.0, 2.0, 4.0, 4.5], "section": [1, 1, 1, 2, 2, 2]}
        ),
        scans=lambda language: {1: 4, 2: 4},
        starts=lambda language: {1: 0.0, 2: 0.0},
    )
    found = edge_features(prince, "EN", states, components=4)
    silent = [0, 3, 4, 7]
    zeros, filled = found["model", "zeros"], found["model", "centred"]
    assert not zeros[silent].any() and zeros[[1, 2, 5, 6]].any(axis=1).all()
    np.testing.assert_allclose(filled[[0, 3]], filled[[1, 2]].mean(0)[None].repeat(2, 0), rtol=1e-4)
    assert found["speech or silence", "zeros"][:, 0].tolist() == [0, 1, 1, 0, 0, 1, 1, 0]
    assert found["word count", "centred"][:, 0].tolist() == [0, 2, 1, 0, 0, 1, 2, 0]


def test_principal_axes_keep_distances_and_zeros(rng):
    values = rng.standard_normal((30, 6)) + 2
    values[3] = 0
    found = principal_components(values, 6)
    assert not found[3].any()
    np.testing.assert_allclose(found @ found.T, values @ values.T, rtol=1e-4, atol=1e-4)
    centred = found - found.mean(0)
    np.testing.assert_allclose(np.cov(centred.T), np.diag(np.var(centred, axis=0, ddof=1)), atol=1e-4)


def test_recordings_without_images_are_compared_by_their_cleaned_responses(rng, monkeypatch):
    """Such as those of a class of one's own: no echoes, nothing unfiltered; delays and edges by their own clock."""
    runs, regions = np.repeat([1, 2, 3], 30), pd.DataFrame({"region": list("abcd"), "hemisphere": "lh"})
    parts = {who: rng.standard_normal((90, 4)).astype(np.float32) for who in ("one", "two")}
    words = pd.DataFrame({"word": "fox", "onset": np.tile(np.arange(30) * 1.0, 3), "section": runs})
    dataset = SimpleNamespace(
        tr=1.0,
        targets=("regions",),
        words=lambda _: words,
        scans=lambda _: dict.fromkeys((1, 2, 3), 30),
        starts=lambda _: dict.fromkeys((1, 2, 3), 0.0),
        responses=lambda who, targets, cache: SimpleNamespace(values=parts[who], names=regions),
    )
    states = rng.standard_normal((2, 90, 5)).astype(np.float32)
    monkeypatch.setattr(recordings, "story_states", lambda *arguments: states)
    data, columns, _ = recordings.encoding_data(dataset, "EN", ["one", "two"], "model", 1, components=3, edge=5.0)
    np.testing.assert_array_equal(data.responses, np.concatenate(list(parts.values()), axis=1))
    assert columns.region.tolist() == list("abcdabcd")
    assert data.delays == (2, 4, 6, 8) and data.trim == 5 and data.unfiltered is None and data.echoes is None
    names = applicable(data)
    assert "reference" in names and not {"shuffled folds, no high-pass", "echoes 1 and 2 train, 3 tests"} & set(names)


@pytest.mark.parametrize("layout", [{}, {"layout": "lebel", "space": "voxels"}])
def test_the_null_twin_has_the_layout_of_its_original(tmp_path, monkeypatch, layout):
    own = {"scans": 30, "seed": 2, "voxel_size": 15.0, "signal": 1.0, **layout}
    truths, written = {tmp_path: SimpleNamespace(parameters=own)}, []

    def write(folder, participants, languages, **same):
        (folder / "truth").mkdir(parents=True, exist_ok=True)
        truths[folder] = SimpleNamespace(parameters=same | {"participants": participants})
        written.append(folder)
        return folder

    monkeypatch.setattr(recordings, "read_truth", truths.__getitem__)
    monkeypatch.setattr(recordings, "make_phantom", write)
    for _ in range(2):  # the second time it is there already
        twin = truths[recordings.null_twin(tmp_path, tmp_path / "null")].parameters
        assert twin == own | {"null": True, "echoes": 0 if layout else 1, "participants": {"EN": 1}}
    assert len(written) == 1
    own["layout"] = "narratives"
    assert truths[recordings.null_twin(tmp_path, tmp_path / "null")].parameters["layout"] == "narratives"
