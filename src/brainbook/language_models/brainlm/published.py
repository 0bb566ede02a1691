"""The published BrainLM: its file on the Hugging Face hub, converted to the model of this package."""

import os
import re
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from transformers import BertConfig

from brainbook.checkpoints import read_tensors
from brainbook.errors import ModelError
from brainbook.language_models.brainlm.model import BrainLM, fill_weights, save_brainlm
from brainbook.language_models.language_model import hub_answers, open_hub
from brainbook.language_models.model_folders import cached_model
from brainbook.language_models.names import PUBLISHED, checkpoint_variable, choose_checkpoint

STARTED_FROM = "google-bert/bert-large-uncased"  # whose tokenizer it uses
# names in the published checkpoint (those of UNITER, which its code follows) -> names here; the first match counts
PUBLISHED_NAMES = (
    (r"^(?:module\.|model\.)+", ""),
    (r"^(?:uniter|brainlm|brain_lm)\.", "bert."),
    (r"\.gamma$", ".weight"),
    (r"\.beta$", ".bias"),
    (r"^bert\.(?:img|brain)_embeddings\.(?:img|brain)_linear\.", "project.0."),
    (r"^bert\.(?:img|brain)_embeddings\.(?:img|brain)_layer_norm\.", "project.1."),
    (r"^bert\.(?:embeddings|encoder)\.", r"text.\g<0>"),
    (r"^cls\.predictions\.", r"text.\g<0>"),
)
LEFT_OUT = (
    r"^bert\.(?:pooler|img_embeddings|brain_embeddings)\."
    r"|^(?:itm_output|rank_output|feat_regress|region_classifier)\.|position_ids$"
)


def published_folder(name: str, cache: str | Path = "cache") -> Path:
    """Return the folder of the published BrainLM `name`, converted now if it is not in `cache`/models yet."""
    checkpoint = published_checkpoint(name)

    def convert(folder: Path) -> None:
        tokenizer = open_hub(STARTED_FROM, device="cpu").tokenizer
        save_brainlm(convert_published(read_checkpoint(checkpoint), str(checkpoint)), tokenizer, folder)

    return cached_model(cache, name, {"checkpoint": checkpoint}, convert)


def published_checkpoint(name: str) -> Path:
    """Return the file of weights of "brainlm-1" or "brainlm-2": of this machine, the hub's cache, or the hub.

    See `choose_checkpoint` for how it is chosen. Raises ModelError when it cannot be had, with what to do.
    """
    if (named := Path(os.environ.get(checkpoint_variable(name), ""))).is_file():
        return named
    try:
        source = _snapshot()
    except OSError as error:
        raise ModelError(
            f"'{name}' is {PUBLISHED} on the hub, which is not in the local cache and cannot be reached. On a machine "
            f"with a network: hf download {PUBLISHED}; or take tiny-brainlm-1 or tiny-brainlm-2"
        ) from error
    files = [path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()]
    return source / choose_checkpoint(name, files)


def _snapshot() -> Path:
    try:
        return Path(snapshot_download(PUBLISHED, local_files_only=True))
    except OSError:
        if not hub_answers():
            raise
        return Path(snapshot_download(PUBLISHED))


def convert_published(state: dict[str, torch.Tensor], source: str = "checkpoint") -> BrainLM:
    """Build a BrainLM from the tensors of a published checkpoint, its size read off their shapes.

    The published shape: 24 layers of 1,024 units, 16 heads, 4,096 inner, 30,522 pieces, 1,024 positions and features.
    Heads that it does not carry in this form (masked brain modelling, matching) are left untrained.

    Raises
    ------
    ModelError : tensors are missing, unknown, or of shapes that do not fit together.
    """
    renamed = {}
    for name, tensor in state.items():
        for pattern, replacement in PUBLISHED_NAMES:
            name = re.sub(pattern, replacement, name, count=1)
        if not re.search(LEFT_OUT, name):
            renamed[name] = tensor
    embeddings = "text.bert.embeddings"
    try:
        words = renamed[f"{embeddings}.word_embeddings.weight"]
        config = BertConfig(
            vocab_size=len(words),
            hidden_size=words.shape[1],
            intermediate_size=len(renamed["text.bert.encoder.layer.0.intermediate.dense.weight"]),
            num_hidden_layers=1 + max(int(n) for name in renamed for n in re.findall(r"encoder\.layer\.(\d+)\.", name)),
            num_attention_heads=max(1, words.shape[1] // 64),
            max_position_embeddings=len(renamed[f"{embeddings}.position_embeddings.weight"]),
            type_vocab_size=len(renamed[f"{embeddings}.token_type_embeddings.weight"]),
        )
        n_features = renamed["project.0.weight"].shape[1]
    except KeyError as error:
        missing = f"no {error.args[0]} among its {len(state)} tensors"
        raise ModelError(f"{source}: {missing}: not a BrainLM checkpoint") from None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = BrainLM(config, n_features)
    untrained = {k: v for k, v in model.state_dict().items() if not k.startswith(("text.", "project."))}
    tied = {"text.cls.predictions.decoder.weight": words}
    if "text.cls.predictions.bias" in renamed:
        tied["text.cls.predictions.decoder.bias"] = renamed["text.cls.predictions.bias"]
    return fill_weights(model, untrained | tied | renamed, source)


def read_checkpoint(path: str | Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a .safetensors file, or of a torch file (with weights_only: no code in it is run)."""
    path = Path(path)
    if path.suffix == ".safetensors":
        return read_tensors(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(f"{path}: holds more than tensors, or is damaged, so it is not opened: {error}") from error
    state = state.get("state_dict", state.get("model", state)) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ModelError(f"{path}: holds no table of tensors")
    return state
