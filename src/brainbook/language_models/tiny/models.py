"""Tiny language models: the classes of the real ones at a hundredth of their size, trained on the phantom's world.

They are trained once, on one corpus that no story shares, and kept under `cache`/models by a key of their settings
and of the corpus. On the command line, for those that are missing:

    python -m brainbook.language_models.tiny.models tiny-bert tiny-albert-v2

The causal ones train for three quarters of an hour on a core, because to discover the story's hidden scene takes more
than ten million tokens. Their weights are therefore part of this package, in half precision (`pretrained`), and so good
for as long as settings and corpus are the same; `--keep` puts those of the cache there, trained if they are missing.
"""

import argparse
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from brainbook.errors import ModelError
from brainbook.phantom.story import LANGUAGES, sentences
from brainbook.source_code import code_of
from brainbook.store import fingerprint, write_json
from brainbook.training import fit

ARCHIVE = Path(__file__).parent / "pretrained"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
JOINT = "-joint"
VERSION = 1  # raise when training code changes what comes out


@dataclass(frozen=True)
class TinySettings:
    """Everything that a tiny model depends on.

    tokenizer_languages : whose words the tokenizer was made from. English alone is the real case (ALBERT, BERT): French
        falls to pieces and much of Chinese is unknown. All three: the joint tokenizer, a name ending in "-joint".
    known_characters : share of the Chinese characters that an English tokenizer happens to know: this sets the share of
        unknown words (BERT's and ALBERT's English vocabularies know some, too).
    languages : of the training text.
    windows : lengths in tokens of the curriculum's stages, of equal numbers of steps.
    """

    architecture: str  # "bert", "albert" or "llama"
    tokenizer_languages: tuple[str, ...] = ("EN",)
    pieces: int = 420
    known_characters: float = 0.4
    languages: tuple[str, ...] = ("EN",)
    n_sentences: int = 60_000
    layers: int = 6
    units: int = 64
    heads: int = 4
    inner: int = 128
    max_tokens: int = 96
    dropout: float = 0.0
    activation: str = "gelu"
    windows: tuple[int, ...] = (16, 32, 64, 96)
    tokens_per_step: int = 1024
    steps: int = 800
    learning_rate: float = 3e-3
    seed: int = 0


TINY_MODELS = {
    "tiny-bert": TinySettings("bert"),
    # rotary positions, learned at every place at once; so long that the story's hidden scene appears in its layers
    "tiny-causal": TinySettings(
        "llama", n_sentences=500_000, activation="silu", windows=(32, 96, 96, 96), tokens_per_step=4096, steps=10_000
    ),
    # as between the originals: version 2 without dropout, with another GELU, and trained on more text for longer
    "tiny-albert-v1": TinySettings("albert", dropout=0.1),
    "tiny-albert-v2": TinySettings("albert", activation="gelu_new", n_sentences=90_000, steps=1000),
}


def is_tiny(name: str) -> bool:
    """Whether `name` is a tiny model of this module, with either tokenizer."""
    return name.removesuffix(JOINT) in TINY_MODELS


def tiny_settings(name: str) -> TinySettings:
    """The settings behind a name; "-joint" at its end takes a tokenizer of all three languages, not of English."""
    if not is_tiny(name):
        raise ModelError(f"'{name}' is no tiny model: {', '.join(TINY_MODELS)}, each also with '{JOINT}' at its end")
    settings = TINY_MODELS[name.removesuffix(JOINT)]
    return replace(settings, tokenizer_languages=LANGUAGES, pieces=1100) if name.endswith(JOINT) else settings


def get_or_train(name: str, cache: str | Path = "cache", train: bool = True, device: str = "auto") -> Path:
    """The folder of a tiny model: config.json, model.safetensors (with its head), tokenizer.json, loss.csv.

    It is trained if it is neither part of this package nor there yet. Of several processes that ask at once, one trains
    and the others wait for it.
    """
    kept = keyed_folder(ARCHIVE, name, _inputs(name))
    return kept if kept.is_dir() else _trained_folder(name, cache, train, device)


def _inputs(name: str) -> dict:
    """What the key of a tiny model is made of."""
    return {**asdict(tiny_settings(name)), "corpus": _corpus_sample()}


