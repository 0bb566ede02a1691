import numpy as np
import pytest

from brainbook.encoding import variance_partitioning

pytestmark = pytest.mark.filterwarnings("ignore::brainbook.encoding.BorderWarning")


def test_parts_are_those_that_made_the_responses(rng):
    """One feature beside forty: each explains a share of its own, and they share a third source."""
    runs = np.repeat(np.arange(6), 60)
    own, shared = rng.standard_normal((360, 1)), rng.standard_normal((360, 1))
    rate = np.hstack([own, shared])
    model = np.hstack([rng.standard_normal((360, 40)), shared])
    ways = {"rate only": own, "model only": model[:, :4].sum(1, keepdims=True) / 2, "both": shared, "none": own * 0}
    noise = rng.standard_normal((360, 4 * 30))
    responses = np.repeat(np.hstack(list(ways.values())), 30, axis=1) + noise
    found = variance_partitioning(rate, model, responses, runs, delays=None)
    means = {
        name: {
            part: getattr(found, part)[30 * i : 30 * (i + 1)].mean()
            for part in ("unique_first", "unique_second", "shared")
        }
        for i, name in enumerate(ways)
    }
    assert means["rate only"]["unique_first"] > 0.4 and abs(means["rate only"]["unique_second"]) < 0.03
    assert means["model only"]["unique_second"] > 0.35 and abs(means["model only"]["unique_first"]) < 0.03
    assert means["both"]["shared"] > 0.35 and abs(means["both"]["unique_second"]) < 0.05
    assert all(abs(value) < 0.03 for value in means["none"].values())
    np.testing.assert_allclose(found.unique_first + found.unique_second + found.shared, found.joint)
    np.testing.assert_allclose(found.fold_unique_second.mean(0), found.unique_second)


def test_balances_must_be_shares(rng):
    with pytest.raises(ValueError, match="balances"):
        variance_partitioning(np.ones((9, 1)), np.ones((9, 1)), np.ones((9, 1)), np.arange(9) // 3, balances=(1.0,))
