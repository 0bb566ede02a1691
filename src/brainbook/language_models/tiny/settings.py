"""The tiny models by name, and everything that they depend on."""

from dataclasses import dataclass, replace

from brainbook.errors import ModelError
from brainbook.phantom.story import LANGUAGES

JOINT = "-joint"
SHARP = {"sharpness": 25.0, "scene_change": 0.0}  # of the world of `sharp_share` (see `phantom.world.make_world`)


@dataclass(frozen=True)
class TinySettings:
    """Everything that a tiny model depends on.

    tokenizer_languages : whose words the tokenizer was made from. English alone is the real case (ALBERT, BERT): French
        falls to pieces and much of Chinese is unknown. All three: the joint tokenizer, a name ending in "-joint".
    known_characters : share of the Chinese characters that an English tokenizer happens to know: this sets the share of
        unknown words (BERT's and ALBERT's English vocabularies know some, too).
    languages : of the training text.
    windows : lengths in tokens of the curriculum's stages, of equal numbers of steps. In the first they begin with
        a sentence: masked models learn words in their places before they learn them anywhere.
    mask_share : of the tokens, in the training of masked models.
    causal_share : of the batches of a masked model: in these each token sees those before it and predicts the next, as
        in UniLM (Dong et al. 2019). Every token is then predicted, where masking asks for `mask_share` of them.
    sharp_share : of the steps, the first ones: they read stories of a world in which what comes next follows the hidden
        scene more closely, and the scene stays as it is (`SHARP`).
    """

    architecture: str  # "bert", "modernbert", "albert" or "llama"
    tokenizer_languages: tuple[str, ...] = ("EN",)
    pieces: int = 420
    known_characters: float = 0.4
    languages: tuple[str, ...] = ("EN",)
    n_sentences: int = 200_000
    layers: int = 6
    units: int = 64
    heads: int = 4
    inner: int = 128
    max_tokens: int = 96
    dropout: float = 0.0
    activation: str = "gelu"
    windows: tuple[int, ...] = (16, 16, 32, *[96] * 5)
    mask_share: float = 0.3
    causal_share: float = 0.0
    sharp_share: float = 0.0
    tokens_per_step: int = 2048
    steps: int = 2000
    learning_rate: float = 3e-3
    seed: int = 0


TINY_MODELS = {
    "tiny-bert": TinySettings("bert", windows=(16, 64, 64, 64, 96, 96, 96, 96), steps=4000),
    # the masked model that finds the hidden scene: by rotary positions, norms before its blocks, and such a training
    "tiny-modernbert": TinySettings(
        "modernbert", n_sentences=500_000, windows=(96,), causal_share=0.5, sharp_share=0.6, steps=20_000
    ),
    # rotary positions, learned at every place at once; so long that the story's hidden scene appears in its layers
    "tiny-causal": TinySettings(
        "llama", n_sentences=500_000, activation="silu", windows=(32, 96, 96, 96), tokens_per_step=4096, steps=10_000
    ),
    # as between the originals: version 2 without dropout, with another GELU, and trained on more text for longer
    "tiny-albert-v1": TinySettings("albert", dropout=0.1),
    "tiny-albert-v2": TinySettings("albert", n_sentences=300_000, activation="gelu_new", steps=2600),
}


def is_tiny(name: str) -> bool:
    """Return whether `name` is a tiny model, with either tokenizer."""
    return name.removesuffix(JOINT) in TINY_MODELS


def tiny_settings(name: str) -> TinySettings:
    """Return the settings behind a name; "-joint" at its end takes a tokenizer of all three languages, not of English.

    Raises ModelError for another name.
    """
    if not is_tiny(name):
        raise ModelError(f"'{name}' is no tiny model: {', '.join(TINY_MODELS)}, each also with '{JOINT}' at its end")
    settings = TINY_MODELS[name.removesuffix(JOINT)]
    return replace(settings, tokenizer_languages=LANGUAGES, pieces=1100) if name.endswith(JOINT) else settings
