"""The model: transformers' own BERT, with the scans of the brain as its second segment."""

import json
import re
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerBase

from brainbook.checkpoints import read_tensors
from brainbook.errors import DatasetError, ModelError

TEXT, BRAIN = 0, 1  # token types: the two segments


class BrainLM(nn.Module):
    """BERT over text tokens and, after them, the projected features of scans (as UNITER does it with image regions).

    Text keeps BERT's embeddings and segment 0. A scan's features are projected, normalised, and added to the embedding
    of segment 1 and of its own position (0 for the first scan, so that it does not depend on the length of the text).
    """

    def __init__(self, config: BertConfig, n_features: int):
        super().__init__()
        if config.type_vocab_size < 2:
            raise ModelError(f"the BERT has {config.type_vocab_size} token type: the brain segment needs a second one")
        self.n_features = n_features
        self.text = BertForMaskedLM(config)
        self.project = nn.Sequential(nn.Linear(n_features, config.hidden_size), nn.LayerNorm(config.hidden_size))
        self.hidden_scan = nn.Parameter(torch.zeros(n_features))  # stands for a scan that is masked
        self.brain_head = nn.Sequential(
            nn.Linear(config.hidden_size, config.hidden_size), nn.GELU(), nn.Linear(config.hidden_size, n_features)
        )
        self.matching_head = nn.Sequential(
            nn.Linear(config.hidden_size, config.hidden_size), nn.Tanh(), nn.Linear(config.hidden_size, 1)
        )

    @property
    def config(self) -> BertConfig:
        return self.text.config

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        brain: torch.Tensor | None = None,
        hidden: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """States of the last layer.

        Parameters
        ----------
        input_ids, attention_mask : [batch, tokens].
        brain : [batch, scans, features], or None for text alone.
        hidden : bool [batch, scans]: scans that are masked.

        Returns
        -------
        states of the tokens [batch, tokens, units] and of the scans [batch, scans, units] (None without brain).
        """
        bert = self.text.bert
        embedded = bert.embeddings.word_embeddings(input_ids)  # batch, tokens, units
        n_tokens = input_ids.shape[1]
        types = torch.full_like(input_ids, TEXT)
        positions = torch.arange(n_tokens, device=input_ids.device).expand_as(input_ids)
        if brain is not None:
            self._check(input_ids, brain)
            if hidden is not None:
                brain = torch.where(hidden[..., None], self.hidden_scan.to(brain.dtype), brain)
            present = torch.ones(brain.shape[:2], dtype=torch.long, device=brain.device)  # batch, scans
            embedded = torch.cat([embedded, self.project(brain)], 1)
            types = torch.cat([types, present * BRAIN], 1)
            positions = torch.cat([positions, torch.arange(brain.shape[1], device=brain.device).expand_as(present)], 1)
            attention_mask = torch.cat([attention_mask, present], 1)
        states = bert(
            inputs_embeds=embedded, attention_mask=attention_mask, token_type_ids=types, position_ids=positions
        ).last_hidden_state
        return states[:, :n_tokens], states[:, n_tokens:] if brain is not None else None

    def words(self, states: torch.Tensor) -> torch.Tensor:
        """Scores of every piece of the vocabulary: [..., units] -> [..., vocabulary]."""
        return self.text.cls(states)

    def match(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, brain: torch.Tensor) -> torch.Tensor:
        """How well text and brain belong together: [batch], between 0 and 1."""
        states, _ = self(input_ids, attention_mask, brain)
        return torch.sigmoid(self.matching_head(states[:, 0]))[:, 0]

    def _check(self, input_ids: torch.Tensor, brain: torch.Tensor) -> None:
        if brain.ndim != 3 or brain.shape[2] != self.n_features:
            expected = f"[batch, scans, {self.n_features} features]"
            raise DatasetError(f"brain has shape {tuple(brain.shape)}: expected {expected}")
        if len(brain) != len(input_ids):
            raise DatasetError(f"{len(input_ids)} texts but {len(brain)} stretches of brain")
        if not torch.isfinite(brain).all():
            raise DatasetError("brain features hold values that are not numbers: mask or drop those scans first")


