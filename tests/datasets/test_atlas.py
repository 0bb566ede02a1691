import numpy as np
import pytest

from brainbook.datasets import atlas as module
from brainbook.datasets.atlas import destrieux, embedded_destrieux, functional_groups
from brainbook.errors import DatasetError


@pytest.fixture(scope="module")
def embedded():
    return embedded_destrieux()


@pytest.fixture
def no_cache(monkeypatch, tmp_path):
    """A machine without the atlas: nilearn's folders are empty."""
    monkeypatch.setattr(module, "_cached_folder", lambda: None)
    destrieux.cache_clear()
    yield
    destrieux.cache_clear()


def test_embedded_has_148_cortical_regions_and_all_vertices(embedded):
    assert len(embedded.cortical) == 74
    assert not {"Unknown", "Medial_wall"} & set(embedded.cortical)
    assert [len(embedded.labels[side]) for side in ("lh", "rh")] == [10_242, 10_242]
    assert len(embedded.columns) == 148
    assert (np.bincount(embedded.region_index[embedded.cortex], minlength=148) > 0).all()
    assert embedded.source == "embedded (approximate)"


def test_table_index_and_names_agree(embedded):
    table = embedded.table
    assert list(table.columns) == ["vertex", "hemisphere", "region"]
    assert (table.hemisphere[:10_242] == "lh").all()
    assert (table.hemisphere[10_242:] == "rh").all()
    assert table.region[0] == embedded.names[embedded.labels["lh"][0]]
    for vertex in (5, 10_242 + 77):
        row = embedded.columns.iloc[embedded.region_index[vertex]]
        assert (row.hemisphere, row.region) == tuple(table.loc[vertex, ["hemisphere", "region"]])


def test_average_against_a_loop_over_regions(embedded, rng):
    values = rng.standard_normal((2, 3, 20_484)).astype(np.float32)
    values[0, 1, ::7] = np.nan
    table = embedded.table
    values[1, 2, (table.region == "G_cuneus") & (table.hemisphere == "rh")] = np.nan
    means, columns = embedded.average(values)
    assert means.shape == (2, 3, 148)
    assert means.dtype == np.float32
    for index in (0, 40, 100, 147):
        chosen = (table.region == columns.region[index]) & (table.hemisphere == columns.hemisphere[index])
        np.testing.assert_allclose(means[0, 1, index], np.nanmean(values[0, 1, chosen]), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(means[1, 0, index], values[1, 0, chosen].mean(), rtol=1e-4, atol=1e-6)
    gone = columns.index[(columns.region == "G_cuneus") & (columns.hemisphere == "rh")][0]
    assert np.isnan(means[1, 2]).nonzero()[0].tolist() == [gone]


def test_spread_undoes_average(embedded):
    values = np.arange(148.0)
    spread = embedded.spread(values)
    assert np.isnan(spread[~embedded.cortex]).all()
    np.testing.assert_allclose(embedded.average(spread)[0], values)


def test_wrong_number_of_vertices(embedded):
    with pytest.raises(DatasetError, match="10242 vertices"):
        embedded.average(np.zeros(10_242))
    with pytest.raises(DatasetError, match="147 regions"):
        embedded.spread(np.zeros(147))


def test_offline_falls_back_without_trying_to_download(no_cache, monkeypatch):
    monkeypatch.setattr(module, "_answers", lambda *_, **__: False)
    monkeypatch.setattr(module, "_fetch", lambda: pytest.fail("tried to download without a network"))
    assert destrieux().source == "embedded (approximate)"


def test_failed_download_falls_back(no_cache, monkeypatch, caplog):
    def broken(**_):
        raise ConnectionError("no route")

    monkeypatch.setattr(module, "_answers", lambda *_, **__: True)
    monkeypatch.setattr("nilearn.datasets.fetch_atlas_surf_destrieux", broken)
    assert destrieux().source == "embedded (approximate)"
    assert "no route" in caplog.text


def test_connection_to_nowhere_is_given_up_quickly():
    assert not module._answers("127.0.0.1", 1, seconds=1)


def test_functional_groups_name_real_regions_once(embedded):
    groups = functional_groups()
    assert set(groups.group) == {"visual", "auditory", "linguistic"}
    assert set(groups.region) <= set(embedded.cortical)
    assert not groups.duplicated(["group", "region"]).any()
    assert groups.groupby("group").desikan.nunique().to_dict() == {"visual": 12, "auditory": 5, "linguistic": 6}


def test_embedded_agrees_with_the_real_atlas(embedded, real_atlas, monkeypatch):
    monkeypatch.setenv("NILEARN_DATA", str(real_atlas))
    destrieux.cache_clear()
    real = destrieux()
    destrieux.cache_clear()
    assert real.source == "nilearn"
    assert real.names == embedded.names
    assert len(real.columns) == 148
    same = np.concatenate([real.labels[side] == embedded.labels[side] for side in ("lh", "rh")])
    assert 0.91 < same.mean() < 0.92


def test_a_damaged_atlas_is_named(real_atlas, tmp_path, monkeypatch, rng):
    folder = tmp_path / "destrieux_surface"
    folder.mkdir()
    wholes = {
        side: (real_atlas / "destrieux_surface" / f"{side}.aparc.a2009s.annot").read_bytes()
        for side in ("left", "right")
    }
    (folder / "left.aparc.a2009s.annot").write_bytes(wholes["left"])
    whole = wholes["right"]
    damages = [b"", whole[:5], whole[:2533], whole[:-40], whole.replace(b"G_cuneus", b"G_nobody")]
    table = 4 + 8 * 10_242  # where names and colours begin
    for place in rng.integers(0, table + 400, 40):
        damages.append(whole[:place] + bytes(rng.integers(0, 256, 6, dtype=np.uint8)) + whole[place + 6 :])
    refused = 0
    for damage in damages:
        (folder / "right.aparc.a2009s.annot").write_bytes(damage)
        try:
            found = module._read_annotations(folder)
        except DatasetError as error:
            assert "right.aparc.a2009s.annot" in str(error)
            refused += 1
        else:
            assert all(label.min() >= 0 and label.max() < len(found.names) for label in found.labels.values())
    assert refused >= 5
