"""Helpers of the chapter `transfer`: encoding before and after fine-tuning; shared or specific."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.chapters.shared import (
    TRIM,
    Features,
    ParticipantScores,
    align,
    score_participants,
    speech_or_silence,
    word_count,
)
from brainbook.chapters.transfer.shared_sentences import equal_shares, other_sentences, residual_states, shared_states
from brainbook.datasets import LittlePrince
from brainbook.encoding import PermutationScores, fisher_mean, permutation_scores
from brainbook.phantom import read_truth
from brainbook.stats import compare_nulls, compare_runs, fdr, mean_interval

DELAYS = (1, 2, 3, 4)
NULL_ALPHA = 1e3  # fixed: a penalty chosen on what is tested makes a test too easy


@dataclass(frozen=True)
class Encoded:
    """One language's listeners, encoded with one model.

    Attributes
    ----------
    scores : ParticipantScores; the first "participant" is the average listener, whose layer is chosen inside the
        training runs, like everybody's.
    null : PermutationScores of the average listener, with the layer that most regions chose and one alpha for all.
    layer : that layer, as an index into the features' layers.
    """

    scores: ParticipantScores
    null: PermutationScores
    layer: int


def encode(
    features: Features,
    responses: np.ndarray,
    participants: list[str],
    columns: pd.DataFrame,
    n_permutations: int = 200,
    seed: int = 0,
    device: str = "auto",
    trim: int = TRIM,
) -> Encoded:
    """Encode the average listener and every participant with the features of one model.

    Parameters
    ----------
    features : values [layers, scans, units].
    responses : array [participants, scans, targets], z-scored within each run.
    n_permutations, seed : of the null; two models are compared on the same permutations.
    trim : scans at each edge of every section that are left out, of scores and null alike.
    """
    listener = responses.mean(0)
    stacked, names = np.concatenate([listener[None], responses]), ["average", *participants]
    scores = score_participants(features, stacked, names, columns, device, trim=trim)
    layer = int(np.bincount(scores.chosen_layers[0].ravel()).argmax())
    null = permutation_scores(
        features.values[layer], listener, features.run_of_scan, NULL_ALPHA,
        delays=DELAYS, n_permutations=n_permutations, seed=seed, trim=trim, device=device,
    )  # fmt: skip
    return Encoded(scores, null, layer)


def baselines(
    prince: LittlePrince,
    language: str,
    listener: np.ndarray,
    columns: pd.DataFrame,
    members: Mapping[str, np.ndarray],
    device: str = "auto",
) -> pd.DataFrame:
    """What needs no model: how well word counts, and one bit (speech or silence), predict the average listener.

    Parameters
    ----------
    listener : array [scans, targets].

    Returns
    -------
    DataFrame: features, group, value (mean r over runs and regions).
    """
    parts = []
    for name, make in (("speech or silence", speech_or_silence), ("word count", word_count)):
        scores = score_participants(make(prince, language), listener[None], ["average"], columns, device)
        parts.append(
            scores.table(members).groupby("group", sort=False).value.mean().reset_index().assign(features=name)
        )
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Change:
    """The same listeners, encoded with two models in the same way."""

    before: Encoded
    after: Encoded

    def groups(self, members: Mapping[str, np.ndarray]) -> pd.DataFrame:
        """Change by set of regions: group, before, after (r), change, lower, upper (z), p_runs, p_permutation, percent.

        before, after and change are of the average listener, the layer chosen inside the training runs; the interval is
        paired over runs, widened because runs share training data (`compare_runs`). p_permutation asks how often
        shifted recordings change as much, two-sided, everything refitted (fixed layers). percent is NaN where the
        interval of the score before reaches zero: a share of nothing.
        """
        rows = []
        drawn = _z(self.after.null.null) - _z(self.before.null.null)
        seen = _z(self.after.null.score) - _z(self.before.null.score)
        for group, chosen in members.items():
            one, two = (
                np.nanmean(_z(found.scores.fold_scores[0][:, chosen]), axis=1, keepdims=True)
                for found in (self.before, self.after)
            )
            scored = np.isfinite(one + two)[:, 0]  # a run that is too short has no score
            one, two = one[scored], two[scored]
            it = compare_runs(two, one, fisher=False)
            null = drawn[:, chosen].mean(1)
            reached = np.abs(null - null.mean()) >= np.abs(seen[chosen].mean() - null.mean())
            means = np.tanh(one.mean()), np.tanh(two.mean())
            sure = compare_runs(one, np.zeros_like(one), fisher=False).lower[0] > 0
            rows.append({
                "group": group, "before": means[0], "after": means[1], "change": it.estimate[0], "lower": it.lower[0],
                "upper": it.upper[0], "p_runs": it.p[0], "p_permutation": (1 + reached.sum()) / (1 + len(null)),
                "percent": 100 * (means[1] / means[0] - 1) if sure else np.nan,
            })  # fmt: skip
        return pd.DataFrame(rows)

    def participants(self, members: Mapping[str, np.ndarray]) -> pd.DataFrame:
        """Change of each participant's mean score: participant, group, value."""
        table = self.after.scores.table(members).merge(
            self.before.scores.table(members), on=["participant", "run", "group"], suffixes=("_after", "_before")
        )
        table["value"] = table.value_after - table.value_before
        table = table[table.participant != "average"]
        return table.groupby(["participant", "group"], sort=False).value.mean().reset_index()

    def of_participant(self, name: str) -> dict[str, np.ndarray]:
        """One participant's mean r by region, {"before": [targets], "after": [targets]}."""
        place = self.after.scores.participants.index(name)
        stages = {"before": self.before, "after": self.after}
        return {stage: fisher_mean(found.scores.fold_scores[place]) for stage, found in stages.items()}

    def regions(self) -> pd.DataFrame:
        """region, hemisphere, before, after (r), change (z), lower, upper, p_runs, p (refitted null), q (FDR).

        q_before, q_after : whether the region is predicted at all (FDR over regions, refitted null).
        """
        it = compare_nulls(self.after.null, self.before.null)
        one, two = (_z(found.scores.fold_scores[0]) for found in (self.before, self.after))
        paired = compare_runs(two, one, fisher=False)
        return self.after.scores.columns[["region", "hemisphere"]].assign(
            before=np.tanh(one.mean(0)), after=np.tanh(two.mean(0)), change=paired.estimate, lower=paired.lower,
            upper=paired.upper, p_runs=paired.p, p=it.p, q=fdr(it.p),
            q_before=fdr(self.before.null.p(pooled=True)), q_after=fdr(self.after.null.p(pooled=True)),
        )  # fmt: skip


