"""Pretraining on text and brain: the three tasks, the versions, and the ablations."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from accelerate.utils import send_to_device
from torch import nn
from transformers import PreTrainedTokenizerBase

from brainbook.errors import DatasetError, ModelError
from brainbook.language_models.brainlm.examples import BrainText, derangement
from brainbook.language_models.brainlm.model import BrainLM
from brainbook.language_models.brainlm.settings import TASKS, BrainLMSettings
from brainbook.language_models.language_model import LanguageModel, model_with_head
from brainbook.language_models.masking import NOT_ASKED, mask_tokens
from brainbook.training import fit

VALIDATION_EXAMPLES = 256


def new_brainlm(start: LanguageModel, n_features: int, seed: int = 0, trained: bool = True) -> BrainLM:
    """Make a BrainLM that starts from a BERT's weights, its head included (the original: from bert-large-uncased).

    With `trained=False` only the configuration is the BERT's, and the weights are random.
    Raises ModelError when `start` is no BERT, or has no head.
    """
    if start.model.config.model_type != "bert":
        raise ModelError(f"{start.name} is a {start.model.config.model_type}: a BrainLM starts from a BERT")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BrainLM(start.model.config, n_features)
    if trained:
        model.text = model_with_head(start)
    return model


def train_brainlm(
    model: BrainLM,
    pairs: BrainText,
    tokenizer: PreTrainedTokenizerBase,
    settings: BrainLMSettings,
    device: str = "auto",
    validation: BrainText | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Train `model` in place on examples of training runs; return its loss curve.

    The curve has a column for every task (NaN at steps where the task had no turn).
    validation : examples of other runs. Twenty-five times on the way the sum of the tasks' losses on them is measured
        (`validation` in the curve), and the weights are those of its minimum.
    options : of `brainbook.training.fit` (checkpoint, description, ...).
    """
    if pairs.brain.shape[-1] != model.n_features:
        raise DatasetError(f"brain has {pairs.brain.shape[-1]} features, the model was made for {model.n_features}")
    if settings.brain == "shuffled":
        pairs = replace(pairs, brain=pairs.brain[derangement(len(pairs), settings.seed)])
    tasks = settings.trained_tasks
    weights = torch.tensor([float(settings.tasks[task]) for task in tasks])

    def batch(number: int, generator: torch.Generator) -> dict:
        task = tasks[int(torch.multinomial(weights, 1, generator=generator).item())]
        rows = torch.randint(len(pairs), (settings.batch,), generator=generator)
        return task_batch(task, pairs[rows], tokenizer, settings, generator)

    options = {"description": "training BrainLM", **options}
    options |= {name: getattr(settings, name) for name in ("steps", "accumulate", "learning_rate", "precision", "seed")}
    if validation is not None:
        chosen = validation[np.linspace(0, len(validation) - 1, VALIDATION_EXAMPLES).astype(int)]
        generator = torch.Generator().manual_seed(0)
        checked = [task_batch(task, chosen, tokenizer, settings, generator) for task in tasks]

        def validate(model: BrainLM) -> float:
            batches = send_to_device(checked, model.text.device)
            return sum(task_loss(model, batch, settings.margin)[0].item() for batch in batches)

        options |= {"validate": validate, "validate_every": max(1, settings.steps // 25)}
    return fit(model, batch, partial(task_loss, margin=settings.margin), device=device, **options)


def task_batch(
    task: str,
    pairs: BrainText,
    tokenizer: PreTrainedTokenizerBase,
    settings: BrainLMSettings,
    generator: torch.Generator,
) -> dict:
    """Return what `task_loss` reads: the examples' texts and brains, and what the task hides or mismatches of them."""
    ids, brain = pairs.input_ids[:, : int(pairs.attention_mask.sum(1).max())], pairs.brain  # padding is not read
    inputs: dict[str, Any] = {"task": task, "input_ids": ids, "attention_mask": pairs.attention_mask[:, : ids.shape[1]]}
    inputs["brain"] = None if settings.brain == "none" else brain
    if task == "masked_language":
        inputs["input_ids"], inputs["labels"] = mask_tokens(ids, tokenizer, generator, settings.mask_share)
    elif task == "masked_brain":
        hidden = torch.rand(brain.shape[:2], generator=generator) < settings.hidden_share
        hidden[:, torch.randint(hidden.shape[1], (1,), generator=generator)] = True
        inputs["hidden"] = hidden | (torch.rand(1, generator=generator) < settings.all_hidden_share)
    else:
        shift = 1 + torch.randint(len(ids) - 1, (1,), generator=generator)
        inputs["mismatch"] = (torch.arange(len(ids)) + shift) % len(ids)
    return inputs


def task_loss(model: BrainLM, batch: dict, margin: float = 0.2) -> tuple[torch.Tensor, dict]:
    """Return the loss of the batch's task, and the same by name (NaN for the other tasks)."""
    ids, attention, brain = batch["input_ids"], batch["attention_mask"], batch["brain"]
    if batch["task"] == "masked_language":
        states, _ = model(ids, attention, brain)
        asked = batch["labels"] != NOT_ASKED
        loss = nn.functional.cross_entropy(model.words(states[asked]), batch["labels"][asked])
    elif batch["task"] == "masked_brain":
        _, states = model(ids, attention, brain, batch["hidden"])
        loss = nn.functional.mse_loss(model.brain_head(states[batch["hidden"]]), brain[batch["hidden"]])
    else:
        other = batch["mismatch"]
        texts = torch.cat([ids, ids, ids[other]]), torch.cat([attention, attention, attention[other]])
        match, other_brain, other_text = model.match(*texts, torch.cat([brain, brain[other], brain])).chunk(3)
        loss = (margin + other_brain - match).clamp(min=0).mean() + (margin + other_text - match).clamp(min=0).mean()
    return loss, {task: loss if task == batch["task"] else float("nan") for task in TASKS}
