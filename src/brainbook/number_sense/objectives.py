"""Lower bounds on the log-likelihood of several modalities: ELBO, IWAE and DReG, tight and looser (Shi et al. 2019).

Samples are stratified: K from each modality's posterior q_m, all weighed by w = p(z) prod p(x_n | z) / q(z | x_1 ..
x_M), with q the mixture. Tight: log of the mean of w over all M K samples. Looser: the mean over m of the log of the
mean over K, which is below it by Jensen, and which Shi et al. found to train better: no modality is neglected.

DReG (Tucker et al. 2019) has the value of IWAE and another gradient: of smaller variance, and unbiased for one
modality at any K and for the mixture at K = 1. For a mixture at K > 1 it is the published estimator, whose bias
`tests` measure: it takes the derivative of the mixture's density as if each sample had come from the mixture rather
than from its own stratum.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from brainbook.errors import ConfigurationError
from brainbook.number_sense.configuration import Objective
from brainbook.number_sense.mmvae import MMVAE, Posterior

LOG_2PI = math.log(2 * math.pi)
Noise = tuple[Tensor, Tensor, Tensor]


def log_density(family: str, z: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Return the log density of `z` with independent dimensions, summed over the last axis. Shapes broadcast."""
    if family == "normal":
        return (-0.5 * ((z - loc) / scale).square() - scale.log() - 0.5 * LOG_2PI).sum(-1)
    return (-(z - loc).abs() / scale - (2 * scale).log()).sum(-1)


def divergence(family: str, loc: Tensor, scale: Tensor, prior_scale: Tensor) -> Tensor:
    """Return the KL divergence of (loc, scale) from (0, prior_scale), both of `family`, summed over the last axis."""
    ratio = scale / prior_scale
    if family == "normal":
        return 0.5 * (ratio.square() + (loc / prior_scale).square() - 1 - 2 * ratio.log()).sum(-1)
    return (-ratio.log() + ratio * torch.exp(-loc.abs() / scale) + loc.abs() / prior_scale - 1).sum(-1)


def standard_noise(
    family: str, shape: Sequence[int], generators: Sequence[torch.Generator], device: torch.device
) -> Tensor:
    """Draw noise of location 0 and scale 1, [copies, *shape]: copy i's comes from generators[i] alone."""
    if family == "normal":
        return torch.stack([torch.randn(shape, generator=generator, device=device) for generator in generators])
    u = torch.stack([torch.rand(shape, generator=generator, device=device) for generator in generators])
    u = u.mul_(2).sub_(1).clamp_(-1 + 1e-7, 1 - 1e-7)
    return -u.sign() * torch.log1p(-u.abs())


