"""What a model's states hold: read the world's truth out of them, layer by layer."""

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brainbook.phantom.world import make_world


def phantom_targets(words: pd.DataFrame, world_seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What is true of the phantom's words.

    Parameters
    ----------
    words : DataFrame with columns concept (-1 for function words) and scene, as `phantom.story.words_with_truth` and
        `phantom.read_truth(root).words` have them.

    Returns
    -------
    rows : positions of the words that stand for a concept: int [n].
    targets : word, the concept's vector [n, 16]: the same wherever the word stands; sense, what the scene adds to it
        (sense minus its mean over scenes) [n, 16]: it can only be known by word AND scene; scene, one column a scene
        [n, 4].
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
    alphas=np.logspace(0, 5, 6),
) -> pd.DataFrame:
    """How well a linear read-out of each layer finds each target in groups (stories, sections) that it has not seen.

    Parameters
    ----------
    states : array [layers + 1, words, units].
    targets : name -> array [words, dimensions] (one column a class for what is one of several).
    groups : array [words]: words of one group stand in one fold.
    alphas : ridge penalties; chosen within the training folds.

    Returns
    -------
    DataFrame: layer, target, fold, r2 (explained share of the target's variance around the training mean, over all its
    dimensions), accuracy (of the largest column, if each row has one 1 and else 0; NaN otherwise).
    """
    folds = list(GroupKFold(n_folds, shuffle=True, random_state=0).split(states[0], groups=groups))
    rows = []
    for layer, features in enumerate(states):
        for fold, (train, test) in enumerate(folds):
            reader = make_pipeline(StandardScaler(), RidgeCV(alphas)).fit(
                features[train], np.concatenate([target[train] for target in targets.values()], 1)
            )
            predicted = np.split(
                reader.predict(features[test]), np.cumsum([t.shape[1] for t in targets.values()])[:-1], axis=1
            )
            for (name, target), guess in zip(targets.items(), predicted, strict=True):
                spread = ((target[test] - target[train].mean(0)) ** 2).sum()
                r2 = 1 - ((target[test] - guess) ** 2).sum() / spread
                is_class = np.isin(target, (0, 1)).all() and (target.sum(1) == 1).all()
                accuracy = (guess.argmax(1) == target[test].argmax(1)).mean() if is_class else np.nan
                rows.append({"layer": layer, "target": name, "fold": fold, "r2": r2, "accuracy": accuracy})
    return pd.DataFrame(rows)
