"""Fine-tuning on sentence pairs: a model that has read English learns which French or Chinese sentence says the same.

    python -m brainbook.language_models transfer tiny-causal --second FR CN
    python -m brainbook.language_models transfer minilm --xnli FOLDER --second FR --n 10000

What comes out is a folder that `load_language_model` loads like any other, under `cache`/models, by a key of everything
it depends on.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from brainbook.datasets import make_pairs, read_xnli, xnli_from_hub
from brainbook.errors import ConfigurationError
from brainbook.language_models.language_model import LanguageModel
from brainbook.language_models.masking import language_labels
from brainbook.language_models.model_folders import cached_model
from brainbook.language_models.registry import load_language_model
from brainbook.language_models.sentence_matching.matcher import (
    Matcher,
    Texts,
    contrast_loss,
    cosine_loss,
    load_matcher,
    printed_cosine_loss,
    save_matcher,
)
from brainbook.language_models.sentence_matching.new_words import init_new_embeddings
from brainbook.language_models.sentence_matching.settings import TransferSettings
from brainbook.phantom.story import sentences
from brainbook.store import fingerprint
from brainbook.training import fit

FIT_OPTIONS = ("steps", "learning_rate", "precision", "seed", "validate_every", "patience")


def fine_tune(
    language_model: LanguageModel, pairs: pd.DataFrame, settings: TransferSettings | None = None, device: str = "auto"
) -> tuple[Matcher, pd.DataFrame]:
    """Train a copy of a language model, with a matching head, on the pairs of the part "train".

    Parameters
    ----------
    language_model : of `load_language_model`; it is not changed.
    pairs : from `brainbook.datasets.make_pairs`, or several of its tables one below the other. The part "validation"
        decides when to stop and which weights are selected; the part "test" is not looked at.

    Returns
    -------
    matcher : the trained model with its head, in evaluation mode.
    curve : one row per step (see `brainbook.training.fit`): loss, its parts, `pairs` seen so far, and, where there was
        a validation, `validation` (its loss) and `validation_accuracy`.
    """
    settings = settings or TransferSettings()
    matcher = Matcher(language_model, settings.language > 0, settings.hidden, settings.seed)
    train, validation = (pairs[pairs.part == part] for part in ("train", "validation"))
    if settings.new_words:
        matches = train[train.match == 1]
        texts = matches["first"].tolist(), matches["second"].tolist()
        longest = min(settings.max_tokens, language_model.max_tokens)
        init_new_embeddings(matcher.language_model, language_model.tokenizer, *texts, longest)
    matcher.freeze(settings.frozen_layers)
    loss = partial(_loss, settings)
    train_batches = _Batches(train, language_model, settings)
    if len(validation):
        validation = validation.sample(min(len(validation), settings.validation_pairs), random_state=settings.seed)
        validation_batches = _Batches(validation, language_model, replace(settings, batch_size=128)).all()
    accuracies: list[float] = []

    def validate(model: Matcher) -> float:
        device = next(model.parameters()).device
        totals = np.zeros(2)  # loss, accuracy
        for batch in validation_batches:
            batch = {name: tensor.to(device) for name, tensor in batch.items()}
            value, parts = loss(model, batch)
            totals += len(batch["match"]) * np.array([float(value), float(parts["accuracy"])])
        mean_loss, accuracy = totals / len(validation)
        accuracies.append(accuracy)
        return mean_loss

    options = {name: getattr(settings, name) for name in FIT_OPTIONS}
    options |= {"device": device, "description": f"transfer of {language_model.name}"}
    curve = fit(matcher, train_batches.draw, loss, validate=validate if len(validation) else None, **options)
    curve["pairs"] = curve["step"] * settings.batch_size
    curve["validation_accuracy"] = np.nan
    curve.loc[curve.validation.notna(), "validation_accuracy"] = accuracies
    return matcher.eval(), curve


def _loss(settings: TransferSettings, model: Matcher, batch: dict) -> tuple[torch.Tensor, dict]:
    """Compute the weighted sum of the losses, and its parts, as `fit` calls it."""
    (first, first_language), (second, second_language) = (
        model.embed(batch[f"{side}_ids"], batch[f"{side}_mask"], batch.get(f"{side}_labels"))
        for side in ("first", "second")  # one by one: the sentences of one language are about as long as one another
    )
    first, second, match = first.float(), second.float(), batch["match"]  # pairs, units
    odds = model.head(first, second)  # pairs
    parts = {"match": functional.binary_cross_entropy_with_logits(odds, match.float())}
    if settings.cosine_form == "printed":
        parts["cosine"] = printed_cosine_loss(first, second, match)
    else:
        parts["cosine"] = cosine_loss(first, second, match, settings.margin)
    rows = batch["first_row"], batch["second_row"]
    parts["contrast"] = contrast_loss(first, second, match, *rows, settings.temperature)
    parts["language"] = (first_language + second_language).float() / 2
    value = sum(getattr(settings, name) * part for name, part in parts.items() if getattr(settings, name))
    return value, {**parts, "accuracy": ((odds > 0) == (match > 0)).float().mean()}


class _Batches:
    """Batches of pairs: token ids of the first and of the second sentences, which pairs match, and which they are."""

    def __init__(self, pairs: pd.DataFrame, language_model: LanguageModel, settings: TransferSettings) -> None:
        if not len(pairs):
            raise ConfigurationError("no pairs to train on: none has the part 'train'")
        self.n = len(pairs)
        self.settings = settings
        self.tokenizer, self.causal = language_model.tokenizer, language_model.causal
        texts = pd.concat([pairs["first"], pairs["second"]])
        self.texts = Texts(texts, self.tokenizer, min(settings.max_tokens, language_model.max_tokens))
        columns = ("match", "first_row", "second_row")
        self.columns = {name: torch.tensor(pairs[name].to_numpy(np.int64)) for name in columns}
        self.longest = self.texts.lengths.reshape(2, self.n).max(0)  # pairs
        self._epoch: tuple[int, list] = (-1, [])

    def draw(self, number: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return micro-batch `number`: each pair once per epoch, in an order that the seed and the epoch decide."""
        size = min(self.settings.batch_size, self.n)
        epoch, place = divmod(number, self.n // size)
        if self._epoch[0] != epoch:
            self._epoch = epoch, self._shuffled(np.random.default_rng([self.settings.seed, epoch]), size)
        return self._batch(self._epoch[1][place], generator)

    def _shuffled(self, rng: np.random.Generator, size: int) -> list[np.ndarray]:
        """Return batches of pairs of similar length, which costs less and makes the contrast harder."""
        order = rng.permutation(self.n)[: self.n // size * size]
        noisy = self.longest[order] * np.exp(rng.normal(0, 0.15, len(order)))  # batches differ from epoch to epoch
        batches = order[np.argsort(noisy)].reshape(-1, size)
        return list(batches[rng.permutation(len(batches))])

    def all(self) -> list[dict[str, torch.Tensor]]:
        """Return batches of every pair once, similar lengths together."""
        order = np.argsort(self.longest, kind="stable")
        return [self._batch(rows, None) for rows in np.array_split(order, -(-self.n // self.settings.batch_size))]

    def _batch(self, rows: np.ndarray, generator: torch.Generator | None) -> dict[str, torch.Tensor]:
        batch = {name: column[torch.from_numpy(rows)] for name, column in self.columns.items()}
        for side, shift in (("first", 0), ("second", self.n)):
            ids, batch[f"{side}_mask"] = self.texts.batch(rows + shift)
            if self.settings.language and generator is not None:
                mask = batch[f"{side}_mask"]
                ids, batch[f"{side}_labels"] = language_labels(ids, mask, self.causal, self.tokenizer, generator)
            batch[f"{side}_ids"] = ids
        return batch


def transferred(
    name: str,
    pairs: pd.DataFrame,
    settings: TransferSettings | None = None,
    cache: str | Path = "cache",
    device: str = "auto",
) -> Path:
    """Return the folder of the model `name` after transfer, fine-tuned now if it is not in `cache`/models yet.

    The key holds the model's weights, the pairs and the settings. The folder has config.json, model.safetensors,
    tokenizer files, the matching head (`load_transferred`), curve.csv and settings.json.
    """
    settings = settings or TransferSettings()
    language_model = load_language_model(name, cache=cache, device=device)
    used = pairs.loc[pairs.part != "test", ["part", "match", "first", "second", "first_row", "second_row"]]
    inputs = {"model": language_model.fingerprint, "pairs": fingerprint(used.reset_index(drop=True))}

    def train(folder: Path) -> None:
        matcher, curve = fine_tune(language_model, pairs, settings, device)
        save_matcher(matcher.cpu(), language_model.tokenizer, folder)
        curve.to_csv(folder / "curve.csv", index=False)

    short = Path(name).name.replace(":", "-")
    return cached_model(cache, f"transfer-{short}", {**inputs, **asdict(settings)}, train)


def load_transferred(folder: str | Path, device: str = "auto") -> tuple[LanguageModel, Matcher, pd.DataFrame]:
    """Load what `transferred` wrote: the language model, the same with its matching head, and the training curve."""
    language_model = load_language_model(str(folder), device=device)
    return language_model, load_matcher(language_model, folder), pd.read_csv(Path(folder) / "curve.csv")


def phantom_pairs(
    n: int, second: Sequence[str] = ("FR",), per_row: int = 2, mismatch: str = "random", seed: int = 0
) -> pd.DataFrame:
    """Return English and `second` passages of `per_row` sentences from the phantom's grammar, `n` pairs per language.

    Columns as from `make_pairs`, and `language`, the second one's. Parts are the same for every language. The tiny
    models read text of another seed.
    """
    return _pairs_by_language(_passages(n, per_row, seed), second, n=n, mismatch=mismatch, seed=seed)


@lru_cache(maxsize=1)  # each kind of mismatch asks for the same ones
def _passages(n: int, per_row: int, seed: int) -> pd.DataFrame:
    corpus = sentences(int(n * 1.02) + 20, 1000 + seed, per_row=per_row)
    return corpus.drop_duplicates("EN").drop_duplicates("FR").drop_duplicates("CN").head(n).reset_index(drop=True)


def xnli_pairs(
    folder: str | Path | None, n: int = 10_000, second: Sequence[str] = ("FR",), mismatch: str = "random", seed: int = 0
) -> pd.DataFrame:
    """Return English and `second` sentences of XNLI, `n` pairs per language, as `phantom_pairs`. No folder: the hub."""
    table = xnli_from_hub() if folder is None else read_xnli(folder)
    return _pairs_by_language(table, second, n=n, mismatch=mismatch, group="group", seed=seed)


def _pairs_by_language(table: pd.DataFrame, second: Sequence[str], **options: Any) -> pd.DataFrame:
    pairs = [make_pairs(table, "EN", language, **options).assign(language=language) for language in second]
    return pd.concat(pairs, ignore_index=True)
