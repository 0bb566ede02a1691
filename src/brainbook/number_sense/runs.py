"""A study carried out: judges, arms and seeds as jobs that are done once and kept, several at a time."""

import multiprocessing
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from brainbook.errors import ConfigurationError
from brainbook.number_sense import classifiers as judging
from brainbook.number_sense.classifiers import Classifier, train_classifier
from brainbook.number_sense.controls import PixelControl
from brainbook.number_sense.evaluation import COLUMNS, measure
from brainbook.number_sense.images import Images
from brainbook.number_sense.learning import train
from brainbook.number_sense.mmvae import MMVAE, VAE
from brainbook.number_sense.networks import CNNEncoder
from brainbook.number_sense.pairs import Pairs, make_pairs
from brainbook.number_sense.presets import Study
from brainbook.number_sense.recall import confusions, generated_accuracy, read_made
from brainbook.store import atomic_write, fingerprint
from brainbook.training import progress

HERE = Path(__file__).parent
# What a trained model depends on, and what its measures depend on besides; a change of these files makes them anew.
MAKING = ("objects", "digits", "pairs", "families", "networks", "mmvae", "objectives", "learning")
MEASURING = (
    "classifiers",
    "recall",
    "clusters",
    "magnitude",
    "arithmetic",
    "number_line",
    "evaluation",
    "controls",
    "runs",
)
TABLES = ("evaluation", "confusion", "number_line")


@dataclass(frozen=True)
class Job:
    """One arm of one design for some seeds.

    arm : "single" (a VAE of `source`), "multi" (MMVAE), "private" (MMVAE+), "untrained" (an MMVAE's first weights) or
    "pixels" (principal components).
    """

    design: str
    arm: str
    source: str | None
    seeds: tuple[int, ...]


def jobs(study: Study, together: bool = False) -> list[Job]:
    """All jobs of a study, one a seed, or one for all seeds `together` (for a GPU)."""
    found = []
    for design in study.designs:
        n = study.seeds if design == "published" else study.extra_seeds
        arms = [("single", "oscn"), ("multi", None)]
        if design == "published":
            arms = [("single", "oscn"), ("single", "cmnist"), ("multi", None), ("untrained", None)]
        if design == "published" and study.private:
            arms.append(("private", None))
        if design == "unseen":
            arms = [("multi", None)]
        for arm, source in arms:
            seeds = range(n if arm != "private" or study.private_seeds is None else study.private_seeds)
            groups = [tuple(seeds)] if together else [(seed,) for seed in seeds]
            found += [Job(design, arm, source, group) for group in groups if group]
        if n and design != "unseen":
            found.append(Job(design, "pixels", None, (0,)))
    order = ("multi", "private", "single", "untrained", "pixels")  # seed by seed, the long ones first
    return sorted(found, key=lambda job: (job.seeds[0], order.index(job.arm)))


@lru_cache(maxsize=3)  # one a design: jobs go from one to the next and back
def data(study: Study, design: str) -> dict[str, Pairs]:
    """Pairs by split ("train", "test") of a design."""
    placed = {"layout": "free", "area": "constant"} if design == "area" else {}
    without = study.left_out if design == "unseen" else ()
    sizes = {"train": study.n_train, "test": study.n_test}
    return make_pairs(sizes, digits=study.digits, without=without, seed=study.data_seed, **placed)


