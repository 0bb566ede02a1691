import numpy as np
import pytest
import torch

from brainbook.errors import ConfigurationError, ModelError
from brainbook.numbers import MMVAE, VAE, Modality, ModelConfiguration, Objective, Training, make_pairs, train
from brainbook.numbers.families import positive_scale

BOTH = (Modality(name="oscn"), Modality(name="cmnist", size=(3, 28, 28), weight=3.0))
SMALL = {"modalities": BOTH, "latent": 4, "width": 12, "layers": 2, "channels": 4}


@pytest.fixture(scope="module")
def pairs():
    return make_pairs({"train": 360, "test": 108}, seed=1)


@pytest.mark.parametrize("architecture", ["mlp", "cnn"])
@pytest.mark.parametrize("private", [0, 3])
class TestShapes:
    def test_latents_and_images(self, pairs, architecture, private):
        model = MMVAE(ModelConfiguration(**SMALL, architecture=architecture, private=private))
        for source, images in pairs["test"].modalities.items():
            assert model.embed(images, source).shape == (108, 4)
            for target, others in pairs["test"].modalities.items():
                seen = model.associate(images, source, target)
                assert seen.shape == (108, *others.size)
                assert seen.dtype == np.float32
                assert 0 <= seen.min() < seen.max() <= 1

    def test_noise_is_seeded(self, pairs, architecture, private):
        model = MMVAE(ModelConfiguration(**SMALL, architecture=architecture, private=private))
        images = pairs["test"].oscn
        calm, first, again, other = (model.associate(images, "oscn", "cmnist", seed) for seed in (None, 1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other).max() > 0
        assert np.abs(first - calm).max() > 0


def test_recall_is_decoding_of_the_embedding(pairs):
    model = VAE(ModelConfiguration(**SMALL).only("oscn"))
    images = pairs["test"].oscn
    np.testing.assert_allclose(model.recall(images), model.decode(model.embed(images)), atol=1e-6)


def test_private_latents_serve_recall_and_not_association(pairs):
    """With the shared latents switched off, private ones still tell images apart, but only the modality's own."""
    model = MMVAE(ModelConfiguration(**SMALL, private=3))
    with torch.no_grad():
        for sense in model.senses.values():
            sense.decoder.layers[0].weight[:, :4] = 0  # what the decoder takes from the shared latents
    images = pairs["test"].oscn
    assert np.ptp(model.recall(images, "oscn"), axis=0).max() > 0
    assert np.ptp(model.associate(images, "oscn", "cmnist"), axis=0).max() < 1e-6


def test_copies_start_as_their_seeds_say():
    together = MMVAE(ModelConfiguration(**SMALL), seeds=(3, 5))
    for i, seed in enumerate((3, 5)):
        alone = MMVAE(ModelConfiguration(**SMALL), seeds=(seed,))
        for name, value in alone.state_dict().items():
            torch.testing.assert_close(together.copy(i).state_dict()[name], value)
    assert (together.copy(0).prior_raw == together.copy(1).prior_raw).all()
    first = [p.flatten()[0] for p in together.copy(0).parameters()]
    second = [p.flatten()[0] for p in together.copy(1).parameters()]
    assert first != second


@pytest.mark.parametrize("architecture", ["mlp", "cnn"])
@pytest.mark.parametrize("bound", ["elbo", "dreg"])
def test_training_together_is_training_alone(pairs, architecture, bound):
    settings = ModelConfiguration(**SMALL, architecture=architecture)
    objective, training = Objective(bound=bound, samples=2), Training(steps=4, batch=16)
    together = MMVAE(settings, seeds=(3, 5))
    curve = train(together, pairs["train"], objective, training, device="cpu")
    for i, seed in enumerate((3, 5)):
        alone = MMVAE(settings, seeds=(seed,))
        one = train(alone, pairs["train"], objective, training, device="cpu")
        np.testing.assert_allclose(curve[f"bound_{seed}"], one[f"bound_{seed}"], rtol=1e-4)
        for name, value in alone.state_dict().items():
            torch.testing.assert_close(together.copy(i).state_dict()[name], value, atol=2e-4, rtol=1e-3)


def test_training_raises_the_bound_and_resumes(pairs, tmp_path):
    settings = ModelConfiguration(**SMALL, private=2)
    training = Training(epochs=2, batch=20, learning_rate=3e-3)
    model = MMVAE(settings, seeds=(0,))
    curve = train(model, pairs["train"], Objective(), training, device="cpu", checkpoint=tmp_path)
    assert len(curve) == training.n_steps(len(pairs["train"]))
    assert curve.bound_0[-10:].mean() > curve.bound_0[:10].mean() + 50
    again = MMVAE(settings, seeds=(0,))
    train(again, pairs["train"], Objective(), training, device="cpu", checkpoint=tmp_path)  # finished: only loaded
    for name, value in model.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value)


