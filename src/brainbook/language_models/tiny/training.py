"""Training of tiny models: transformers' own classes with random weights, on windows of the phantom's stories."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, PreTrainedTokenizerFast

from brainbook.errors import ModelError
from brainbook.language_models.masking import NOT_ASKED, mask_tokens
from brainbook.language_models.tiny.corpus import SPECIAL, TokenStream, make_tokenizer
from brainbook.language_models.tiny.settings import SHARP, TinySettings
from brainbook.phantom.world import make_world
from brainbook.training import fit

HELD_OUT_SENTENCES = 2000
VALIDATION_WINDOWS = 256


def train_tiny(
    settings: TinySettings, device: str = "auto", name: str = "tiny", checkpoint: Path | None = None
) -> tuple[Any, PreTrainedTokenizerFast, pd.DataFrame]:
    """Train a tiny model; return it with its head, its tokenizer and its loss curve.

    Twenty-five times on the way the loss on stories that it is not trained on is measured (`validation` in the curve),
    and the weights are those of its minimum.

    checkpoint : a folder; a training that was killed goes on from there.
    """
    tokenizer = make_tokenizer(settings)
    text = settings.languages, settings.n_sentences, settings.seed
    corpus = TokenStream(tokenizer, *text)
    sharp = TokenStream(tokenizer, *text, make_world(**SHARP)) if settings.sharp_share else corpus
    held_out = TokenStream(tokenizer, settings.languages, HELD_OUT_SENTENCES, settings.seed + 1)
    causal = settings.architecture == "llama"

    def examples(corpus: TokenStream, n: int, length: int, generator: torch.Generator, aligned: bool = False) -> dict:
        ids = corpus.windows(n, length, generator, causal, aligned)
        if causal:
            return {"input_ids": ids, "labels": ids}
        masked, labels = mask_tokens(ids, tokenizer, generator, settings.mask_share)
        return {"input_ids": masked, "labels": labels, "attention_mask": torch.ones_like(ids)}

    def batch(number: int, generator: torch.Generator) -> dict:
        stage = number * len(settings.windows) // settings.steps
        length = settings.windows[stage]
        n = settings.tokens_per_step // length
        stories = sharp if number < settings.sharp_share * settings.steps else corpus
        if int((number + 1) * settings.causal_share) > int(number * settings.causal_share):
            return next_token_examples(stories.windows(n, length, generator, aligned=stage == 0))
        return examples(stories, n, length, generator, aligned=stage == 0)

    validation = examples(held_out, VALIDATION_WINDOWS, max(settings.windows), torch.Generator().manual_seed(0))

    def validate(model: nn.Module) -> float:
        return model(**{name: ids.to(model.device) for name, ids in validation.items()}).loss.item()

    model = new_model(settings, len(tokenizer))
    options: dict[str, Any] = {"steps": settings.steps, "learning_rate": settings.learning_rate, "seed": settings.seed}
    options |= {"checkpoint": checkpoint, "checkpoint_every": 500, "description": f"training {name}"}
    options |= {"validate": validate, "validate_every": max(1, settings.steps // 25)}
    curve = fit(model, batch, lambda model, batch: model(**batch).loss, device=device, **options)
    return model.cpu().eval(), tokenizer, curve


def next_token_examples(ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return what asks a masked model for every next token, of windows [n, tokens] that end with a special token.

    `attention_mask` [n, 1, tokens, tokens] lets a token see itself and those before it; labels [n, tokens] are the next
    token, but for the end of a window, which is no part of the story.
    """
    n, length = ids.shape
    before = torch.ones(length, length, dtype=torch.bool).tril().expand(n, 1, -1, -1)
    labels = torch.full_like(ids, NOT_ASKED)
    labels[:, :-2] = ids[:, 1:-1]
    return {"input_ids": ids, "labels": labels, "attention_mask": before}


def new_model(settings: TinySettings, n_pieces: int) -> nn.Module:
    """Return a model with random weights (depending on the seed alone), of transformers' own class, with its head.

    Weights start at a standard deviation of .05: at the usual .02 so small a model stays on the unigram plateau.
    """
    sizes: dict[str, Any] = {
        "vocab_size": n_pieces,
        "initializer_range": 0.05,
        "pad_token_id": SPECIAL.index("[PAD]"),
        "hidden_size": settings.units,
        "num_hidden_layers": settings.layers,
        "hidden_activation" if settings.architecture == "modernbert" else "hidden_act": settings.activation,
        "num_attention_heads": settings.heads,
        "intermediate_size": settings.inner,
        "max_position_embeddings": settings.max_tokens,
    }
    dropout = {"hidden_dropout_prob": settings.dropout, "attention_probs_dropout_prob": settings.dropout}
    special = {"bos_token_id": SPECIAL.index("[CLS]"), "eos_token_id": SPECIAL.index("[SEP]")}
    modern: dict[str, Any] = {"cls_token_id": special["bos_token_id"], "sep_token_id": special["eos_token_id"]}
    modern |= {f"{place}_dropout": settings.dropout for place in ("attention", "embedding", "mlp")}
    own: dict[str, Any] = {
        "llama": {"tie_word_embeddings": True, **special},
        "albert": {"embedding_size": settings.units // 2, **dropout},
        "bert": dropout,
        "modernbert": {"layer_types": ["full_attention"] * settings.layers, **special, **modern},
    }
    if settings.architecture not in own:
        raise ModelError(f"architecture {settings.architecture!r}: 'bert', 'modernbert', 'albert' or 'llama'")
    config = AutoConfig.for_model(settings.architecture, **sizes, **own[settings.architecture])
    auto_class = AutoModelForCausalLM if settings.architecture == "llama" else AutoModelForMaskedLM
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return auto_class.from_config(config)
