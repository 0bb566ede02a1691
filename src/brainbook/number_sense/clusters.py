"""Clusters: how plainly number, colour and shape stand in the latents, by three measures of rising generosity."""

import numpy as np
import pandas as pd
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import silhouette_score
from sklearn.neighbors import KNeighborsClassifier

from brainbook.number_sense.classifiers import CHANCE
from brainbook.number_sense.images import Images

MOST = 2000  # images whose mutual distances are looked at


def cluster_quality(
    z: np.ndarray, images: Images, train_z: np.ndarray, train_images: Images, source: str, seed: int = 0
) -> pd.DataFrame:
    """How well the latents of held-out images show each factor.

    z : float [images, latent], of `images`. train_z : float [train_images, latent], to fit the read-outs on.
    source : the modality's name, for the table.

    Returns one row a measure and factor: "silhouette" (of the held-out latents; -1..1, 0 for no clusters),
    "nearest neighbour" (share of held-out images whose nearest training image is of the same class) and "linear
    read-out" (accuracy of a linear discriminant that was fitted on training images). chance is 0 for the first, else
    one in the number of classes.
    """
    some = np.random.default_rng(seed).permutation(len(z))[:MOST]
    rows = []
    for factor, labels in images.factors.items():
        train_labels = train_images.factors[factor]
        neighbour = KNeighborsClassifier(1).fit(train_z, train_labels)
        linear = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=1e-3).fit(train_z, train_labels)
        values = {
            "silhouette": (silhouette_score(z[some], labels[some]), 0.0),
            "nearest neighbour": (neighbour.score(z, labels), CHANCE[factor]),
            "linear read-out": (linear.score(z, labels), CHANCE[factor]),
        }
        for measure, (value, chance) in values.items():
            rows.append({"measure": measure, "factor": factor, "value": float(value), "chance": chance})
    return pd.DataFrame(rows).assign(source=source, target=source, condition="noise-free", cap=1.0, n=len(z))
