"""Features of scans: the baseline is exact, the autoencoder finds what targets share, the rest is refused."""

import numpy as np
import pytest

from brainbook.errors import ConfigurationError, DatasetError
from brainbook.language_models.brainlm.features import fit_autoencoder, fit_principal_components, reconstruction


@pytest.fixture(scope="module")
def scans():
    """Five sources seen by 40 targets, with noise: [500 scans, 40 targets]."""
    rng = np.random.default_rng(0)
    sources = rng.standard_normal((500, 5)) @ rng.standard_normal((5, 40))
    return (sources / sources.std(0) + 0.5 * rng.standard_normal((500, 40))).astype(np.float32)


def test_many_components_are_nearly_the_best(monkeypatch):
    """Random projections, as for thousands of scans: they lose next to nothing of the scans, flat spectrum and all."""
    rng = np.random.default_rng(0)
    scans = (
        rng.standard_normal((300, 20)) @ rng.standard_normal((20, 400)) / 4 + rng.standard_normal((300, 400))
    ).astype("f")
    best = fit_principal_components(scans, 60)
    monkeypatch.setattr("brainbook.language_models.brainlm.features.EXACT", 100)
    quick = fit_principal_components(scans, 60)
    assert not np.array_equal(best.components_, quick.components_)
    kept = [reconstruction(one, scans).mean() for one in (best, quick)]
    assert 0.97 * kept[0] < kept[1] <= kept[0] + 1e-6


def test_the_hidden_layer_is_no_narrower_than_the_features(scans):
    wide = np.tile(scans, (1, 10))
    model, _ = fit_autoencoder(wide, 300, steps=1, device="cpu")
    assert model.encoder[0].out_features == 600
    assert fit_autoencoder(scans, 5, steps=1, device="cpu")[0].encoder[0].out_features == 256


def test_a_target_without_signal_has_no_share(scans):
    dead = scans.copy()
    dead[:, 3] = 0
    kept = reconstruction(fit_principal_components(dead, 5), dead)
    assert np.isnan(kept[3]) and np.isfinite(np.delete(kept, 3)).all()


def test_the_autoencoder_finds_what_targets_share(scans):
    train, test = scans[:400], scans[400:]
    model, curve = fit_autoencoder(train, 5, steps=300, device="cpu")
    assert curve["loss"].iloc[-10:].mean() < 0.6 * curve["loss"].iloc[:5].mean()
    kept, best = reconstruction(model, test), reconstruction(fit_principal_components(train, 5), test)
    assert kept.shape == (40,) and 0.4 < kept.mean() < best.mean() + 0.05
    assert model.transform(test).shape == (100, 5)


def test_a_target_that_nobody_shares_is_lost(scans):
    rng = np.random.default_rng(1)
    alone = np.concatenate([scans, rng.standard_normal((500, 1)) * 0.1], 1)
    assert reconstruction(fit_principal_components(alone[:400], 5), alone[400:])[-1] < 0.1


def test_bad_scans_are_refused(scans):
    broken = scans.copy()
    broken[3, 4] = np.inf
    with pytest.raises(DatasetError, match="1 values are not numbers, the first at scan 3, target 4"):
        fit_principal_components(broken, 5)
    with pytest.raises(DatasetError, match="39 columns, the model was made for 40"):
        fit_autoencoder(scans, 5, steps=1, device="cpu")[0].transform(scans[:, 1:])
    with pytest.raises(ConfigurationError, match="n_features is 41: between 1 and 40"):
        fit_autoencoder(scans, 41)
    with pytest.raises(DatasetError, match="expected .scans, targets"):
        fit_autoencoder(scans[0])