def test_bfloat16_comes_near(pairs):
    settings, objective = ModelConfiguration(**SMALL), Objective(bound="dreg", samples=3)
    curves = {}
    for precision in ("no", "bf16"):
        model = MMVAE(settings, seeds=(0, 1))
        training = Training(steps=5, batch=16, precision=precision)
        curves[precision] = train(model, pairs["train"], objective, training, device="cpu")
        assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    np.testing.assert_allclose(curves["bf16"].loss, curves["no"].loss, rtol=0.01)
    assert (curves["bf16"].loss != curves["no"].loss).any()


def test_a_vae_sees_what_the_mmvae_sees(pairs):
    order = [list(pairs["train"].rows[name]) for name in ("oscn", "cmnist")]
    assert len(order[0]) == len(order[1]) == len(pairs["train"])
    model = VAE(ModelConfiguration(**SMALL).only("cmnist"))
    curve = train(model, pairs["train"], Objective(), Training(steps=2, batch=8), device="cpu")
    assert np.isfinite(curve.loss).all()


def test_learned_prior_keeps_its_mean_scale():
    model = MMVAE(ModelConfiguration(**SMALL))
    with torch.no_grad():
        model.prior_raw.normal_()
    assert model.prior_scale.mean().item() == pytest.approx(1, abs=1e-4)
    assert not MMVAE(ModelConfiguration(**SMALL, learn_prior=False)).prior_raw.requires_grad


def test_published_scale_form(pairs):
    raw = torch.randn(2, 5, 20)
    assert positive_scale("softmax", raw).sum(-1).sub(20).abs().max() < 1e-3
    model = MMVAE(ModelConfiguration(**SMALL, scale="softmax", family="normal"))
    assert model.embed(pairs["test"].oscn, "oscn").shape == (108, 4)


class TestRefusals:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: ModelConfiguration(modalities=BOTH, learn_priors=True),
            lambda: ModelConfiguration(modalities=BOTH, family="cauchy"),
            lambda: ModelConfiguration(modalities=(BOTH[0], BOTH[0])),
            lambda: ModelConfiguration(modalities=[{"name": "oscn", "wieght": 2}]),
            lambda: Objective(K=20),
            lambda: Objective(bound="elbo", minimum_weight=0.001),
            lambda: Training(steps=3, epochs=2),
            lambda: Training(),
            lambda: Training(epochs=1).but(bach=3),
            lambda: MMVAE(ModelConfiguration(**SMALL), seeds=(1, 1)),
            lambda: VAE(ModelConfiguration(**SMALL)),
            lambda: ModelConfiguration(**SMALL).only("clevr"),
        ],
    )
    def test_configurations(self, make):
        with pytest.raises(ConfigurationError):
            make()

    def test_the_unknown_key_is_named(self):
        with pytest.raises(ConfigurationError, match="learn_priors"):
            ModelConfiguration(modalities=BOTH, learn_priors=True)
        with pytest.raises(ConfigurationError, match="wieght"):
            ModelConfiguration(modalities=[{"name": "oscn", "wieght": 2}])

    def test_frozen(self):
        with pytest.raises(ValueError, match="frozen"):
            Objective().samples = 3

    def test_models(self, pairs):
        model = MMVAE(ModelConfiguration(**SMALL))
        with pytest.raises(ModelError, match="built for"):
            model.embed(pairs["test"].oscn, "cmnist")
        with pytest.raises(ModelError, match="this model has oscn, cmnist"):
            model.embed(pairs["test"].oscn, "clevr")
        with pytest.raises(ModelError, match="takes \\[n, 4\\]"):
            model.decode(np.zeros((3, 5)), "oscn")
        with pytest.raises(ModelError, match="model.copy"):
            MMVAE(ModelConfiguration(**SMALL), seeds=(1, 2)).embed(pairs["test"].oscn, "oscn")