def judge(study: Study, design: str, modality: str, cache: str | Path, device: str = "auto") -> Classifier:
    """The judge of a modality, trained on the training images of the design and tested on its test images."""
    shown = {split: pairs.modalities[modality] for split, pairs in data(study, "published").items()}
    if design == "area" and modality == "oscn":
        shown = {split: pairs.oscn for split, pairs in data(study, "area").items()}
    key = fingerprint(
        {**_data_settings(study), "design": design, "modality": modality, "steps": study.judge_steps},
        _sources("objects", "digits", "networks", "classifiers"),
    )
    path = Path(cache) / "numbers" / f"judge-{modality}-{key}.safetensors"
    if path.exists():
        factors = tuple(shown["train"].factors)
        outputs = sum(judging.CLASSES[factor] for factor in factors)
        network = CNNEncoder(shown["train"].size, *judging.WIDTHS, outputs, [torch.Generator()])
        weights = load_file(path)
        accuracy = weights.pop("accuracy").tolist()
        network.load_state_dict(weights)
        return Classifier(network, factors, dict(zip(factors, accuracy, strict=True)))
    made = train_classifier(shown["train"], shown["test"], steps=study.judge_steps, seed=study.data_seed, device=device)
    made.network.cpu()
    accuracy = torch.tensor([made.accuracy[factor] for factor in made.factors], dtype=torch.float64)
    with atomic_write(path) as temporary:
        save_file({**made.network.state_dict(), "accuracy": accuracy}, temporary)
    return made


def classifiers_of(study: Study, design: str, cache: str | Path, device: str = "auto") -> dict[str, Classifier]:
    """The judges of both modalities; all designs but "area" share the published one's."""
    objects = "area" if design == "area" else "published"
    return {
        "oscn": judge(study, objects, "oscn", cache, device),
        "cmnist": judge(study, "published", "cmnist", cache, device),
    }


def model_of(study: Study, job: Job, cache: str | Path, device: str = "auto") -> MMVAE:
    """The job's model, trained now or before; several seeds are its copies."""
    settings = study.model
    if job.arm == "single":
        settings = settings.only(job.source)
    elif job.arm == "private":
        settings = settings.but(private=study.private)
    lit = None
    if study.pixels == "lit" and settings.architecture == "mlp":
        seen = data(study, job.design)["train"].modalities
        lit = {modality.name: seen[modality.name].pixels.any(axis=0) for modality in settings.modalities}
    model = (VAE if job.arm == "single" else MMVAE)(settings, seeds=job.seeds, lit=lit)
    if job.arm == "untrained":
        return model
    key = _key(study, job)
    path = Path(cache) / "numbers" / f"{job.design}-{job.arm}-{key}.safetensors"
    if not path.exists():
        checkpoint = path.with_suffix("")
        train(
            model,
            data(study, job.design)["train"],
            study.objective,
            study.training,
            device=device,
            checkpoint=checkpoint,
            description=f"{job.design} {job.arm} {job.source or ''} {job.seeds}",
        )
        model.cpu()
        with atomic_write(path) as temporary:
            save_file(model.state_dict(), temporary)
        shutil.rmtree(checkpoint)
    model.load_state_dict(load_file(path))
    return model


def trained(
    study: Study, arm: str, source: str | None = None, seed: int = 0, design: str = "published",
    cache: str | Path = "cache", device: str = "auto",
) -> MMVAE:  # fmt: skip
    """One model of a study that was run, for pictures; `run` has to be called before, or it is trained now."""
    together = device != "cpu" and torch.cuda.is_available()
    for job in jobs(study, together):
        if (job.design, job.arm, job.source) == (design, arm, source) and seed in job.seeds:
            return model_of(study, job, cache, device).copy(job.seeds.index(seed))
    raise ConfigurationError(f"no {arm!r} arm of {source or 'both modalities'} with seed {seed} in design {design!r}")


def do(study: Study, job: Job, cache: str | Path, device: str = "auto") -> dict[str, pd.DataFrame]:
    """Train and measure a job, or read what was measured before: tables by name, with columns design, arm and seed."""
    key = fingerprint(_key(study, job), {"judge_steps": study.judge_steps}, _sources(*MEASURING))
    folder = Path(cache) / "numbers" / f"{job.design}-{job.arm}-{key}"
    paths = {name: folder / f"{name}.parquet" for name in TABLES}
    if not all(path.exists() for path in paths.values()):
        made = {name: [] for name in TABLES}
        shown = {split: pairs.aligned() for split, pairs in data(study, job.design).items()}
        judges = classifiers_of(study, job.design, cache, device)
        whole = None if job.arm == "pixels" else model_of(study, job, cache, device)
        for index, seed in enumerate(job.seeds):
            model = PixelControl(shown["train"], study.model.latent) if whole is None else whole.copy(index)
            if job.design == "unseen":
                tables = _seen_and_unseen(model, shown["test"], judges, study.left_out)
            else:
                tables = measure(model, shown["test"], shown["train"], judges, seed=seed)
            for name, table in tables.items():
                made[name].append(table.assign(design=job.design, arm=job.arm, seed=seed))
        for name, path in paths.items():
            with atomic_write(path) as temporary:
                pd.concat(made[name], ignore_index=True).to_parquet(temporary, index=False)
    return {name: pd.read_parquet(path) for name, path in paths.items()}


