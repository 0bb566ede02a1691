"""From words to hidden states: every layer's state of every word in its context."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn

from brainbook.errors import ModelError
from brainbook.language_models.language_model import LanguageModel
from brainbook.store import cached_array
from brainbook.training import progress

STATE_BYTES = 256 << 20  # memory that one batch's hidden states may take
CONSTANT = 1e-3  # spread over words, as a share of a layer's size, that makes no difference
CONSTANT_SAMPLE = 500  # distinct words that are looked at
BATCH_TOKENS = 8192  # most tokens of one batch: larger ones are no faster on a CPU


def word_states(
    model: LanguageModel,
    words: Sequence[str] | pd.DataFrame,
    context: int | None = 64,
    *,
    stride: int | None = None,
    language: str | None = None,
    precision: str = "no",
    cache: str | Path | None = None,
) -> np.ndarray:
    """Return every layer's state of each word, read with the words before it.

    By default contexts are exact: the state of a word comes from a reading that ends with this word and begins
    `context` words before it (never before its section), so that nothing that is said later can leak into it.
    Contexts are batched, sorted by length. A causal model reads words whose contexts begin together in one pass, with
    the same result.

    With `stride=k` the words are read in windows, one pass for k words, which is up to k times faster and not the same:
    each word then has between `context` and `context` + k - 1 words before it, and a model that reads both ways
    (BERT) also sees up to k - 1 words that come AFTER it. Where that is more than the model takes, contexts are cut so
    far that words and context have half of its room each.

    Parameters
    ----------
    model : as `load_language_model` returns it.
    words : the words in their order, or a table with a column "word" and, if contexts shall begin anew with each
        section, a column "section".
    context : number of words before a word that it is read with; None for as many as the model takes. When they are
        more tokens than the model takes, the oldest words are left out.
    stride : None for exact contexts; a number of words for windows.
    language : "CN" joins words without spaces; "EN" and "FR" with one; None looks at their script.
    precision : "no" (float32) or "bf16" (computes in bfloat16; states differ by about one percent).
    cache : a folder in which states are cached (`cache`/states); None caches nothing.

    Returns
    -------
    float32 array [layers + 1, words, units]: layer 0 is the embeddings. The state of a word is the mean of the states
    of its sub-words, of the unknown sub-word's where the tokenizer does not know it. A word without any sub-word
    (empty, or of characters that the tokenizer drops) has a state of zeros. Special tokens (before: [CLS] or the
    begin-of-text token; after: [SEP]) are there as the tokenizer adds them, and in no word's mean.

    Raises
    ------
    ModelError : no words, an impossible context or stride, a word that is longer than the model takes, or states
        that are not finite. A layer that has one vector for all words is warned of.

    Examples
    --------
    >>> model = load_language_model("tiny-bert", device="cpu")
    >>> word_states(model, ["the", "king", "sees", "a", "star"], context=3).shape
    (7, 5, 64)
    """
    texts, sections = _as_words(words)
    if context is not None and context < 0:
        raise ModelError(f"context is {context}: a number of words, 0 or more, or None")
    if stride is not None and stride < 1:
        raise ModelError(f"stride is {stride}: a number of words, 1 or more, or None for exact contexts")
    if precision not in ("no", "bf16"):
        raise ModelError(f"precision {precision!r}: 'no' (float32) or 'bf16'")
    folder = None if cache is None else Path(cache) / "states"
    options: dict[str, Any] = {"context": context, "stride": stride, "language": language, "precision": precision}
    inputs = {"model": "" if cache is None else model.fingerprint, "words": texts, "sections": sections.tolist()}
    read = partial(_read, model, texts, sections, **options)
    states = cached_array(folder, model.name.replace(":", "-").replace("/", "-"), inputs | options, read)
    _check_states(states, texts, model.name)
    return states


def _check_states(states: np.ndarray, texts: list[str], name: str) -> None:
    """Refuse states that are not finite, and warn of layers in which all words have one vector.

    albert-xlarge-v2 is known for such layers: https://github.com/huggingface/transformers/issues/1683.
    """
    damaged = [str(layer) for layer, values in enumerate(states) if not np.isfinite(values).all()]
    if damaged:
        raise ModelError(f"{name}: states of layer {', '.join(damaged)} are not finite: its weights are damaged")
    _, first = np.unique(texts, return_index=True)
    sample = states[:, first[:CONSTANT_SAMPLE]]  # of distinct words
    sample = sample[:, np.abs(sample[0]).max(1) > 0]  # those with sub-words
    if sample.shape[1] > 1:
        size = np.sqrt((sample.astype(float) ** 2).mean((1, 2)))
        constant = np.flatnonzero(sample.std(1, dtype=float).max(1) <= CONSTANT * size)
        if len(constant):
            layers = ", ".join(map(str, constant))
            warnings.warn(f"{name}: layer {layers} has one vector for all words: leave it out", stacklevel=3)


def word_pieces(model: LanguageModel, words: Sequence[str], language: str | None = None) -> list[list[int]]:
    """Return the token ids of each word, as they stand in the running text, without special tokens.

    The words are tokenised together, as the text that they make, because many tokenizers treat a word after a space
    otherwise than a word alone. Where a token would span two words (Chinese is written without spaces), the words are
    tokenised one by one, so that every token belongs to one word. `language` as in `word_states`.

    Examples
    --------
    >>> model = load_language_model("tiny-bert", device="cpu")
    >>> [len(pieces) for pieces in word_pieces(model, ["the", "king", "sees"])]
    [1, 1, 2]
    """
    encode = model.encoder.encode
    space = "" if written_without_spaces(words, language) else " "
    pieces: list[list[int]] = [[] for _ in words]
    text, owner = "", []  # owner: the word that each character belongs to, -1 for spaces between words
    for number, word in enumerate(words):
        if word:
            gap = space if text else ""
            text += gap + word
            owner += [-1] * len(gap) + [number] * len(word)
    encoding = encode(text, add_special_tokens=False)
    waiting: list[int] = []  # tokens that are nothing but space belong to the word that follows
    for token, (begin, end) in zip(encoding.ids, encoding.offsets, strict=True):
        owners = {number for number in owner[begin : max(end, begin + 1)] if number >= 0}
        if len(owners) > 1:
            return [_pieces_alone(encode, word, space if number else "") for number, word in enumerate(words)]
        if owners:
            pieces[owners.pop()] += [*waiting, token]
            waiting = []
        else:
            waiting.append(token)
    return pieces


def written_without_spaces(words: Sequence[str], language: str | None = None) -> bool:
    """Return True for Chinese: named by `language`, or when most letters are Chinese characters."""
    if language is not None:
        return language == "CN"
    letters = [c for word in words[:2000] for c in word if c.isalpha()]
    return sum("\u3400" <= c <= "\u9fff" for c in letters) * 2 > len(letters)


class _Window(NamedTuple):
    """One reading: token ids, and where in them the sub-words of which words stand."""

    tokens: list[int]
    targets: list[tuple[int, int, int]]  # word, first token, token after the last


def _as_words(words: Sequence[str] | pd.DataFrame) -> tuple[list[str], np.ndarray]:
    table = words if isinstance(words, pd.DataFrame) else pd.DataFrame({"word": list(words)})
    if "word" not in table:
        raise ModelError(f"a table of words needs a column 'word'; it has {', '.join(map(str, table.columns))}")
    if table.empty:
        raise ModelError("there are no words")
    sections = pd.factorize(table["section"])[0] if "section" in table else np.zeros(len(table), int)
    return ["" if pd.isna(word) else str(word).strip() for word in table["word"]], sections


def _pieces_alone(encode: Callable[..., Any], word: str, space: str) -> list[int]:
    encoding = encode(space + word, add_special_tokens=False)
    pairs = list(zip(encoding.ids, encoding.tokens, strict=True))
    if not space and len(pairs) > 1 and pairs[0][1] == "▁":  # sentencepiece's mark of a space that is not there
        pairs = pairs[1:]
    return [token for token, _ in pairs] if word else []


def _special_tokens(model: LanguageModel) -> tuple[list[int], list[int]]:
    """Return the special tokens before and after a text."""
    tokenizer = model.tokenizer
    bare = model.encoder.encode("a", add_special_tokens=False).ids
    full = model.encoder.encode("a", add_special_tokens=True).ids
    at = next(i for i in range(len(full)) if full[i : i + len(bare)] == bare)
    before, after = full[:at], full[at + len(bare) :]
    if model.causal:
        # without a first token of its own a causal model would read the first word as a mere beginning
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        before, after = before or ([start] if start is not None else []), []
    return before, after


def _windows(
    pieces: list[list[int]], numbers: np.ndarray, context: int | None, stride: int | None, causal: bool, room: int
) -> list[_Window]:
    """Return the readings of one section, without special tokens.

    numbers : which words (in the whole list) the section's words are. room : tokens that a reading may have.
    """
    ends = np.cumsum([len(p) for p in pieces])
    starts = ends - [len(p) for p in pieces]
    longest = int((ends - starts).argmax())
    if ends[longest] - starts[longest] > room:
        n_pieces = ends[longest] - starts[longest]
        raise ModelError(f"word {int(numbers[longest]) + 1} has {n_pieces} sub-words; the model takes {room}")
    n = len(pieces)
    # earliest first word such that everything up to and including word i fits
    fitting = np.searchsorted(starts, ends - room, side="left")
    wanted = np.zeros(n, int) if context is None else np.maximum(0, np.arange(n) - context)
    first = np.maximum(fitting, wanted)
    tokens = [token for p in pieces for token in p]
    windows = []
    i = 0
    while i < n:
        last = i
        if stride is not None:
            # where the model is too short for context and window, words and their contexts share its room
            while last + 1 < min(n, i + stride):
                if fitting[last + 1] > wanted[i] and ends[last + 1] - starts[i] > room // 2:
                    break
                last += 1
            begin = max(fitting[last], wanted[i])
        else:
            begin = first[i]
            while causal and last + 1 < n and first[last + 1] == begin:
                last += 1
        shift = starts[begin]
        targets = [(int(numbers[j]), starts[j] - shift, ends[j] - shift) for j in range(i, last + 1) if pieces[j]]
        if targets:
            windows.append(_Window(tokens[shift : ends[last]], targets))
        i = last + 1
    return windows


def _read(
    model: LanguageModel,
    texts: list[str],
    sections: np.ndarray,
    context: int,
    stride: int | None,
    language: str | None,
    precision: str,
) -> np.ndarray:
    before, after = _special_tokens(model)
    room = model.max_tokens - len(before) - len(after)
    windows: list[_Window] = []
    borders = np.flatnonzero(np.diff(sections)) + 1
    for numbers in np.split(np.arange(len(texts)), borders):
        pieces = word_pieces(model, [texts[i] for i in numbers], language)
        windows += _windows(pieces, numbers, context, stride, model.causal, room)
    states = np.zeros((model.n_layers + 1, len(texts), model.n_units), np.float32)
    batches = list(_batches(windows, model))
    pad = model.tokenizer.pad_token_id or 0
    device = model.device
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
    with torch.inference_mode(), autocast:
        for batch in progress(batches, f"reading with {model.name}"):
            rows = [torch.tensor(before + window.tokens + after) for window in batch]
            ids = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad)  # windows, tokens
            lengths = torch.tensor([len(row) for row in rows])
            mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
            output = model.model(input_ids=ids.to(device), attention_mask=mask.to(device), output_hidden_states=True)
            if len(output.hidden_states) != len(states):
                raise ModelError(f"{model.name}: {len(output.hidden_states)} hidden states, expected {len(states)}")
            words = [word for w in batch for word, _, _ in w.targets]
            states[:, words] = _means(output.hidden_states, batch, len(before))
    return states


def _batches(windows: list[_Window], model: LanguageModel) -> Iterator[list[_Window]]:
    """Batches of windows of about the same length, longest first (so memory runs out at once or never)."""
    budget = min(BATCH_TOKENS, STATE_BYTES // (4 * model.n_units * (model.n_layers + 1)))
    if model.device.type == "cuda":
        budget = 16 * max(budget, BATCH_TOKENS // 4)
    batch: list[_Window] = []
    for window in sorted(windows, key=lambda w: -len(w.tokens)):
        if batch and (len(batch) + 1) * len(batch[0].tokens) > budget:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


def _means(hidden: Sequence[torch.Tensor], batch: list[_Window], n_before: int) -> np.ndarray:
    """Average over the sub-words of every target of a batch: [layers + 1, targets, units].

    n_before : special tokens before a window's own.
    """
    device = hidden[0].device
    spans = [(row, n_before + begin, n_before + end) for row, w in enumerate(batch) for _, begin, end in w.targets]
    sizes = [end - begin for _, begin, end in spans]
    rows = torch.tensor(np.repeat([row for row, _, _ in spans], sizes), device=device)
    columns = torch.tensor(np.concatenate([np.arange(begin, end) for _, begin, end in spans]), device=device)
    target = torch.tensor(np.repeat(np.arange(len(spans)), sizes), device=device)
    count = torch.tensor(sizes, device=device, dtype=torch.float32)[:, None]
    means = [
        torch.zeros(len(spans), layer.shape[-1], device=device).index_add_(0, target, layer[rows, columns].float())
        / count
        for layer in hidden
    ]
    return torch.stack(means).cpu().numpy()
