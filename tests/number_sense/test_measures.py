"""Generated images, clusters, magnitude and the number line, each where the answer is known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, spearmanr

from brainbook.errors import DatasetError, ModelError
from brainbook.number_sense import MMVAE, Modality, ModelConfiguration, make_oscn
from brainbook.number_sense.evaluation import by_arm, summarise
from brainbook.number_sense.generation import (
    blur,
    confusions,
    generated_accuracy,
    joint_coherence,
    read_generated,
    summarise_confusions,
)
from brainbook.number_sense.images import Images
from brainbook.number_sense.latents import (
    class_means,
    cluster_quality,
    discriminability,
    magnitude,
    number_line,
    read_number,
    value_by_number,
    weber_fraction,
)
from brainbook.number_sense.pixel_control import PixelControl


class TestGeneration:
    def test_a_perfect_model_reconstructs_perfectly(self, exact, shown):
        model, classifier = exact
        readings = read_generated(model, {"oscn": shown}, {"oscn": classifier})
        table = generated_accuracy(readings, "noise-free").set_index("factor").drop("pixels")
        assert table.value.to_dict() == {"number": 1.0, "colour": 1.0, "each number": 1.0}
        assert table.chance.to_dict() == {"number": 1 / 9, "colour": 1 / 4, "each number": 1 / 9}
        assert set(table.measure) == {"reconstruction"}

    def test_a_model_that_always_says_five(self, exact, shown):
        model, classifier = exact
        model.embed = lambda images, name=None: np.tile([5.0, 100, 0, 0, 0], (len(images), 1))
        readings = read_generated(model, {"oscn": shown}, {"oscn": classifier})
        table = generated_accuracy(readings, "noise-free").set_index("factor").drop("pixels")
        assert table.value.to_dict() == pytest.approx({"number": 1 / 9, "colour": 1 / 4, "each number": 1 / 9})
        share = confusions(readings).set_index(["number", "read"]).share
        assert (share.xs(5, level="read") == 1).all()
        assert share.sum() == pytest.approx(9)
        summary = summarise_confusions(confusions(readings)).iloc[0]
        assert (summary.numbers, summary.most_frequent, summary.its_share) == (1, 5, 1.0)

    @pytest.mark.parametrize("seed", [None, 3])
    def test_the_image_of_the_source_is_what_is_decoded_and_what_counts(self, seed):
        """Were the target's own image decoded, every model would seem to have a number sense."""
        numbers = {"dots": np.arange(1, 10), "digits": np.roll(np.arange(1, 10), 4)}
        shown = {name: Images(np.zeros((9, 3, 2, 2), np.uint8), number, number * 0) for name, number in numbers.items()}
        asked = []

        def generate(images, source, target, seed):
            asked.append((source, target, seed))
            return images.number[:, None] / 10

        model = SimpleNamespace(names=tuple(numbers), targets=lambda source: tuple(numbers), generate=generate)
        reads = SimpleNamespace(
            predict=lambda x: {"number": np.round(10 * x[:, 0]).astype(int)}, accuracy={"number": 0.9}
        )
        readings = read_generated(model, shown, dict.fromkeys(numbers, reads), seed)
        assert asked == [(source, target, seed) for source in numbers for target in numbers]
        for (source, _), rows in readings.groupby(["source", "target"]):
            assert rows.true.tolist() == rows.predicted.tolist() == numbers[source].tolist()
        table = generated_accuracy(readings.query("factor == 'number'"), "x").query("factor == 'number'")
        assert (table.value == 1).all() and sorted(table.measure) == 2 * ["cross-modal generation"] + 2 * [
            "reconstruction"
        ]

    @pytest.mark.integration
    def test_blur_of_an_average_over_layouts(self):
        """Objects of number n in nine cells: a pixel of a cell is active with probability n / 9."""
        images = make_oscn(9 * 4000, shape=np.zeros(9 * 4000, dtype=int)).pixels / 255
        number = make_oscn(9 * 4000, shape=np.zeros(9 * 4000, dtype=int)).number
        for n in (1, 4, 9):
            chosen = images[number == n].max(axis=1)  # light, whatever the colour
            assert blur(chosen) == 0
            assert blur(chosen.mean(axis=0)) == pytest.approx(1 - n / 9, abs=0.01)

    def test_joint_coherence_s_chance_is_that_of_independent_images(self, exact):
        modalities = (Modality(name="a", size=(3, 4, 4)), Modality(name="b", size=(3, 4, 4)))
        model = MMVAE(ModelConfiguration(modalities=modalities, latent=5, width=4, layers=1))
        rng = np.random.default_rng(0)
        model.decode = lambda z, name: exact[0].decode(np.stack([rng.integers(1, 10, len(z)), 0 * z[:, 0]], 1))
        table = joint_coherence(model, {"a": exact[1], "b": exact[1]}, n=5000).set_index("factor")
        assert table.chance["number"] == pytest.approx(1 / 9, abs=0.005)
        assert table.value["number"] == pytest.approx(1 / 9, abs=0.02)
        assert table.value["colour"] == table.chance["colour"] == 1


