"""The transfer figures show the numbers that they were given, and no others."""

import numpy as np
import pandas as pd

from brainbook.plots import accuracy_intervals, cosine_histograms, learning_curves, region_lines, roc_curves


def points(ax) -> dict[str, np.ndarray]:
    return {line.get_label(): np.asarray(line.get_xydata(), float) for line in ax.lines}


def test_accuracies_stand_beside_the_published_one():
    table = pd.DataFrame({"label": ["FR: a", "FR: b"] * 2, "series": ["random"] * 2 + ["length"] * 2})
    table["accuracy"] = [0.5, 0.6, 0.7, 0.8]
    table = table.assign(lower=table.accuracy - 0.1, upper=table.accuracy + 0.1)
    published = pd.DataFrame({"n": [1000, 10_000], "accuracy": 0.5175, "lower": 0.48, "upper": 0.55})
    (ax,) = accuracy_intervals(table, published).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "FR: a", "FR: b", "published, if n = 1,000", "published, if n = 10,000",
    ]  # fmt: skip
    drawn = points(ax)
    np.testing.assert_allclose(drawn["random"][:, 0], [50, 60])
    np.testing.assert_allclose(drawn["length"][:, 0], [70, 80])
    np.testing.assert_allclose(drawn["published"], [[51.75, 2], [51.75, 3]])


def test_learning_shows_validations_as_marks_and_training_as_a_mean():
    table = pd.DataFrame({"series": "transfer", "pairs": 32 * np.arange(1, 41), "validation_accuracy": np.nan})
    table.loc[[19, 39], "validation_accuracy"] = 0.5, 0.6
    ax = learning_curves(table.assign(accuracy=np.repeat([0.5, 0.75], 20)))
    np.testing.assert_allclose(points(ax)["transfer"], [[640, 50], [1280, 60]])
    training = ax.lines[1].get_xydata()
    np.testing.assert_allclose(training[[19, 29, 39]], [[640, 50], [960, 62.5], [1280, 75]])
    assert np.isnan(training[:19, 1]).all()
    rates = pd.DataFrame({"false_positive_rate": [0, 0.5, 1], "true_positive_rate": [0, 0.9, 1]})
    figure = roc_curves(pd.concat([rates.assign(language=language, classifier="a") for language in ("FR", "CN")]))
    assert [ax.get_title() for ax in figure.axes] == ["English and FR", "English and CN"]
    np.testing.assert_allclose(points(figure.axes[0])["a"], rates)


def test_only_regions_that_survive_correction_have_a_ring():
    table = pd.DataFrame({"region": ["one", "two", "three"], "before": [0.1, 0.2, 0.3], "after": [0.2, 0.2, 0.1]})
    table = table.assign(q=[0.04, 0.06, 0.01], hemisphere="lh", language="FR")
    (ax,) = region_lines(table).axes
    assert ax.get_title() == "FR, left"
    np.testing.assert_allclose(points(ax)["q ≤ .05"], [[0, 0.2], [2, 0.1]])
    np.testing.assert_allclose(points(ax)["before transfer"][:, 1], table.before)
    assert all(line.get_linestyle() == "None" for line in ax.lines[1:])  # no line runs from region to region
    ends = [part[:, 1] for part in ax.collections[0].get_segments()]
    np.testing.assert_allclose(ends, table[["before", "after"]])


def test_every_language_that_was_listened_to_has_its_panels():
    table = pd.DataFrame({"language": ["EN", "FR"], "region": "one", "hemisphere": "rh"})
    figure = region_lines(table.assign(before=0.1, after=0.2, q=1.0))
    assert [ax.get_title() for ax in figure.axes] == ["EN, right", "FR, right"]


def test_a_panel_for_each_model():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"model": np.repeat(["a", "b"], 50), "match": np.tile([0, 1], 50)})
    figure = cosine_histograms(table.assign(cosine=rng.uniform(-1, 1, 100)))
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["a", "b"]
    assert all(len(ax.patches) == 2 for ax in figure.axes)
