"""A whole study, tiny, end to end: what is done once is not done again, and its tables are complete."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from brainbook.errors import ConfigurationError
from brainbook.number_sense import classifiers, runs
from brainbook.number_sense.__main__ import main
from brainbook.number_sense.presets import make_study
from brainbook.number_sense.runs import (
    Job,
    list_jobs,
    load_classifier,
    load_job_model,
    load_model,
    load_pairs,
    run_job,
    run_study,
)

pytestmark = pytest.mark.integration

TINY = make_study(
    "demo", designs=("published", "area", "unseen"), n_train=144, n_validation=108, n_test=108, seeds=2, extra_seeds=1,
    private=2, private_seeds=2, classifier_steps=4, training_steps=3, training_batch=16, model_width=8, model_latent=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifiers, "WIDTHS", (2, 8))  # small ones: what they read is of no interest here
        yield cache, run_study(TINY, cache, processes=1, device="cpu")


def test_every_arm_design_and_seed_is_there(done):
    table = done[1]["evaluation"]
    found = {key: set(group.seed) for key, group in table.groupby(["design", "arm"])}
    published = {"unimodal": {0, 1}, "multimodal": {0, 1}, "private": {0, 1}, "untrained": {0, 1}, "pixels": {0}}
    assert {arm: seeds for (design, arm), seeds in found.items() if design == "published"} == published
    assert set(found) >= {("area", "unimodal"), ("area", "multimodal"), ("area", "pixels"), ("unseen", "multimodal")}
    assert table.value.notna().all()


def test_every_measure_is_there_with_chance_and_on_held_out_images(done):
    table = done[1]["evaluation"].query("design == 'published' and arm == 'multimodal' and seed == 0")
    assert set(table.measure) == {
        "reconstruction", "cross-modal generation", "blur", "joint coherence", "silhouette", "nearest neighbour",
        "linear read-out",
        "magnitude", "nearest mean image", "arithmetic, latents", "arithmetic, latents, shuffled",
        "arithmetic", "arithmetic, one colour", "arithmetic, single images", "arithmetic, shuffled",
        "number line",
    }  # fmt: skip
    assert table[~table.measure.isin(["number line", "blur"])].chance.notna().all()
    images = table[
        table.measure.isin(["reconstruction", "cross-modal generation", "linear read-out"])
        & (table.factor != "each number")
    ]
    assert set(images.n) == {len(load_pairs(TINY, "published")["test"])}
    assert not table.duplicated(["measure", "source", "target", "factor", "condition"]).any()


def test_a_second_run_only_reads(done, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("trained or measured again")

    cache, before = done
    for name in ("train", "train_classifier", "measure", "measure_by_occurrence"):
        monkeypatch.setattr(runs, name, refuse)
    again = run_study(TINY, cache, processes=1, device="cpu")
    for name, table in before.items():
        assert table.equals(again[name])


def test_a_job_takes_one_core_and_gives_the_others_back(tmp_path, monkeypatch):
    threads = []

    def count_threads(*arguments):
        threads.append(torch.get_num_threads())
        return dict.fromkeys(runs.TABLES, pd.DataFrame())

    monkeypatch.setattr(runs, "run_job", count_threads)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run_study(TINY, tmp_path, processes=1, device="cpu")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(threads) == {1}


def test_another_setting_is_another_model(done):
    cache, _ = done
    job = Job("published", "multimodal", None, (0,))
    known = set((cache / "number_sense").glob("published-multimodal-*.safetensors"))
    load_job_model(TINY.replace(training=TINY.training.replace(steps=2)), job, cache, "cpu")
    assert len(set((cache / "number_sense").glob("published-multimodal-*.safetensors")) - known) == 1
    assert not list((cache / "number_sense").glob("published-multimodal-*/step-*")), (
        "checkpoints are removed when all is done"
    )


def test_every_trained_arm_has_its_learning_curve(done):
    learning = done[1]["learning"]
    ends = learning.groupby(["design", "arm", "source", "seed"]).step.max()
    assert (ends == 3).all()
    assert len(ends) == 2 * (1 + 1 + 2) + 2 + 1  # seeds of both, private, unimodal; area; unseen
    assert learning.validation.notna().all()


def test_a_second_round_goes_on_from_the_first(done):
    cache, job = done[0], Job("published", "multimodal", None, (0,))
    twice = TINY.replace(training=TINY.training.replace(rounds=2))
    first, second = (load_job_model(study, job, cache, "cpu") for study in (TINY, twice))
    curves = [runs.load_curve(study, job, cache) for study in (TINY, twice)]
    assert [curve.step.max() for curve in curves] == [3, 6]
    pd.testing.assert_frame_equal(curves[1].iloc[: len(curves[0])].reset_index(drop=True), curves[0])
    moved = [(a - b).abs().max().item() for a, b in zip(first.parameters(), second.parameters(), strict=True)]
    assert 0 < max(moved) < 0.1  # three small steps from where it was, not a new start


def test_seeds_together_are_seeds_alone(done):
    cache, before = done
    together = run_job(TINY, Job("published", "unimodal", "oscn", (0, 1)), cache, "cpu")["evaluation"]
    alone = before["evaluation"].query("design == 'published' and arm == 'unimodal' and source == 'oscn'")
    chosen = "measure == 'silhouette' and factor == 'number'"
    np.testing.assert_allclose(together.query(chosen).value, alone.query(chosen).sort_values("seed").value, atol=1e-3)


def test_models_for_figures(done):
    cache, _ = done
    assert load_model(TINY, "unimodal", "cmnist", seed=1, cache=cache, device="cpu").names == ("cmnist",)
    with pytest.raises(ConfigurationError, match="no 'multimodal' arm of both modalities with seed 7"):
        load_model(TINY, "multimodal", seed=7, cache=cache)


def test_the_confusion_is_of_the_images_that_accuracy_is_of(done):
    number = load_pairs(TINY, "published")["test"].number
    confusion = done[1]["confusion"].query("design == 'published' and arm == 'multimodal' and seed == 1")
    evaluation = done[1]["evaluation"].query(
        "design == 'published' and arm == 'multimodal' and seed == 1 and factor == 'number' and "
        "measure in ['reconstruction', 'cross-modal generation'] and condition == 'noise-free'"
    )
    accuracy = evaluation.set_index(["source", "target"]).value
    assert len(accuracy) == 4
    for key, table in confusion.groupby(["source", "target"]):
        right = table[table.number == table["read"]].set_index("number").share
        assert right[number].mean() == pytest.approx(accuracy[key])


def test_networks_have_the_pixels_that_the_study_says(done):
    job = Job("published", "untrained", None, (0,))
    few, all_of_it = (load_job_model(TINY.replace(pixels=pixels), job, done[0], "cpu") for pixels in ("active", "all"))
    assert len(few.modalities["oscn"].pixels) == 9 * 36 * 3  # nine cells of 6 x 6 px in three colours
    assert len(all_of_it.modalities["oscn"].pixels) == 32 * 32 * 3
    whole = load_job_model(TINY.replace(model=TINY.model.replace(architecture="cnn", channels=2)), job, done[0], "cpu")
    assert whole.modalities["oscn"].active.all()
    trained = load_job_model(TINY, Job("published", "multimodal", None, (0,)), done[0], "cpu")
    assert len(trained.modalities["oscn"].pixels) == 9 * 36 * 3


def test_classifiers_are_cached_with_their_accuracy(done):
    cache, _ = done
    first, again = (load_classifier(TINY, "published", "oscn", cache, "cpu") for _ in range(2))
    assert first.accuracy == again.accuracy
    assert set(first.accuracy) == {"number", "colour", "shape"}


def test_unseen_classes_are_unseen_in_training_only():
    pairs = load_pairs(TINY, "unseen")
    met = set(zip(pairs["train"].number.tolist(), pairs["train"].colour.tolist(), strict=True))
    assert not met & set(TINY.left_out)
    assert set(zip(pairs["test"].number.tolist(), pairs["test"].colour.tolist(), strict=True)) >= set(TINY.left_out)


def test_jobs_together_are_one_per_arm():
    assert len([job for job in list_jobs(TINY, together=True) if job.arm == "multimodal"]) == 3
    assert len([job for job in list_jobs(TINY) if job.arm == "multimodal"]) == 4


def test_what_an_arm_does_not_use_does_not_train_it_anew(done, monkeypatch):
    monkeypatch.setattr(runs, "train", None)
    other = TINY.replace(private=0, designs=("published",), left_out=((1, 1),))
    load_job_model(other, Job("published", "multimodal", None, (0,)), done[0], "cpu")


def test_seeds_side_by_side_are_one_job_per_so_many():
    jobs = list_jobs(TINY.replace(seeds=5, side_by_side=2, extra_seeds=0, private_seeds=0))
    assert [job.seeds for job in jobs if job.arm == "multimodal"] == [(0, 1), (2, 3), (4,)]
    assert [job.seeds for job in jobs if job.arm == "pixels"] == [(0,)]


def test_seeds_of_the_private_arm_may_be_fewer():
    found = [job.seeds for job in list_jobs(TINY.replace(private_seeds=1)) if job.arm == "private"]
    assert found == [(0,)]
    assert [job.seeds for job in list_jobs(TINY.replace(private_seeds=0), together=True) if job.arm == "private"] == []
    assert len([job for job in list_jobs(TINY) if job.arm == "private"]) == 2


def test_command_line(tmp_path, capsys):
    options = ["--steps", "2", "--seeds", "1", "--cache", str(tmp_path / "c"), "--results", str(tmp_path / "r")]
    small = ["n_train=108", "n_test=144", 'designs=["published"]', "private=0", "classifier_steps=2", "model_width=6"]
    sets = [part for setting in small for part in ("--set", setting)]
    assert main(["demo", *options, *sets, "--device", "cpu"]) == 0
    record = json.loads((tmp_path / "r/study.json").read_text())
    assert record["settings"]["training"]["steps"] == 2
    assert (tmp_path / "r/evaluation.parquet").exists()
    assert "measures of 1 designs" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["demo", "--set", "wide=3"])
    assert "wide" in capsys.readouterr().err
