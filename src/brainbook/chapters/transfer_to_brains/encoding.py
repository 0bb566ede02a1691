"""Encoding before and after fine-tuning, and features that languages share or do not, for `transfer_to_brains`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from brainbook.chapters.shared import (
    Features,
    ParticipantScores,
    align,
    score_participants,
    speech_or_silence,
    word_count,
)
from brainbook.chapters.transfer_to_brains.shared_sentences import (
    equal_shares,
    other_sentences,
    residual_states,
    shared_states,
)
from brainbook.datasets import Dataset
from brainbook.encoding import PermutationScores, permutation_scores
from brainbook.phantom import read_truth
from brainbook.stats import compare_nulls, compare_runs, fdr, fisher_mean, fisher_z, mean_interval

NULL_ALPHA = 1e3  # fixed: a penalty chosen on what is tested makes a test too easy
CONDITIONS = ("own", "shared", "left over", "mismatched")


@dataclass(frozen=True)
class Encoded:
    """One language's participants, encoded with one model.

    Attributes
    ----------
    scores : ParticipantScores; the first "participant" is the average participant, whose layer is chosen inside the
        training runs, as everybody's is.
    null : PermutationScores of the average participant, with the layer that most regions chose and one alpha for all.
    """

    scores: ParticipantScores
    null: PermutationScores


def encode(
    features: Features,
    responses: np.ndarray,
    participants: list[str],
    columns: pd.DataFrame,
    n_permutations: int = 200,
    seed: int = 0,
    device: str = "auto",
    trim: int | None = None,
) -> Encoded:
    """Encode the average participant and every participant with the features of one model.

    Parameters
    ----------
    features : values [layers, scans, units].
    responses : array [participants, scans, targets], z-scored within each run.
    n_permutations, seed : of the null; two models are compared on the same permutations.
    trim : scans at each edge of every section that are left out, of scores and null alike; None as the features say.
    """
    average = responses.mean(0)
    stacked, names = np.concatenate([average[None], responses]), ["average", *participants]
    scores = score_participants(features, stacked, names, columns, device, trim=trim)
    layer = int(np.bincount(scores.chosen_layers[0].ravel()).argmax())
    options = {"delays": features.delays, "trim": features.trim if trim is None else trim, "device": device}
    options |= {"n_permutations": n_permutations, "seed": seed}
    null = permutation_scores(features.values[layer], average, features.run_of_scan, NULL_ALPHA, **options)
    return Encoded(scores, null)


def baselines(
    dataset: Dataset,
    language: str,
    average: np.ndarray,
    columns: pd.DataFrame,
    masks: Mapping[str, np.ndarray],
    device: str = "auto",
) -> pd.DataFrame:
    """Score what needs no model: word counts, and one bit (speech or silence), for the average participant.

    Parameters
    ----------
    average : array [scans, targets].

    Returns
    -------
    DataFrame: features, group, value (mean r over runs and regions), language.
    """
    features = {"speech or silence": speech_or_silence, "word count": word_count}
    parts = []
    for name, build in features.items():
        scores = score_participants(build(dataset, language), average[None], ["average"], columns, device).table(masks)
        means = scores.groupby("group", sort=False).value.mean().reset_index()
        parts.append(means.assign(features=name, language=language))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Change:
    """The same participants, encoded with two models in the same way."""

    before: Encoded
    after: Encoded

    def groups(self, masks: Mapping[str, np.ndarray]) -> pd.DataFrame:
        """Return the change by set of regions: group, before, after (r), change, lower, upper (z), p_runs, ...

        before, after and change are of the average participant, the layer chosen inside the training runs; the interval
        is paired over runs, widened because runs share training data (`compare_runs`). p_permutation asks how often
        shifted recordings change as much, two-sided, everything refitted (fixed layers). percent is NaN where the
        interval of the score before reaches zero: a share of nothing.
        """
        stages, rows = (self.before, self.after), []
        null = fisher_z(self.after.null.null) - fisher_z(self.before.null.null)
        score = fisher_z(self.after.null.score) - fisher_z(self.before.null.score)
        for group, mask in masks.items():
            z = np.stack([np.nanmean(fisher_z(stage.scores.fold_scores[0][:, mask]), axis=1) for stage in stages])
            z = z[:, np.isfinite(z).all(axis=0), None]  # a run that is too short has no score
            before, after = np.tanh(z.mean(axis=(1, 2)))
            above_zero = compare_runs(z[0], np.zeros_like(z[0]), fisher=False).lower[0] > 0
            drawn = null[:, mask].mean(1)
            reached = np.abs(drawn - drawn.mean()) >= np.abs(score[mask].mean() - drawn.mean())
            change = compare_runs(z[1], z[0], fisher=False).to_frame(group=[group], before=before, after=after)
            p = (1 + reached.sum()) / (1 + len(drawn))
            rows.append(change.assign(p_permutation=p, percent=100 * (after / before - 1) if above_zero else np.nan))
        return pd.concat(rows, ignore_index=True).rename(columns={"value": "change", "p": "p_runs"})

    def participants(self, masks: Mapping[str, np.ndarray]) -> pd.DataFrame:
        """Return the change of each participant's mean score: participant, group, value."""
        key = ["participant", "group"]
        before, after = (stage.scores.table(masks).set_index([*key, "run"]) for stage in (self.before, self.after))
        change = (after.value - before.value).groupby(key, sort=False).mean().reset_index()
        return change[change.participant != "average"]

    def of_participant(self, name: str) -> dict[str, np.ndarray]:
        """Return one participant's mean r by region, {"before": [targets], "after": [targets]}."""
        row = self.after.scores.participants.index(name)
        stages = {"before": self.before, "after": self.after}
        return {stage: fisher_mean(encoded.scores.fold_scores[row]) for stage, encoded in stages.items()}

    def regions(self) -> pd.DataFrame:
        """Return region, hemisphere, before, after (r), change (z), lower, upper, p_runs, p (refitted null), q (FDR).

        q_before, q_after : whether the region is predicted at all (FDR over regions, refitted null).
        """
        p: Any = compare_nulls(self.after.null, self.before.null).p
        before, after = (fisher_z(stage.scores.fold_scores[0]) for stage in (self.before, self.after))
        change = compare_runs(after, before, fisher=False)
        return self.after.scores.columns[["region", "hemisphere"]].assign(
            before=np.tanh(before.mean(0)),
            after=np.tanh(after.mean(0)),
            change=change.estimate,
            lower=change.lower,
            upper=change.upper,
            p_runs=change.p,
            p=p,
            q=fdr(p),
            q_before=fdr(self.before.null.p(pooled=True)),
            q_after=fdr(self.after.null.p(pooled=True)),
        )