def save_brainlm(model: BrainLM, tokenizer: PreTrainedTokenizerBase, folder: str | Path) -> None:
    """Write a folder that `load_language_model` reads (its text part) and `load_brainlm` reads (all of it)."""
    folder = Path(folder)
    model.text.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    own = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items() if not k.startswith("text.")}
    (folder / "brain").mkdir()
    save_file(own, folder / "brain" / "brain.safetensors")
    (folder / "brain" / "brainlm.json").write_text(json.dumps({"n_features": model.n_features}), encoding="utf-8")


def load_brainlm(folder: str | Path) -> BrainLM:
    """Read what `save_brainlm` wrote. ModelError names the file that is missing, damaged or of other shapes."""
    folder = Path(folder)
    sizes = folder / "brain" / "brainlm.json"
    if not sizes.exists():
        raise ModelError(f"{folder}: no brain/brainlm.json: a text model, not a BrainLM")
    try:
        n_features = json.loads(sizes.read_text(encoding="utf-8"))["n_features"]
        if type(n_features) is not int or not 1 <= n_features < 1 << 20:
            raise ValueError(f"n_features is {n_features!r}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{sizes}: not what was written: {error!r}") from error
    text, own = (read_tensors(folder / name) for name in ("model.safetensors", "brain/brain.safetensors"))
    try:
        model = BrainLM(BertConfig.from_pretrained(folder), n_features)
    except ModelError:
        raise
    except Exception as error:  # whatever a configuration can hold
        raise ModelError(f"{folder / 'config.json'}: no BERT can be made of it: {error}") from error
    return _fill(model, {**{f"text.{k}": v for k, v in text.items()}, **own}, str(folder)).eval()


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


def convert_published(state: dict[str, torch.Tensor], source: str = "checkpoint") -> BrainLM:
    """A BrainLM from the tensors of a published checkpoint, its size read off their shapes.

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
        renamed[name] = tensor
    renamed = {name: tensor for name, tensor in renamed.items() if not re.search(LEFT_OUT, name)}
    try:
        pieces, units = renamed["text.bert.embeddings.word_embeddings.weight"].shape
        positions = len(renamed["text.bert.embeddings.position_embeddings.weight"])
        types = len(renamed["text.bert.embeddings.token_type_embeddings.weight"])
        inner = len(renamed["text.bert.encoder.layer.0.intermediate.dense.weight"])
        n_features = renamed["project.0.weight"].shape[1]
    except KeyError as error:
        what = f"no {error.args[0]} among its {len(state)} tensors"
        raise ModelError(f"{source}: {what}: not a BrainLM checkpoint") from None
    layers = 1 + max(int(found[1]) for name in renamed if (found := re.search(r"encoder\.layer\.(\d+)\.", name)))
    config = BertConfig(
        vocab_size=pieces, hidden_size=units, num_hidden_layers=layers, num_attention_heads=max(1, units // 64),
        intermediate_size=inner, max_position_embeddings=positions, type_vocab_size=types,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = BrainLM(config, n_features)
    own = {k: v for k, v in model.state_dict().items() if k.startswith(("brain_head", "matching_head", "hidden_scan"))}
    words = renamed["text.bert.embeddings.word_embeddings.weight"]
    renamed.setdefault("text.cls.predictions.decoder.weight", words)  # tied
    if "text.cls.predictions.bias" in renamed:
        renamed.setdefault("text.cls.predictions.decoder.bias", renamed["text.cls.predictions.bias"])
    return _fill(model, {**own, **renamed}, source).eval()


def read_checkpoint(path: str | Path) -> dict[str, torch.Tensor]:
    """Tensors of a .safetensors file, or of a torch file (read with weights_only: no code in it is run)."""
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


def _fill(model: BrainLM, tensors: dict[str, torch.Tensor], source: str) -> BrainLM:
    wanted = model.state_dict()
    tied = {"text.cls.predictions.decoder.weight", "text.cls.predictions.decoder.bias"}
    wrong = [f"{k} {tuple(tensors[k].shape)}, not {tuple(v.shape)}" for k, v in wanted.items()
             if k in tensors and tensors[k].shape != v.shape]  # fmt: skip
    missing = sorted(set(wanted) - set(tensors) - tied - {k for k in wanted if k.endswith("position_ids")})
    unknown = sorted(set(tensors) - set(wanted))
    for what, names in (("of other shapes", wrong), ("missing", missing), ("unknown", unknown)):
        if names:
            raise ModelError(f"{source}: {len(names)} tensors {what}, such as {'; '.join(names[:3])}")
    model.load_state_dict({k: v for k, v in tensors.items()}, strict=False)
    return model
