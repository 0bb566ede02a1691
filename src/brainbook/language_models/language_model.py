"""A language model and its tokenizer: its sizes, whether it reads ahead, and the part of it that reads text."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import PretrainedConfig, PreTrainedTokenizerBase

from brainbook.errors import ModelError
from brainbook.store import fingerprint

NOT_PART_OF_A_MODEL = ("_name_or_path", "dtype", "architectures", "transformers_version")
TRIAL_TOKENS = 12
SAME = 1e-5  # change of a state, as a share of its layer's largest value, that is rounding


@dataclass
class LanguageModel:
    """A model without its head, its tokenizer, and what the rest of the book asks of them.

    Attributes
    ----------
    name : as asked for.
    model : a transformers model that returns hidden states, in evaluation mode, on `device`.
    tokenizer : a fast tokenizer.
    """

    name: str
    model: nn.Module
    tokenizer: PreTrainedTokenizerBase

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def config(self) -> PretrainedConfig:
        """The configuration of what reads text."""
        return self.model.config.get_text_config()

    @property
    def n_layers(self) -> int:
        """Number of layers, the embeddings (layer 0) not counted."""
        return self.config.num_hidden_layers

    @property
    def n_units(self) -> int:
        """Width of a hidden state."""
        return self.config.hidden_size

    @cached_property
    def causal(self) -> bool:
        """True if no state depends on what comes after it, found by two short readings whose second halves differ."""
        special = set(self.tokenizer.all_special_ids)
        n = min(len(self.tokenizer), self.model.get_input_embeddings().num_embeddings)
        ordinary = [token for token in range(n) if token not in special] or [0]
        half = max(1, min(TRIAL_TOKENS, self.max_tokens) // 2)
        first, second, third = ((ordinary * 3 * half)[k : k + half] for k in (0, half, half + 1))
        readings = torch.tensor([first + second, first + third], device=self.device)  # readings, tokens
        with torch.inference_mode():
            states = self.model(
                input_ids=readings, attention_mask=torch.ones_like(readings), output_hidden_states=True
            ).hidden_states
        if len(states) != self.n_layers + 1 or self.n_layers < 1:
            raise ModelError(f"{self.name}: {len(states)} hidden states of {self.n_layers} layers, expected one more")
        if not all(layer.isfinite().all() for layer in states):
            raise ModelError(f"{self.name}: states that are not finite: its weights are damaged")
        return all((layer[0] - layer[1])[:half].abs().max() <= SAME * layer.abs().max() for layer in states)

    def check(self) -> None:
        """Raise ModelError unless the model reads tokens and returns the states that its configuration promises."""
        try:
            _ = self.causal
        except ModelError:
            raise
        except Exception as error:
            kind = self.model.config.model_type
            raise ModelError(f"{self.name}: a {kind} that cannot read words by themselves: {error}") from error

    @property
    def max_tokens(self) -> int:
        """Longest input, special tokens included."""
        names = ("max_position_embeddings", "n_positions", "max_seq_len", "context_length")
        positions = next((n for name in names if (n := getattr(self.config, name, None))), -1)
        if positions < 1:  # without a limit: relative positions, or none
            positions = 1 << 20
        for name, module in self.model.named_modules():
            # the family of RoBERTa counts positions from after the padding index
            if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
                positions -= module.padding_idx + 1
        return int(min(positions, self.tokenizer.model_max_length))

    @cached_property
    def encoder(self) -> Tokenizer:
        """The tokenizer proper, without the truncation and padding that some models' files ask for."""
        encoder = Tokenizer.from_str(self.tokenizer.backend_tokenizer.to_str())
        encoder.no_truncation()
        encoder.no_padding()
        return encoder

    @cached_property
    def fingerprint(self) -> str:
        """A key of everything the states depend on: configuration, weights, vocabulary."""
        config = {k: v for k, v in self.model.config.to_dict().items() if k not in NOT_PART_OF_A_MODEL}
        # the pooler is in no hidden state, and random where a checkpoint has none
        weights = {k: _bytes(v) for k, v in self.model.state_dict().items() if not k.startswith("pooler")}
        return fingerprint(str(sorted(config.items(), key=str)), weights, sorted(self.tokenizer.get_vocab().items()))


def text_part(name: str, model: nn.Module) -> nn.Module:
    """The part of a transformers model that reads text.

    Of an encoder with a decoder the encoder; of a model that also sees or hears the language model within it.
    ModelError where there is no such part.
    """
    config = model.config
    if getattr(config, "is_encoder_decoder", False):
        part = model.get_encoder()
    elif config.get_text_config() is not config:
        part = model.get_decoder()
    else:
        return model
    if part is None or part is model or not hasattr(part, "config"):
        raise ModelError(f"{name}: no part of a {config.model_type} is known that reads text alone")
    return part


def _bytes(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