def run(
    study: Study, cache: str | Path = "cache", processes: int = 1, device: str = "auto", only: Iterable[str] = ()
) -> dict[str, pd.DataFrame]:
    """Carry out a study: {"evaluation", "confusion", "number_line"}, each over all jobs.

    processes : jobs done at the same time, each on one core; on a GPU all seeds of an arm are one job, in this process.
    only : arms to be restricted to. What was done before, with the same settings and the same code, is read from
        `cache`.
    """
    on_gpu = device != "cpu" and torch.cuda.is_available()
    wanted = [job for job in jobs(study, together=on_gpu) if not only or job.arm in only]
    areas = ["area"] if "area" in {job.design for job in wanted} else []
    first = [("published", "oscn"), ("published", "cmnist"), *((area, "oscn") for area in areas)]
    if processes == 1 or on_gpu:
        with nullcontext() if on_gpu else _one_core():
            for design, modality in first:
                judge(study, design, modality, cache, device)
            done = [do(study, job, cache, device) for job in progress(wanted, "number sense")]
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for waiting in [pool.submit(judge, study, *which, cache, "cpu") for which in first]:
                waiting.result()
            waiting = {pool.submit(do, study, job, cache, "cpu"): job for job in wanted}
            for future in progress(as_completed(waiting), "number sense", total=len(waiting)):
                future.result()
            done = [future.result() for future in waiting]
    return {name: pd.concat([tables[name] for tables in done], ignore_index=True) for name in TABLES}


@contextmanager
def _one_core() -> Iterator[None]:
    """Torch on one core inside: shared by two, networks this small cost more core time in waiting than in work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _seen_and_unseen(model, held_out: dict[str, Images], judges, left_out) -> dict[str, pd.DataFrame]:
    """Recall and association, apart for classes that never met in training and for the others."""
    tables, confused = [], []
    number, colour = held_out["oscn"].number, held_out["oscn"].colour
    unseen = np.isin(number * 10 + colour, [n * 10 + c for n, c in left_out])
    for condition, rows in (("seen", ~unseen), ("unseen", unseen)):
        images = {name: shown[rows] for name, shown in held_out.items()}
        readings = read_made(model, images, judges)
        tables.append(generated_accuracy(readings).assign(condition=condition))
        confused.append(confusions(readings).assign(condition=condition))
    empty = pd.DataFrame({"number": pd.Series(dtype=int), "mean": pd.Series(dtype=float), "sd": pd.Series(dtype=float)})
    return {
        "evaluation": pd.concat(tables, ignore_index=True).reindex(columns=COLUMNS),
        "confusion": pd.concat(confused, ignore_index=True),
        "number_line": empty.assign(source=pd.Series(dtype=str)),
    }


def _data_settings(study: Study) -> dict:
    chosen = {name: getattr(study, name) for name in ("n_train", "n_test", "data_seed", "digits")}
    folder = Path(study.digits)
    if folder.is_dir():  # what is in the files counts, not where they lie
        chosen["digits"] = [path for path in sorted(folder.iterdir()) if path.is_file() and "ubyte" in path.name]
    return chosen


def _key(study: Study, job: Job) -> str:
    settings = study.model_dump(
        mode="json", include={"model", "objective", "training", "private", "pixels", "left_out"}
    )
    return fingerprint(settings, _data_settings(study), asdict(job), _sources(*MAKING))


def _sources(*names: str) -> list[Path]:
    return [HERE / f"{name}.py" for name in names]
