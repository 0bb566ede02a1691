"""BrainLM: pretraining on text and brain, decoding, and the tiny models of it.

    python -m brainbook.language_models.brainlm.pretraining --help

Tasks: masked language modelling with the brain visible; masked brain modelling (scans are hidden and predicted from
the text and the scans around them, mean squared error); brain-text matching (a matching pair must score higher than the
same text with another brain, and the same brain with another text, by a margin of 0.2: the source's triplet loss).
Version 1.0 is trained on the first task, 2.0 on all three.
"""

import argparse
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from transformers import BertForMaskedLM
from transformers.utils import logging as transformers_logging

from brainbook.errors import ConfigurationError, DatasetError, ModelError
from brainbook.language_models.brainlm.decoding import derangement
from brainbook.language_models.brainlm.examples import BrainText, pair_scans, phantom_recordings
from brainbook.language_models.brainlm.model import BrainLM, convert_published, read_checkpoint, save_brainlm
from brainbook.language_models.registry import HUB_NAMES, LanguageModel, load_language_model
from brainbook.language_models.tiny.models import get_or_make_folder, get_or_train, is_tiny, mask_tokens
from brainbook.store import fingerprint
from brainbook.training import fit

TASKS = ("masked_language", "masked_brain", "matching")
BRAINS = ("real", "shuffled", "none")
PUBLISHED = "sakura050601/brainlm"  # on the hub
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")


@dataclass(frozen=True)
class BrainLMSettings:
    """How a BrainLM is trained.

    tasks : weight of each task: the share of steps that it gets.
    brain : "real"; the ablations are "shuffled" (each text gets another text's brain) and "none" (text alone).
    mask_share, hidden_share : of tokens and of scans that are masked.
    whole_share : of the batches of masked brain modelling in which every scan is masked: text alone predicts them.
    """

    tasks: dict[str, float] = field(default_factory=lambda: dict.fromkeys(TASKS, 1.0))
    brain: str = "real"
    margin: float = 0.2
    mask_share: float = 0.15
    hidden_share: float = 0.25
    whole_share: float = 0.5
    steps: int = 300
    batch: int = 32
    accumulate: int = 1
    learning_rate: float = 2e-3
    precision: str = "no"
    seed: int = 0

    def __post_init__(self):
        unknown = set(self.tasks) - set(TASKS)
        if unknown or not sum(self.tasks.values()) > 0 or min(self.tasks.values()) < 0:
            raise ConfigurationError(f"tasks {self.tasks}: weights of {', '.join(TASKS)}, none negative, one positive")
        if self.brain not in BRAINS:
            raise ConfigurationError(f"brain {self.brain!r}: one of {', '.join(BRAINS)}")
        if self.brain == "none" and set(t for t, w in self.tasks.items() if w) != {"masked_language"}:
            raise ConfigurationError("without a brain only masked_language can be trained")


VERSIONS = {"1.0": BrainLMSettings(tasks={"masked_language": 1.0}), "2.0": BrainLMSettings()}
TINY_BRAINLMS = {"tiny-brainlm-1": "1.0", "tiny-brainlm-2": "2.0"}


def start_source(name: str, cache: str | Path = "cache", device: str = "auto") -> str:
    """Where the weights of the BERT are that a BrainLM starts from: a tiny model's folder, a folder, a name on the hub."""
    return str(get_or_train(name, cache, device=device)) if is_tiny(name) else HUB_NAMES.get(name, name)


def new_brainlm(start: LanguageModel, source: str | Path | None, n_features: int, seed: int = 0) -> BrainLM:
    """A BrainLM on a BERT's configuration; with its weights, head included, if `source` (see `start_source`) is given.

    The original started from bert-large-uncased. Raises ModelError when `start` is no BERT.
    """
    if start.model.config.model_type != "bert":
        raise ModelError(f"{start.name} is a {start.model.config.model_type}: a BrainLM starts from a BERT")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BrainLM(start.model.config, n_features)
    if source is not None:
        verbosity = transformers_logging.get_verbosity()
        transformers_logging.set_verbosity_error()  # heads that are not used would be reported
        model.text = BertForMaskedLM.from_pretrained(source, dtype=torch.float32, local_files_only=True)
        transformers_logging.set_verbosity(verbosity)
    return model


