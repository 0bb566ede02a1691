"""What stands in for the world in a rehearsal: small random models under their published names, and data cut short.

The models have the published architectures, file layouts and numbers of layers, and 64 units instead of up to 2,048.
They know nothing: what they score says nothing, but whatever a study asks of the hub is there.
"""

import gzip
import shutil
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    BertConfig,
    BertForPreTraining,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)
from transformers.utils import logging as transformers_logging

from brainbook.language_models.names import HUB_NAMES, PUBLISHED
from brainbook.number_sense.digits import MNIST_FILES
from brainbook.phantom.story import sentences

UNITS, POSITIONS, BRAIN_FEATURES = 64, 512, 1024
BRAINLM_FILES = ("brainlm-1.0.safetensors", "brainlm-2.0.pt")  # both kinds of files that the converter reads
XNLI_ROWS = {"dev": 300, "test": 600}
MNIST_ROWS = {"train": 1500, "test": 400}


def write_hub(folder: Path, words: dict[str, list[str]]) -> Path:
    """Write `folder`/hub in the layout of the hub's cache (`folder` is what HF_HOME is set to); returns `folder`.

    words : of "EN", "FR" and "CN", what the tokenizers are made of: of English words those of BERT, ALBERT and GPT-2,
        of all languages those of the multilingual models.
    """
    transformers_logging.disable_progress_bar()
    everything = [word for language in words for word in words[language]]
    chinese = sorted({letter for word in words["CN"] for letter in word})
    english = words["EN"] + chinese[::2]  # English vocabularies know some Chinese characters
    pieces = {}
    for number, (name, hub_name) in enumerate(HUB_NAMES.items()):
        kind = next(kind for kind in _MAKERS if name.startswith(kind))
        many = "xlm" in name or "multilingual" in name
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(number)
            model, tokenizer = _MAKERS[kind](everything if many else english, 12 if many or kind == "gpt2" else 24)
        pieces[name], snapshot = len(tokenizer), _snapshot(folder, hub_name)
        model.save_pretrained(snapshot)
        tokenizer.save_pretrained(snapshot)
    for number, name in enumerate(BRAINLM_FILES):
        state = published_brainlm(pieces["bert-large-uncased"], seed=100 + number)
        save = save_file if name.endswith(".safetensors") else torch.save
        save(state, _snapshot(folder, PUBLISHED) / name)
    return folder


def _snapshot(folder: Path, name: str) -> Path:
    repository = folder / "hub" / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True, exist_ok=True)
    (repository / "refs" / "main").write_text("0" * 40)
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True, exist_ok=True)
    return snapshot


def published_brainlm(pieces: int, layers: int = 24, units: int = UNITS, seed: int = 0) -> dict[str, torch.Tensor]:
    """Tensors under the names of the published checkpoint (UNITER's), of random values and small size."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        bert = BertForPreTraining(BertConfig(**_sizes(pieces, layers, units), max_position_embeddings=1024))
        project = torch.randn(units, BRAIN_FEATURES) / BRAIN_FEATURES**0.5
    state = {}
    for name, value in bert.state_dict().items():
        if not name.startswith("cls.seq_relationship"):
            old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
            state[old.replace("bert.", "uniter.", 1) if old.startswith("bert.") else old] = value.clone()
    state["uniter.img_embeddings.img_linear.weight"] = project
    state["uniter.img_embeddings.img_linear.bias"] = torch.zeros(units)
    state["uniter.img_embeddings.img_layer_norm.weight"] = torch.ones(units)
    state["uniter.img_embeddings.img_layer_norm.bias"] = torch.zeros(units)
    return state


def _sizes(pieces: int, layers: int, units: int = UNITS) -> dict:
    """At the usual spread of .02 so small a model's layers would all be the same."""
    sizes = {"vocab_size": pieces, "hidden_size": units, "num_hidden_layers": layers, "initializer_range": 0.1}
    return sizes | {"num_attention_heads": max(1, units // 64), "intermediate_size": 2 * units}


def _word_pieces(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _trained(tokenizer, trainers.WordPieceTrainer, texts, "[PAD] [UNK] [CLS] [SEP] [MASK]")


def _sentence_pieces(texts: Iterable[str], special: str) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return _trained(tokenizer, trainers.UnigramTrainer, texts, special, unk_token=special.split()[1])


def _byte_pieces(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet,
                                  show_progress=False)  # fmt: skip
    tokenizer.train_from_iterator([f" {text}" for text in texts], trainer)
    end = dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=POSITIONS, **end)


def _trained(tokenizer: Tokenizer, trainer, texts: Iterable[str], special: str, **options) -> PreTrainedTokenizerFast:
    pad, unk, cls, sep, mask = special.split()
    made = trainer(vocab_size=1500, special_tokens=special.split(), show_progress=False, **options)
    tokenizer.train_from_iterator(texts, made)
    ends = [(token, tokenizer.token_to_id(token)) for token in (cls, sep)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}", pair=f"{cls} $A {sep} $B:1 {sep}:1", special_tokens=ends
    )
    names = {"pad_token": pad, "unk_token": unk, "cls_token": cls, "sep_token": sep, "mask_token": mask}
    names |= {"bos_token": cls, "eos_token": sep}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=POSITIONS, **names)


