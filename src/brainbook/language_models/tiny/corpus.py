"""The tiny models' text: a WordPiece tokenizer, and windows of tokens cut from the phantom's stories."""

from collections import Counter
from functools import lru_cache

import numpy as np
import pandas as pd
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from brainbook.language_models.tiny.settings import TinySettings
from brainbook.phantom.story import LANGUAGES, sentences
from brainbook.phantom.world import World

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LONGEST_PIECE = 5  # letters of a piece that is not a word


@lru_cache(maxsize=1)
def _tokenizer_corpus(seed: int) -> pd.DataFrame:
    return sentences(4000, seed, LANGUAGES)


def make_tokenizer(settings: TinySettings) -> PreTrainedTokenizerFast:
    """Make a lower-case WordPiece tokenizer, accents stripped, Chinese split into characters, as BERT's."""
    corpus = _tokenizer_corpus(settings.seed)
    chinese = sorted({character for text in corpus["CN"] for character in text if not character.isspace()})
    known = np.random.default_rng(settings.seed).random(len(chinese)) < settings.known_characters
    known |= "CN" in settings.tokenizer_languages
    alphabet = {*"abcdefghijklmnopqrstuvwxyz", *np.array(chinese)[known].tolist()}
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words: Counter[str] = Counter()
    for language in settings.tokenizer_languages:
        text = tokenizer.normalizer.normalize_str(" ".join(corpus[language]))
        words.update(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text))
    pieces = SPECIAL + choose_pieces(words, alphabet, settings.pieces)
    tokenizer.model = models.WordPiece(vocab={p: i for i, p in enumerate(pieces)}, unk_token="[UNK]")
    causal = settings.architecture == "llama"
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A" if causal else "[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1" if causal else "[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, SPECIAL.index(token)) for token in ("[CLS]", "[SEP]")],
    )
    names = {"unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "mask": "[MASK]", "bos": "[CLS]"}
    special = {f"{name}_token": token for name, token in names.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=settings.max_tokens, **special)


def choose_pieces(words: Counter[str], alphabet: set[str], n: int) -> list[str]:
    """Choose the pieces of a WordPiece vocabulary: letters, the most frequent words, then parts that spare letters.

    About `n` of them, the alphabet not counted. (The trainer of the tokenizers library breaks ties at random.)
    """
    letters = alphabet | {f"##{letter}" for letter in alphabet if letter.isascii()}
    frequent = set(_most_frequent(words)[: n * 3 // 4])
    spared: Counter[str] = Counter()
    for word, count in words.items():
        for begin in range(len(word)):
            for end in range(begin + 2, min(len(word), begin + LONGEST_PIECE) + 1):
                piece = word[begin:end] if begin == 0 else f"##{word[begin:end]}"
                spared[piece] += count * (end - begin - 1)
    parts = [piece for piece in _most_frequent(spared) if piece not in frequent]
    return sorted(letters | frequent | set(parts[: n - len(frequent)]))


def _most_frequent(counts: Counter[str]) -> list[str]:
    """Return what was counted, most frequent first, ties by the alphabet."""
    return sorted(counts, key=lambda text: (-counts[text], text))


class TokenStream:
    """A corpus as one row of tokens, to cut training windows from. No window spans two stories."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        languages: tuple[str, ...],
        n_sentences: int,
        seed: int,
        world: World | None = None,
    ) -> None:
        corpus = sentences(n_sentences, seed, languages, world=world)
        self.special = tokenizer.cls_token_id, tokenizer.sep_token_id
        encoded = [
            encoding
            for language in languages
            for encoding in tokenizer.backend_tokenizer.encode_batch(
                corpus[language].tolist(), add_special_tokens=False
            )
        ]
        lengths = [len(encoding.ids) for encoding in encoded]
        story = np.repeat(np.tile(corpus["story"].to_numpy(), len(languages)), lengths)  # tokens
        word = np.concatenate([encoding.word_ids for encoding in encoded])
        self.ids = torch.from_numpy(np.concatenate([encoding.ids for encoding in encoded]))  # tokens
        sentence_start = np.zeros(len(word), bool)
        sentence_start[np.cumsum(lengths) - lengths] = True
        self.starts = {"word": sentence_start | (np.diff(word, prepend=-1) != 0), "sentence": sentence_start}
        ends = np.append(np.flatnonzero(np.diff(story)) + 1, len(story))
        self.room = np.repeat(ends, np.diff(ends, prepend=0)) - np.arange(len(story))  # tokens left in the story
        self._allowed: dict = {}

    def windows(
        self, n: int, length: int, generator: torch.Generator, causal: bool = False, aligned: bool = False
    ) -> torch.Tensor:
        """Cut `n` windows of `length` tokens, special tokens included: int64 [n, length].

        They begin at a random word, or, when `aligned`, at a sentence's first.
        """
        inner = length - (1 if causal else 2)
        key = inner, aligned
        if key not in self._allowed:
            starts = self.starts["sentence" if aligned else "word"] & (self.room >= inner)
            self._allowed[key] = torch.from_numpy(np.flatnonzero(starts))
        allowed = self._allowed[key]
        begin = allowed[torch.randint(len(allowed), (n,), generator=generator)]
        cut = self.ids[begin[:, None] + torch.arange(inner)]  # n, inner
        first, last = (torch.full((n, 1), token) for token in self.special)
        return torch.cat([first, cut] if causal else [first, cut, last], 1)