class _LogLikelihood(torch.autograd.Function):
    """Log-likelihood of images given logits, one sample of the latent after the other, so that the work stays in cache.

    Nothing but the logits is stored for the backward pass, where the gradient is formed in place.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, images: Tensor, kind: str, scale: float) -> Tensor:
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
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
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
    """Return the log-likelihood of images (0..1), summed over pixels: [copies, samples, batch].

    kind : "bernoulli" (cross-entropy), "normal" or "laplace" (of `scale`, around the sigmoid of the logits).
    logits : [copies, samples, batch, pixels]. images : [copies, batch, pixels], the same for all samples.
    """
    return _LogLikelihood.apply(logits, images, kind, scale)


def draw_noise(model: MMVAE, n_samples: int, n_images: int, seeds: Sequence[int], device: torch.device) -> Noise:
    """Draw the standard noise of a step: of shared latents, of private ones, and of private ones from the prior.

    Each [copies, modalities, samples, batch, dimensions]. `seeds` : one per copy, whose noise depends on it alone.
    """
    generators = [torch.Generator(device).manual_seed(int(seed)) for seed in seeds]
    settings = model.configuration
    shape = (len(model.names), n_samples, n_images)
    sizes = (settings.latent, settings.private, settings.private)
    return tuple(standard_noise(settings.family, (*shape, size), generators, device) for size in sizes)  # type: ignore[return-value]  # three


def bound(model: MMVAE, images: Mapping[str, Tensor], objective: Objective, noise: Noise) -> tuple[Tensor, Tensor]:
    """Compute the bound, and what to differentiate.

    Parameters
    ----------
    model : VAE or MMVAE. images : 0..1 by modality, [copies, batch, pixels]. objective : which bound.
    noise : from `draw_noise`, with objective.samples samples.

    Returns
    -------
    value : [copies], nats per image pair, mean over the batch; not differentiable for "dreg".
    surrogate : scalar, to be raised: its gradient is the bound's, summed over copies (so each copy's is its own).
    """
    if missing := [name for name in model.names if name not in images]:
        raise ConfigurationError(f"no images for modality {missing[0]!r}: there are {', '.join(images)}")
    # two lists of a posterior per modality
    shared: Any
    private: Any
    shared, private = zip(*(model.modalities[name].encode(images[name]) for name in model.names), strict=True)
    z, own = _sample(shared, noise[0]), _sample(private, noise[1])
    if objective.minimum_weight:
        return _thinned(model, images, shared, z, objective)
    log_p = _log_likelihoods(model, images, z, own, noise[2])
    if objective.bound == "elbo" and objective.looser:
        value = _closed_form_elbo(model, log_p, shared, private)
        return value, value.sum()
    doubly = objective.bound == "dreg"
    if doubly:  # the density of the posteriors is differentiated by the latents alone
        shared, private = (_detached(posteriors) for posteriors in (shared, private))
    log_w = log_p + _log_ratio(model, z, shared)
    loc, scale = _stacked(private)
    family, one = model.configuration.family, torch.ones_like(own)
    log_w = log_w + log_density(family, own, 0 * one, one) - log_density(family, own, loc, scale)
    value, weights = _combine(log_w, objective)
    if not doubly:
        return value, value.sum()
    for latents in (z, own):
        if latents.requires_grad:
            latents.register_hook(lambda gradient: gradient * weights[..., None])
    return value, (weights * log_w).sum() / _divisor(log_w, objective)


def _stacked(posteriors: Sequence[Posterior]) -> tuple[Tensor, Tensor]:
    """Return locations and scales of all modalities, each [copies, modalities, 1, batch, dimensions]."""
    return tuple(torch.stack(part, 1)[:, :, None] for part in zip(*posteriors, strict=True))  # type: ignore[return-value]  # two


def _sample(posteriors: Sequence[Posterior], noise: Tensor) -> Tensor:
    loc, scale = _stacked(posteriors)
    return loc + scale * noise


def _detached(posteriors: Sequence[Posterior]) -> list[Posterior]:
    return [Posterior(loc.detach(), scale.detach()) for loc, scale in posteriors]


def _combine(log_w: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
    """Return the bound [copies] of log weights [copies, modalities, samples, batch], and the normalised weights.

    These sum to 1 over a modality's samples (looser) or over all samples (tight), and are not differentiable.
    """
    strata = log_w if objective.looser else log_w.flatten(1, 2)[:, None]
    if objective.bound == "elbo":
        value = strata.mean((1, 2))
    else:
        value = (strata.logsumexp(2) - math.log(strata.shape[2])).mean(1)
    return value.mean(-1), strata.detach().softmax(2).view_as(log_w)


def _divisor(log_w: Tensor, objective: Objective) -> int:
    return log_w.shape[-1] * (log_w.shape[1] if objective.looser else 1)


def _log_likelihoods(model: MMVAE, images: Mapping[str, Tensor], z: Tensor, own: Tensor, drawn: Tensor) -> Tensor:
    """Return the weighted log-likelihood of all modalities given each sample: [copies, modalities, samples, batch].

    z, own : shared and private latents. drawn : standard noise, for private latents of the other modalities.
    """
    values = []
    for index, (name, networks) in enumerate(model.modalities.items()):
        private = drawn * model.drawn_scale(name)[:, None]
        private = torch.cat([private[:, :index], own[:, index : index + 1], private[:, index + 1 :]], 1)
        # copies, modalities * samples, batch, pixels
        logits = networks.decode(torch.cat([z, private], -1).flatten(1, 2))
        modality = networks.modality
        value = log_likelihood(modality.likelihood, logits, images[name], modality.likelihood_scale)
        values.append(modality.weight * value.unflatten(1, z.shape[1:3]))
    return sum(values)


def _log_ratio(model: MMVAE, z: Tensor, posteriors: Sequence[Posterior]) -> Tensor:
    """Return log p(z) - log q(z | all images) of z [copies, modalities, samples, batch, latent], [..., batch]."""
    family, flat, prior_scale = model.configuration.family, z.flatten(1, 2), model.prior_scale
    log_prior = log_density(family, flat, torch.zeros_like(prior_scale), prior_scale)
    log_q = torch.stack([log_density(family, flat, q.loc[:, None], q.scale[:, None]) for q in posteriors])
    return (log_prior - (log_q.logsumexp(0) - math.log(len(log_q)))).view(z.shape[:-1])


def _closed_form_elbo(model: MMVAE, log_p: Tensor, shared: Sequence[Posterior], private: Sequence[Posterior]) -> Tensor:
    """Return the mean log-likelihood of samples less the posteriors' mean divergence from the prior: [copies]."""
    family, prior_scale = model.configuration.family, model.prior_scale[:, 0]
    value = log_p.mean((1, 2))
    for q, own in zip(shared, private, strict=True):
        cost = divergence(family, *q, prior_scale) + divergence(family, *own, torch.ones_like(own.scale))
        value = value - cost / len(shared)
    return value.mean(-1)


def _thinned(
    model: MMVAE, images: Mapping[str, Tensor], posteriors: Sequence, z: Tensor, objective: Objective
) -> tuple[Tensor, Tensor]:
    """Compute DReG with a backward pass over only the samples that count; without private latents."""
    if len(model.seeds) > 1 or model.configuration.private:
        raise ConfigurationError("minimum_weight works for one seed at a time and without private latents; set it to 0")
    with torch.no_grad():
        log_w = _log_likelihoods(model, images, z, z[..., :0], z[..., :0]) + _log_ratio(model, z, posteriors)
        value, weights = _combine(log_w, objective)
    chosen = torch.nonzero(weights >= objective.minimum_weight, as_tuple=True)
    weight, image = weights[chosen], chosen[-1]  # of each sample that counts
    rows = z[chosen][None, None, None]  # copies, modalities, samples, chosen, latent
    rows.register_hook(lambda gradient: gradient * weight[:, None])
    fixed = [Posterior(q.loc[:, image], q.scale[:, image]) for q in _detached(posteriors)]
    shown = {name: images[name][:, image] for name in model.names}
    log_w_rows = _log_likelihoods(model, shown, rows, rows[..., :0], rows[..., :0]) + _log_ratio(model, rows, fixed)
    return value, (weight * log_w_rows[0, 0, 0]).sum() / _divisor(log_w, objective)
