"""How much text and brain reveal of each other in a BrainLM, on examples that it was not trained on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata
from sklearn.linear_model import Ridge
from torch import nn
from transformers import PreTrainedTokenizerBase

from brainbook.errors import DatasetError
from brainbook.language_models.brainlm.examples import BrainText, derangement
from brainbook.language_models.brainlm.model import BrainLM
from brainbook.language_models.masking import NOT_ASKED, mask_tokens


@torch.inference_mode()
def masked_losses(
    model: BrainLM, pairs: BrainText, tokenizer: PreTrainedTokenizerBase, brain: str = "real", seed: int = 0
) -> pd.DataFrame:
    """Compute held-out losses of each example with its own brain, another example's, or none.

    Returns
    -------
    DataFrame, one row per example: run, text (nats per masked token; the same masks whatever `brain` is), scan (mean
    squared error of a hidden scan when the other scans and the text are seen; for "shuffled" and "none" it is the TEXT
    that is another's or empty, so that both columns say what the other side is worth), brain.
    """
    device = next(model.parameters()).device
    shuffled = pairs[derangement(len(pairs), seed)]
    generator = torch.Generator().manual_seed(seed)
    masked_ids, labels = mask_tokens(pairs.input_ids, tokenizer, generator)
    hidden = torch.zeros(pairs.brain.shape[:2], dtype=torch.bool)
    hidden[torch.arange(len(pairs)), torch.randint(hidden.shape[1], (len(pairs),), generator=generator)] = True
    brains = {"real": pairs.brain, "shuffled": shuffled.brain, "none": None}[brain]
    texts = shuffled if brain == "shuffled" else pairs
    attention = texts.attention_mask
    if brain == "none":
        attention = torch.zeros_like(attention)
        attention[:, 0] = 1  # [CLS] alone
    parts = []
    for rows in torch.arange(len(pairs)).split(256):
        seen = None if brains is None else brains[rows].to(device)
        states, _ = model(masked_ids[rows].to(device), pairs.attention_mask[rows].to(device), seen)
        asked = labels[rows].to(device)
        loss = nn.functional.cross_entropy(model.words(states).transpose(1, 2), asked, reduction="none")
        text_loss = loss.sum(1) / (asked != NOT_ASKED).sum(1)  # 0 / 0 where nothing was masked: NaN
        inputs = (texts.input_ids[rows], attention[rows], pairs.brain[rows], hidden[rows])
        _, scans = model(*(tensor.to(device) for tensor in inputs))
        error = (model.brain_head(scans).cpu() - pairs.brain[rows]) ** 2
        scan_loss = error[hidden[rows]].mean(-1)
        parts.append(pd.DataFrame({"run": pairs.run[rows], "text": text_loss.cpu().numpy(), "scan": scan_loss.numpy()}))
    return pd.concat(parts, ignore_index=True).assign(brain=brain)


def match_scores(model: BrainLM, pairs: BrainText, batch: int = 512) -> np.ndarray:
    """Score every text with every brain by the matching head: [texts, brains]."""
    n = len(pairs)
    text, brain = (grid.reshape(-1) for grid in torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij"))
    inputs = pairs.input_ids[text], pairs.attention_mask[text], pairs.brain[brain]
    return _in_batches(model, model.match, inputs, batch).reshape(n, n)


def prediction_scores(model: BrainLM, pairs: BrainText, batch: int = 256) -> np.ndarray:
    """Score every text with every brain by how well the text, all its scans masked, predicts the brain.

    The score is the correlation over scans and features. It needs a model trained on masked brain modelling, and one
    reading per text, where `match_scores` takes one per pair.

    Returns
    -------
    float array [texts, brains].
    """
    hidden = torch.ones(pairs.brain.shape[:2], dtype=torch.bool)
    inputs = pairs.input_ids, pairs.attention_mask, pairs.brain, hidden
    predicted = _in_batches(model, lambda *batch: model.brain_head(model(*batch)[1]).flatten(1), inputs, batch)
    return _correlations(predicted, pairs.brain.flatten(1).numpy())


@torch.inference_mode()
def _in_batches(model: BrainLM, compute: Callable, inputs: tuple[torch.Tensor, ...], batch: int) -> np.ndarray:
    """Compute batch by batch, on the model's device."""
    device = next(model.parameters()).device
    batches = zip(*(tensor.split(batch) for tensor in inputs), strict=True)
    return torch.cat([compute(*(part.to(device) for part in parts)).float().cpu() for parts in batches]).numpy()


def bag_of_words_scores(train: BrainText, pairs: BrainText, n_pieces: int, alpha: float = 30.0) -> np.ndarray:
    """Score as `prediction_scores` does, by a ridge regression on counts of word pieces: the baseline of any model."""
    ridge = Ridge(alpha=alpha).fit(_counts(train, n_pieces), train.brain.flatten(1).numpy())
    return _correlations(ridge.predict(_counts(pairs, n_pieces)), pairs.brain.flatten(1).numpy())


def _counts(pairs: BrainText, n_pieces: int) -> np.ndarray:
    counts = np.zeros((len(pairs), n_pieces), np.float32)
    row, place = np.nonzero(pairs.attention_mask.numpy())
    np.add.at(counts, (row, pairs.input_ids.numpy()[row, place]), 1)
    return counts


def _correlations(predicted: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """Cosine of every row of one with every row of the other, without what all rows share."""
    predicted, heard = (array - array.mean(0) for array in (predicted, heard))
    lengths = [np.linalg.norm(array, axis=1) + 1e-9 for array in (predicted, heard)]
    return predicted @ heard.T / np.outer(*lengths)


def matching_by_example(scores: np.ndarray) -> np.ndarray:
    """Return how often each right pair beats the wrong ones of its text and of its brain: [texts, brains] -> [n]."""
    ranks = [np.diag(rankdata(-directed, axis=1)) for directed in (scores, scores.T)]
    return 1 - (np.mean(ranks, axis=0) - 1) / (len(scores) - 1)


def decode(scores: np.ndarray, top: tuple[int, ...] = (1, 5), n_random: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Decode which of N was heard: matching and retrieval in both directions, with what chance would give.

    Parameters
    ----------
    scores : [texts, brains]; the right pairs are on the diagonal.
    n_random : random pairings of texts and brains, for the interval of chance.

    Returns
    -------
    DataFrame: direction ("brain -> text": a brain is given, N texts are ranked; "text -> brain"), measure ("matching":
    how often the right one beats a wrong one, "top 1", "top 5", "mean rank"), value, chance (its mean), lower and upper
    (95% of random pairings lie between), n.
    """
    n = len(scores)
    if scores.shape != (n, n) or n < 2:
        raise DatasetError(f"scores have shape {scores.shape}: expected [n, n] with n of at least 2")
    if not np.isfinite(scores).all():
        raise DatasetError("scores hold values that are not numbers")
    orders = np.random.default_rng(seed).permuted(np.tile(np.arange(n), (n_random, 1)), axis=1)
    measures: dict[str, Any] = {"matching": (0.5, lambda rank: 1 - (rank.mean(-1) - 1) / (n - 1))}
    measures |= {f"top {k}": (k / n, lambda rank, k=k: (rank <= k).mean(-1)) for k in top if k < n}
    measures["mean rank"] = (n + 1) / 2, lambda rank: rank.mean(-1)
    rows = []
    for direction, directed in (("brain -> text", scores.T), ("text -> brain", scores)):
        rank = rankdata(-directed, axis=1)  # ties share their places
        random_rank = rank[np.arange(n), orders]  # n_random, n
        for name, (chance, measure) in measures.items():
            lower, upper = np.quantile(measure(random_rank), (0.025, 0.975))
            rows.append((direction, name, measure(np.diag(rank)), chance, lower, upper))
    columns = ["direction", "measure", "value", "chance", "lower", "upper"]
    return pd.DataFrame(rows, columns=columns).assign(n=n)
