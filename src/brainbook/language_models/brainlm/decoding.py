"""What text and brain tell of each other in a BrainLM, on examples that it was not trained on."""

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata
from sklearn.linear_model import Ridge
from torch import nn

from brainbook.errors import DatasetError
from brainbook.language_models.brainlm.examples import BrainText
from brainbook.language_models.brainlm.model import BrainLM
from brainbook.language_models.tiny.models import mask_tokens


def derangement(n: int, seed: int = 0) -> np.ndarray:
    """An order in which nothing stays in its place: a random cycle."""
    cycle = np.random.default_rng(seed).permutation(n)
    order = np.empty(n, int)
    order[cycle] = np.roll(cycle, 1)
    return order


@torch.inference_mode()
def masked_losses(model: BrainLM, pairs: BrainText, tokenizer, brain: str = "real", seed: int = 0) -> pd.DataFrame:
    """Held-out losses of each example with its own brain, another example's, or none.

    Returns
    -------
    DataFrame, one row an example: run, text (nats a masked token; the same masks whatever `brain` is), scan (mean
    squared error of a hidden scan when the other scans and the text are seen; for "shuffled" and "none" it is the TEXT
    that is another's or empty, so that both columns say what the other side is worth).
    """
    device = next(model.parameters()).device
    order = derangement(len(pairs), seed)
    other = pairs[order]
    generator = torch.Generator().manual_seed(seed)
    masked = mask_tokens(pairs.input_ids, tokenizer, generator)
    hidden = torch.zeros(pairs.brain.shape[:2], dtype=torch.bool)
    hidden[torch.arange(len(pairs)), torch.randint(hidden.shape[1], (len(pairs),), generator=generator)] = True
    brains = {"real": pairs.brain, "shuffled": other.brain, "none": None}[brain]
    texts = other if brain == "shuffled" else pairs
    empty = torch.zeros_like(pairs.attention_mask)
    empty[:, 0] = 1  # [CLS] alone
    rows = []
    for part in torch.arange(len(pairs)).split(256):
        seen = None if brains is None else brains[part].to(device)
        states, _ = model(masked["input_ids"][part].to(device), pairs.attention_mask[part].to(device), seen)
        labels = masked["labels"][part].to(device)
        loss = nn.functional.cross_entropy(model.words(states).transpose(1, 2), labels, reduction="none")
        text = loss.sum(1) / (labels != -100).sum(1)  # 0 / 0 where nothing was masked: NaN
        attention = empty[part] if brain == "none" else texts.attention_mask[part]
        given = (texts.input_ids[part], attention, pairs.brain[part], hidden[part])
        _, scans = model(*(tensor.to(device) for tensor in given))
        error = (model.brain_head(scans).cpu() - pairs.brain[part]) ** 2
        scan = error[hidden[part]].mean(-1)
        rows.append(pd.DataFrame({"run": pairs.run[part], "text": text.cpu().numpy(), "scan": scan.numpy()}))
    return pd.concat(rows, ignore_index=True).assign(brain=brain)


@torch.inference_mode()
def match_scores(model: BrainLM, pairs: BrainText, batch: int = 512) -> np.ndarray:
    """Score of every text with every brain: [texts, brains]."""
    n, device = len(pairs), next(model.parameters()).device
    text, brain = (grid.reshape(-1) for grid in torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij"))
    scores = []
    for rows, columns in zip(text.split(batch), brain.split(batch), strict=True):
        given = (pairs.input_ids[rows], pairs.attention_mask[rows], pairs.brain[columns])
        scores.append(model.match(*(tensor.to(device) for tensor in given)).float().cpu())
    return torch.cat(scores).reshape(n, n).numpy()


@torch.inference_mode()
def prediction_scores(model: BrainLM, pairs: BrainText, batch: int = 256) -> np.ndarray:
    """How well each text, all its scans masked, predicts each brain: correlation over scans and features.

    Needs a model trained on masked brain modelling. One reading a text, where `match_scores` takes one a pair.

    Returns
    -------
    float array [texts, brains].
    """
    device, expected = next(model.parameters()).device, []
    hidden = torch.ones(pairs.brain.shape[:2], dtype=torch.bool)
    for rows in torch.arange(len(pairs)).split(batch):
        given = (pairs.input_ids[rows], pairs.attention_mask[rows], pairs.brain[rows], hidden[rows])
        _, scans = model(*(tensor.to(device) for tensor in given))
        expected.append(model.brain_head(scans).float().cpu())
    return _correlations(torch.cat(expected).flatten(1).numpy(), pairs.brain.flatten(1).numpy())


def bag_of_words_scores(train: BrainText, pairs: BrainText, n_pieces: int, alpha: float = 30.0) -> np.ndarray:
    """The same from a ridge regression on counts of word pieces: what any model must beat. [texts, brains]."""
    counts = [np.zeros((len(one), n_pieces), np.float32) for one in (train, pairs)]
    for one, count in zip((train, pairs), counts, strict=True):
        row, place = np.nonzero(one.attention_mask.numpy())
        np.add.at(count, (row, one.input_ids.numpy()[row, place]), 1)
    ridge = Ridge(alpha=alpha).fit(counts[0], train.brain.flatten(1).numpy())
    return _correlations(ridge.predict(counts[1]), pairs.brain.flatten(1).numpy())


def _correlations(predicted: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """Cosine of every row of one with every row of the other, without what all rows share."""
    predicted, heard = (one - one.mean(0) for one in (predicted, heard))
    lengths = [np.linalg.norm(one, axis=1) + 1e-9 for one in (predicted, heard)]
    return predicted @ heard.T / np.outer(*lengths)


def decode(scores: np.ndarray, top: tuple[int, ...] = (1, 5), n_random: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Which of N was heard: matching and retrieval in both directions, with what chance would give.

    Parameters
    ----------
    scores : [texts, brains]; the right pairs are on the diagonal.
    n_random : random pairings of texts and brains that tell how far luck goes.

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
    measures = {"matching": lambda rank: 1 - (rank.mean(-1) - 1) / (n - 1)}
    measures |= {f"top {k}": lambda rank, k=k: (rank <= k).mean(-1) for k in top if k < n}
    measures["mean rank"] = lambda rank: rank.mean(-1)
    chance = {"matching": 0.5, "mean rank": (n + 1) / 2, **{f"top {k}": k / n for k in top}}
    rows = []
    for direction, given in (("brain -> text", scores.T), ("text -> brain", scores)):
        rank = rankdata(-given, axis=1)  # ties share their places
        lucky = rank[np.arange(n), orders]  # n_random, n
        for name, measure in measures.items():
            spread = np.quantile(measure(lucky), (0.025, 0.975))
            rows.append((direction, name, measure(np.diag(rank)), chance[name], *spread))
    columns = ["direction", "measure", "value", "chance", "lower", "upper"]
    return pd.DataFrame(rows, columns=columns).assign(n=n)


def apart(pairs: BrainText, scans: int) -> BrainText:
    """Examples that share no scan: of each run every one that begins `scans` after the last one kept."""
    kept, last = [], {}
    for row, (run, first) in enumerate(zip(pairs.run, pairs.first_scan, strict=True)):
        if first >= last.get(run, -scans) + scans or first < last.get(run, 0):
            kept.append(row)
            last[run] = first
    return pairs[np.array(kept)]
