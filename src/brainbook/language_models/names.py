"""Names of language models: on the Hugging Face hub, of the published BrainLM's files, of this package's own.

Nothing here imports torch: a study's models are checked by it before anything runs.
"""

import os
import re
from collections.abc import Iterable

from brainbook.errors import ModelError

# short names of this book -> names on the Hugging Face hub; the licence is what their page there says, and nothing of
# them is in this repository
HUB_NAMES = {
    "albert-xlarge-v1": "albert/albert-xlarge-v1",  # Apache-2.0
    "albert-xlarge-v2": "albert/albert-xlarge-v2",  # Apache-2.0
    "bert-large-uncased": "google-bert/bert-large-uncased",  # Apache-2.0
    "gpt2": "openai-community/gpt2",  # MIT
    "xlm-roberta-base": "FacebookAI/xlm-roberta-base",  # MIT
    "bert-base-multilingual-cased": "google-bert/bert-base-multilingual-cased",  # Apache-2.0
}
TINY_BRAINLMS = {"tiny-brainlm-1": "1.0", "tiny-brainlm-2": "2.0"}
PUBLISHED = "sakura050601/brainlm"  # on the hub
PUBLISHED_BRAINLMS = ("brainlm-1", "brainlm-2")
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")


def checkpoint_variable(name: str) -> str:
    """Return the environment variable that names a version's file: BRAINBOOK_BRAINLM_1 or BRAINBOOK_BRAINLM_2."""
    return f"BRAINBOOK_{name.upper().replace('-', '_')}"


def choose_checkpoint(name: str, files: Iterable[str]) -> str:
    """Choose which of a repository's files holds the weights of "brainlm-1" or "brainlm-2".

    The one that the environment variable BRAINBOOK_BRAINLM_1 (or _2) names, as a path within the repository; else the
    only one whose path says 1 or 1.0 (2 or 2.0) and not the other version. Nothing is guessed: a lone model.safetensors
    does not name its version, and one file under two names would be compared with itself.

    Raises
    ------
    ModelError : no file or several; the message names what is there and the variable.
    """
    weights = sorted(file for file in files if file.endswith(WEIGHTS))
    there = ", ".join(weights) or f"no weights ({', '.join(WEIGHTS)})"
    other = "brainlm-2" if name == "brainlm-1" else "brainlm-1"
    variable, other_variable = checkpoint_variable(name), checkpoint_variable(other)
    if named := os.environ.get(variable):
        if named not in weights:
            raise ModelError(f"{variable} is {named}, which is no file here, and {PUBLISHED} holds {there}")
        if named == os.environ.get(other_variable):
            raise ModelError(f"{variable} and {other_variable} are both {named}: one file is one version")
        return named
    candidates = [file for file in weights if _names(file, name[-1]) and not _names(file, other[-1])]
    if len(candidates) != 1:
        raise ModelError(
            f"{PUBLISHED} holds {there}: that does not tell which file is {name}. Set {variable} to its path there, or "
            "to that of a file on this machine"
        )
    return candidates[0]


def _names(file: str, version: str) -> bool:
    """Return whether a path names a version: as 1 or 1.0, not as a part of another number."""
    return re.search(rf"(?<![\d.]){version}(?:[._]0)?(?![\d]|[.]\d)", file.rpartition(".")[0]) is not None
