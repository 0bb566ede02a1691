"""Features of scans: the baseline is exact, the autoencoder finds what targets share, the rest is refused."""

import numpy as np
import pytest

from brainbook.errors import ConfigurationError, DatasetError
from brainbook.language_models.brain_features import PrincipalComponents, fit_autoencoder, reconstruction


@pytest.fixture(scope="module")
def scans():
    """Five sources seen by 40 targets, with noise: [500 scans, 40 targets]."""
    rng = np.random.default_rng(0)
    sources = rng.standard_normal((500, 5)) @ rng.standard_normal((5, 40))
    return (sources / sources.std(0) + 0.5 * rng.standard_normal((500, 40))).astype(np.float32)


def test_components_are_scikit_learns(scans):
    from sklearn.decomposition import PCA

    mine, theirs = PrincipalComponents(scans, 5), PCA(5).fit(scans)
    expected = theirs.inverse_transform(theirs.transform(scans))
    np.testing.assert_allclose(mine.decode(mine.encode(scans)), expected, atol=1e-3)


def test_the_autoencoder_finds_what_targets_share(scans):
    train, test = scans[:400], scans[400:]
    model, curve = fit_autoencoder(train, 5, steps=300, device="cpu")
    assert curve["loss"].iloc[-10:].mean() < 0.6 * curve["loss"].iloc[:5].mean()
    kept, best = reconstruction(model, test), reconstruction(PrincipalComponents(train, 5), test)
    assert kept.shape == (40,) and 0.4 < kept.mean() < best.mean() + 0.05
    assert model.encode(test).shape == (100, 5)


def test_a_target_that_nobody_shares_is_lost(scans):
    rng = np.random.default_rng(1)
    alone = np.concatenate([scans, rng.standard_normal((500, 1)) * 0.1], 1)
    assert reconstruction(PrincipalComponents(alone[:400], 5), alone[400:])[-1] < 0.1


def test_bad_scans_are_refused(scans):
    broken = scans.copy()
    broken[3, 4] = np.inf
    with pytest.raises(DatasetError, match="1 values are not numbers, the first at scan 3, target 4"):
        PrincipalComponents(broken, 5)
    with pytest.raises(DatasetError, match="39 columns, the model was made for 40"):
        PrincipalComponents(scans, 5).encode(scans[:, 1:])
    with pytest.raises(ConfigurationError, match="n_features is 41: between 1 and 40"):
        fit_autoencoder(scans, 41)
    with pytest.raises(DatasetError, match="expected .scans, targets"):
        fit_autoencoder(scans[0])
