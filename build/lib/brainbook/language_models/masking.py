"""What language modelling asks for: masked tokens, or every next one. Used by all trainings of this room."""

import torch
from transformers import PreTrainedTokenizerBase

NOT_ASKED = -100  # transformers' label of tokens that are not to be predicted
N_SPECIAL = 5  # the first ids of a vocabulary are special tokens in most tokenizers


def mask_tokens(
    ids: torch.Tensor, tokenizer: PreTrainedTokenizerBase, generator: torch.Generator, share: float = 0.15
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mask as BERT does: of the chosen `share` of tokens 80% become [MASK], 10% another token, 10% stay.

    Special tokens are never chosen; unknown words may be. (transformers' DataCollatorForLanguageModeling takes the
    unknown token for a special one, and may choose no token at all, of which the loss is not a number.)

    Returns
    -------
    input ids and labels (-100 where nothing is to be predicted), each [texts, tokens].
    """
    ordinary = ~torch.isin(ids, torch.tensor(tokenizer.all_special_ids)) | (ids == tokenizer.unk_token_id)
    chosen = (torch.rand(ids.shape, generator=generator) < share) & ordinary
    if not chosen.any():
        chosen = ordinary & (ordinary.cumsum(1) == 1)  # each text's first
    fate = torch.rand(ids.shape, generator=generator)
    random_tokens = torch.randint(N_SPECIAL, len(tokenizer), ids.shape, generator=generator)
    masked = torch.where(chosen & (fate < 0.8), tokenizer.mask_token_id, ids)
    masked = torch.where(chosen & (fate >= 0.9), random_tokens, masked)
    return masked, torch.where(chosen, ids, NOT_ASKED)


def language_labels(
    ids: torch.Tensor,
    attention_mask: torch.Tensor,
    causal: bool,
    tokenizer: PreTrainedTokenizerBase,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return input ids and labels [texts, tokens] of the language-modelling loss of a causal or a masked model."""
    if causal:
        return ids, ids.masked_fill(attention_mask == 0, NOT_ASKED)
    return mask_tokens(ids, tokenizer, generator)
