"""A study, run: classifiers, arms and seeds as jobs whose results are cached, several jobs at a time."""

import multiprocessing
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from brainbook.errors import ConfigurationError
from brainbook.number_sense.classifiers import Classifier, train_classifier
from brainbook.number_sense.evaluation import measure, measure_by_occurrence
from brainbook.number_sense.mmvae import MMVAE, VAE
from brainbook.number_sense.pairs import Pairs, make_image_pairs
from brainbook.number_sense.pixel_control import PixelControl
from brainbook.number_sense.presets import Study
from brainbook.number_sense.training import train
from brainbook.source_code import code_fingerprint
from brainbook.store import atomic_write, fingerprint
from brainbook.training import progress

# Files that decide what is made, beside what they import; when their code changes, it is made anew.
DATA_FILES = ("oscn", "digits", "images", "pairs")
CLASSIFIER_FILES = (*DATA_FILES, "networks", "classifiers")
MODEL_FILES = (*DATA_FILES, "networks", "mmvae", "objectives", "training")
MEASURES = ("generation", "layout_free", "latents", "arithmetic", "evaluation", "pixel_control")
MEASURE_FILES = ("classifiers", *MEASURES, "runs")
TABLES = ("evaluation", "confusion", "number_line", "learning")


@dataclass(frozen=True)
class Job:
    """One arm of one design for some seeds.

    arm : "unimodal" (a VAE of `source`), "multimodal" (MMVAE), "private" (MMVAE+), "untrained" (an MMVAE's first
    weights) or "pixels" (principal components).
    """

    design: str
    arm: str
    source: str | None
    seeds: tuple[int, ...]


# Arms of each design, the slow ones first.
ARMS: dict[str, list[tuple[str, str | None]]] = {
    "published": [("multimodal", None), ("private", None), ("unimodal", "oscn"), ("unimodal", "cmnist"),
                  ("untrained", None), ("pixels", None)],
    "area": [("multimodal", None), ("unimodal", "oscn"), ("pixels", None)],
    "unseen": [("multimodal", None)],
}  # fmt: skip


def list_jobs(study: Study, together: bool = False) -> list[Job]:
    """Return all jobs of a study, `side_by_side` seeds each, or all seeds `together` (for a GPU)."""
    jobs = []
    for design in study.designs:
        published = study.seeds if design == "published" else study.extra_seeds
        private = published if study.private_seeds is None else study.private_seeds
        number = {"private": private if study.private else 0, "pixels": min(1, published)}
        for arm, source in ARMS[design]:
            seeds = tuple(range(number.get(arm, published)))
            size = len(seeds) if together else study.side_by_side
            groups = [seeds[start : start + size] for start in range(0, len(seeds), size or 1)]
            jobs += [Job(design, arm, source, group) for group in groups if group]
    order = [arm for arm, _ in ARMS["published"]]
    return sorted(jobs, key=lambda job: (job.seeds[0], order.index(job.arm)))


@lru_cache(maxsize=3)  # one per design: jobs go from one to the next and back
def load_pairs(study: Study, design: str) -> dict[str, Pairs]:
    """Make the pairs of a design by split ("train", "validation", "test")."""
    options: Any = {
        "area": {"layout": "free", "area": "constant"},
        "unseen": {"without": study.left_out},
    }.get(design, {})
    sizes = {"train": study.n_train, "validation": study.n_validation, "test": study.n_test}
    return make_image_pairs(sizes, digits=study.digits, seed=study.data_seed, **options)


def load_classifier(study: Study, design: str, modality: str, cache: str | Path, device: str = "auto") -> Classifier:
    """Return the classifier of a modality, trained on training images of the design and tested on its test images.

    Only that of objects in the design "area" differs from the published design's.
    """
    design = design if (design, modality) == ("area", "oscn") else "published"
    images = {split: pairs.modalities[modality] for split, pairs in load_pairs(study, design).items()}
    about = {"design": design, "modality": modality, "steps": study.classifier_steps}
    path = Path(cache) / "number_sense" / f"classifier-{modality}-{_key(study, CLASSIFIER_FILES, about)}.safetensors"
    if not path.exists():
        options: dict[str, Any] = {"steps": study.classifier_steps, "seed": study.data_seed, "device": device}
        trained = train_classifier(images["train"], images["test"], **options)
        accuracy = torch.tensor([trained.accuracy[factor] for factor in trained.factors], dtype=torch.float64)
        with atomic_write(path) as temporary:
            save_file({**trained.network.cpu().state_dict(), "accuracy": accuracy}, temporary)
    classifier, weights = Classifier.untrained(images["train"]), load_file(path)
    classifier.accuracy = dict(zip(classifier.factors, weights.pop("accuracy").tolist(), strict=True))
    classifier.network.load_state_dict(weights)
    return classifier