def each(change: Mapping[tuple[str, str], Change], make: Callable[[Change], pd.DataFrame]) -> pd.DataFrame:
    """`make` of several changes, one below the other, with the columns language, model and condition (a label).

    change : (language of the listeners, "after" or "shuffled") -> Change.
    """
    labels = {"after": "", "shuffled": ", shuffled"}
    tables = [
        make(it).assign(language=language, model=model, condition=language + labels[model])
        for (language, model), it in change.items()
    ]
    return pd.concat(tables, ignore_index=True)


def story_sentences(prince: LittlePrince, root: str | Path, languages: list[str]) -> dict[str, np.ndarray]:
    """Which sentence (equal numbers are translations) each word of each language's story belongs to.

    A phantom knows. For real recordings nobody has said which sentences of the three audiobooks correspond: there every
    section is cut into equal shares of about 17 English words, which is only roughly right.
    """
    if (Path(root) / "truth").is_dir():
        truth = read_truth(root)
        return {language: truth.words(language).sentence.to_numpy() for language in languages}
    counts = prince.words("EN").groupby("section").size().to_dict()
    return {language: equal_shares(prince.words(language).section.to_numpy(), 17, counts) for language in languages}


def shared_or_specific(
    prince: LittlePrince, language: str, states: Mapping[str, np.ndarray], sentences: Mapping[str, np.ndarray]
) -> dict[str, Features]:
    """Four descriptions of one language's story, on its listeners' clock.

    Parameters
    ----------
    states : language -> [layers, words, units], all of one model.
    sentences : language -> [words], from `story_sentences`.

    Returns
    -------
    "own" : the language's states. "shared" : the same sentences as the OTHER languages tell them. "left over" : own
    states less what the shared ones predict (fitted on other sections). "mismatched" : shared ones of wrong sentences.
    """
    sections = prince.words(language).section.to_numpy()
    others = [(states[other], sentences[other]) for other in states if other != language]
    shared = shared_states(others, sentences[language])
    wrong = shared_states(others, other_sentences(sentences[language], sections))
    found = {"own": states[language], "shared": shared, "left over": residual_states(states[language], shared, sections),
             "mismatched": wrong}  # fmt: skip
    return {name: align(prince, language, values) for name, values in found.items()}