def _trained_folder(name: str, cache: str | Path, train: bool, device: str) -> Path:
    root = Path(cache) / "models"

    def make(folder: Path) -> None:
        checkpoint = root / f".{folder.name}.training"
        model, tokenizer, curve = train_tiny(tiny_settings(name), device, name, checkpoint)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        curve.to_csv(folder / "loss.csv", index=False)
        shutil.rmtree(checkpoint, ignore_errors=True)

    return get_or_make_folder(root, name, _inputs(name), make, train)


def ship_pretrained(name: str, cache: str | Path = "cache", device: str = "auto") -> Path:
    """Make a tiny model part of this package: weights in half precision, and every tenth step of its loss.

    It is trained if it is not in `cache`/models. What the package had stays until there is something to take its place.
    """
    trained = _trained_folder(name, cache, True, device)

    def make(folder: Path) -> None:
        shutil.copytree(trained, folder, dirs_exist_ok=True)
        weights = {name: value.half() for name, value in load_file(trained / "model.safetensors").items()}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        curve = pd.read_csv(trained / "loss.csv").iloc[::10].dropna(axis=1, how="all")
        curve.to_csv(folder / "loss.csv", index=False, float_format="%.5g")

    for stale in ARCHIVE.glob(f"{name}-" + "[0-9a-f]" * 16):
        shutil.rmtree(stale)
    return get_or_make_folder(ARCHIVE, name, _inputs(name), make)


def keyed_folder(root: Path, name: str, inputs: dict) -> Path:
    """`root`/`name`-key, where key is the fingerprint of `inputs`."""
    return root / f"{name}-{fingerprint({**inputs, 'version': VERSION})}"


def get_or_make_folder(root: Path, name: str, inputs: dict, make: Callable[[Path], None], train: bool = True) -> Path:
    """The `keyed_folder`, made by `make(folder)` if it is not there.

    But for the package's own, the key holds the code that trains, too: this room and `training`. What it trains on
    comes in by `inputs`.
    """
    if root != ARCHIVE:
        inputs = {**inputs, "code": code_of(make, rooms=("language_models", "training.py"))}
    folder = keyed_folder(root, name, inputs)
    if folder.is_dir():
        return folder
    if not train:
        raise ModelError(f"{name} is not in {root}: python -m brainbook.language_models.tiny.models {name}")
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f".{folder.name}.lock"):
        if not folder.is_dir():
            with TemporaryDirectory(dir=root, prefix=".making-") as temporary:
                made = Path(temporary) / folder.name
                made.mkdir()
                begun = time.monotonic()
                make(made)
                write_json(made / "settings.json", {**inputs, "seconds": time.monotonic() - begun})
                made.rename(folder)
    return folder


def training_curve(name: str, cache: str | Path = "cache") -> pd.DataFrame:
    """The loss of a tiny model along its training (nats a predicted token): each step, or each tenth of a kept one."""
    return pd.read_csv(get_or_train(name, cache) / "loss.csv")