class TestClusters:
    def test_what_is_in_the_latents_and_what_is_not(self, shown):
        rng = np.random.default_rng(0)
        z = np.eye(9)[shown.number - 1] + 0.05 * rng.standard_normal((len(shown), 9))
        table = cluster_quality(z, shown, z[::-1], shown[::-1], "oscn")
        assert (table.ceiling == 1).all() and set(table.n) == {len(z)}
        table = table.set_index(["measure", "factor"]).value
        assert table["silhouette", "number"] > 0.8
        assert table["linear read-out", "number"] == 1
        assert table["nearest neighbour", "number"] == 1
        assert table["silhouette", "colour"] < 0.05
        assert table["linear read-out", "colour"] == pytest.approx(0.25, abs=0.12)


class TestMagnitude:
    def test_a_line_is_perfectly_ordered(self, shown):
        z = np.outer(shown.number, [1.0, 2.0])
        table = magnitude(z, shown.number, "oscn")
        ranked = table[table.factor == "Spearman"].iloc[0]
        assert ranked.value == pytest.approx(1)
        assert ranked.p < 0.01
        assert table[table.condition == "linear"].value.min() == pytest.approx(1)
        others = table[(table.factor == "Pearson") & (table.condition != "linear")]
        assert others.value.max() < 0.999

    @pytest.mark.parametrize(("name", "f"), [("logarithm", np.log), ("square", np.square), ("exponential", np.exp)])
    def test_each_scale_fits_its_own_line(self, shown, name, f):
        table = magnitude(f(shown.number.astype(float))[:, None], shown.number, "oscn")
        best = table[table.factor == "Pearson"].sort_values("value").iloc[-1]
        assert best.condition == name
        assert best.value == pytest.approx(1)

    def test_the_sign_is_kept(self, shown):
        """Numbers on a ring that closes: the ends lie next to each other."""
        angle = 2 * np.pi * shown.number * 4 / 9  # neighbours are almost opposite
        ranked = magnitude(np.stack([np.cos(angle), np.sin(angle)], 1), shown.number, "x").iloc[-1]
        assert ranked.value < -0.1
        assert ranked.p > 0.5

    def test_p_is_uniform_without_order(self, shown):
        ps = []
        for seed in range(60):
            z = np.random.default_rng(seed).standard_normal((9, 6))[shown.number - 1]
            ps.append(magnitude(z, shown.number, "x", n_permutations=99, seed=seed).p.iloc[-1])
        assert 0.35 < np.mean(ps) < 0.65
        assert np.mean(np.array(ps) < 0.1) < 0.25

    def test_spearman_of_the_null_is_scipy_s(self, shown):
        z = np.random.default_rng(1).standard_normal((9, 3))[shown.number - 1]
        means = class_means(z, shown.number)
        i, j = np.triu_indices(9, 1)
        expected = spearmanr(j - i, np.linalg.norm(means[i] - means[j], axis=1)).statistic
        assert magnitude(z, shown.number, "x").value.iloc[-1] == pytest.approx(expected)

    def test_a_missing_number_is_named(self, shown):
        some = shown[shown.number != 4]
        with pytest.raises(DatasetError, match="no image shows 4"):
            magnitude(np.zeros((len(some), 2)), some.number, "x")


