"""What a model's states hold: linear read-outs of the phantom's truth, layer by layer."""

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from brainbook.phantom.world import make_world


def phantom_targets(words: pd.DataFrame, world_seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return what is true of the phantom's words.

    Parameters
    ----------
    words : DataFrame with columns concept (-1 for function words) and scene, as `phantom.story.words_with_truth` and
        `phantom.read_truth(root).words` have them.
    world_seed : of `phantom.make_world`.

    Returns
    -------
    rows : positions of the words that stand for a concept: int [n].
    targets : word, the concept's vector [n, 16]: the same wherever the word stands; sense, what the scene adds to it
        (sense minus its mean over scenes) [n, 16]: it can only be known by word AND scene; scene, one column per scene
        [n, 4].

    Examples
    --------
    >>> from brainbook.phantom import words_with_truth
    >>> rows, targets = phantom_targets(words_with_truth(20, seed=0))
    >>> {name: values.shape[1] for name, values in targets.items()}
    {'word': 16, 'sense': 16, 'scene': 4}
    """
    world = make_world(world_seed)
    rows = np.flatnonzero(words["concept"].to_numpy() >= 0)
    concept, scene = (words[name].to_numpy()[rows] for name in ("concept", "scene"))
    sense = world.interactions[scene, concept]
    return rows, {"word": world.vectors[concept], "sense": sense, "scene": np.eye(len(world.rotations))[scene]}


def read_out(
    states: np.ndarray,
    targets: dict[str, np.ndarray],
    groups: np.ndarray,
    n_folds: int = 5,
    alphas: tuple[float, ...] = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6),
) -> pd.DataFrame:
    """Score how well a linear read-out of each layer predicts each target in groups (stories, sections) not seen.

    Parameters
    ----------
    states : array [layers + 1, words, units].
    targets : name -> array [words, dimensions] (one column per class for what is one of several).
    groups : array [words]: words of one group stand in one fold.
    n_folds : folds, each of which tests once.
    alphas : ridge penalties; one per target is chosen by groups of the training folds.

    Returns
    -------
    DataFrame: layer, target, fold, r2 (explained share of the target's variance around the training mean, over all its
    dimensions), accuracy (of the largest column, if each row has one 1 and else 0; NaN otherwise).

    Examples
    --------
    >>> from brainbook.phantom import words_with_truth
    >>> words = words_with_truth(60, seed=0)
    >>> rows, targets = phantom_targets(words)
    >>> states = np.eye(112)[words["concept"].to_numpy()[rows]][None]  # a layer that knows the word and nothing else
    >>> table = read_out(states, {"word": targets["word"]}, words["sentence"].to_numpy()[rows])
    >>> table.columns.tolist()
    ['layer', 'target', 'fold', 'r2', 'accuracy']
    """
    splits = GroupKFold(n_folds, shuffle=True, random_state=0)
    stacked = np.concatenate([target.astype(float) for target in targets.values()], 1)  # words, all dimensions
    columns = np.split(np.arange(stacked.shape[1]), np.cumsum([t.shape[1] for t in targets.values()])[:-1])
    is_class = {name: bool(np.isin(t, (0, 1)).all() and (t.sum(1) == 1).all()) for name, t in targets.items()}
    rows = []
    for layer, features in enumerate(states):
        for fold, (train, test) in enumerate(splits.split(features, groups=groups)):
            # one more fold, inside the training groups, chooses each target's penalty
            inner, validation = next(GroupKFold(4, shuffle=True, random_state=0).split(train, groups=groups[train]))
            fitted, held_out = train[inner], train[validation]
            tried = _ridge(features[fitted], stacked[fitted], features[held_out], alphas)
            predictions = _ridge(features[train], stacked[train], features[test], alphas)
            for (name, target), own in zip(targets.items(), columns, strict=True):
                errors = [((prediction[:, own] - target[held_out]) ** 2).sum() for prediction in tried]
                predicted = predictions[int(np.argmin(errors))][:, own]
                spread = ((target[test] - target[train].mean(0)) ** 2).sum()
                r2 = 1 - ((target[test] - predicted) ** 2).sum() / spread
                hits = (predicted.argmax(1) == target[test].argmax(1)).mean() if is_class[name] else np.nan
                rows.append({"layer": layer, "target": name, "fold": fold, "r2": r2, "accuracy": hits})
    return pd.DataFrame(rows)


def _ridge(train: np.ndarray, targets: np.ndarray, test: np.ndarray, alphas: tuple[float, ...]) -> list[np.ndarray]:
    """Return predictions for `test` [words, dimensions], one per penalty; units scaled by the training words."""
    mean, scale = train.mean(0), train.std(0) + 1e-6
    train, test = (np.asarray((x - mean) / scale, float) for x in (train, test))
    values, vectors = np.linalg.eigh(train.T @ train)
    centre = targets.mean(0)
    turned, projected = test @ vectors, vectors.T @ (train.T @ (targets - centre))
    return [turned @ (projected / (values + alpha)[:, None]) + centre for alpha in alphas]