def train_tiny(
    settings: TinySettings, device: str = "auto", name: str = "tiny", checkpoint: Path | None = None
) -> tuple:
    """Train one: the model with its head, its tokenizer, and the loss curve. A killed one goes on at `checkpoint`."""
    tokenizer = make_tokenizer(settings)
    corpus = TokenStream(tokenizer, settings.languages, settings.n_sentences, settings.seed)
    model = new_model(settings, len(tokenizer))

    def batch(number: int, generator: torch.Generator) -> dict:
        length = settings.windows[number * len(settings.windows) // settings.steps]
        first = number * len(settings.windows) // settings.steps == 0
        n = settings.tokens_per_step // length
        ids = corpus.windows(n, length, generator, causal=settings.architecture == "llama", aligned=first)
        if settings.architecture == "llama":
            return {"input_ids": ids, "labels": ids}
        return mask_tokens(ids, tokenizer, generator)

    def loss(model: nn.Module, batch: dict) -> torch.Tensor:
        return model(**batch).loss

    options = {"learning_rate": settings.learning_rate, "seed": settings.seed, "device": device}
    options |= {"checkpoint": checkpoint, "checkpoint_every": 500}
    curve = fit(model, batch, loss, steps=settings.steps, description=f"training {name}", **options)
    return model.cpu().eval(), tokenizer, curve


def new_model(settings: TinySettings, n_pieces: int) -> nn.Module:
    """A model with random weights (depending on the seed alone), of transformers' own class, with its head.

    Weights start at a standard deviation of .05: at the usual .02 so small a model stays on the unigram plateau.
    """
    sizes = {"vocab_size": n_pieces, "initializer_range": 0.05, "pad_token_id": SPECIAL.index("[PAD]")}
    sizes |= {"hidden_size": settings.units, "num_hidden_layers": settings.layers, "hidden_act": settings.activation}
    sizes |= {"num_attention_heads": settings.heads, "intermediate_size": settings.inner}
    sizes |= {"max_position_embeddings": settings.max_tokens}
    dropout = {"hidden_dropout_prob": settings.dropout, "attention_probs_dropout_prob": settings.dropout}
    if settings.architecture == "llama":
        special = {"bos_token_id": SPECIAL.index("[CLS]"), "eos_token_id": SPECIAL.index("[SEP]")}
        kind, config = LlamaForCausalLM, LlamaConfig(tie_word_embeddings=True, **special, **sizes)
    elif settings.architecture == "albert":
        kind, config = AlbertForMaskedLM, AlbertConfig(embedding_size=settings.units // 2, **dropout, **sizes)
    elif settings.architecture == "bert":
        kind, config = BertForMaskedLM, BertConfig(**dropout, **sizes)
    else:
        raise ModelError(f"architecture {settings.architecture!r}: 'bert', 'albert' or 'llama'")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return kind(config)


def make_tokenizer(settings: TinySettings) -> PreTrainedTokenizerFast:
    """A lower-case WordPiece tokenizer, accents stripped, Chinese split into characters, as BERT's."""
    told = sentences(4000, settings.seed, LANGUAGES)
    alphabet = set("abcdefghijklmnopqrstuvwxyz")
    chinese = sorted({character for text in told["CN"] for character in text if not character.isspace()})
    known = np.random.default_rng(settings.seed).random(len(chinese)) < settings.known_characters
    known |= "CN" in settings.tokenizer_languages
    alphabet |= {character for character, is_known in zip(chinese, known, strict=True) if is_known}
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words: Counter[str] = Counter()
    for language in settings.tokenizer_languages:
        text = tokenizer.normalizer.normalize_str(" ".join(told[language]))
        words.update(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text))
    pieces = SPECIAL + choose_pieces(words, alphabet, settings.pieces)
    tokenizer.model = models.WordPiece(vocab={p: i for i, p in enumerate(pieces)}, unk_token="[UNK]")
    after = "" if settings.architecture == "llama" else " [SEP]"
    special = [(token, SPECIAL.index(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"[CLS] $A{after}", pair=f"[CLS] $A [SEP] $B:1{after and ' [SEP]:1'}", special_tokens=special
    )
    names = {"unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "mask": "[MASK]", "bos": "[CLS]"}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=settings.max_tokens,
        **{f"{name}_token": token for name, token in names.items()},
    )


def choose_pieces(words: Counter[str], alphabet: set[str], n: int) -> list[str]:
    """Pieces of a WordPiece vocabulary: letters, then the commonest words, then parts that spare the most letters.

    About `n` of them, the alphabet not counted. (The trainer of the tokenizers library breaks ties at random.)
    """
    letters = alphabet | {f"##{letter}" for letter in alphabet if letter.isascii()}
    ranked = sorted(words, key=lambda word: (-words[word], word))
    whole = set(ranked[: n * 3 // 4])
    spared: Counter[str] = Counter()
    for word, count in words.items():
        for begin in range(len(word)):
            for end in range(begin + 2, min(len(word), begin + 5) + 1):
                part = word[begin:end] if begin == 0 else f"##{word[begin:end]}"
                spared[part] += count * (end - begin - 1)
    parts = [part for part in sorted(spared, key=lambda part: (-spared[part], part)) if part not in whole]
    return sorted(letters | whole | set(parts[: n - len(whole)]))


class TokenStream:
    """A corpus as one row of tokens, to cut training windows from. No window spans two stories."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, languages: tuple[str, ...], n_sentences: int, seed: int):
        told = sentences(n_sentences, seed, languages)
        self.special = tokenizer.cls_token_id, tokenizer.sep_token_id
        ids, ends_of_story, sentence_start, word_start = [], [], [], []
        for language in languages:
            encoded = tokenizer.backend_tokenizer.encode_batch(told[language].tolist(), add_special_tokens=False)
            for encoding, story in zip(encoded, told["story"], strict=True):
                ids.append(np.array(encoding.ids))
                words = np.array(encoding.word_ids)
                word_start.append(np.diff(words, prepend=-1) != 0)
                sentence_start.append(np.arange(len(words)) == 0)
                ends_of_story.append(np.full(len(words), story))
        self.ids = torch.from_numpy(np.concatenate(ids))  # tokens
        story = np.concatenate(ends_of_story)
        borders = np.flatnonzero(np.diff(story)) + 1
        ends = np.append(borders, len(story))
        self.room = np.repeat(ends, np.diff(ends, prepend=0)) - np.arange(len(story))  # tokens left in the story
        self.starts = {"word": np.concatenate(word_start), "sentence": np.concatenate(sentence_start)}
        self._allowed: dict = {}

    def windows(
        self, n: int, length: int, generator: torch.Generator, causal: bool = False, aligned: bool = False
    ) -> torch.Tensor:
        """`n` windows of `length` tokens, special tokens included: int64 [n, length].

        They begin at a random word, or, when `aligned`, at a sentence's first.
        """
        inner = length - (1 if causal else 2)
        key = inner, aligned
        if key not in self._allowed:
            wanted = self.starts["sentence" if aligned else "word"] & (self.room >= inner)
            self._allowed[key] = torch.from_numpy(np.flatnonzero(wanted))
        allowed = self._allowed[key]
        begin = allowed[torch.randint(len(allowed), (n,), generator=generator)]
        cut = self.ids[begin[:, None] + torch.arange(inner)]  # n, inner
        first, last = (torch.full((n, 1), token) for token in self.special)
        return torch.cat([first, cut] if causal else [first, cut, last], 1)


def mask_tokens(
    ids: torch.Tensor, tokenizer: PreTrainedTokenizerFast, generator: torch.Generator, share: float = 0.15
) -> dict[str, torch.Tensor]:
    """BERT's masking: of the chosen `share` of tokens 80% become [MASK], 10% another token, 10% stay.

    Returns input_ids, labels (-100 where nothing is to be predicted) and attention_mask, each [windows, tokens].
    """
    ordinary = ~torch.isin(ids, torch.tensor(tokenizer.all_special_ids))
    ordinary |= ids == tokenizer.unk_token_id
    chosen = (torch.rand(ids.shape, generator=generator) < share) & ordinary
    labels = torch.where(chosen, ids, -100)
    fate = torch.rand(ids.shape, generator=generator)
    others = torch.randint(len(SPECIAL), len(tokenizer), ids.shape, generator=generator)
    masked = torch.where(chosen & (fate < 0.8), tokenizer.mask_token_id, ids)
    masked = torch.where(chosen & (fate >= 0.9), others, masked)
    return {"input_ids": masked, "labels": labels, "attention_mask": (ids != tokenizer.pad_token_id).long()}


@lru_cache
def _corpus_sample() -> list[str]:
    """Enough of the corpus to tell when the phantom's world or grammar has changed."""
    return sentences(200, 0, LANGUAGES)[list(LANGUAGES)].agg(" ".join, axis=1).tolist()


def main(arguments: list[str] | None = None) -> None:
    """Train the tiny models that are missing."""
    parser = argparse.ArgumentParser(
        prog="python -m brainbook.language_models.tiny.models", description="Train tiny language models and keep them."
    )
    from brainbook.language_models.brainlm.pretraining import (  # which builds on this module
        TINY_BRAINLMS,
        brainlm_folder,
    )

    names = f"{', '.join(TINY_MODELS)}, with {JOINT} at the end for the joint tokenizer; {', '.join(TINY_BRAINLMS)}"
    parser.add_argument("names", nargs="+", help=names)
    parser.add_argument("--cache", default="cache", help="models are kept in CACHE/models (default: cache)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--keep", action="store_true", help="make them part of this package")
    given = parser.parse_args(arguments)
    for name in given.names:
        begun = time.monotonic()
        try:
            make = brainlm_folder if name in TINY_BRAINLMS else ship_pretrained if given.keep else get_or_train
            folder = make(name, given.cache, device=given.device)
        except ModelError as error:
            parser.error(str(error))
        print(f"{name}: {folder} ({time.monotonic() - begun:.0f} s)")


if __name__ == "__main__":
    main()
