"""What text and brain tell of each other in a BrainLM, on examples that it was not trained on."""

import numpy as np
import pandas as pd
import torch
from torch import nn

from brainbook.errors import DatasetError
from brainbook.language_models.brain_text import BrainText
from brainbook.language_models.brainlm_model import BrainLM
from brainbook.language_models.minis import mask_tokens


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


def decode(scores: np.ndarray, top: tuple[int, ...] = (1, 5)) -> pd.DataFrame:
    """Which of N was heard: matching and retrieval in both directions, with what chance would give.

    Parameters
    ----------
    scores : [texts, brains]; the right pairs are on the diagonal.

    Returns
    -------
    DataFrame: direction ("brain -> text": a brain is given, N texts are ranked; "text -> brain"), measure ("matching":
    how often the right one beats a wrong one, "top 1", "top 5", "mean rank"), value, chance, n.
    """
    n = len(scores)
    if scores.shape != (n, n) or n < 2:
        raise DatasetError(f"scores have shape {scores.shape}: expected [n, n] with n of at least 2")
    rows = []
    for direction, given in (("brain -> text", scores.T), ("text -> brain", scores)):
        right = np.diag(given)[:, None]
        rank = 1 + (given > right).sum(1) + 0.5 * ((given == right).sum(1) - 1)  # ties share their places
        rows.append((direction, "matching", 1 - (rank.mean() - 1) / (n - 1), 0.5))
        rows += [(direction, f"top {k}", (rank <= k).mean(), k / n) for k in top if k < n]
        rows.append((direction, "mean rank", rank.mean(), (n + 1) / 2))
    return pd.DataFrame(rows, columns=["direction", "measure", "value", "chance"]).assign(n=n)


def apart(pairs: BrainText, scans: int) -> BrainText:
    """Examples that share no scan: of each run every one that begins `scans` after the last one kept."""
    kept, last = [], {}
    for row, (run, first) in enumerate(zip(pairs.run, pairs.first_scan, strict=True)):
        if first >= last.get(run, -scans) + scans or first < last.get(run, 0):
            kept.append(row)
            last[run] = first
    return pairs[np.array(kept)]
