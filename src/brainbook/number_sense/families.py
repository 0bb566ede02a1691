"""The two families of distributions of the latents, and the likelihoods of images, written for speed."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)
LOWEST, HIGHEST = -6.0, 3.0  # limits of a free log scale: a posterior can neither collapse nor burst


def log_density(family: str, z: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Log density of `z` with independent dimensions, summed over the last axis. Shapes broadcast."""
    if family == "normal":
        return (-0.5 * ((z - loc) / scale).square() - scale.log() - 0.5 * LOG_2PI).sum(-1)
    return (-(z - loc).abs() / scale - (2 * scale).log()).sum(-1)


def divergence(family: str, loc: Tensor, scale: Tensor, prior_scale: Tensor) -> Tensor:
    """KL divergence of (loc, scale) from (0, prior_scale), both of `family`, summed over the last axis."""
    ratio = scale / prior_scale
    if family == "normal":
        return 0.5 * (ratio.square() + (loc / prior_scale).square() - 1 - 2 * ratio.log()).sum(-1)
    return (-ratio.log() + ratio * torch.exp(-loc.abs() / scale) + loc.abs() / prior_scale - 1).sum(-1)


def standard_noise(family: str, shape: Sequence[int], generators: Sequence[torch.Generator], device) -> Tensor:
    """Noise of location 0 and scale 1, [copies, *shape]: copy i's comes from generators[i] alone."""
    drawn = []
    for generator in generators:
        if family == "normal":
            drawn.append(torch.randn(shape, generator=generator, device=device))
        else:
            u = torch.rand(shape, generator=generator, device=device).mul_(2).sub_(1).clamp_(-1 + 1e-7, 1 - 1e-7)
            drawn.append(-u.sign() * torch.log1p(-u.abs()))
    return torch.stack(drawn)


def positive_scale(form: str, raw: Tensor) -> Tensor:
    """Scales from a network's output: "softmax" (times its length) or "free" (clamped, then exp)."""
    if form == "softmax":
        return torch.softmax(raw, -1) * raw.shape[-1] + 1e-6
    return raw.clamp(LOWEST, HIGHEST).exp()


class _LogLikelihood(torch.autograd.Function):
    """Log-likelihood of images given logits, one sample of the latent after the other, so that the work stays in cache.

    Nothing but the logits is kept for the way back, where the gradient is formed in place.
    """

    @staticmethod
    def forward(ctx, logits: Tensor, images: Tensor, kind: str, scale: float) -> Tensor:
        # logits: copies, samples, batch, pixels; images: copies, batch, pixels
        ctx.save_for_backward(logits, images)
        ctx.kind, ctx.scale = kind, scale
        values = images.new_empty(logits.shape[:3])
        for k in range(logits.shape[1]):
            logit = logits[:, k].to(images.dtype)
            if kind == "bernoulli":
                values[:, k] = torch.linalg.vecdot(images, logit) - torch.nn.functional.softplus(logit).sum(-1)
                continue
            residual = torch.sigmoid(logit).sub_(images)
            if kind == "normal":
                values[:, k] = torch.linalg.vecdot(residual, residual) * (-0.5 / scale**2)
            else:
                values[:, k] = residual.abs_().sum(-1) * (-1 / scale)
        constant = {"bernoulli": 0.0, "normal": math.log(scale) + 0.5 * LOG_2PI, "laplace": math.log(2 * scale)}[kind]
        return values.sub_(constant * logits.shape[-1])

    @staticmethod
    def backward(ctx, gradient: Tensor):
        logits, images = ctx.saved_tensors
        out = torch.empty_like(logits)
        for k in range(logits.shape[1]):
            factor = gradient[:, k, :, None]
            mean = torch.sigmoid(logits[:, k].to(images.dtype))
            if ctx.kind == "bernoulli":
                out[:, k] = mean.sub_(images).mul_(-factor)
                continue
            residual = images - mean
            slope = mean.mul_(1 - mean).mul_(factor)
            if ctx.kind == "normal":
                out[:, k] = slope.mul_(residual).mul_(1 / ctx.scale**2)
            else:
                out[:, k] = slope.mul_(residual.sign_()).mul_(1 / ctx.scale)
        return out, None, None, None


def log_likelihood(kind: str, logits: Tensor, images: Tensor, scale: float = 0.75) -> Tensor:
    """Log-likelihood of images (0..1), summed over pixels: [copies, samples, batch].

    kind : "bernoulli" (cross-entropy), "normal" or "laplace" (of `scale`, around the sigmoid of the logits).
    logits : [copies, samples, batch, pixels]. images : [copies, batch, pixels], the same for all samples.
    """
    return _LogLikelihood.apply(logits, images, kind, scale)
