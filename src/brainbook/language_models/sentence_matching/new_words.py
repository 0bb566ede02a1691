"""Vectors for words that a model has never read, from passages that say the same in a language that it knows.

A model that read English only has, for the tokens of another language, the random vectors of its first day. Fine-tuning
would have to move them all the way, and bends the rest of the model meanwhile. But a passage says the same in both
languages, so the mean of its words' vectors should be about the same, too. For words w of which the model knows none,

    minimise over v_w   sum over passages || mean of the translation's vectors - mean of the original's vectors ||^2,

which is linear in the unknown vectors: least squares, solved once, before any fine-tuning. (Artetxe et al. 2020, ACL,
learn the new language's token vectors alone and leave the layers as they are; they do so by masked language modelling.)
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse
from transformers import PreTrainedTokenizerBase

from brainbook.errors import ModelError

RIDGE = 1e-3  # of the mean diagonal: words that always go together share what they are given


def token_shares(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_tokens: int, n: int) -> sparse.csr_array:
    """Compute how much of each text each token is: sparse float64 array [texts, `n` tokens], rows add up to 1."""
    encoded = tokenizer(list(texts), truncation=True, max_length=max_tokens)["input_ids"]
    lengths = np.array([len(ids) for ids in encoded])
    rows = np.repeat(np.arange(len(encoded)), lengths)
    weights = 1 / lengths[rows]
    columns = np.concatenate([np.asarray(ids, int) for ids in encoded])
    return sparse.coo_array((weights, (rows, columns)), shape=(len(encoded), n)).tocsr()


def solve_vectors(
    first: sparse.csr_array, second: sparse.csr_array, vectors: np.ndarray, ridge: float = RIDGE
) -> tuple[np.ndarray, np.ndarray]:
    """Solve for the vectors of tokens that only the second texts have, by least squares.

    Parameters
    ----------
    first, second : shares of the tokens [texts, tokens] in texts that say the same.
    vectors : array [tokens, units], of which those of the first texts' tokens are right.
    ridge : penalty on the length of a vector, as a share of the mean diagonal of the normal equations.

    Returns
    -------
    new : int array [n], the tokens that occur in a second text and in no first one.
    solved : float64 array [n, units].
    """
    in_first, in_second = (np.asarray(shares.sum(axis=0)).ravel() > 0 for shares in (first, second))
    new = np.flatnonzero(in_second & ~in_first)
    if not len(new):
        return new, np.zeros((0, vectors.shape[1]))
    known = np.where(in_first[:, None], vectors.astype(float), 0.0)
    lacking = first @ known - second @ known  # texts, units: what the new tokens have to supply
    shares = second[:, new]
    normal = (shares.T @ shares).toarray()
    normal[np.diag_indices(len(new))] += ridge * np.trace(normal) / len(new)
    return new, np.linalg.solve(normal, shares.T @ lacking)


def init_new_embeddings(
    model: Any, tokenizer: PreTrainedTokenizerBase, first: Sequence[str], second: Sequence[str], max_tokens: int
) -> int:
    """Write the vectors of the second texts' new tokens into a model's embeddings; return how many there were.

    Parameters
    ----------
    model : a transformers model, changed in place.
    first, second : texts that say the same, the first ones in a language that the model has read.

    Raises
    ------
    ModelError : no texts, or not as many first as second ones.
    """
    if not len(first) or len(first) != len(second):
        raise ModelError(
            f"new words need texts that say the same, not {len(first)} first and {len(second)} second ones"
        )
    weights = model.get_input_embeddings().weight
    shares = [token_shares(texts, tokenizer, max_tokens, len(weights)) for texts in (first, second)]
    new, solved = solve_vectors(shares[0], shares[1], weights.detach().cpu().numpy())
    with torch.no_grad():
        weights[torch.as_tensor(new)] = torch.as_tensor(solved, dtype=weights.dtype, device=weights.device)
    return len(new)