class TestNumberLine:
    @staticmethod
    def values(w: float, n: int = 4000) -> pd.DataFrame:
        number = np.repeat(np.arange(1, 10), n)
        return value_by_number(np.random.default_rng(0).normal(number, w * number), number)

    @pytest.mark.parametrize("w", [0.1, 0.25])
    def test_recovers_a_known_weber_fraction(self, w):
        fraction, explained = weber_fraction(discriminability(self.values(w)))
        assert fraction == pytest.approx(w, rel=0.03)
        assert explained["scalar"] > 0.99
        assert max(explained, key=explained.get) == "scalar"

    def test_effects_of_a_scalar_line(self):
        table = number_line(self.values(0.2), "oscn").set_index("factor").value
        assert table["order"] == 1
        assert table["distance effect"] > 0.5
        assert table["size effect"] == pytest.approx(-1, abs=0.05)
        assert table["spread"] == 1

    def test_a_line_of_constant_spread_has_no_size_effect(self):
        number = np.repeat(np.arange(1, 10), 4000)
        values = value_by_number(np.random.default_rng(0).normal(number, 0.7), number)
        _, explained = weber_fraction(discriminability(values))
        assert max(explained, key=explained.get) == "constant"
        assert abs(number_line(values, "x").set_index("factor").value["size effect"]) < 0.9

    def test_d_prime_predicts_a_two_way_choice(self):
        rng = np.random.default_rng(1)
        draws = {n: rng.normal(n, 0.2 * n, 20_000) for n in (3, 4)}
        number = np.repeat(np.arange(1, 10), 20_000)
        pairs = discriminability(value_by_number(rng.normal(number, 0.2 * number), number))
        d_prime = pairs[(pairs.i == 3) & (pairs.j == 4)].d_prime.item()
        assert norm.cdf(d_prime / np.sqrt(2)) == pytest.approx((draws[4] > draws[3]).mean(), abs=0.02)

    def test_read_out_is_fitted_elsewhere(self):
        rng = np.random.default_rng(0)
        number = np.resize(np.arange(1, 10), 900)
        z = np.outer(number, [1.0, -2.0]) + 0.01 * rng.standard_normal((900, 2))
        np.testing.assert_allclose(read_number(z[:450], number[:450], z[450:]), number[450:], atol=0.1)


class TestPixelControl:
    def test_is_principal_components(self):
        images = make_oscn(400, seed=0)
        control = PixelControl({"oscn": images}, latent=15)
        z = control.embed(images, "oscn")
        assert z.shape == (400, 15)
        made = control.generate(images, "oscn", "oscn")
        error = ((made - images.pixels / 255) ** 2).mean()
        assert error < 0.6 * np.var(images.pixels / 255, axis=0).mean()
        sample = control.prior_sample(4000, np.random.default_rng(0), "oscn")
        np.testing.assert_allclose(sample.std(axis=0), z.std(axis=0, ddof=1), rtol=0.05)

    def test_can_only_reconstruct(self):
        images = make_oscn(100, seed=0)
        control = PixelControl({"oscn": images}, latent=5)
        with pytest.raises(ModelError, match="can only reconstruct"):
            control.generate(images, "oscn", "cmnist")
        with pytest.raises(ModelError, match="has oscn"):
            control.embed(images, "cmnist")


class TestSummary:
    rows = pd.DataFrame(
        {
            "arm": ["pixels", "unimodal", "unimodal", "unimodal"],
            "source": "oscn",
            "target": "cmnist",
            "seed": [0, 0, 1, 2],
            "value": [9.0, 1, 2, 3],
            "chance": 0.1,
            "ceiling": 1.0,
        }
    )

    def test_mean_and_students_interval_over_seeds(self):
        summary = summarise(self.rows, "arm", "source", "target").set_index("arm")
        assert summary.value.to_dict() == {"unimodal": 2, "pixels": 9}
        assert summary.seeds.to_dict() == {"unimodal": 3, "pixels": 1}
        assert summary.lower["unimodal"] == pytest.approx(2 - 4.3027 / np.sqrt(3), abs=1e-3)
        assert np.isnan(summary.lower["pixels"])
        assert list(summary.images) == ["objects to digits"] * 2

    def test_one_column_per_arm(self):
        table = by_arm(summarise(self.rows, "arm", "source", "target"), "images")
        assert list(table.columns) == ["images", "unimodal", "pixels"]
        assert table.unimodal.item() == "2.00 (-0.48 to 4.48)"
        assert table.pixels.item() == "9.00"