def load_classifiers(study: Study, design: str, cache: str | Path, device: str = "auto") -> dict[str, Classifier]:
    """Return the classifiers of both modalities."""
    return {name: load_classifier(study, design, name, cache, device) for name in ("oscn", "cmnist")}


def load_job_model(study: Study, job: Job, cache: str | Path, device: str = "auto") -> MMVAE:
    """Return the job's model, trained now or before; several seeds are its copies.

    In a study of several rounds of training it goes on from the model of the round before.
    """
    settings = study.model
    if job.arm == "unimodal":
        settings = settings.unimodal(job.source)
    elif job.arm == "private":
        settings = settings.replace(private=study.private)
    active: Any = None
    if study.pixels == "active" and settings.architecture == "mlp":
        images = load_pairs(study, job.design)["train"].modalities
        active = {modality.name: images[modality.name].pixels.any(axis=0) for modality in settings.modalities}
    model = (VAE if job.arm == "unimodal" else MMVAE)(settings, job.seeds, active)
    if job.arm == "untrained":
        return model
    path = _model_path(study, job, cache)
    if not path.exists():
        before = pd.DataFrame()
        if earlier := _earlier_round(study):
            model, before = load_job_model(earlier, job, cache, device), load_curve(earlier, job, cache)
        pairs, checkpoint = load_pairs(study, job.design), path.with_suffix("")
        name = " ".join(str(part) for part in asdict(job).values() if part)
        options: dict[str, Any] = {
            "device": device,
            "checkpoint": checkpoint,
            "description": name,
            "validation": pairs["validation"],
        }
        options["steps_before"] = 0 if before.empty else int(before.step.max())
        curve = train(model, pairs["train"], study.objective, study.training, **options)
        curve = pd.concat([before, curve.dropna(subset="validation")[["step", "validation", "seconds"]]])
        with atomic_write(path.with_suffix(".parquet")) as temporary:
            curve.to_parquet(temporary, index=False)
        with atomic_write(path) as temporary:
            save_file(model.cpu().state_dict(), temporary)
        shutil.rmtree(checkpoint)
    model.load_state_dict(load_file(path))
    return model


def load_curve(study: Study, job: Job, cache: str | Path) -> pd.DataFrame:
    """Return the learning curve of a job that `load_job_model` trained: step, validation (the bound), seconds."""
    return pd.read_parquet(_model_path(study, job, cache).with_suffix(".parquet"))


def load_model(
    study: Study, arm: str, source: str | None = None, seed: int = 0, design: str = "published",
    cache: str | Path = "cache", device: str = "auto",
) -> MMVAE:  # fmt: skip
    """Return one model of a study that was run; `run_study` has to be called before, or it is trained now."""
    for job in list_jobs(study, _on_gpu(device)):
        if (job.design, job.arm, job.source) == (design, arm, source) and seed in job.seeds:
            return load_job_model(study, job, cache, device).copy(job.seeds.index(seed))
    raise ConfigurationError(f"no {arm!r} arm of {source or 'both modalities'} with seed {seed} in design {design!r}")


