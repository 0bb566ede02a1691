"""Helpers of the chapter `transfer`: encoding before and after fine-tuning; shared or specific."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.encoding import PermutationScores, compare_nulls, compare_runs, cross_validate, fdr, permutation_scores
from brainbook.encoding.hemispheres import over_participants
from brainbook.encoding.sentences import equal_shares, left_over, other_sentences, shared_states
from brainbook.experiment.features import Features, align, oracle
from brainbook.experiment.scores import ParticipantScores, score_participants
from brainbook.language_models import phantom_targets, read_out
from brainbook.phantom import Truth, read_truth
from brainbook.phantom.drivers import DRIVERS
from brainbook.recordings import LittlePrince

DELAYS = (1, 2, 3, 4)
DRIVER_ALPHAS = np.logspace(-3, 5, 9)  # drivers have no noise and ask for small penalties
NULL_ALPHA = 1e3  # fixed: a penalty chosen on what is tested makes a test too easy
# What a phantom's regions should do when a model has learned what sentences of several languages share: which concept
# a word names, what it means in its scene, and the scene. Sound is each language's own.
EXPECTED = {"word": "gain", "meaning": "gain", "topic": "gain", "sound": "no gain", "none": "no gain"}


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
) -> Encoded:
    """Encode the average listener and every participant with the features of one model.

    Parameters
    ----------
    features : values [layers, scans, units].
    responses : array [participants, scans, targets], z-scored within each run.
    n_permutations, seed : of the null; two models are compared on the same permutations.
    """
    listener = responses.mean(0)
    stacked, names = np.concatenate([listener[None], responses]), ["average", *participants]
    scores = score_participants(features, stacked, names, columns, device)
    layer = int(np.bincount(scores.chosen_layers[0].ravel()).argmax())
    null = permutation_scores(
        features.values[layer], listener, features.run_of_scan, NULL_ALPHA,
        delays=DELAYS, n_permutations=n_permutations, seed=seed, device=device,
    )  # fmt: skip
    return Encoded(scores, null, layer)


@dataclass(frozen=True)
class Change:
    """The same listeners, encoded with two models in the same way."""

    before: Encoded
    after: Encoded

    def groups(self, members: Mapping[str, np.ndarray]) -> pd.DataFrame:
        """Change by set of regions: group, before, after (r), change, lower, upper (z), p_runs, p_permutation, percent.

        before, after and change are of the average listener, the layer chosen inside the training runs; the interval is
        paired over runs, widened because runs share training data (`compare_runs`). p_permutation asks how often
        shifted recordings change as much, two-sided, everything refitted (fixed layers).
        """
        rows = []
        drawn = _z(self.after.null.null) - _z(self.before.null.null)
        seen = _z(self.after.null.score) - _z(self.before.null.score)
        for group, chosen in members.items():
            one, two = (
                _z(found.scores.fold_scores[0][:, chosen]).mean(1, keepdims=True) for found in (self.before, self.after)
            )
            it = compare_runs(two, one, fisher=False)
            null = drawn[:, chosen].mean(1)
            reached = np.abs(null - null.mean()) >= np.abs(seen[chosen].mean() - null.mean())
            means = np.tanh(one.mean()), np.tanh(two.mean())
            rows.append({
                "group": group, "before": means[0], "after": means[1], "change": it.estimate[0], "lower": it.lower[0],
                "upper": it.upper[0], "p_runs": it.p[0], "p_permutation": (1 + reached.sum()) / (1 + len(null)),
                "percent": 100 * (means[1] / means[0] - 1) if means[0] > 0 else np.nan,
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

    def regions(self) -> pd.DataFrame:
        """region, hemisphere, before, after (r), change (z), lower, upper, p_runs, p (refitted null), q (FDR)."""
        it = compare_nulls(self.after.null, self.before.null)
        one, two = (_z(found.scores.fold_scores[0]) for found in (self.before, self.after))
        paired = compare_runs(two, one, fisher=False)
        return self.after.scores.columns[["region", "hemisphere"]].assign(
            before=np.tanh(one.mean(0)), after=np.tanh(two.mean(0)), change=paired.estimate, lower=paired.lower,
            upper=paired.upper, p_runs=paired.p, p=it.p, q=fdr(it.p),
        )  # fmt: skip


def driver_change(
    before: Features, after: Features, drivers: Mapping[str, tuple[np.ndarray, np.ndarray]], device: str = "auto"
) -> pd.DataFrame:
    """How well states foretell a phantom's drivers themselves, with no brain and no noise between, for two models.

    Parameters
    ----------
    before, after : values [layers, scans, units], of the same story.
    drivers : of `Truth.drivers`: name -> (values [scans, dimensions], run of each scan).

    Returns
    -------
    driver, before, after (mean r over dimensions and left-out runs, layer chosen inside the training runs), change (z)
    with its interval paired over runs, p_runs.
    """
    targets = np.concatenate([values for values, _ in drivers.values()], axis=1).astype(np.float32)
    scores = []
    for features in (before, after):
        found = cross_validate(features.values, targets, features.run_of_scan, None, DRIVER_ALPHAS, device=device)
        scores.append(_z(np.take_along_axis(found.fold_scores, found.chosen_layer()[None], axis=0)[0]))
    rows, start = [], 0
    for name, (values, _) in drivers.items():
        place = slice(start, start := start + values.shape[1])
        one, two = (np.nanmean(score[:, place], axis=1, keepdims=True) for score in scores)
        it = compare_runs(two, one, fisher=False)
        rows.append({"driver": name, "before": np.tanh(one.mean()), "after": np.tanh(two.mean()),
                     "change": it.estimate[0], "lower": it.lower[0], "upper": it.upper[0],
                     "p_runs": it.p[0]})  # fmt: skip
    return pd.DataFrame(rows)


def held_by_states(states: Mapping[tuple[str, str], np.ndarray], truth: Truth) -> pd.DataFrame:
    """What can be read, linearly, from the states of a phantom's story in sections not seen: word, sense and scene.

    `states` : (language, model) -> [layers, words, units]. Columns: language, model, target, r2 (of the best layer).
    """
    rows = []
    for (language, model), values in states.items():
        words = truth.words(language)
        heard, targets = phantom_targets(words)
        found = read_out(values[:, heard], targets, words.section.to_numpy()[heard])
        best = found.groupby(["target", "layer"]).r2.mean().groupby("target").max()
        rows += [{"language": language, "model": model, "target": name, "r2": r2} for name, r2 in best.items()]
    return pd.DataFrame(rows)


def drivers_told(held: pd.DataFrame) -> str:
    """`driver_change` of both second languages in words (Markdown); `held` has the columns language and model, too."""
    lines = []
    for (language, model), rows in held.groupby(["language", "model"], sort=False):
        up, down = rows.driver[rows.lower > 0].tolist(), rows.driver[rows.upper < 0].tolist()
        name = {"after": "after transfer", "shuffled": "after shuffled translations"}[model]
        lines.append(
            f"- {language}, {name}: better foretold {', '.join(up) or 'nothing'}; worse {', '.join(down) or 'nothing'}"
        )
    return "By intervals over runs:\n\n" + "\n".join(lines)


def understood(features: Features, truth: Truth, language: str) -> Features:
    """What a model would hand over that had learned what sentences mean: a positive control of `Change`.

    Parameters
    ----------
    features : values [layers, scans, units], of a phantom's whole story.

    Returns
    -------
    The same features, and beside them in every layer what the phantom's regions of word, meaning and topic truly
    follow.
    """
    drivers = zip(DRIVERS, oracle(truth, language).values, strict=True)
    known = [values for name, values in drivers if EXPECTED.get(name) == "gain"]
    layers = [np.concatenate([layer, *known], axis=1) for layer in features.values]
    return Features(np.stack(layers), features.run_of_scan)


def understood_told(check: pd.DataFrame) -> str:
    """The positive control in words (Markdown); `check` is `truth_check` of the change from a model to `understood`."""
    gain, none = (check[check.expected == kind] for kind in ("gain", "no gain"))
    text = (
        f"With all that is to be understood beside its states the model shows {(gain.seen == 'gain').sum()} of "
        f"{len(gain)} expected gains, and {(none.seen == 'gain').sum()} of {len(none)} that must not be. "
    )
    if (none.seen == "gain").any():
        text += "(An interval of 95% errs once in forty times on that side; such gains are small.) "
    if gain["as expected"].all():
        return text + (
            "So the analysis finds understanding where there is any; what transfer gave this model is another matter."
        )
    return text + "So where this analysis sees no gain after transfer, there may be one all the same."


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
    states less what the shared ones foretell (fitted on other sections). "mismatched" : shared ones of wrong sentences.
    """
    sections = prince.words(language).section.to_numpy()
    others = [(states[other], sentences[other]) for other in states if other != language]
    shared = shared_states(others, sentences[language])
    wrong = shared_states(others, other_sentences(sentences[language], sections))
    found = {"own": states[language], "shared": shared, "left over": left_over(states[language], shared, sections),
             "mismatched": wrong}  # fmt: skip
    return {name: align(prince, language, values) for name, values in found.items()}


