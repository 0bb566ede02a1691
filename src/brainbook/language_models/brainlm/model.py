"""The model: transformers' own BERT, with the scans of the brain as its second segment."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerBase

from brainbook.checkpoints import read_tensors
from brainbook.errors import DatasetError, ModelError
from brainbook.store import atomic_write

BRAIN_FILE = "brain/brain.safetensors"  # below a model's folder, where transformers does not look
TEXT, BRAIN = 0, 1  # token types: the two segments
NOT_STORED = ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias", "position_ids")  # tied, or fixed


class BrainLM(nn.Module):
    """BERT over text tokens and, after them, the projected features of scans (as UNITER does it with image regions).

    Text keeps BERT's embeddings and segment 0. A scan's features are projected, normalised, and added to the embedding
    of segment 1 and of its own position (0 for the first scan, so that it does not depend on the length of the text).

    Examples
    --------
    >>> import torch
    >>> from transformers import BertConfig
    >>> size = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    >>> config = BertConfig(vocab_size=30, **size)
    >>> model = BrainLM(config, n_features=5)
    >>> text, mask, scans = torch.ones(2, 4, dtype=int), torch.ones(2, 4, dtype=int), torch.randn(2, 3, 5)
    >>> [states.shape for states in model(text, mask, scans)]  # two texts of four tokens, each with three scans
    [torch.Size([2, 4, 8]), torch.Size([2, 3, 8])]
    """

    def __init__(self, config: BertConfig, n_features: int) -> None:
        super().__init__()
        if config.type_vocab_size < 2:
            raise ModelError(f"the BERT has {config.type_vocab_size} token type: the brain segment needs a second one")
        self.n_features = n_features
        self.text = BertForMaskedLM(config)
        units = config.hidden_size
        self.project = nn.Sequential(nn.Linear(n_features, units), nn.LayerNorm(units))
        self.hidden_scan = nn.Parameter(torch.zeros(n_features))  # stands for a scan that is masked
        self.brain_head = nn.Sequential(nn.Linear(units, units), nn.GELU(), nn.Linear(units, n_features))
        self.matching_head = nn.Sequential(nn.Linear(units, units), nn.Tanh(), nn.Linear(units, 1))

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
        """Return the states of the last layer.

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
        """Return scores of every piece of the vocabulary: [..., units] -> [..., vocabulary]."""
        return self.text.cls(states)

    def match(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, brain: torch.Tensor) -> torch.Tensor:
        """Return how well text and brain belong together: [batch], between 0 and 1."""
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
    model.text.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    own = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items() if not k.startswith("text.")}
    with atomic_write(Path(folder) / BRAIN_FILE) as temporary:
        save_file(own, temporary)


def load_brainlm(folder: str | Path) -> BrainLM:
    """Read what `save_brainlm` wrote. ModelError names the file that is missing, damaged or of other shapes."""
    folder = Path(folder)
    if not (folder / BRAIN_FILE).exists():
        raise ModelError(f"{folder}: no {BRAIN_FILE}: a text model, not a BrainLM")
    text, own = (read_tensors(folder / name) for name in ("model.safetensors", BRAIN_FILE))
    try:
        model = BrainLM(BertConfig.from_pretrained(folder), own["hidden_scan"].numel())
    except KeyError as error:
        raise ModelError(f"{folder / BRAIN_FILE}: no tensor {error}") from error
    except ModelError:
        raise
    except Exception as error:  # whatever a configuration can hold
        raise ModelError(f"{folder / 'config.json'}: no BERT can be made of it: {error}") from error
    return fill_weights(model, {**{f"text.{k}": v for k, v in text.items()}, **own}, str(folder))


def fill_weights(model: BrainLM, tensors: dict[str, torch.Tensor], source: str) -> BrainLM:
    """Load `tensors` into `model`. ModelError names `source` and what is missing, unknown or of another shape."""
    expected = model.state_dict()
    wrong = [
        f"{name} {tuple(tensors[name].shape)}, not {tuple(weights.shape)}"
        for name, weights in expected.items()
        if name in tensors and tensors[name].shape != weights.shape
    ]
    missing = sorted(name for name in expected if name not in tensors and not name.endswith(NOT_STORED))
    unknown = sorted(set(tensors) - set(expected))
    for fault, names in (("of other shapes", wrong), ("missing", missing), ("unknown", unknown)):
        if names:
            raise ModelError(f"{source}: {len(names)} tensors {fault}, such as {'; '.join(names[:3])}")
    model.load_state_dict(tensors, strict=False)
    return model.eval()
