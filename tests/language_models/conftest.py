"""Small models of three kinds, untrained: what is tested here does not depend on what they know."""

import pytest
import torch
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model

from brainbook.language_models import LanguageModel
from brainbook.language_models.tiny.corpus import make_tokenizer
from brainbook.language_models.tiny.settings import TinySettings


def tiny(architecture: str, languages=("EN", "FR", "CN"), max_tokens: int = 64) -> LanguageModel:
    kind = "llama" if architecture == "gpt2" else architecture  # of the tokenizer: whether it ends with [SEP]
    settings = TinySettings(kind, tokenizer_languages=languages, pieces=400, max_tokens=max_tokens)
    tokenizer = make_tokenizer(settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if architecture == "gpt2":
            config = GPT2Config(vocab_size=len(tokenizer), n_positions=max_tokens, n_embd=16, n_layer=2, n_head=2)
            config.update({"initializer_range": 0.3})
            model = GPT2Model(config)
        else:
            sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
            sizes |= {"max_position_embeddings": max_tokens, "initializer_range": 0.3}
            config = BertConfig(vocab_size=len(tokenizer), **sizes)
            model = BertModel(config)
    return LanguageModel(f"tiny-{architecture}", model.eval(), tokenizer)


@pytest.fixture(scope="session")
def bert() -> LanguageModel:
    return tiny("bert")


@pytest.fixture(scope="session")
def gpt() -> LanguageModel:
    return tiny("gpt2")


@pytest.fixture(scope="session")
def english_bert() -> LanguageModel:
    return tiny("bert", ("EN",))


@pytest.fixture(params=["bert", "gpt2"])
def either(request, bert, gpt) -> LanguageModel:
    return bert if request.param == "bert" else gpt
