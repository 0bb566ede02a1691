"""Everything that runs on a GPU: right, as the processor has it in float64 or float32, and how fast beside others.

    python benchmarks/gpu.py [--parts ridge permutations states transfer brainlm numbers] [--keep]
    python benchmarks/gpu.py --device cpu --tiny

One row per part, case and contestant:

- seconds: of `per` (a fit, a permutation, a word, a step); times_brainbook: over this package's.
- error: the largest distance from the reference that `check` names, in its own unit.
- tflops, share_of_peak: operations per second of the model's matrix products, and as a share of what one large
  bfloat16 product reaches on the same card.
- gpu_gb: the peak of the card's memory.

A part that fails is named, leaves the others alone, and makes the exit status 1.
"""

import argparse
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from bench_language_models import naive_states
from bench_numbers import batch as number_batch, load_images, multivae_step
from bench_ridge import as_numpy, data, make
from transformers import AlbertConfig, AlbertModel, BertConfig, BertForMaskedLM, BertModel

from brainbook.encoding import correlation, cross_validate, leave_one_run_out, permutation_scores
from brainbook.language_models import LanguageModel, word_states
from brainbook.language_models.brainlm.examples import pair_scans, phantom_recordings
from brainbook.language_models.brainlm.model import BrainLM
from brainbook.language_models.brainlm.settings import BrainLMSettings
from brainbook.language_models.brainlm.training import train_brainlm
from brainbook.language_models.sentence_matching.settings import TransferSettings
from brainbook.language_models.sentence_matching.transfer import fine_tune, phantom_pairs
from brainbook.language_models.tiny.corpus import make_tokenizer
from brainbook.language_models.tiny.settings import TinySettings
from brainbook.number_sense import MMVAE, make_image_pairs
from brainbook.number_sense.objectives import bound, draw_noise
from brainbook.number_sense.presets import make_study
from brainbook.number_sense.runs import list_jobs
from brainbook.number_sense.training import train
from brainbook.phantom.story import words_with_truth

Rows = Iterator[dict]


@dataclass(frozen=True)
class Sizes:
    """How large everything is: as people have it, or tiny, so that every line runs on a processor."""

    ridge: dict
    checked: tuple[int, int, int]  # scans, features, targets of what is compared with float64
    permutations: int
    bert: dict
    albert: dict
    words: int
    naive_words: int
    base: dict  # of the model whose training steps are timed
    steps: int
    number_seeds: int
    number_steps: int


