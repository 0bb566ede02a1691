"""Do two sentences of two languages say the same? A head over any language model, and the losses that teach it.

The published loss is binary cross-entropy plus y * cosine, with y = 1 for a match (Luo & Kobayashi, NLP 2025).
Minimised as it is printed it pushes the two sentences of a match apart; the standard cosine-embedding loss pulls them
together. Both are here, and a third that asks which of a batch's sentences is the translation (InfoNCE, van den Oord et
al. 2018).
"""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from brainbook.errors import ModelError
from brainbook.language_models.language_model import LanguageModel, model_with_head, quiet_transformers
from brainbook.language_models.masking import NOT_ASKED
from brainbook.store import atomic_write

HEAD_FILE = "matching/head.safetensors"  # below a model's folder, where transformers does not look


def cosine_loss(first: torch.Tensor, second: torch.Tensor, match: torch.Tensor, margin: float = 0.0) -> torch.Tensor:
    """Compute the standard cosine-embedding loss: 1 - cos for a match, max(0, cos - margin) otherwise, mean over pairs.

    Parameters
    ----------
    first, second : [pairs, units].
    match : [pairs], 1 or 0.
    """
    return functional.cosine_embedding_loss(first, second, 2 * match.to(first.dtype) - 1, margin)


def printed_cosine_loss(first: torch.Tensor, second: torch.Tensor, match: torch.Tensor) -> torch.Tensor:
    """Compute the term as printed in the seed paper, y * cos, mean over pairs: lowest when matches are OPPOSITE."""
    return (match.to(first.dtype) * functional.cosine_similarity(first, second)).mean()


def contrast_loss(
    first: torch.Tensor,
    second: torch.Tensor,
    match: torch.Tensor,
    first_row: torch.Tensor,
    second_row: torch.Tensor,
    temperature: float = 0.07,
) -> torch.Tensor:
    """Compute the cross-entropy of which sentence of the batch is the translation, over cosines, both ways round.

    Parameters
    ----------
    first, second : [pairs, units].
    match : [pairs], 1 or 0. The matches ask the question; every sentence of the batch is a possible answer.
    first_row, second_row : [pairs], which sentence each is. Translations of the asking one that stand in another pair
        are no answers.

    Returns
    -------
    mean over the matches, in nats; 0 when the batch has none.
    """
    cosines = functional.normalize(first, dim=1) @ functional.normalize(second, dim=1).T  # first, second
    own = torch.eye(len(first), dtype=torch.bool, device=first.device)
    copies = (first_row[:, None] == second_row[None, :]) & ~own
    asks = torch.nonzero(match > 0)[:, 0]
    if not len(asks):
        return cosines.sum() * 0
    scores = (cosines / temperature).masked_fill(copies, -torch.inf)
    return (functional.cross_entropy(scores[asks], asks) + functional.cross_entropy(scores.T[asks], asks)) / 2


