import pytest

from brainbook.errors import ConfigurationError
from brainbook.number_sense.presets import make_study


def test_changes_reach_every_part():
    changed = make_study("demo", seeds=5, training_steps=7, model_width=11, objective_bound="dreg", objective_samples=4)
    assert (changed.seeds, changed.training.steps, changed.model.width) == (5, 7, 11)
    assert (changed.objective.bound, changed.objective.samples) == ("dreg", 4)
    assert changed.model.layers == make_study("demo").model.layers


def test_none_changes_nothing():
    assert make_study("demo", seeds=None, training_steps=None, digits=None) == make_study("demo")


def test_epochs_take_the_place_of_steps_and_back():
    assert make_study("demo", training_epochs=2).training.steps is None
    assert make_study("paper", training_steps=2).training.epochs is None


@pytest.mark.parametrize("changes", [{"sedes": 3}, {"model_widht": 3}, {"training_bach": 1}, {"seeds": 0}])
def test_unknown_or_impossible_settings_are_refused(changes):
    with pytest.raises(ConfigurationError, match=next(iter(changes)).split("_")[-1]):
        make_study("demo", **changes)


def test_unknown_preset():
    with pytest.raises(ConfigurationError, match="demo, digits, .*, paper"):
        make_study("frontiers")


def test_the_paper_s_numbers():
    """Noda, Soda & Yamashita: 120,000 images, 20 latents, 4 x 400 units, DReG, K = 20, 50 epochs of 128, amsgrad."""
    paper = make_study("paper")
    assert (paper.n_train, paper.seeds, paper.n_test) == (120_000, 20, 4000)
    assert (paper.model.latent, paper.model.layers, paper.model.width) == (20, 4, 400)
    assert (paper.objective.bound, paper.objective.samples) == ("dreg", 20)
    assert (paper.training.epochs, paper.training.batch, paper.training.learning_rate) == (50, 128, 1e-3)
    assert paper.training.amsgrad
    weights = {modality.name: modality.weight for modality in paper.model.modalities}
    assert weights == {"oscn": 1.0, "cmnist": pytest.approx(1.3061, abs=1e-4)}
    assert {modality.likelihood_scale for modality in paper.model.modalities} == {0.75}
    assert paper.model.scale == "softmax"
    assert paper.model.learn_prior