def truth_check(changes: pd.DataFrame) -> pd.DataFrame:
    """What a phantom's regions should do after transfer, beside what they did.

    Parameters
    ----------
    changes : rows of `Change.groups` for groups that are a phantom's drivers; other groups are left out.

    Returns
    -------
    The rows with the columns expected ("gain", "no gain"), seen ("gain", "loss", "not told from zero", by the
    interval) and `as expected`.
    """
    table = changes[changes.group.isin(EXPECTED)].copy()
    table["expected"] = table.group.map(EXPECTED)
    table["seen"] = np.select([table.lower > 0, table.upper < 0], ["gain", "loss"], "not told from zero")
    table["as expected"] = (table.expected == "gain") == (table.seen == "gain")
    return table


def shared_summary(scores: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
    """Which of two descriptions of a sentence predicts a group of regions better: what languages share, or the rest.

    Parameters
    ----------
    scores : columns language, participant, condition (those of `shared_or_specific`), group, value.

    Returns
    -------
    One row a group: mean scores, shared - left over with its interval over participants (Student's t), the lower end
    of shared - mismatched, and what it "follows more".
    """
    wide = scores.pivot_table(index=["language", "participant"], columns=["group", "condition"], values="value")
    rows = []
    for group in groups:
        own, wrong = (
            over_participants((wide[group]["shared"] - wide[group][other]).to_numpy())
            for other in ("left over", "mismatched")
        )
        more = "shared" if own.lower > 0 else "specific" if own.upper < 0 else "neither, by this test"
        means = {name: wide[group][name].mean() for name in ("own", "shared", "left over", "mismatched")}
        rows.append({"group": group, **means, "shared - left over": own.estimate, "lower": own.lower,
                     "upper": own.upper, "shared - mismatched, lower": wrong.lower, "follows more": more})  # fmt: skip
    return pd.DataFrame(rows)


def _z(scores: np.ndarray) -> np.ndarray:
    return np.arctanh(np.clip(scores, -0.999999, 0.999999))