class MatchingHead(nn.Module):
    """From two sentence vectors to the log odds that they match: |u - v|, u * v and the cosine, weighted and added.

    u and v are scaled to unit length times the root of their number of units, so a weight means the same in any model.
    """

    def __init__(self, n_units: int, n_hidden: int = 0, seed: int = 0) -> None:
        super().__init__()
        n_features = 2 * n_units + 1
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers: Any
            if n_hidden:
                self.layers = nn.Sequential(nn.Linear(n_features, n_hidden), nn.GELU(), nn.Linear(n_hidden, 1))
            else:
                self.layers = nn.Linear(n_features, 1)
                nn.init.zeros_(self.layers.weight)  # no opinion until it has seen pairs
                nn.init.zeros_(self.layers.bias)
        self.n_units = n_units

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Return log odds [pairs] of sentence vectors [pairs, units]."""
        first, second = (functional.normalize(x.float(), dim=1) * self.n_units**0.5 for x in (first, second))
        product = first * second
        features = torch.cat([(first - second).abs(), product, product.mean(1, keepdim=True) * 5], 1)
        return self.layers(features)[:, 0]


class Matcher(nn.Module):
    """A language model with its language-modelling head, and a matching head over the mean of its last states.

    Parameters
    ----------
    language_model : of `load_language_model`. It is left as it is: the matcher holds a copy of its weights.
    with_language_head : also load the head that predicts words, for a loss that keeps the model a language model.
        Raises ModelError for a model that was saved without one.
    """

    def __init__(
        self, language_model: LanguageModel, with_language_head: bool = False, n_hidden: int = 0, seed: int = 0
    ) -> None:
        super().__init__()
        self.max_tokens = language_model.max_tokens
        self.body: Any = (
            model_with_head(language_model) if with_language_head else deepcopy(language_model.model).float().cpu()
        )
        self.has_language_head = with_language_head
        self.plain_head = with_language_head and language_model.causal and _head_is_plain(self.body)
        self.head = MatchingHead(language_model.n_units, n_hidden, seed)

    def embed(
        self, ids: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, Any]:
        """Return sentence vectors [sentences, units], the mean of the last layer's states over the tokens of `mask`.

        With `labels` [sentences, tokens] (-100 where nothing is asked) also the mean loss of the language model, nats
        per predicted token.
        """
        if labels is not None and self.has_language_head and not self.plain_head:
            output = self.body(input_ids=ids, attention_mask=mask, labels=labels, output_hidden_states=True)
            return _mean(output.hidden_states[-1], mask), output.loss
        states = self.language_model(input_ids=ids, attention_mask=mask).last_hidden_state
        if labels is None or not self.has_language_head:
            return _mean(states, mask), states.new_zeros(())
        asked = labels[:, 1:] != NOT_ASKED  # the head is for these words only, not for the padding
        scores = self.body.get_output_embeddings()(states[:, :-1][asked]).float()
        return _mean(states, mask), functional.cross_entropy(scores, labels[:, 1:][asked])

    @property
    def language_model(self) -> Any:
        """The transformers model without any head."""
        return self.body.base_model

    def freeze(self, n_layers: int) -> None:
        """Leave the embeddings and the first `n_layers` layers as they are; 0 trains everything."""
        if n_layers == 0:
            return
        model = self.language_model
        total = model.config.num_hidden_layers
        if not 0 <= n_layers <= total:
            raise ModelError(f"{n_layers} layers cannot be frozen: the model has {total}")
        stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module) == total]
        if not stacks and n_layers < total:
            raise ModelError(f"the layers of {type(model).__name__} share their weights: freeze none or all {total}")
        model.requires_grad_(False)
        for layer in range(n_layers, total):
            stacks[0][layer].requires_grad_(True)


def _head_is_plain(body: Any) -> bool:
    """Return whether a causal model's scores are its output layer's, not scaled or capped after it."""
    ids = torch.arange(8)[None] % body.config.vocab_size
    with torch.inference_mode():
        scores = body.get_output_embeddings()(body.base_model(input_ids=ids).last_hidden_state)
        return torch.allclose(scores, body(input_ids=ids).logits, rtol=1e-4, atol=1e-4)


def _mean(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = mask[..., None].to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1)


class Texts:
    """Sentences as token ids, cut to `max_tokens`, and batches of them.

    Parameters
    ----------
    texts : sentences.
    tokenizer : of the model.
    """

    def __init__(self, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> None:
        encoded = tokenizer(list(texts), truncation=True, max_length=max_tokens, return_attention_mask=False)
        self.ids = [torch.tensor(ids) for ids in encoded["input_ids"]]
        self.lengths = np.array([len(ids) for ids in self.ids])
        self.pad = tokenizer.pad_token_id or 0

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Return token ids and mask of these sentences, each [sentences, tokens of the longest]."""
        ids = nn.utils.rnn.pad_sequence([self.ids[row] for row in rows], batch_first=True, padding_value=self.pad)
        lengths = torch.from_numpy(self.lengths[list(rows)])
        return ids, (torch.arange(ids.shape[1]) < lengths[:, None]).long()


def sentence_vectors(
    model: Matcher | LanguageModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], batch_size: int = 128
) -> np.ndarray:
    """Return sentence vectors: float32 [sentences, units], the mean of the last layer's states over the tokens.

    A `LanguageModel` is taken as it is, without a head: what its embeddings hold before any fine-tuning.
    """
    network = model.language_model if isinstance(model, Matcher) else model.model
    device, was_training = next(network.parameters()).device, network.training
    sentences = Texts(texts, tokenizer, model.max_tokens)
    order = np.argsort(sentences.lengths, kind="stable")
    vectors = np.zeros((len(order), network.config.hidden_size), np.float32)
    network.eval()
    with torch.inference_mode():
        for rows in np.array_split(order, max(1, -(-len(order) // batch_size))):
            ids, mask = (tensor.to(device) for tensor in sentences.batch(rows))
            states = network(input_ids=ids, attention_mask=mask).last_hidden_state
            vectors[rows] = _mean(states, mask).float().cpu().numpy()
    network.train(was_training)
    return vectors


def head_probability(matcher: Matcher, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the head's probability of a match for sentence vectors [pairs, units]: float array [pairs]."""
    device = next(matcher.head.parameters()).device
    with torch.inference_mode():
        odds = matcher.head(*(torch.tensor(vectors, device=device) for vectors in (first, second)))
    return torch.sigmoid(odds).cpu().numpy().astype(float)


def save_matcher(matcher: Matcher, tokenizer: PreTrainedTokenizerBase, folder: str | Path) -> None:
    """Write what `load_language_model` reads (config.json, model.safetensors, tokenizer.json) and the matching head."""
    folder = Path(folder)
    with quiet_transformers():
        matcher.body.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    with atomic_write(folder / HEAD_FILE) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in matcher.head.state_dict().items()}, temporary)


def load_matcher(language_model: LanguageModel, folder: str | Path) -> Matcher:
    """Load the matcher that `save_matcher` wrote; `language_model` is `load_language_model(folder)`."""
    path = Path(folder) / HEAD_FILE
    if not path.exists():
        raise ModelError(f"{folder} has no matching head ({HEAD_FILE}): it was not made by brainbook's transfer")
    weights = load_file(path)
    n_hidden = 0 if "layers.weight" in weights else len(weights["layers.0.bias"])
    matcher = Matcher(language_model, n_hidden=n_hidden)
    matcher.head.load_state_dict(weights)
    return matcher.to(language_model.device).eval()