def concat_changes(changes: Mapping[tuple[str, str], Change], part: str, *arguments: Any) -> pd.DataFrame:
    """Return a table of several changes, one below the other, with the columns language, model and condition (a label).

    Parameters
    ----------
    changes : (language of the participants, "after" or "shuffled") -> Change.
    part : the method that makes each table, "groups", "participants" or "regions"; `arguments` are its own.
    """
    labels = {"after": "", "shuffled": ", shuffled"}
    tables = [
        getattr(change, part)(*arguments).assign(language=language, model=model, condition=language + labels[model])
        for (language, model), change in changes.items()
    ]
    return pd.concat(tables, ignore_index=True)


def change_by_selection(regions: pd.DataFrame, level: float = 0.05) -> pd.DataFrame:
    """Average the change over regions that were selected in several ways, by language.

    Parameters
    ----------
    regions : rows of `Change.regions`, with the column language.

    Returns
    -------
    DataFrame: language, up and down (regions whose change survives correction), all (mean change over all regions),
    `predicted before` and `predicted after` (mean over those with q_before and q_after below `level`; NaN where none).
    """
    rows = []
    for language, table in regions.groupby("language", sort=False):
        changed = table.change[table.q <= level]
        row = {"language": language, "up": (changed > 0).sum(), "down": (changed < 0).sum(), "all": table.change.mean()}
        for stage in ("before", "after"):
            row[f"predicted {stage}"] = table.change[table[f"q_{stage}"] <= level].mean()
        rows.append(row)
    return pd.DataFrame(rows)


def story_sentences(dataset: Dataset, languages: list[str]) -> dict[str, np.ndarray]:
    """Return which sentence (equal numbers are translations) each word of each language's story belongs to.

    A phantom knows. For real recordings nobody has said which sentences of the three audiobooks correspond: there every
    section is cut into equal shares, about 17 words each in the dataset's first language (English), which is only
    roughly right.
    """
    if dataset.is_phantom:
        truth = read_truth(dataset.root)
        return {language: truth.words(language).sentence.to_numpy() for language in languages}
    counts = dataset.words(dataset.languages[0]).groupby("section").size().to_dict()
    return {language: equal_shares(dataset.words(language).section.to_numpy(), 17, counts) for language in languages}


def shared_or_specific(
    dataset: Dataset, language: str, states: Mapping[str, np.ndarray], sentences: Mapping[str, np.ndarray]
) -> dict[str, Features]:
    """Return four descriptions of one language's story, on the clock of its scans.

    Parameters
    ----------
    states : language -> [layers, words, units], all of one model.
    sentences : language -> [words], from `story_sentences`.

    Returns
    -------
    "own" : the language's states. "shared" : the same sentences as the OTHER languages tell them. "left over" : own
    states less what the shared ones predict (fitted on other sections). "mismatched" : shared ones of wrong sentences.
    """
    own, sections = states[language], dataset.words(language).section.to_numpy()
    others = [(states[name], sentences[name]) for name in states if name != language]
    shared = shared_states(others, sentences[language])
    wrong = shared_states(others, other_sentences(sentences[language], sections))
    parts = (own, shared, residual_states(own, shared, sections), wrong)
    return {name: align(dataset, language, part) for name, part in zip(CONDITIONS, parts, strict=True)}


def shared_summary(scores: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
    """Compare, by group of regions, what languages share of a sentence with what is left over.

    Parameters
    ----------
    scores : columns language, participant, condition (those of `shared_or_specific`), group, value.

    Returns
    -------
    One row per group: mean scores, shared - left over with its interval over participants (Student's t), the lower end
    of shared - mismatched, and what it "follows more". That is "shared" only where the shared part beats what is left
    over AND the same features of wrong sentences: without the second any features that change as slowly would do.
    """
    wide = scores.pivot_table(index=["language", "participant"], columns=["group", "condition"], values="value")
    rows = []
    for group in groups:
        values = wide[group]
        more, right = (
            mean_interval((values["shared"] - values[name]).to_numpy()) for name in ("left over", "mismatched")
        )
        if more.lower > 0:
            follows = "shared" if right.lower > 0 else "neither: wrong sentences do as well"
        else:
            follows = "specific" if more.upper < 0 else "neither, by this test"
        numbers = {"shared - left over": more.estimate, "lower": more.lower, "upper": more.upper}
        numbers["shared - mismatched, lower"] = right.lower
        means = {name: values[name].mean() for name in CONDITIONS}
        rows.append({"group": group, **means, **numbers, "follows more": follows})
    return pd.DataFrame(rows)