def train_brainlm(
    model: BrainLM, pairs: BrainText, tokenizer, settings: BrainLMSettings, device: str = "auto", **options
) -> pd.DataFrame:
    """Train `model` in place on examples of training runs; the loss curve shows every task (NaN where it had no turn).

    `options` go to `brainbook.training.fit` (checkpoint, validate, description, ...).
    """
    if pairs.brain.shape[-1] != model.n_features:
        raise DatasetError(f"brain has {pairs.brain.shape[-1]} features, the model was made for {model.n_features}")
    if settings.brain == "shuffled":
        order = derangement(len(pairs), settings.seed)
        pairs = replace(pairs, brain=pairs.brain[order])
    tasks = [task for task in TASKS if settings.tasks.get(task)]
    weights = torch.tensor([float(settings.tasks[task]) for task in tasks])

    def batch(number: int, generator: torch.Generator) -> dict:
        task = tasks[torch.multinomial(weights, 1, generator=generator).item()]
        rows = torch.randint(len(pairs), (settings.batch,), generator=generator)
        longest = int(pairs.attention_mask[rows].sum(1).max())  # nobody reads padding
        given = {name: getattr(pairs, name)[rows, :longest] for name in ("input_ids", "attention_mask")}
        given |= {"task": task, "brain": None if settings.brain == "none" else pairs.brain[rows]}
        if task == "masked_language":
            masked = mask_tokens(given["input_ids"], tokenizer, generator, settings.mask_share)
            given |= {"input_ids": masked["input_ids"], "labels": masked["labels"]}
        elif task == "masked_brain":
            given["hidden"] = torch.rand(given["brain"].shape[:2], generator=generator) < settings.hidden_share
            given["hidden"][:, torch.randint(given["hidden"].shape[1], (1,), generator=generator)] = True
            given["hidden"] |= torch.rand(1, generator=generator) < settings.whole_share
        else:
            shift = 1 + torch.randint(len(rows) - 1, (1,), generator=generator)
            given["other"] = (torch.arange(len(rows)) + shift) % len(rows)
        return given

    options = {"description": "training BrainLM", **options}
    same = ("steps", "accumulate", "learning_rate", "precision", "seed")
    options |= {name: getattr(settings, name) for name in same}
    return fit(model, batch, partial(task_loss, margin=settings.margin), device=device, **options)


def task_loss(model: BrainLM, batch: dict, margin: float = 0.2) -> tuple[torch.Tensor, dict]:
    """The loss of the batch's task, and the same by name."""
    inputs = batch["input_ids"], batch["attention_mask"]
    if batch["task"] == "masked_language":
        states, _ = model(*inputs, batch["brain"])
        wanted = batch["labels"] != -100
        loss = nn.functional.cross_entropy(model.words(states[wanted]), batch["labels"][wanted])
    elif batch["task"] == "masked_brain":
        _, states = model(*inputs, batch["brain"], batch["hidden"])
        loss = nn.functional.mse_loss(model.brain_head(states[batch["hidden"]]), batch["brain"][batch["hidden"]])
    else:
        ids, mask, brain, other = *inputs, batch["brain"], batch["other"]
        thrice = torch.cat([ids, ids, ids[other]]), torch.cat([mask, mask, mask[other]])
        right, other_brain, other_text = model.match(*thrice, torch.cat([brain, brain[other], brain])).chunk(3)
        loss = (margin + other_brain - right).clamp(min=0).mean() + (margin + other_text - right).clamp(min=0).mean()
    return loss, {task: loss if task == batch["task"] else float("nan") for task in TASKS}


# What the tiny models were trained on: another phantom's listener, who heard other stories than Le Petit Prince's, as the
# published model was trained on recordings of Alice. The last stories are kept from it.
RECORDED = {"n_sentences": 3000, "n_features": 64, "snr": 1.0}
HELD_OUT_STORIES = 15


