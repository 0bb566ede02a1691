"""The bounds against closed forms: in a linear-Gaussian world everything can be worked out by hand."""

import math

import pytest
import torch
from torch import distributions, nn

from brainbook.errors import ConfigurationError
from brainbook.number_sense import MMVAE, Modality, ModelConfiguration, Objective, objectives
from brainbook.number_sense.mmvae import Posterior
from brainbook.number_sense.objectives import (
    bound,
    divergence,
    draw_noise,
    log_density,
    log_likelihood,
    standard_noise,
)

LATENT, PIXELS, NOISE = 2, 3, 0.7
torch.set_num_threads(1)


class LinearVAE(nn.Module):
    """x = A z + noise; the posterior's location is linear in x, its scale is given. Parameters: [copies, ...]."""

    def __init__(self, name: str, seed: int):
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        self.modality = Modality(name=name, size=(1, 1, PIXELS), likelihood="normal", likelihood_scale=NOISE)
        self.weight = nn.Parameter(torch.randn(1, LATENT, PIXELS, generator=g, dtype=torch.float64))
        self.read = nn.Parameter(0.3 * torch.randn(1, PIXELS, LATENT, generator=g, dtype=torch.float64))
        self.log_scale = nn.Parameter(torch.full((1, 1, LATENT), math.log(0.6), dtype=torch.float64))

    def encode(self, images):
        loc = images @ self.read
        empty = torch.zeros(*loc.shape[:2], 0, dtype=torch.float64)
        return Posterior(loc, self.log_scale.exp().expand_as(loc)), Posterior(empty, empty)

    def decode(self, latents):
        return latents @ self.weight[:, None]


@pytest.fixture
def linear(monkeypatch):
    """Makes a model of `n` modalities, its images and their exact log-likelihood."""

    def normal(kind, logits, images, scale):
        return distributions.Normal(logits, scale).log_prob(images[:, None]).sum(-1)

    monkeypatch.setattr(objectives, "log_likelihood", normal)

    def make(n_modalities: int, batch: int = 4):
        names = ["a", "b"][:n_modalities]
        modalities = tuple(Modality(name=name, size=(1, 1, PIXELS)) for name in names)
        model = MMVAE(ModelConfiguration(modalities=modalities, latent=LATENT, family="normal", learn_prior=False))
        for i, name in enumerate(names):
            model.modalities[name] = LinearVAE(name, i)
        model.double()
        g = torch.Generator().manual_seed(9)
        images = {name: torch.randn(1, batch, PIXELS, generator=g, dtype=torch.float64) for name in names}
        weight = torch.cat([model.modalities[name].weight[0] for name in names], 1)  # latent, all pixels
        covariance = weight.T @ weight + NOISE**2 * torch.eye(weight.shape[1])
        joint = distributions.MultivariateNormal(torch.zeros(weight.shape[1]).double(), covariance)
        return model, images, joint.log_prob(torch.cat([images[name] for name in names], -1)[0]).mean().detach()

    return make


def noise_of(model, samples: int, batch: int = 4, seed: int = 0, copies: int = 1):
    g = torch.Generator().manual_seed(seed)
    shared = torch.randn(copies, len(model.names), samples, batch, LATENT, generator=g, dtype=torch.float64)
    return shared, shared[..., :0], shared[..., :0]


def value_of(model, images, samples=4000, seed=0, **objective) -> float:
    with torch.no_grad():
        return bound(model, images, Objective(samples=samples, **objective), noise_of(model, samples, seed=seed))[
            0
        ].item()


def expected_over_draws(model, images, samples, draws=800, **objective) -> float:
    """Mean of a bound over independent draws of its noise, all in one batch."""
    shown = {name: x.repeat(1, draws, 1) for name, x in images.items()}
    with torch.no_grad():
        noise = noise_of(model, samples, 4 * draws, seed=samples)
        return bound(model, shown, Objective(samples=samples, **objective), noise)[0].item()


