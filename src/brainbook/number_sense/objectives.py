"""Lower bounds on the log-likelihood of several senses: ELBO, IWAE and DReG, tight and looser, after Shi et al. (2019).

Samples are stratified: K from each modality's posterior q_m, all weighed by w = p(z) prod p(x_n | z) / q(z | x_1 ..
x_M), with q the mixture. Tight: log of the mean of w over all M K samples. Looser: the mean over m of the log of the
mean over K, which is below it by Jensen, and which Shi et al. found to train better: it lets no modality fall silent.

DReG (Tucker et al. 2019) has the value of IWAE and another gradient: of smaller variance, and unbiased for one
modality at any K and for the mixture at K = 1. For a mixture at K > 1 it is the published estimator, whose bias
`tests` measure: it takes the derivative of the mixture's density as if each sample had come from the mixture rather
than from its own stratum.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from brainbook.errors import ConfigurationError
from brainbook.number_sense.configuration import Objective
from brainbook.number_sense.families import divergence, log_density, log_likelihood, standard_noise
from brainbook.number_sense.mmvae import MMVAE, Posterior

Noise = tuple[Tensor, Tensor | None, Tensor | None]


def draw_noise(model: MMVAE, n_samples: int, n_images: int, seeds: Sequence[int], device) -> Noise:
    """Standard noise of a step: of shared latents, of private ones, and of imagined private ones.

    Each [copies, modalities, samples, batch, dimensions]; the last two are None without private latents. `seeds` are
    one a copy: a copy's noise depends on its own alone.
    """
    generators = [torch.Generator(device).manual_seed(int(seed)) for seed in seeds]
    settings = model.configuration
    shape = (len(model.names), n_samples, n_images)
    shared = standard_noise(settings.family, (*shape, settings.latent), generators, device)
    if not settings.private:
        return shared, None, None
    own, imagined = (standard_noise(settings.family, (*shape, settings.private), generators, device) for _ in range(2))
    return shared, own, imagined


def bound(model: MMVAE, images: Mapping[str, Tensor], objective: Objective, noise: Noise) -> tuple[Tensor, Tensor]:
    """The bound, and what to differentiate.

    Parameters
    ----------
    model : VAE or MMVAE. images : 0..1 by modality, [copies, batch, pixels]. objective : which bound.
    noise : from `draw_noise`, with objective.samples samples.

    Returns
    -------
    value : [copies], nats an image pair, mean over the batch; not differentiable for "dreg".
    surrogate : scalar, to be raised: its gradient is the bound's, summed over copies (so each copy's is its own).
    """
    missing = [name for name in model.names if name not in images]
    if missing:
        raise ConfigurationError(f"no images for modality {missing[0]!r}: there are {', '.join(images)}")
    posteriors = {name: model.senses[name].encode(images[name]) for name in model.names}
    if objective.bound == "elbo" and objective.looser:
        value = _closed_form_elbo(model, images, posteriors, noise).mean(-1)
        return value, value.sum()
    doubly = objective.bound == "dreg"
    if doubly and objective.minimum_weight:
        return _thinned(model, images, posteriors, objective, noise)
    log_w, latents = log_weights(model, images, posteriors, noise, stop_density=doubly)
    value = _combine(log_w, objective).mean(-1)  # copies
    if not doubly:
        return value, value.sum()
    weights = _normalised(log_w, objective)  # copies, modalities, samples, batch
    for z in latents:
        if z.requires_grad:
            z.register_hook(lambda gradient: gradient * weights[..., None])
    return value, (weights * log_w).sum() / _divisor(log_w, objective)


def _combine(log_w: Tensor, objective: Objective) -> Tensor:
    """[copies, modalities, samples, batch] -> the bound [copies, batch]."""
    _, modalities, samples, _ = log_w.shape
    if objective.bound == "elbo":
        return log_w.mean((1, 2))
    if objective.looser:
        return (log_w.logsumexp(2) - math.log(samples)).mean(1)
    return log_w.logsumexp((1, 2)) - math.log(modalities * samples)


def _normalised(log_w: Tensor, objective: Objective) -> Tensor:
    """Weights that sum to 1 over a modality's samples (looser) or over all samples (tight); not differentiable."""
    if objective.looser:
        return log_w.detach().softmax(2)
    return log_w.detach().flatten(1, 2).softmax(1).view_as(log_w)


def _divisor(log_w: Tensor, objective: Objective) -> int:
    return log_w.shape[-1] * (log_w.shape[1] if objective.looser else 1)


