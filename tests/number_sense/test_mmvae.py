import numpy as np
import pytest
import torch

from brainbook.errors import ConfigurationError, ModelError
from brainbook.number_sense import (
    MMVAE,
    VAE,
    Modality,
    ModelConfiguration,
    Objective,
    Training,
    make_image_pairs,
    train,
)
from brainbook.number_sense.mmvae import as_input, positive_scale
from brainbook.number_sense.objectives import bound, draw_noise

BOTH = (Modality(name="oscn"), Modality(name="cmnist", size=(3, 28, 28), weight=3.0))
SMALL = {"modalities": BOTH, "latent": 4, "width": 12, "layers": 2, "channels": 4}


@pytest.fixture(scope="module")
def pairs():
    return make_image_pairs({"train": 360, "test": 108}, seed=1)


@pytest.mark.parametrize("architecture", ["mlp", "cnn"])
@pytest.mark.parametrize("private", [0, 3])
class TestShapes:
    def test_latents_and_images(self, pairs, architecture, private):
        model = MMVAE(ModelConfiguration(**SMALL, architecture=architecture, private=private))
        for source, images in pairs["test"].modalities.items():
            assert model.embed(images, source).shape == (108, 4)
            for target, others in pairs["test"].modalities.items():
                generated = model.generate(images, source, target)
                assert generated.shape == (108, *others.size)
                assert generated.dtype == np.float32
                assert 0 <= generated.min() < generated.max() <= 1

    def test_noise_is_seeded(self, pairs, architecture, private):
        model = MMVAE(ModelConfiguration(**SMALL, architecture=architecture, private=private))
        images = pairs["test"].oscn
        calm, first, again, other = (model.generate(images, "oscn", "cmnist", seed) for seed in (None, 1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other).max() > 0
        assert np.abs(first - calm).max() > 0


def test_reconstruction_is_decoding_of_the_embedding(pairs):
    model = VAE(ModelConfiguration(**SMALL).unimodal("oscn"))
    images = pairs["test"].oscn
    np.testing.assert_allclose(model.generate(images), model.decode(model.embed(images)), atol=1e-6)


def test_private_latents_serve_reconstruction_alone(pairs):
    """With the shared latents switched off, private ones still tell images apart, but only the modality's own."""
    model = MMVAE(ModelConfiguration(**SMALL, private=3))
    with torch.no_grad():
        for networks in model.modalities.values():
            networks.decoder.layers[0].weight[:, :4] = 0  # what the decoder takes from the shared latents
    images = pairs["test"].oscn
    assert np.ptp(model.generate(images, "oscn", "oscn"), axis=0).max() > 0
    assert np.ptp(model.generate(images, "oscn", "cmnist"), axis=0).max() < 1e-6


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


class TestActivePixels:
    @staticmethod
    def active(pairs) -> dict[str, np.ndarray]:
        return {name: images.pixels.any(axis=0) for name, images in pairs["train"].modalities.items()}

    def test_it_is_the_whole_network_that_knows_the_rest_to_be_black(self, pairs):
        """The same weights in a network of all pixels, whose other logits say black: bound and gradients agree."""
        active = self.active(pairs)
        assert all(0.2 < mask.mean() < 0.9 for mask in active.values())
        few, whole = MMVAE(ModelConfiguration(**SMALL), (0,), active), MMVAE(ModelConfiguration(**SMALL))
        found, gradients = [], []
        with torch.no_grad():
            for name, networks in few.modalities.items():
                rows, other = networks.pixels, whole.modalities[name]
                for part, network in (("encoder", networks.encoder), ("decoder", networks.decoder)):
                    for k, layer in enumerate(network.layers):
                        target = getattr(other, part).layers[k]
                        if part == "encoder" and k == 0:
                            target.weight[:, rows] = layer.weight
                            target.bias.copy_(layer.bias)
                        elif part == "decoder" and k == len(network.layers) - 1:
                            target.weight.zero_()
                            target.bias.fill_(-60.0)
                            target.weight[..., rows], target.bias[..., rows] = layer.weight, layer.bias
                        else:
                            target.load_state_dict(layer.state_dict())
        shown = {name: images[:32] for name, images in pairs["train"].aligned().items()}
        for model in (few, whole):
            images = {n: as_input(model.modalities[n].select(shown[n].pixels)[None], "cpu") for n in model.names}
            noise = draw_noise(model, 2, 32, [7], "cpu")
            value, surrogate = bound(model, images, Objective(samples=2), noise)
            surrogate.backward()
            found.append(value)
            first = [networks.encoder.layers[0].weight.grad for networks in model.modalities.values()]
            last = [networks.decoder.layers[-1].weight.grad for networks in model.modalities.values()]
            gradients.append((first, last))
        torch.testing.assert_close(*found)
        (few_first, few_last), (whole_first, whole_last) = gradients
        for k, networks in enumerate(few.modalities.values()):
            assert few_first[k].abs().max() > 0
            torch.testing.assert_close(few_first[k], whole_first[k][:, networks.pixels])
            torch.testing.assert_close(few_last[k], whole_last[k][..., networks.pixels])
        for source in few.names:
            for target in few.names:
                made = [model.generate(shown[source], source, target) for model in (few, whole)]
                np.testing.assert_allclose(*made, atol=1e-5)
                assert (made[0][:, ~active[target]] == 0).all()

    def test_trains_and_a_copy_is_the_same(self, pairs):
        model = MMVAE(ModelConfiguration(**SMALL), (3, 5), self.active(pairs))
        train(model, pairs["train"], Objective(), Training(steps=3, batch=16), device="cpu")
        alone = MMVAE(ModelConfiguration(**SMALL), (5,), self.active(pairs))
        train(alone, pairs["train"], Objective(), Training(steps=3, batch=16), device="cpu")
        images = pairs["test"].oscn
        made = [part.generate(images, "oscn", "cmnist") for part in (model.copy(1), alone)]
        np.testing.assert_allclose(*made, atol=1e-3)
        assert np.abs(made[1] - model.copy(0).generate(images, "oscn", "cmnist")).max() > 0.01

    def test_impossible_masks_are_refused(self, pairs):
        settings, active = ModelConfiguration(**SMALL), self.active(pairs)
        for wrong in (active["cmnist"], active["oscn"].astype(int), np.zeros_like(active["oscn"])):
            with pytest.raises(ConfigurationError, match="active_pixels of 'oscn'"):
                MMVAE(settings, active_pixels={"oscn": wrong})
        with pytest.raises(ConfigurationError, match="whole images"):
            MMVAE(settings.replace(architecture="cnn"), active_pixels=active)


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


def test_a_vae_trains_on_one_modality_of_the_pairs(pairs):
    model = VAE(ModelConfiguration(**SMALL).unimodal("cmnist"))
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


def test_scales_are_positive_and_bounded():
    raw = torch.tensor([[-1e4, 0.0, 1e4]])
    free = positive_scale("free", raw)
    assert (free > 1e-3).all()
    assert (free < 100).all()
    softmax = positive_scale("softmax", torch.randn(7, 20))
    torch.testing.assert_close(softmax.mean(-1), torch.ones(7), atol=1e-4, rtol=0)


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
            lambda: Training(epochs=1).replace(bach=3),
            lambda: MMVAE(ModelConfiguration(**SMALL), seeds=(1, 1)),
            lambda: VAE(ModelConfiguration(**SMALL)),
            lambda: ModelConfiguration(**SMALL).unimodal("clevr"),
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