def exact_elbo(model, images, name: str) -> torch.Tensor:
    """Of one modality alone: E log p(x | z) - KL, in closed form."""
    sense, x = model.modalities[name], images[name][0]
    q, _ = sense.encode(images[name])
    loc, scale = q.loc[0], q.scale[0]
    spread = ((scale**2) @ (sense.weight[0] ** 2)).sum(-1)
    fit = -0.5 * (((x - loc @ sense.weight[0]) ** 2).sum(-1) + spread) / NOISE**2
    fit = fit - PIXELS * (math.log(NOISE) + 0.5 * math.log(2 * math.pi))
    divergence = 0.5 * (scale**2 + loc**2 - 1 - 2 * scale.log()).sum(-1)
    return (fit - divergence).mean().detach()


class TestOneModality:
    @pytest.mark.parametrize("looser", [True, False])
    def test_elbo_is_the_closed_form(self, linear, looser):
        model, images, log_p = linear(1)
        elbo = value_of(model, images, 40_000, bound="elbo", looser=looser)
        assert elbo == pytest.approx(exact_elbo(model, images, "a").item(), abs=0.05)
        assert elbo < log_p

    def test_exact_posterior_makes_every_bound_exact(self, linear):
        model, images, _ = linear(1)
        sense = model.modalities["a"]
        with torch.no_grad():  # orthogonal loadings: the true posterior has independent dimensions
            weight = torch.tensor([[1.2, 0.0, 0.0], [0.0, 0.8, 0.0]], dtype=torch.float64)
            precision = 1 + (weight**2).sum(1) / NOISE**2
            sense.weight.copy_(weight)
            sense.read.copy_((weight / NOISE**2 / precision[:, None]).T)
            sense.log_scale.copy_(-0.5 * precision.log())
        covariance = weight.T @ weight + NOISE**2 * torch.eye(PIXELS)
        log_p = (
            distributions.MultivariateNormal(torch.zeros(PIXELS).double(), covariance).log_prob(images["a"][0]).mean()
        )
        for objective in ({"bound": "elbo", "looser": False}, {"bound": "iwae"}, {"bound": "dreg", "looser": False}):
            assert value_of(model, images, 3, **objective) == pytest.approx(log_p.item(), abs=1e-5)

    def test_iwae_rises_with_k_to_the_log_likelihood(self, linear):
        model, images, log_p = linear(1)
        values = [expected_over_draws(model, images, k, bound="iwae") for k in (1, 2, 5, 20, 100)]
        assert values[0] == pytest.approx(exact_elbo(model, images, "a").item(), abs=0.15)
        assert all(low < high for low, high in zip(values, values[1:], strict=False))
        assert values[-1] < log_p + 0.02
        assert value_of(model, images, 100_000, bound="iwae") == pytest.approx(log_p.item(), abs=0.05)


class TestMixture:
    def test_all_tend_to_the_joint_log_likelihood(self, linear):
        model, images, log_p = linear(2)
        for looser in (True, False):
            assert value_of(model, images, 40_000, bound="iwae", looser=looser) == pytest.approx(log_p.item(), abs=0.05)

    def test_looser_is_below_tight_is_below_the_truth(self, linear):
        model, images, log_p = linear(2)
        for name, k in (("elbo", 1), ("iwae", 8)):
            looser, tight = (expected_over_draws(model, images, k, bound=name, looser=x) for x in (True, False))
            assert looser < tight < log_p

    def test_tight_elbo_is_the_mixture_s(self, linear):
        """Against samples of the mixture itself, drawn and weighed with torch.distributions."""
        model, images, _ = linear(2)
        with torch.no_grad():
            qs = [model.modalities[n].encode(images[n])[0] for n in model.names]
            locs, scales = (torch.stack([getattr(q, part)[0] for q in qs], 1) for part in ("loc", "scale"))
            even = distributions.Categorical(logits=torch.zeros(4, 2))
            components = distributions.Independent(distributions.Normal(locs, scales), 1)
            mixture = distributions.MixtureSameFamily(even, components)
            torch.manual_seed(0)
            z = mixture.sample((40_000,))
            log_joint = distributions.Normal(0, 1).log_prob(z).sum(-1)
            for n in model.names:
                log_joint += (
                    distributions.Normal(z @ model.modalities[n].weight[0], NOISE).log_prob(images[n][0]).sum(-1)
                )
            expected = (log_joint - mixture.log_prob(z)).mean()
        assert value_of(model, images, 40_000, bound="elbo", looser=False) == pytest.approx(expected.item(), abs=0.2)