def log_weights(
    model: MMVAE,
    images: Mapping[str, Tensor],
    posteriors: Mapping[str, tuple[Posterior, Posterior]],
    noise: Noise,
    stop_density: bool = False,
) -> tuple[Tensor, list[Tensor]]:
    """Log importance weights [copies, modalities, samples, batch], and the latents that they were drawn with.

    stop_density : the posteriors' densities are evaluated with their parameters held fixed (for DReG).
    """
    eps, own_eps, imagined_eps = noise
    shared = {name: posterior for name, (posterior, _) in posteriors.items()}
    z = _sample(shared.values(), eps)  # copies, modalities, samples, batch, latent
    densities = {n: Posterior(*(t.detach() for t in q)) for n, q in shared.items()} if stop_density else shared
    own = None
    latents = [z]
    if own_eps is not None:
        own = _sample([private for _, private in posteriors.values()], own_eps)
        latents.append(own)
    log_p = sum(_log_likelihoods(model, images, z, own, imagined_eps))
    log_w = log_p + _log_ratio(model, z.flatten(1, 2), densities).view_as(log_p)
    if own is not None:
        family = model.configuration.family
        privates = [private for _, private in posteriors.values()]
        if stop_density:
            privates = [Posterior(*(t.detach() for t in q)) for q in privates]
        q_loc, q_scale = (torch.stack(part, 1)[:, :, None] for part in zip(*privates, strict=True))
        standard = torch.zeros_like(own), torch.ones_like(own)
        log_w = log_w + log_density(family, own, *standard) - log_density(family, own, q_loc, q_scale)
    return log_w, latents


def _sample(posteriors, eps: Tensor) -> Tensor:
    loc, scale = (torch.stack(part, 1)[:, :, None] for part in zip(*posteriors, strict=True))
    return loc + scale * eps


def _log_likelihoods(model: MMVAE, images, z: Tensor, own: Tensor | None, imagined_eps: Tensor | None) -> list[Tensor]:
    """Weighted log-likelihood of each modality's images given each sample: [copies, modalities, samples, batch]."""
    values = []
    for index, (name, sense) in enumerate(model.senses.items()):
        latents = z
        if own is not None:
            private = imagined_eps * model.imagined_scale(name)[:, None]
            private = torch.cat([private[:, :index], own[:, index : index + 1], private[:, index + 1 :]], 1)
            latents = torch.cat([z, private], -1)
        modality = sense.modality
        logits = sense.decode(latents.flatten(1, 2))  # copies, modalities * samples, batch, pixels
        value = log_likelihood(modality.likelihood, logits, images[name], modality.likelihood_scale)
        values.append(modality.weight * value.unflatten(1, z.shape[1:3]))
    return values


def _log_ratio(model: MMVAE, z: Tensor, shared: Mapping[str, Posterior]) -> Tensor:
    """log p(z) - log q(z | all images) for z [copies, samples, batch, latent]: [copies, samples, batch]."""
    family, prior_scale = model.configuration.family, model.prior_scale
    log_prior = log_density(family, z, torch.zeros_like(prior_scale), prior_scale)
    log_q = [log_density(family, z, q.loc[:, None], q.scale[:, None]) for q in shared.values()]
    return log_prior - (torch.stack(log_q).logsumexp(0) - math.log(len(log_q)))


def _closed_form_elbo(model: MMVAE, images, posteriors, noise: Noise) -> Tensor:
    """Expected log-likelihood by sampling less the mean divergence in closed form: [copies, batch]."""
    eps, own_eps, imagined_eps = noise
    z = _sample([q for q, _ in posteriors.values()], eps)
    own = None if own_eps is None else _sample([private for _, private in posteriors.values()], own_eps)
    value = sum(_log_likelihoods(model, images, z, own, imagined_eps)).mean((1, 2))
    family, prior_scale = model.configuration.family, model.prior_scale[:, 0]
    for shared, private in posteriors.values():
        cost = divergence(family, *shared, prior_scale)
        if own is not None:
            cost = cost + divergence(family, *private, torch.ones_like(private.scale))
        value = value - cost / len(posteriors)
    return value


def _thinned(model: MMVAE, images, posteriors, objective: Objective, noise: Noise) -> tuple[Tensor, Tensor]:
    """DReG whose backward pass visits only the samples that count; without private latents."""
    if len(model.seeds) > 1 or model.configuration.private:
        raise ConfigurationError("minimum_weight works for one seed at a time and without private latents; set it to 0")
    with torch.no_grad():
        log_w, _ = log_weights(model, images, posteriors, noise)
    weights = _normalised(log_w, objective)
    _, source, sample, row = torch.nonzero(weights >= objective.minimum_weight, as_tuple=True)
    kept = weights[0, source, sample, row]  # samples that count
    loc, scale = (torch.stack(part)[:, 0] for part in zip(*(q for q, _ in posteriors.values()), strict=True))
    z = loc[source, row] + scale[source, row] * noise[0][0, source, sample, row]  # kept, latent
    z.register_hook(lambda gradient: gradient * kept[:, None])
    fixed = {name: Posterior(q.loc.detach()[:, row], q.scale.detach()[:, row]) for name, (q, _) in posteriors.items()}
    z_rows = z[None, None, None]  # copies, modalities, samples, kept, latent
    chosen = {name: images[name][:, row] for name in model.names}
    log_p = sum(_log_likelihoods(model, chosen, z_rows, None, None))[0, 0, 0]
    surrogate = kept * (log_p + _log_ratio(model, z_rows[:, 0], fixed)[0, 0])
    return _combine(log_w, objective).mean(-1), surrogate.sum() / _divisor(log_w, objective)
