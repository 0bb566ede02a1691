"""Tiny models with random weights, saved as folders, and pairs of sentences for them."""

from collections.abc import Callable

import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

from brainbook.language_models import LanguageModel, load_language_model

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TRANSLATIONS = {
    "the": "le", "fox": "renard", "saw": "vit", "a": "un", "bird": "oiseau", "house": "maison", "tree": "arbre",
    "river": "rivière", "runs": "court", "sleeps": "dort", "sings": "chante", "red": "rouge", "small": "petit",
}  # fmt: skip
ENGLISH, FRENCH = list(TRANSLATIONS), list(TRANSLATIONS.values())


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory) -> Callable[..., LanguageModel]:
    """tiny_folder("bert" | "gpt2" | "albert", head=True): a model of 2 layers of 16 units that knows 28 words."""

    def make(kind: str, head: bool = True) -> LanguageModel:
        words = [*SPECIAL, *ENGLISH, *FRENCH]
        tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        end = "" if kind == "gpt2" else " [SEP]"
        special = [("[CLS]", 2), ("[SEP]", 3)]
        tokenizer.post_processor = processors.TemplateProcessing(single=f"[CLS] $A{end}", special_tokens=special)
        names = {"unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "mask": "[MASK]", "bos": "[CLS]"}
        fast = PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, model_max_length=32, **{f"{k}_token": v for k, v in names.items()}
        )
        sizes = {"vocab_size": len(words), "initializer_range": 0.2, "pad_token_id": 0}
        if kind == "gpt2":
            config = GPT2Config(
                n_positions=32, n_embd=16, n_layer=2, n_head=2, bos_token_id=2, eos_token_id=3,
                resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, **sizes,
            )  # fmt: skip
            classes = GPT2LMHeadModel, config
        else:
            sizes |= {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
            sizes |= {"max_position_embeddings": 32, "hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0}
            if kind == "albert":
                classes = AlbertForMaskedLM, AlbertConfig(embedding_size=8, **sizes)
            else:
                classes = BertForMaskedLM, BertConfig(**sizes)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = classes[0](classes[1])
        folder = tmp_path_factory.mktemp(kind)
        (model if head else model.base_model).save_pretrained(folder)
        fast.save_pretrained(folder)
        return load_language_model(str(folder), device="cpu")

    return make


@pytest.fixture(scope="session")
def tiny_bert(tiny_folder) -> LanguageModel:
    return tiny_folder("bert")


@pytest.fixture(scope="session")
def tiny_causal(tiny_folder) -> LanguageModel:
    return tiny_folder("gpt2")


@pytest.fixture(scope="session")
def tiny_translations() -> pd.DataFrame:
    """400 sentences of four words, said word for word in English and French."""
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randperm(len(ENGLISH), generator=generator)[:4].tolist() for _ in range(400)]
    sentences = [{"EN": " ".join(ENGLISH[i] for i in row), "FR": " ".join(FRENCH[i] for i in row)} for row in rows]
    return pd.DataFrame(sentences).drop_duplicates(ignore_index=True)


@pytest.fixture(scope="session")
def tiny_pairs(tiny_translations) -> pd.DataFrame:
    from brainbook.datasets import make_pairs

    return make_pairs(tiny_translations, n=None)


@pytest.fixture(scope="session")
def match_probability() -> Callable:
    """match_probability(matcher, tokenizer, pairs): the probability that each pair is a match."""
    from brainbook.language_models.sentence_matching.matcher import head_probability, sentence_vectors

    def probability(matcher, tokenizer, pairs):
        sides = (pairs[column].tolist() for column in ("first", "second"))
        return head_probability(matcher, *(sentence_vectors(matcher, tokenizer, texts) for texts in sides))

    return probability