def gradients(model, images, objective: Objective, draws: int = 10_000) -> torch.Tensor:
    """Gradient of the encoders' parameters in each of many draws (copies of the model): [draws, parameters]."""
    for sense in model.modalities.values():
        for name, parameter in list(sense.named_parameters()):
            setattr(sense, name, nn.Parameter(parameter[:1].detach().repeat(draws, 1, 1)))
    parameters = [p for sense in model.modalities.values() for p in (sense.read, sense.log_scale)]
    shown = {name: x.expand(draws, -1, -1) for name, x in images.items()}
    noise = noise_of(model, objective.samples, seed=7, copies=draws)
    _, surrogate = bound(model, shown, objective, noise)
    return torch.cat([g.flatten(1) for g in torch.autograd.grad(surrogate, parameters)], 1)


def assert_same_mean(a: torch.Tensor, b: torch.Tensor) -> None:
    error = (a.var(0) / len(a) + b.var(0) / len(b)).sqrt()
    assert ((a.mean(0) - b.mean(0)).abs() < 4 * error).all()


class TestDReG:
    def test_value_is_iwae_s(self, linear):
        model, images, _ = linear(2)
        for looser in (True, False):
            values = [value_of(model, images, 7, bound=name, looser=looser) for name in ("iwae", "dreg")]
            assert values[0] == pytest.approx(values[1], abs=1e-12)

    def test_gradient_has_the_mean_of_iwae_s_and_less_variance(self, linear):
        model, images, _ = linear(1)
        iwae, dreg = (gradients(model, images, Objective(bound=name, samples=8)) for name in ("iwae", "dreg"))
        assert_same_mean(iwae, dreg)
        assert dreg.var(0).sum() < 0.7 * iwae.var(0).sum()

    def test_mixture_at_k_1_is_unbiased_too(self, linear):
        model, images, _ = linear(2)
        elbo, dreg = (
            gradients(model, images, Objective(bound=name, samples=1, looser=looser))
            for name, looser in (("elbo", False), ("dreg", True))
        )
        assert_same_mean(elbo, dreg)

    def test_mixture_at_larger_k_is_biased_and_steadier(self, linear):
        """What the module says of the published estimator: a bias, small beside the spread of one draw."""
        model, images, _ = linear(2)
        iwae, dreg = (
            gradients(model, images, Objective(bound=name, samples=8, looser=False)) for name in ("iwae", "dreg")
        )
        assert dreg.var(0).sum() < iwae.var(0).sum()
        cosine = nn.functional.cosine_similarity(iwae.mean(0), dreg.mean(0), dim=0)
        assert cosine > 0.8

    @pytest.mark.parametrize("looser", [True, False])
    def test_decoder_gradient_is_iwae_s(self, linear, looser):
        model, images, _ = linear(2)
        decoders = [sense.weight for sense in model.modalities.values()]
        found = []
        for name in ("iwae", "dreg"):
            objective = Objective(bound=name, samples=6, looser=looser)
            found.append(torch.autograd.grad(bound(model, images, objective, noise_of(model, 6))[1], decoders))
        for iwae, dreg in zip(*found, strict=True):
            torch.testing.assert_close(iwae, dreg)

    @pytest.mark.parametrize("looser", [True, False])
    def test_leaving_out_what_weighs_nothing_changes_nothing(self, linear, looser):
        model, images, _ = linear(2)
        found = []
        for minimum in (0.0, 1e-12, 1e-3):
            objective = Objective(bound="dreg", samples=6, looser=looser, minimum_weight=minimum)
            value, surrogate = bound(model, images, objective, noise_of(model, 6))
            found.append((value, *torch.autograd.grad(surrogate, [p for p in model.parameters() if p.requires_grad])))
        for full, same, thinned in zip(*found, strict=True):
            torch.testing.assert_close(full, same)
            torch.testing.assert_close(full, thinned, atol=0.01 * full.abs().max().item(), rtol=0)