def shared_summary(scores: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
    """Which of two descriptions of a sentence predicts a group of regions better: what languages share, or the rest.

    Parameters
    ----------
    scores : columns language, participant, condition (those of `shared_or_specific`), group, value.

    Returns
    -------
    One row a group: mean scores, shared - left over with its interval over participants (Student's t), the lower end
    of shared - mismatched, and what it "follows more". That is "shared" only where the shared part beats what is left
    over AND the same features of wrong sentences: without the second any features that change as slowly would do.
    """
    wide = scores.pivot_table(index=["language", "participant"], columns=["group", "condition"], values="value")
    rows = []
    for group in groups:
        own, wrong = (
            mean_interval((wide[group]["shared"] - wide[group][other]).to_numpy())
            for other in ("left over", "mismatched")
        )
        if own.lower > 0:
            more = "shared" if wrong.lower > 0 else "neither: wrong sentences do as well"
        else:
            more = "specific" if own.upper < 0 else "neither, by this test"
        means = {name: wide[group][name].mean() for name in ("own", "shared", "left over", "mismatched")}
        rows.append({"group": group, **means, "shared - left over": own.estimate, "lower": own.lower,
                     "upper": own.upper, "shared - mismatched, lower": wrong.lower, "follows more": more})  # fmt: skip
    return pd.DataFrame(rows)


def shared_told(summary: pd.DataFrame) -> str:
    """`shared_summary` in words (Markdown)."""
    above = summary[summary["shared - mismatched, lower"] > 0].group.tolist()
    return (
        "The right sentences predict better than wrong ones, by an interval over participants (Student's *t*), in: "
        f"{', '.join(above) or 'no group'}. What each group follows more: "
        + "; ".join(f"**{name}** {more}" for name, more in zip(summary.group, summary["follows more"], strict=True))
        + "."
    )


def cortex_told(changes: pd.DataFrame, low: float, high: float) -> str:
    """The change over the whole cortex in words (Markdown), beside the published gains of `low` to `high` per cent.

    Parameters
    ----------
    changes : rows of `Change.groups` for the group "cortex", with the column language.
    """
    parts, halves = [], {}
    for it in changes.itertuples():
        part = f"{it.language} {it.before:.3f} to {it.after:.3f} ({it.change:+.4f}, {it.lower:+.4f} to {it.upper:+.4f})"
        if np.isfinite(it.percent):
            ends = (100 * end / it.before for end in (it.lower, it.upper))
            part += ", {:+.0f}% ({:+.0f}% to {:+.0f}%)".format(it.percent, *ends)
            halves[it.language] = 100 * (it.upper - it.lower) / 2 / it.before
        parts.append(part)
    text = f"Over the whole cortex: {'; '.join(parts)}. The published gains of {low:g} to {high:g}% have no interval. "
    if len(halves) < len(changes):
        without = [language for language in changes.language if language not in halves]
        text += f"No percentage for {', '.join(without)}: the correlation before is not surely above zero. "
    if hidden := [language for language, half in halves.items() if half > low]:
        sizes = ", ".join(f"{half:.0f}% ({language})" for language, half in halves.items())
        text += (
            f"Half of the interval is {sizes} of the correlation before, so a gain of {low:g}% would not show in "
            f"{', '.join(hidden)}. "
        )
    return text


def forgetting_told(changes: pd.DataFrame) -> str:
    """What became of English, the language that the model had read, in words (Markdown); "" where nobody heard it."""
    rows = changes[(changes.group == "cortex") & (changes.language == "EN")]
    return "".join(
        f"**Forgetting:** with English listeners the cortex changes by {it.change:+.4f} ({it.lower:+.4f} to "
        f"{it.upper:+.4f}), {'a loss' if it.upper < 0 else 'no loss'} by this interval."
        for it in rows.itertuples()
    )


def regions_told(regions: pd.DataFrame, level: float = 0.05) -> str:
    """How many regions change, in words (Markdown); `regions` as in `selection_told`."""
    sure = regions[regions.q <= level]
    parts = [
        f"{language} {(rows.change > 0).sum()} up, {(rows.change < 0).sum()} down"
        for language in regions.language.unique()
        for rows in [sure[sure.language == language]]
    ]
    return (
        f"Regions whose change survives correction: {'; '.join(parts)}. The maps show all regions, significant or not: "
        "neighbours that change together are no independent evidence."
    )


def selection_told(regions: pd.DataFrame, level: float = 0.05) -> str:
    """How much the mean change depends on which regions are averaged, in words (Markdown).

    Parameters
    ----------
    regions : rows of `Change.regions`, with the column language.
    """
    parts = []
    for language, rows in regions.groupby("language", sort=False):
        means = [f"{rows.change.mean():+.4f} over all {len(rows)}"]
        for name in ("before", "after"):
            chosen = rows.change[rows[f"q_{name}"] <= level]
            mean = f"{chosen.mean():+.4f} over" if len(chosen) else "no mean over"
            means.append(f"{mean} the {len(chosen)} that are predicted {name}")
        parts.append(f"{language} {', '.join(means)}")
    return (
        f"Mean change of the regions: {'; '.join(parts)}. To choose regions by their score *after* favours a gain, by "
        "their score *before* a loss; only the mean over all of them is chosen by neither."
    )


def _z(scores: np.ndarray) -> np.ndarray:
    return np.arctanh(np.clip(scores, -0.999999, 0.999999))