def _albert(texts, layers):
    tokenizer = _sentence_pieces(texts, "<pad> <unk> [CLS] [SEP] [MASK]")
    special = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    sizes = _sizes(len(tokenizer), layers) | {"embedding_size": UNITS // 2, "max_position_embeddings": POSITIONS}
    return AlbertForMaskedLM(AlbertConfig(**sizes, **special)), tokenizer


def _bert(texts, layers):
    tokenizer = _word_pieces(texts)
    return BertForPreTraining(
        BertConfig(**_sizes(len(tokenizer), layers), max_position_embeddings=POSITIONS)
    ), tokenizer


def _gpt2(texts, layers):
    tokenizer = _byte_pieces(texts)
    sizes = {"n_embd": UNITS, "n_layer": layers, "n_head": 1, "n_positions": POSITIONS, "initializer_range": 0.1}
    special = {"bos_token_id": 0, "eos_token_id": 0}
    return GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **sizes, **special)), tokenizer


def _xlm(texts, layers):
    tokenizer = _sentence_pieces(texts, "<pad> <unk> <s> </s> <mask>")
    special = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    sizes = _sizes(len(tokenizer), layers) | {"max_position_embeddings": POSITIONS + 2, "type_vocab_size": 1}
    return XLMRobertaForMaskedLM(XLMRobertaConfig(**sizes, **special)), tokenizer


_MAKERS = {"albert": _albert, "bert": _bert, "gpt2": _gpt2, "xlm": _xlm}


def write_data(folder: Path, real: Path) -> Path:
    """Write `folder`/xnli and `folder`/mnist: some hundred rows of the real ones in `real`, else made in their form.

    Recordings of Alice are linked where `real` has them. Returns `folder`.
    """
    _write_xnli(folder / "xnli", real / "xnli")
    _write_mnist(folder / "mnist", real / "mnist")
    if (real / "alice").is_dir():
        (folder / "alice").symlink_to((real / "alice").resolve())
    return folder


def _write_xnli(folder: Path, real: Path) -> None:
    folder.mkdir(parents=True)
    for number, (part, rows) in enumerate(XNLI_ROWS.items()):
        made = sentences(2 * rows, number, ("EN", "FR", "CN"))
        for code, language in (("EN", "en"), ("FR", "fr"), ("CN", "zh")):
            path = real / f"{part}-{language}.tsv"
            if path.is_file():
                lines = path.read_text(encoding="utf-8").split("\n")[:rows]
            else:
                texts = made[code].tolist()
                lines = ["\t".join(pair) for pair in zip(texts[:rows], texts[rows:], strict=True)]
            (folder / path.name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_mnist(folder: Path, real: Path) -> None:
    folder.mkdir(parents=True)
    for part, names in MNIST_FILES.items():
        rows = MNIST_ROWS[part]
        for name, made in zip(names, _digits(rows), strict=True):
            path = real / f"{name}.gz"
            if not path.is_file():
                header = struct.pack(f">HBB{made.ndim}I", 0, 8, made.ndim, *made.shape)
                content = header + made.tobytes()
            else:
                with gzip.open(path) as stream:
                    kind = stream.read(4)
                    shape = struct.unpack(f">{kind[3]}I", stream.read(4 * kind[3]))
                    content = kind + struct.pack(f">{kind[3]}I", rows, *shape[1:])
                    content += stream.read(rows * int(np.prod(shape[1:])))
            with gzip.open(folder / path.name, "wb") as stream:
                stream.write(content)


def _digits(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """As many of scikit-learn's own small digits, drawn large: images uint8 [rows, 28, 28] and labels."""
    from brainbook.number_sense.digits import embedded_digits

    drawn = embedded_digits()
    chosen = np.arange(rows) % len(drawn)
    return drawn.ink[chosen], drawn.label[chosen].astype(np.uint8)


def copy_project(source: Path, folder: Path) -> Path:
    """Copy what a study and the book are made of (no results, no executed chapters); returns `folder`."""
    folder.mkdir(parents=True)
    for path in source.iterdir():  # all of them: pages and their extensions read some
        if path.is_file():
            shutil.copy(path, folder)
    for name in ("notebooks", "profiles", "studies", ".binder"):
        shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("*.ipynb", ".ipynb_checkpoints"))
    shutil.copytree(source / "book", folder / "book", ignore=_made_ones)
    return folder


def _made_ones(folder: str, names: list[str]) -> set[str]:
    """What a study writes into book/."""
    inside = {"book": {"chapters"}, "_static": {"generated"}, "viewers": set(names) - {".gitignore", ".gitkeep"}}
    return inside.get(Path(folder).name, set()) & set(names)