@pytest.mark.parametrize("family", ["normal", "laplace"])
@pytest.mark.parametrize("private", [0, 2])
@pytest.mark.parametrize("name", ["elbo", "iwae", "dreg"])
@pytest.mark.parametrize("looser", [True, False])
def test_every_bound_reaches_every_parameter(family, private, name, looser):
    modalities = (
        Modality(name="a", size=(1, 2, 3)),
        Modality(name="b", size=(1, 3, 3), likelihood="laplace", weight=2),
    )
    settings = ModelConfiguration(modalities=modalities, latent=3, private=private, family=family, width=5, layers=2)
    model = MMVAE(settings, seeds=(1, 2))
    g = torch.Generator().manual_seed(0)
    images = {"a": torch.rand(2, 4, 6, generator=g), "b": torch.rand(2, 4, 9, generator=g)}
    objective = Objective(bound=name, samples=3, looser=looser)
    value, surrogate = bound(model, images, objective, draw_noise(model, 3, 4, [5, 6], "cpu"))
    assert value.shape == (2,)
    surrogate.backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, parameter_name


def test_missing_modality_is_named():
    model = MMVAE(ModelConfiguration(modalities=(Modality(name="a", size=(1, 2, 3)),), width=4, layers=1))
    with pytest.raises(ConfigurationError, match="no images for modality 'a'"):
        bound(model, {}, Objective(), draw_noise(model, 1, 4, [0], "cpu"))


FAMILY = {"normal": distributions.Normal, "laplace": distributions.Laplace}


@pytest.fixture
def parameters():
    g = torch.Generator().manual_seed(0)
    loc = torch.randn(3, 5, 4, generator=g, dtype=torch.float64)
    scale = torch.rand(3, 5, 4, generator=g, dtype=torch.float64) + 0.1
    return loc, scale, torch.randn(3, 5, 4, generator=g, dtype=torch.float64)


@pytest.mark.parametrize("family", FAMILY)
def test_density_and_divergence_are_those_of_torch(family, parameters):
    loc, scale, z = parameters
    posterior, prior = FAMILY[family](loc, scale), FAMILY[family](torch.zeros(4).double(), 2 * scale[0, 0])
    torch.testing.assert_close(log_density(family, z, loc, scale), posterior.log_prob(z).sum(-1))
    expected = distributions.kl_divergence(posterior, prior).sum(-1)
    torch.testing.assert_close(divergence(family, loc, scale, 2 * scale[0, 0]), expected)


@pytest.mark.parametrize("family", FAMILY)
def test_noise_has_the_family_s_moments_and_each_copy_its_own(family):
    def generators(*seeds):
        return [torch.Generator().manual_seed(seed) for seed in seeds]

    noise = standard_noise(family, (200_000,), generators(1, 2), "cpu")
    expected = FAMILY[family](torch.zeros(()), torch.ones(()))
    assert noise.mean().abs() < 0.02
    assert noise.std() == pytest.approx(expected.stddev.item(), rel=0.02)
    assert noise.abs().mean() == pytest.approx(1 if family == "laplace" else (2 / torch.pi) ** 0.5, rel=0.02)
    torch.testing.assert_close(noise[1:], standard_noise(family, (200_000,), generators(2), "cpu"))


@pytest.mark.parametrize("kind", ["bernoulli", "normal", "laplace"])
class TestLogLikelihood:
    @staticmethod
    def tensors():
        g = torch.Generator().manual_seed(1)
        logits = 2 * torch.randn(2, 3, 4, 6, generator=g, dtype=torch.float64)
        return logits.requires_grad_(), torch.rand(2, 4, 6, generator=g, dtype=torch.float64)

    def test_is_torch_s(self, kind):
        logits, images = self.tensors()
        if kind == "bernoulli":
            expected = distributions.Bernoulli(logits=logits, validate_args=False).log_prob(images[:, None])
        else:
            expected = FAMILY[kind](torch.sigmoid(logits), 0.3).log_prob(images[:, None])
        torch.testing.assert_close(log_likelihood(kind, logits, images, 0.3), expected.sum(-1))

    def test_gradient_is_the_numerical_one(self, kind):
        logits, images = self.tensors()
        assert torch.autograd.gradcheck(lambda x: log_likelihood(kind, x, images, 0.3), logits)