def brainlm_folder(name: str, cache: str | Path = "cache", train: bool = True, device: str = "auto") -> Path:
    """The folder of a tiny BrainLM (made if need be) or of the published one, converted."""
    if name not in TINY_BRAINLMS:
        return _published_folder(name, cache)
    settings = VERSIONS[TINY_BRAINLMS[name]]
    start = get_or_train("tiny-bert", cache, train, device)
    words, brain, runs = phantom_recordings(**RECORDED)

    def make(folder: Path) -> None:
        seen = runs <= runs.max() - HELD_OUT_STORIES
        model, tokenizer, curve = _train_from(start, words, brain[seen], runs[seen], settings, device)
        save_brainlm(model, tokenizer, folder)
        curve.to_csv(folder / "loss.csv", index=False)

    inputs = {**asdict(settings), **RECORDED, "held_out": HELD_OUT_STORIES, "start": start.name}
    return get_or_make_folder(Path(cache) / "models", name, {**inputs, "brain": fingerprint(brain)}, make, train)


def recorded_pairs(tokenizer) -> tuple[BrainText, BrainText]:
    """Examples from the stories that the tiny BrainLMs were trained on, and from those that none of them was."""
    words, brain, runs = phantom_recordings(**RECORDED)
    pairs = pair_scans(words, brain, runs, tokenizer)
    kept = pairs.run > runs.max() - HELD_OUT_STORIES
    return pairs[~kept], pairs[kept]


def _train_from(start, words, brain, runs, settings: BrainLMSettings, device: str, checkpoint=None):
    text = load_language_model(str(start), device="cpu")
    pairs = pair_scans(words, brain, runs, text.tokenizer)
    model = new_brainlm(text, start, brain.shape[1], settings.seed)
    curve = train_brainlm(model, pairs, text.tokenizer, settings, device, checkpoint=checkpoint)
    return model.cpu().eval(), text.tokenizer, curve


def _published_folder(name: str, cache: str | Path) -> Path:
    checkpoint = published_checkpoint(name)

    def make(folder: Path) -> None:
        tokenizer = load_language_model("bert-large-uncased", cache, "cpu").tokenizer
        save_brainlm(convert_published(read_checkpoint(checkpoint), str(checkpoint)), tokenizer, folder)

    return get_or_make_folder(Path(cache) / "models", name, {"checkpoint": checkpoint}, make)


def published_checkpoint(name: str) -> Path:
    """The file of weights of "brainlm-1" or "brainlm-2": of the hub's repository (its cache is tried first) or named.

    See `choose_checkpoint` for how it is found. Raises ModelError when it cannot be had, with what to do.
    """
    from huggingface_hub import snapshot_download

    from brainbook.language_models.registry import _hub_answers

    if (named := Path(os.environ.get(checkpoint_variable(name), ""))).is_file():
        return named
    try:
        try:
            source = Path(snapshot_download(PUBLISHED, local_files_only=True))
        except OSError:
            if not _hub_answers():
                raise
            source = Path(snapshot_download(PUBLISHED))
    except OSError as error:
        raise ModelError(
            f"'{name}' is {PUBLISHED} on the hub, which is not in the local cache and cannot be reached. On a machine "
            f"with a network: hf download {PUBLISHED}; or take tiny-brainlm-1 or tiny-brainlm-2"
        ) from error
    files = [path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()]
    return source / choose_checkpoint(name, files)


def checkpoint_variable(name: str) -> str:
    """The environment variable that names a version's file: BRAINBOOK_BRAINLM_1 or BRAINBOOK_BRAINLM_2."""
    return f"BRAINBOOK_{name.upper().replace('-', '_')}"


def choose_checkpoint(name: str, files: Iterable[str], where: str = PUBLISHED) -> str:
    """Which of a repository's files holds the weights of "brainlm-1" or "brainlm-2".

    The one that the environment variable BRAINBOOK_BRAINLM_1 (or _2) names, as a path within the repository; else the
    only one whose path says 1 or 1.0 (2 or 2.0) and not the other version. Nothing is guessed: a lone model.safetensors
    says nothing of its version, and one file under two names would be compared with itself.

    Raises
    ------
    ModelError : no file or several; the message names what is there and the variable.
    """
    weights = sorted(file for file in files if file.endswith(WEIGHTS))
    there = ", ".join(weights) or f"no weights ({', '.join(WEIGHTS)})"
    variable, other = checkpoint_variable(name), "brainlm-2" if name == "brainlm-1" else "brainlm-1"
    if named := os.environ.get(variable):
        if named not in weights:
            raise ModelError(f"{variable} is {named}, which is no file here, and {where} holds {there}")
        if named == os.environ.get(checkpoint_variable(other)):
            raise ModelError(f"{variable} and {checkpoint_variable(other)} are both {named}: one file is one version")
        return named
    mine = [file for file in weights if _says(file, name[-1]) and not _says(file, other[-1])]
    if len(mine) != 1:
        raise ModelError(
            f"{where} holds {there}: that does not tell which file is {name}. Set {variable} to its path there, or to "
            "that of a file on this machine"
        )
    return mine[0]


