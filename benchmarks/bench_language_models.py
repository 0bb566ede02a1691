"""States of words and training of BrainLM beside what a user would write with transformers alone.

    python benchmarks/bench_language_models.py [--units 768 --layers 12] [--words 100] [--context 64] [--keep]

- exact contexts, one a word: `word_states` against a loop over words (BERT-base shape, random weights);
- training: BrainLM 1.0 without a brain against transformers' BertForMaskedLM of the same shape, tokens per second.
Ratios mean more than seconds: both are measured in turn on the same machine. `difference` is the largest distance from
the loop's states, as a share of their spread. With --keep the table goes to book/archive/bench.
"""

import argparse
import time

import numpy as np
import pandas as pd
import torch
from transformers import BertConfig, BertForMaskedLM, BertModel

from brainbook.language_models import LanguageModel, word_states
from brainbook.language_models.brainlm.model import BrainLM
from brainbook.language_models.tiny.corpus import make_tokenizer
from brainbook.language_models.tiny.settings import TinySettings
from brainbook.phantom.story import words_with_truth
from brainbook.training import fit
from brainbook.workflow import archive_table


def naive_states(model: LanguageModel, words: list[str], context: int) -> np.ndarray:
    """One reading a word, as one writes it first: [layers + 1, words, units]."""
    states = []
    for last in range(len(words)):
        encoded = model.tokenizer(" ".join(words[max(0, last - context) : last + 1]), return_tensors="pt")
        with torch.inference_mode():
            hidden = model.model(**encoded, output_hidden_states=True).hidden_states
        owner = np.array([-1 if word is None else word for word in encoded.word_ids()])
        states.append(np.stack([layer[0, owner == owner.max()].mean(0).numpy() for layer in hidden]))
    return np.stack(states, 1)


def bench_states(units: int, layers: int, n_words: int, context: int) -> list[dict]:
    tokenizer = make_tokenizer(TinySettings("bert", max_tokens=512))
    sizes = {"hidden_size": units, "num_hidden_layers": layers, "num_attention_heads": units // 64}
    sizes |= {"intermediate_size": 4 * units, "vocab_size": len(tokenizer)}
    model = LanguageModel("bench", BertModel(BertConfig(**sizes)).eval(), tokenizer)
    words = words_with_truth(n_words // 8 + 20, 0)["word"].tolist()[:n_words]
    word_states(model, words[:3], context)  # what a first call makes is nobody's
    rows, loop = [], None
    for name, read in (
        ("loop over words, transformers", lambda: naive_states(model, words, context)),
        ("word_states, exact", lambda: word_states(model, words, context)),
        ("word_states, bf16", lambda: word_states(model, words, context, precision="bf16")),
        ("word_states, stride 8", lambda: word_states(model, words, context, stride=8)),
    ):
        begun = time.perf_counter()
        states = read()
        rate = len(words) / (time.perf_counter() - begun)
        loop = loop or (rate, states)
        difference = np.abs(states - loop[1]).max() / loop[1].std()
        row = {"what": f"states, {units} units, {layers} layers, context {context}", "contestant": name}
        rows.append(row | {"per_second": rate, "unit": "words", "times_peer": rate / loop[0], "difference": difference})
    return rows


def bench_training(steps: int, batch: int, tokens: int) -> list[dict]:
    config = BertConfig(
        vocab_size=546, hidden_size=128, num_hidden_layers=6, num_attention_heads=4, intermediate_size=256,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, max_position_embeddings=96,
    )  # fmt: skip
    ids = torch.randint(5, 546, (batch, tokens))
    mask, labels = torch.ones_like(ids), torch.where(torch.rand(ids.shape) < 0.15, ids, -100)

    def own(model: BrainLM, given: torch.Tensor) -> torch.Tensor:
        states, _ = model(given, mask)
        wanted = labels != -100
        return torch.nn.functional.cross_entropy(model.words(states[wanted]), labels[wanted])

    def plain(model: BertForMaskedLM) -> float:
        optimizer = torch.optim.AdamW(model.parameters())
        begun = time.perf_counter()
        for _ in range(steps):
            model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        return time.perf_counter() - begun

    def ours(model: BrainLM) -> float:
        begun = time.perf_counter()
        fit(model, [ids], own, steps=steps, device="cpu")
        return time.perf_counter() - begun

    best = {"BertForMaskedLM": np.inf, "BrainLM": np.inf}
    for _ in range(3):  # in turn, the best of three
        best["BertForMaskedLM"] = min(best["BertForMaskedLM"], plain(BertForMaskedLM(config)))
        best["BrainLM"] = min(best["BrainLM"], ours(BrainLM(config, 64)))
    row = {"what": f"training step, 128 units, 6 layers, batch {batch} x {tokens}", "unit": "tokens"}
    return [
        row
        | {
            "contestant": name,
            "per_second": steps * batch * tokens / seconds,
            "times_peer": best["BertForMaskedLM"] / seconds,
        }
        for name, seconds in best.items()
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=768)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--words", type=int, default=100)
    parser.add_argument("--context", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--keep", action="store_true", help="keep the table with the book")
    given = parser.parse_args()
    rows = bench_states(given.units, given.layers, given.words, given.context) + bench_training(given.steps, 32, 44)
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format="{:.4g}".format))
    if given.keep:
        options = " ".join(f"--{name} {value}" for name, value in vars(given).items() if name != "keep")
        command = f"python benchmarks/bench_language_models.py {options} --keep"
        archive_table("bench", "language_models", table.assign(threads=torch.get_num_threads()), command)
