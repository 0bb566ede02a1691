import pytest
import torch
from torch import distributions

from brainbook.number_sense.families import divergence, log_density, log_likelihood, positive_scale, standard_noise

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


def test_scales_are_positive_and_bounded():
    raw = torch.tensor([[-1e4, 0.0, 1e4]])
    free = positive_scale("free", raw)
    assert (free > 1e-3).all()
    assert (free < 100).all()
    softmax = positive_scale("softmax", torch.randn(7, 20))
    torch.testing.assert_close(softmax.mean(-1), torch.ones(7), atol=1e-4, rtol=0)