FULL = Sizes(
    ridge={"A": (2800, 4096, 20_484), "C": (2800, 1024, 20_484), "A, regions of 10": (2800, 4096, 1480)},
    checked=(450, 700, 300),
    permutations=100,
    bert={"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096},
    albert={"hidden_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 8192},
    words=3000,
    naive_words=60,
    base={"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
    steps=60,
    number_seeds=20,
    number_steps=40,
)
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
SMALL_MODEL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
TINY = Sizes(
    ridge={"A": (180, 256, 300), "C": (180, 64, 300)},
    checked=(90, 130, 20),
    permutations=3,
    bert=SMALL_MODEL,
    albert=SMALL_MODEL,
    words=40,
    naive_words=5,
    base=SMALL_MODEL,
    steps=3,
    number_seeds=2,
    number_steps=2,
)


def timed(device: str, work: Callable, /, *arguments, **options) -> tuple[float, float, object]:
    """Return seconds, the card's peak memory in GB, and what `work` returns."""
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    result = work(*arguments, **options)
    if device == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    return seconds, torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else 0.0, result


def peak_rate(device: str) -> float:
    """Return operations per second of one large bfloat16 matrix product."""
    n = 8192 if device == "cuda" else 256
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * n**3 / min(timed(device, torch.matmul, a, b)[0] for _ in range(6))


def nine_runs(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features, responses and runs."""
    x, y = data(shape)
    return x, y, np.repeat(np.arange(9), -(-len(x) // 9))[: len(x)]


def ridge(sizes: Sizes, device: str) -> Rows:
    """RidgeEncoder and himalaya's two, and nested cross-validation against float64 on the processor."""
    x, y, runs = nine_runs(sizes.checked)
    exact = cross_validate(x, y, runs, (1, 2), device="cpu", dtype="float64")
    found = cross_validate(x, y, runs, (1, 2), device=device)
    same = found.best_alphas == exact.best_alphas
    error = np.abs(found.fold_scores - exact.fold_scores)[same].max()
    row = {"case": "nested, checked", "contestant": "brainbook", "error": error, "same_alphas": same.mean()}
    yield row | {"check": "r of float64 on the processor, where the alpha is the same"}
    for case, shape in sizes.ridge.items():
        x, y = data(shape)
        train, own = shape[0], None
        for name in ("brainbook", "brainbook approximate", "himalaya KernelRidgeCV", "himalaya RidgeCV"):
            if name == "himalaya RidgeCV" and shape[1] > shape[0]:
                continue  # singular vectors of more features than scans: the kernel is the way
            kind = name if device == "cuda" or "himalaya" not in name else f"{name} numpy"
            make(kind, device).fit(x[:200, :50], y[:200, :50])  # loads the card's libraries
            seconds, gpu, model = timed(device, make(kind, device).fit, x[:train], y[:train])
            best = np.log10([float(alpha) for alpha in model.best_alphas_]).round(3)
            r = correlation(as_numpy(model.predict(x[train:])), y[train:])
            own = own or (seconds, best, r)
            row = {"case": case, "contestant": name, "per": "fit", "seconds": seconds, "gpu_gb": gpu}
            row |= {"times_brainbook": seconds / own[0], "same_alphas": np.mean(best == own[1])}
            yield row | {"error": np.abs(r - own[2]).mean(), "check": "mean distance of held-out r from brainbook's"}


def permutations(sizes: Sizes, device: str) -> Rows:
    """One map for all permutations, against the processor's scores, and beside fitting anew with himalaya."""
    x, y, runs = nine_runs(sizes.checked)
    ours, exact = (permutation_scores(x, y, runs, 1e2, n_permutations=5, device=where) for where in (device, "cpu"))
    error = np.abs(ours.null - exact.null).max()
    yield {"case": "checked", "contestant": "brainbook", "error": error, "check": "null r of the processor"}
    x, y, runs = nine_runs(sizes.ridge["C"])
    few = 50_000 // y.shape[1] + 1  # from this many on the map is made thin where that pays
    counts = few, few + sizes.permutations
    spent = [timed(device, permutation_scores, x, y, runs, 1e3, n_permutations=n, device=device) for n in counts]
    each = max(spent[1][0] - spent[0][0], 1e-9) / sizes.permutations
    row = {"case": "C", "contestant": "brainbook", "per": "permutation", "seconds": each, "times_brainbook": 1.0}
    yield row | {"gpu_gb": spent[1][1]}
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import KernelRidge

    set_backend("torch_cuda" if device == "cuda" else "numpy")

    def refit():
        return [KernelRidge(alpha=1e3).fit(x[a], y[a]).predict(x[b]) for a, b in leave_one_run_out(runs)]

    refit()
    seconds, gpu, _ = timed(device, refit)
    row = {"case": "C", "contestant": "himalaya KernelRidge, fitted anew", "per": "permutation", "seconds": seconds}
    yield row | {"times_brainbook": seconds / each, "gpu_gb": gpu}


def states(sizes: Sizes, device: str) -> Rows:
    """Exact contexts of 64 words, beside one reading a word as one writes it with transformers."""
    tokenizer = make_tokenizer(TinySettings("bert", max_tokens=512))
    words = words_with_truth(sizes.words // 8 + 20, 0)["word"].tolist()[: sizes.words]
    few, peak, common = words[: sizes.naive_words], peak_rate(device), {"vocab_size": len(tokenizer)}
    for case, network in {
        "BERT-large": BertModel(BertConfig(**sizes.bert, **common), add_pooling_layer=False),
        "ALBERT-xlarge": AlbertModel(AlbertConfig(**sizes.albert, **common), add_pooling_layer=False),
    }.items():
        model = LanguageModel(case, network.eval(), tokenizer)
        exact = word_states(model, few)
        network.to(device)
        n_tokens = count_tokens(network, word_states, model, words, precision="bf16")
        c, own = network.config, None
        per_token = 2 * c.num_hidden_layers * (4 * c.hidden_size**2 + 2 * c.hidden_size * c.intermediate_size)
        for name, precision in {"brainbook, bf16": "bf16", "brainbook, float32": "no"}.items():
            error = np.abs(word_states(model, few, precision=precision) - exact).max() / exact.std()
            seconds, gpu, _ = timed(device, word_states, model, words, precision=precision)
            own = own or seconds / len(words)
            rate = n_tokens * per_token / seconds
            row = {"case": case, "contestant": name, "per": "word", "seconds": seconds / len(words), "gpu_gb": gpu}
            row |= {"times_brainbook": row["seconds"] / own, "tflops": rate / 1e12, "share_of_peak": rate / peak}
            yield row | {"error": error, "check": "states on the processor, over their spread"}
        seconds, gpu, _ = timed(device, naive_states, LanguageModel(case, Placed(network, device), tokenizer), few, 64)
        row = {"case": case, "contestant": "transformers, a loop over words", "per": "word", "gpu_gb": gpu}
        yield row | {"seconds": seconds / len(few), "times_brainbook": seconds / len(few) / own}


class Placed:
    """A model that takes its inputs to the device and gives its states back, as a loop by hand does."""

    def __init__(self, network: torch.nn.Module, device: str):
        self.network, self.device = network, device

    def __call__(self, **inputs):
        moved = {name: part.to(self.device) if torch.is_tensor(part) else part for name, part in inputs.items()}
        output = self.network(**moved)
        output.hidden_states = [layer.cpu() for layer in output.hidden_states]
        return output


def count_tokens(network: torch.nn.Module, work: Callable, *arguments, **options) -> int:
    """Return how many tokens, padding included, the network reads during `work`."""
    read = []
    hook = network.register_forward_pre_hook(lambda _, __, k: read.append(k["input_ids"].numel()), with_kwargs=True)
    work(*arguments, **options)
    hook.remove()
    return sum(read)


def step_rows(own: float, error: float, peer: str, theirs: float) -> Rows:
    """Yield the rows of a training step and of what it is compared with."""
    row = {"case": "base", "contestant": "brainbook, bf16", "per": "step", "seconds": own, "times_brainbook": 1.0}
    yield row | {"error": error, "check": "loss of two steps on the processor, float32"}
    yield {"case": "base", "contestant": peer, "per": "step", "seconds": theirs, "times_brainbook": theirs / own}


def step_seconds(curve: pd.DataFrame) -> float:
    """Return the mean time of a step after the first third."""
    late = curve.iloc[len(curve) // 3 :]
    return float((late.seconds.iloc[-1] - late.seconds.iloc[0]) / (len(late) - 1))


def plain_steps(network: torch.nn.Module, loss: Callable, steps: int, device: str) -> float:
    """Return the mean time of a step, after the first third, of the plainest loop, autocast to bfloat16."""
    network = network.to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)

    def run(count: int) -> None:
        for _ in range(count):
            with torch.autocast(device, torch.bfloat16):
                value = loss(network)
            value.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

    run(steps // 3)
    return timed(device, run, steps - steps // 3)[0] / (steps - steps // 3)


def transfer(sizes: Sizes, device: str) -> Rows:
    """A step of fine-tuning on 32 sentence pairs, beside two readings and a cosine by hand."""
    tokenizer = make_tokenizer(TinySettings("bert", max_tokens=128))
    network = BertModel(BertConfig(**sizes.base, **NO_DROPOUT, vocab_size=len(tokenizer)), add_pooling_layer=False)
    model, pairs = LanguageModel("bench", network.eval(), tokenizer), phantom_pairs(400)
    pairs = pairs[pairs.part == "train"]
    settings = {"validate_every": 10**6, "learning_rate": 1e-4}
    two = [fine_tune(model, pairs, TransferSettings(**settings, steps=2), where)[1].loss for where in (device, "cpu")]
    _, curve = fine_tune(model, pairs, TransferSettings(**settings, steps=sizes.steps, precision="bf16"), device)
    ids = tokenizer(pairs["first"].tolist()[:32], return_tensors="pt", padding=True)["input_ids"].to(device)

    def loss(network: torch.nn.Module) -> torch.Tensor:
        vectors = [network(input_ids=ids).last_hidden_state.mean(1) for _ in range(2)]
        return 1 - torch.nn.functional.cosine_similarity(*vectors).mean()

    theirs = plain_steps(network, loss, sizes.steps, device)
    yield from step_rows(
        step_seconds(curve), np.abs(two[0] - two[1]).max(), "transformers, a loop by hand, bf16", theirs
    )


def brainlm(sizes: Sizes, device: str) -> Rows:
    """A step of BrainLM 1.0 on 32 texts with their scans, beside transformers' BertForMaskedLM on the texts alone."""
    tokenizer = make_tokenizer(TinySettings("bert", max_tokens=128))
    config = BertConfig(**sizes.base, **NO_DROPOUT, vocab_size=len(tokenizer))
    words, brain, runs = phantom_recordings(300, seed=1)
    pairs, start, two = pair_scans(words, brain, runs, tokenizer), BrainLM(config, brain.shape[1]), []
    settings = {"tasks": {"masked_language": 1.0}, "learning_rate": 1e-4}
    for where in (device, "cpu"):
        model = BrainLM(config, brain.shape[1])
        model.load_state_dict(start.state_dict())
        two.append(train_brainlm(model, pairs, tokenizer, BrainLMSettings(**settings, steps=2), where).loss)
    options = BrainLMSettings(**settings, steps=sizes.steps, precision="bf16")
    curve = train_brainlm(start, pairs, tokenizer, options, device)
    ids, mask = pairs.input_ids[:32].to(device), pairs.attention_mask[:32].to(device)
    labels = torch.where(torch.rand(ids.shape, device=device) < 0.15, ids, -100)

    def loss(network: torch.nn.Module) -> torch.Tensor:
        return network(input_ids=ids, attention_mask=mask, labels=labels).loss

    theirs = plain_steps(BertForMaskedLM(config), loss, sizes.steps, device)
    error = np.abs(two[0] - two[1]).max()
    yield from step_rows(step_seconds(curve), error, "transformers' BertForMaskedLM, bf16", theirs)


def numbers(sizes: Sizes, device: str) -> Rows:
    """Seeds of the paper's MMVAE side by side, how long the whole preset takes at that rate, and multivae."""
    changes = {"training_epochs": None, "training_steps": sizes.number_steps, "n_train": 4000, "digits": "embedded"}
    study, paper = make_study("paper", **changes), make_study("paper")
    pairs = make_image_pairs({"train": study.n_train})["train"]
    images = {name: part.pixels[:64].reshape(1, 64, -1) for name, part in pairs.aligned().items()}
    model, objective, values = MMVAE(study.model), study.objective.replace(samples=2), []
    noise = draw_noise(model, 2, 64, [0], "cpu")
    for where in (device, "cpu"):
        shown = {name: torch.from_numpy(part).float().div(255).to(where) for name, part in images.items()}
        value, _ = bound(model.to(where), shown, objective, tuple(part.to(where) for part in noise))
        values.append(value.detach().cpu())
    error = float((values[0] - values[1]).abs().max())
    yield {"case": "bound, checked", "contestant": "brainbook", "error": error, "check": "nats on the processor"}
    own = {}
    for count in (1, sizes.number_seeds):
        several = MMVAE(study.model, range(count))
        _, gpu, curve = timed(device, train, several, pairs, study.objective, study.training, device=device)
        own[count] = step_seconds(curve)
        row = {"case": f"DReG of 20 samples, {count} seeds", "contestant": "brainbook, bf16", "per": "step"}
        yield row | {"seconds": own[count], "times_brainbook": 1.0, "gpu_gb": gpu}
    jobs = [job for job in list_jobs(paper, together=True) if job.arm not in ("untrained", "pixels")]
    n_steps = paper.training.n_steps(paper.n_train)
    row = {"case": "the paper preset", "contestant": "brainbook, bf16", "per": "study, at most"}
    row["seconds"] = len(jobs) * n_steps * own[sizes.number_seeds]
    yield row | {"check": f"{len(jobs)} jobs of {n_steps} steps, each as long as an MMVAE's"}
    row = {"case": "DReG of 20 samples, 1 seeds", "contestant": "multivae 1.0.3, float32", "per": "step"}
    with torch.device(device):  # multivae makes its tensors where the default is
        step = multivae_step(20, "dreg_looser")
        if step is None:
            yield row | {"check": "not installed: see bench_numbers.py"}
            return
        shown = {name: part.to(device) for name, part in number_batch(load_images(), 0).items()}
        seconds = np.median([timed(device, step, shown, 0)[0] for _ in range(sizes.number_steps)][1:])
    yield row | {"seconds": seconds, "times_brainbook": seconds / own[1]}


PARTS = {part.__name__: part for part in (ridge, permutations, states, transfer, brainlm, numbers)}
COLUMNS = ["part", "case", "contestant", "per", "seconds", "times_brainbook", "same_alphas", "error", "check"]
COLUMNS += ["tflops", "share_of_peak", "gpu_gb"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--tiny", action="store_true", help="sizes at which a processor runs everything in a minute")
    parser.add_argument("--keep", action="store_true", help="archive the table with the book, under the card's name")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        print("there is no GPU that torch can use here: --device cpu --tiny runs every line without one")
        return 2
    warnings.simplefilter("ignore")
    card = torch.cuda.get_device_name() if given.device == "cuda" else "cpu"
    rows, failed = [], []
    for name in given.parts:
        start = time.perf_counter()
        try:
            for row in PARTS[name](TINY if given.tiny else FULL, given.device):
                rows.append({"part": name} | row)
        except Exception:
            failed.append(name)
            traceback.print_exc()
        print(f"{name}: {time.perf_counter() - start:.0f} s{' FAILED' if name in failed else ''}", flush=True)
    table = pd.DataFrame(rows).reindex(columns=COLUMNS)
    print(f"{card}, torch {torch.__version__}\n{table.to_string(index=False, float_format='{:.4g}'.format)}")
    if given.keep:
        from brainbook.workflow import archive_table

        parts = f" --parts {' '.join(given.parts)}" if given.parts != list(PARTS) else ""
        options = (
            parts + (f" --device {given.device}" if given.device == "cpu" else "") + (" --tiny" if given.tiny else "")
        )
        command = f"python benchmarks/gpu.py{options} --keep"
        archive_table("bench", "gpu", table.assign(card=card, torch=torch.__version__), command)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
