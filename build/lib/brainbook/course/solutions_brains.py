"""Solutions of the chapters on maps, layers, participants, and what holds."""

import numpy as np

from brainbook.course.solution import Solution, solves


def _index(left: np.ndarray, right: np.ndarray) -> float:
    return float(((left - right) / (left + right)).mean())


@solves("hemispheres-1")
def hemispheres_1() -> Solution:
    rng = np.random.default_rng(1)
    true = rng.uniform(0.06, 0.12, 74)
    left, right = (np.clip(true + rng.normal(0, 0.02, 74), 0.02, None).round(3) for _ in range(2))
    selected, fair = left > 0.1, (left + right) / 2 > 0.1
    return Solution(
        _index(left[selected], right[selected]),
        (
            (_index(left, right), "This is the mean over all regions, without any selection."),
            (
                _index(left[fair], right[fair]),
                "You selected on the mean of both sides, which is fair. Select on the left, to see what is not.",
            ),
            (float((left - right)[selected].mean()), "This is the difference. The index divides it by the sum."),
            (_index(left[right > 0.1], right[right > 0.1]), "You selected on the right. The left is asked for."),
        ),
        "Both sides were drawn alike: the index comes from the selection. A region passes by truth or by luck, and the other side had no such luck.",
        "Keep the regions with left > 0.1, then take the mean of (left - right) / (left + right).",
        {"left": left, "right": right},
    )


@solves("hemispheres-2")
def hemispheres_2() -> Solution:
    p = np.array(
        [
            0.001,
            0.006,
            0.019,
            0.022,
            0.024,
            0.041,
            0.049,
            0.12,
            0.3,
            0.35,
            0.41,
            0.52,
            0.6,
            0.66,
            0.7,
            0.74,
            0.8,
            0.88,
            0.93,
            0.97,
        ]
    )
    passed = np.sort(p) <= 0.1 * np.arange(1, 21) / 20
    return Solution(
        int(np.flatnonzero(passed).max()) + 1,
        (
            (int((p <= 0.1).sum()), "This is how many lie at or below 0.1, without any correction."),
            (int((p <= 0.1 / 20).sum()), "This is Bonferroni's correction, which asks for no mistake at all."),
            (
                int(np.argmin(passed)),
                "You stopped at the first p above its bound. Go on: the largest p below its own bound decides, and all smaller ones are in.",
            ),
        ),
        "Of these, one in ten is expected to be a mistake; without a correction nobody knows how many are.",
        "Compare the k-th smallest p with 0.1 k / 20.",
        {"p": p},
    )


@solves("layers-1")
def layers_1() -> Solution:
    return Solution(
        2 / 13,
        (
            (1 / 13, "There are two edges, the first and the last."),
            (2 / 12, "Layer 0, the embedding, is a layer too: how many are there?"),
            (0.5, "This would be so if a layer were either edge or middle, with equal chances."),
        ),
        "Real choices in regions without signal agree with each other, because folds share training runs: the share is the same, its interval wider.",
        "Edges among all layers.",
    )


@solves("layers-2")
def layers_2() -> Solution:
    scores = np.random.default_rng(3).normal(0, 0.05, (13, 9)).round(3)
    nested = [scores[np.delete(scores, run, axis=1).mean(axis=1).argmax(), run] for run in range(9)]
    return Solution(
        np.mean(nested),
        (
            (scores.mean(axis=1).max(), "The layer was chosen by the very runs that it is scored on."),
            (
                scores.max(axis=0).mean(),
                "This takes the best layer of each run by its own score. The run that is scored must have no say.",
            ),
            (scores.mean(), "This is the mean over all layers: nothing was chosen."),
        ),
        "These scores were drawn around zero. Choosing on the test runs makes a score of nothing; choosing inside the training runs does not.",
        "For each run: the layer with the best mean over the eight others, and its score in this run. Then the mean over runs.",
        {"scores": scores},
    )


@solves("participants-1")
def participants_1() -> Solution:
    return Solution(
        np.sqrt(1 + 9 / 8),
        (
            (1 + 9 / 8, "This is the ratio of the variances. Take the root."),
            (np.sqrt(9 / 8), "This is the correction alone. The uncorrected variance is part of the sum."),
            (1.0, "Then nothing would be corrected. What do any two of the nine models share?"),
            (np.sqrt(1 + 8 / 9), "Turned over: test scans by training scans, one run by eight."),
        ),
        "Student's interval over nine runs is a third too narrow, and is still uninformative about other people.",
        "Variance times (1/9 + 1/8) against variance times 1/9.",
    )


@solves("participants-2")
def participants_2() -> Solution:
    return Solution(
        6,
        (
            (5, "With five the smallest two-sided p is 2 in 32. Count the sign patterns again."),
            (4, "With four there are 16 patterns of signs; two of them are as extreme."),
            (
                20,
                "That would be needed if each participant alone were one case in twenty. Patterns of signs are many more.",
            ),
        ),
        "With fewer than six participants this test cannot find anything, however large the effect.",
        "The smallest two-sided p of n participants is 2 / 2**n.",
    )


@solves("participants-3")
def participants_3() -> Solution:
    return Solution(
        36,
        (
            (18, "Half the width needs more than twice the participants."),
            (81, "That is the square of nine. By how much is the interval to shrink?"),
            (27, "Widths shrink with the root of the number."),
        ),
        "Each halving costs four times as many participants.",
        "Nine participants; the width goes with one over the root of n.",
    )


@solves("what_holds_brains-1")
def what_holds_brains_1() -> Solution:
    return Solution(
        "a positive control",
        (
            (
                "more layers",
                "More of what may not work is no evidence. Does the test find an effect that is known to be there?",
            ),
            ("a smaller p", "The p of what does not show is large. What would make its absence believable?"),
            (
                "another model",
                "Another model may fail for the same reason. How would you know that the test can find anything?",
            ),
        ),
        "If the same test, with as many participants, finds an effect that was put in, its silence elsewhere means something.",
    )


@solves("what_holds_brains-2")
def what_holds_brains_2() -> Solution:
    return Solution(
        "no verdict",
        (
            ("holds", "Before the cases are counted comes a question to the control."),
            ("holds in part", "Four of five cases agree, but something else failed."),
            ("contradicted", "No case speaks against the claim. Look at what did not pass."),
            ("does not show here", "That is said where controls pass and cases do not agree."),
        ),
        "A claim about trained models cannot be judged where training did nothing.",
    )


@solves("your_recordings-1")
def your_recordings_1() -> Solution:
    return Solution(
        8,
        (
            (2, "This is the scan if the story began with the recording. It began later."),
            (
                -4,
                "The recording ran already when the story began: at this word more time has passed since the first scan, not less.",
            ),
            (9, "Round down: a word belongs to the scan that is being taken when it begins."),
            (13, "These are the seconds since the first scan. Which scan is being taken then?"),
        ),
        "A start that is forgotten moves all words by the same number of scans: the lag check finds it.",
        "Add the seconds between the first scan and the story, divide by the repetition time, round down.",
    )


@solves("your_recordings-2")
def your_recordings_2() -> Solution:
    return Solution(
        np.array([1, 3, 4, 5]),
        (
            ([1, 2, 3, 4], "These are the delays for a repetition time of 2 s."),
            (np.array([2, 4, 6, 8]) / 1.5, "A delay is a whole number of scans: take the nearest."),
            ([3, 6, 9, 12], "Divide by the repetition time: shorter scans, but not so many."),
        ),
        "Delays belong to the blood, and so to seconds; in scans they differ from scanner to scanner.",
        "How many scans of 1.5 s are 2, 4, 6 and 8 s?",
    )