def run_job(study: Study, job: Job, cache: str | Path, device: str = "auto") -> dict[str, pd.DataFrame]:
    """Train and measure a job, or read what was measured before: tables by name, with columns design, arm and seed."""
    key = fingerprint(_model_key(study, job), study.classifier_steps, _code(MEASURE_FILES))
    paths = {
        name: Path(cache) / "number_sense" / f"{job.design}-{job.arm}-{key}" / f"{name}.parquet" for name in TABLES
    }
    if not all(path.exists() for path in paths.values()):
        images = {split: pairs.aligned() for split, pairs in load_pairs(study, job.design).items()}
        classifiers = load_classifiers(study, job.design, cache, device)
        models = None if job.arm == "pixels" else load_job_model(study, job, cache, device)
        measured = {name: [pd.DataFrame()] for name in TABLES}
        if job.arm not in ("untrained", "pixels"):
            about = {"design": job.design, "arm": job.arm, "source": job.source or "both", "seed": job.seeds[0]}
            measured["learning"].append(load_curve(study, job, cache).assign(**about))
        for index, seed in enumerate(job.seeds):
            model = PixelControl(images["train"], study.model.latent) if models is None else models.copy(index)
            if job.design == "unseen":
                every = load_pairs(study, job.design)["train"].modalities
                tables = measure_by_occurrence(model, images["test"], every, classifiers, study.left_out)
            else:
                tables = measure(model, images["test"], images["train"], classifiers, seed=seed)
            for name, table in tables.items():
                measured[name].append(table.assign(design=job.design, arm=job.arm, seed=seed))
        for name, path in paths.items():
            with atomic_write(path) as temporary:
                pd.concat(measured[name], ignore_index=True).to_parquet(temporary, index=False)
    return {name: pd.read_parquet(path) for name, path in paths.items()}


def run_study(
    study: Study, cache: str | Path = "cache", processes: int = 1, device: str = "auto"
) -> dict[str, pd.DataFrame]:
    """Run a study: {"evaluation", "confusion", "number_line"}, each over all jobs.

    What was run before, with the same settings and the same code, is read from `cache`.

    processes : jobs run at the same time, each on one core; on a GPU all seeds of an arm are one job, in this process.
    """
    on_gpu = _on_gpu(device)
    jobs = list_jobs(study, together=on_gpu)
    if on_gpu:
        done = [run_job(study, job, cache, device) for job in progress(jobs, "number sense")]
    elif processes == 1:
        with _one_core():
            done = [run_job(study, job, cache, device) for job in progress(jobs, "number sense")]
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            which = [("published", "oscn"), ("published", "cmnist")]
            which += [("area", "oscn")] if "area" in {job.design for job in jobs} else []
            for future in [pool.submit(load_classifier, study, *names, cache, "cpu") for names in which]:
                future.result()  # before the jobs, each of which would train its own
            futures = [pool.submit(run_job, study, job, cache, "cpu") for job in jobs]
            done = [future.result() for future in progress(futures, "number sense")]
    return {name: pd.concat([tables[name] for tables in done], ignore_index=True) for name in TABLES}


@contextmanager
def _one_core() -> Iterator[None]:
    """Run torch on one core inside: shared by two, networks this small cost more core time in waiting than in work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _on_gpu(device: str) -> bool:
    return device != "cpu" and torch.cuda.is_available()


def _earlier_round(study: Study) -> Study | None:
    training = study.training
    return study.replace(training=training.replace(rounds=training.rounds - 1)) if training.rounds > 1 else None


def _model_path(study: Study, job: Job, cache: str | Path) -> Path:
    return Path(cache) / "number_sense" / f"{job.design}-{job.arm}-{_model_key(study, job)}.safetensors"


def _model_key(study: Study, job: Job) -> str:
    names = {"model", "objective", "training", "pixels", "n_validation"}
    names |= {"private"} if job.arm == "private" else set()
    names |= {"left_out"} if job.design == "unseen" else set()
    return _key(study, MODEL_FILES, study.model_dump(mode="json", include=names), asdict(job))


def _key(study: Study, files: tuple[str, ...], *settings: object) -> str:
    """Return a key of what decides a result: the images and the code that made them, and `settings`."""
    data = {name: getattr(study, name) for name in ("n_train", "n_test", "data_seed", "digits")}
    folder = Path(study.digits)
    if folder.is_dir():  # what is in the files counts, not where they lie
        data["digits"] = [path for path in sorted(folder.iterdir()) if path.is_file() and "ubyte" in path.name]
    return fingerprint(data, _code(files), *settings)


def _code(names: tuple[str, ...]) -> str:
    return code_fingerprint(Path(__file__).parent / f"{name}.py" for name in names)