def _says(file: str, version: str) -> bool:
    """Whether a path names a version: as 1 or 1.0, not as a part of another number."""
    return re.search(rf"(?<![\d.]){version}(?:[._]0)?(?![\d]|[.]\d)", file.rpartition(".")[0]) is not None


def main(arguments: list[str] | None = None) -> None:
    """Train a BrainLM on words and scans in files, or make the tiny models."""
    parser = argparse.ArgumentParser(
        prog="python -m brainbook.language_models.brainlm.pretraining",
        description="Train a BrainLM. Several GPUs: accelerate launch -m brainbook.language_models.brainlm.pretraining ...",
    )
    parser.add_argument("names", nargs="*", help=f"tiny models to make if missing: {', '.join(TINY_BRAINLMS)}")
    parser.add_argument("--cache", default="cache", help="models are kept in CACHE/models (default: cache)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    files = parser.add_argument_group("training on recordings")
    files.add_argument("--words", help="CSV with word, onset (s) and section")
    files.add_argument("--brain", help=".npy, float [scans, features], the runs one after the other")
    files.add_argument("--runs", help=".npy, int [scans]: the section of each scan")
    files.add_argument("--out", help="folder to write; its checkpoints/ lets a killed run go on")
    files.add_argument(
        "--start", default="tiny-bert", help="a tiny model, a folder or a hub name of a BERT (default: tiny-bert)"
    )
    files.add_argument("--version", choices=VERSIONS, default="2.0", help="1.0: text with brain; 2.0: all tasks")
    files.add_argument("--ablation", choices=BRAINS, default="real", help="real (default), shuffled or no brain")
    for name, kind in (("steps", int), ("batch", int), ("accumulate", int), ("learning_rate", float), ("seed", int)):
        files.add_argument(f"--{name.replace('_', '-')}", type=kind, default=getattr(VERSIONS["2.0"], name))
    files.add_argument("--precision", choices=("no", "bf16"), default="no", help="bf16 pays on GPUs and new CPUs only")
    given = parser.parse_args(arguments)
    if not given.names and not given.brain:
        parser.error("give names of tiny models, or --words, --brain, --runs and --out")
    try:
        for name in given.names:
            if name not in TINY_BRAINLMS:
                parser.error(f"'{name}' is no tiny BrainLM: {', '.join(TINY_BRAINLMS)}")
            print(f"{name}: {brainlm_folder(name, given.cache, device=given.device)}")
        if given.brain:
            _train_on_files(parser, given)
    except (ConfigurationError, DatasetError, ModelError) as error:
        parser.error(str(error))


def _train_on_files(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    if not (given.words and given.runs and given.out):
        parser.error("--brain also needs --words, --runs and --out")
    chosen = {k: getattr(given, k) for k in ("steps", "batch", "accumulate", "learning_rate", "seed", "precision")}
    tasks = {"masked_language": 1.0} if given.ablation == "none" else VERSIONS[given.version].tasks
    settings = replace(VERSIONS[given.version], tasks=tasks, brain=given.ablation, **chosen)
    start = start_source(given.start, given.cache)
    data = pd.read_csv(given.words), np.load(given.brain), np.load(given.runs)
    model, tokenizer, curve = _train_from(start, *data, settings, given.device, Path(given.out) / "checkpoints")
    if torch.distributed.is_initialized() and torch.distributed.get_rank():
        return
    save_brainlm(model, tokenizer, given.out)
    curve.to_csv(Path(given.out) / "loss.csv", index=False)
    print(f"{given.out}: loss {curve['loss'].iloc[0]:.3f} -> {curve['loss'].iloc[-1]:.3f}")


if __name__ == "__main__":
    main()
