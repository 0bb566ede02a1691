"""Solutions of the first chapters: clocks, delays, ridge, scores, and how they deceive."""

from collections.abc import Callable

import numpy as np

from brainbook.course.solution import Solution, solves


@solves("refresher-1")
def refresher_1() -> Solution:
    table = np.arange(12.0).reshape(4, 3)
    return Solution(
        table.mean(axis=0),
        (
            (table.mean(axis=1), "These are means over the columns, one per row. You want one per column."),
            (table.mean(), "This is one mean over everything. Say along which axis to average."),
            (table.sum(axis=0), "The axis is right; you summed and did not divide by the number of rows."),
        ),
        "The axis that you name is the one that disappears: axis 0 is that of the scans here.",
        "numpy's `mean` takes `axis`.",
        {"table": table},
    )


@solves("refresher-2")
def refresher_2() -> Solution:
    x, y = np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 4, 5])
    r = np.corrcoef(x, y)[0, 1]
    centred_x, centred_y = x - x.mean(), y - y.mean()
    return Solution(
        r,
        (
            (r**2, "This is r squared, the share of the variance. r itself is wanted."),
            (centred_x @ centred_y / 4, "This is the covariance. Divide by both standard deviations."),
            (centred_x @ centred_y / (centred_x @ centred_x), "This is the slope of y on x, which depends on units."),
        ),
        "Correlation is the covariance of two z-scored variables.",
        "Centre both, divide each by its standard deviation, multiply and average.",
        {"x": x, "y": y},
    )


@solves("first_model-1")
def first_model_1() -> Solution:
    onsets = np.array([0.3, 0.9, 1.6, 2.3, 2.9, 3.5, 8.2, 8.8, 9.5, 13.0])

    def counts(scans: np.ndarray) -> np.ndarray:
        return np.bincount(scans.astype(int), minlength=10)

    return Solution(
        counts(np.floor(onsets / 1.5)),
        (
            (counts(np.floor(onsets / 2)), "These are the counts of the slower scanner: a scan takes 1.5 s now."),
            (counts(np.round(onsets / 1.5)), "Round down: a word that begins late in a scan still belongs to it."),
            (np.floor(onsets / 1.5), "These are the scans of the ten words. Now count how many words each scan has."),
        ),
        "Shorter scans hold fewer words, and the same second is another scan: never count without the TR.",
        "`np.bincount` with `minlength` counts also the scans without words.",
        {"onsets": onsets},
    )


@solves("first_model-2")
def first_model_2() -> Solution:
    counts, runs = np.array([3, 3, 0, 0, 3, 2, 1, 0, 0, 0]), np.repeat([1, 2], 5)

    def table(shift: Callable[[int], np.ndarray]) -> np.ndarray:
        return np.stack([shift(delay) for delay in (1, 2, 3, 4)], axis=1)

    def within(delay: int) -> np.ndarray:
        moved = np.zeros(10, int)
        for run in (1, 2):
            inside = np.flatnonzero(runs == run)
            moved[inside[delay:]] = counts[inside[:-delay]]
        return moved

    across = table(lambda delay: np.concatenate([np.zeros(delay, int), counts[:-delay]]))
    return Solution(
        table(within),
        (
            (across, "The first scans of the second run see words of the first run, heard minutes earlier."),
            (
                table(lambda delay: np.roll(counts, delay)),
                "The end flows into the beginning: `np.roll` moves in a circle.",
            ),
            (
                table(lambda delay: np.append(counts[delay:], np.zeros(delay, int))),
                "You moved the words to earlier scans: a response cannot come before its word.",
            ),
        ),
        "No scan sees a word of another run.",
        "Delay each run by itself.",
        {"counts": counts, "runs": runs},
    )


@solves("first_model-3")
def first_model_3() -> Solution:
    x, y, alpha = np.array([-2.0, -1, 0, 1, 2]), np.array([-3.0, -3, 1, 1, 4]), 10.0
    return Solution(
        x @ y / (x @ x + alpha),
        (
            (x @ y / (x @ x), "This is the weight without a penalty."),
            (
                x @ y / (x @ x) + alpha,
                "The penalty makes weights smaller: it stands below the line, beside the sum of squares.",
            ),
            (
                x @ y / (x @ x / len(x) + alpha),
                "The penalty is weighed against the sum of squares, not against their mean.",
            ),
            (x @ y / (x @ x + alpha**2), "In the sum to be minimised alpha is not squared; the weight is."),
        ),
        "The more data there is (a larger sum of squares), the less a given penalty matters.",
        "Differentiate (y - x b)² + alpha b² by b.",
        {"x": x, "y": y, "alpha": alpha},
    )


@solves("first_model-4")
def first_model_4() -> Solution:
    return Solution(
        "how many",
        (
            (
                "which words",
                "That is what the superior temporal sulcus of the phantom follows. What does a region of sound hear of a word?",
            ),
            (
                "the same",
                "The two feature spaces differ in columns and in what they can say of loudness and rate. Compare what each has to learn.",
            ),
        ),
        "One good column beats a hundred: four weights are learned well, four hundred less so, and what drives sound regions is how much is heard.",
    )


@solves("recordings-1")
def recordings_1() -> Solution:
    return Solution(
        -4,
        (
            (4, "Which way? What was recorded first now belongs to words that the table has later."),
            (-8, "Lags are counted in scans here, not in seconds."),
            (0, "At this lag the clocks would agree; four scans were dropped on one side only."),
        ),
        "A missing beginning makes responses seem to come before their words.",
        "Draw two rows of scans on paper, and cut the first four of the upper one.",
    )


@solves("recordings-2")
def recordings_2() -> Solution:
    numbers = np.array([3, 4, 6, 7, 9, 10, 12, 13, 14])
    return Solution(
        5,
        (
            (9, "That is the number in the file's name. Sections are numbered 1 to 9, in order."),
            (4, "You counted from zero; sections count from one."),
            (7, "You counted the numbers that are missing as if they were sections."),
        ),
        "The rank among the runs that are there gives the section; the number in the name does not.",
        "Rank the numbers.",
        {"numbers": numbers},
    )


@solves("recordings-3")
def recordings_3() -> Solution:
    return Solution(
        "anywhere",
        (
            ("at zero", "That is where it lies if recordings follow the words. Here they follow nothing."),
            ("at two", "The response's delay is part of the expected signal; and there is no response here."),
            ("nowhere", "Every curve has a highest point, also one of pure noise."),
        ),
        "A highest point is no evidence by itself: look at its height, and whether languages and participants agree.",
    )


_TOY_ONSETS = np.cumsum(
    np.array([0.4, 0.3, 0.5, 0.3, 1.9, 0.4, 0.3, 0.4, 0.6, 0.3, 2.4, 0.5, 0.3, 0.4, 0.3, 3.1, 0.4, 0.5, 0.3, 0.4])
)


@solves("alignment-1")
def alignment_1() -> Solution:
    heard = np.floor(_TOY_ONSETS / 2).astype(int)
    fixed = np.arange(len(_TOY_ONSETS)) // 4
    return Solution(
        fixed - heard,
        (
            (heard - fixed, "The sign is turned: FLA's scan minus the scan in which the word began."),
            (fixed, "These are the scans that FLA gives. Subtract those in which the words began."),
            (2 * (fixed - heard), "This is in seconds. A scan takes two of them; the answer is in scans."),
        ),
        "Each pause moves all later words, and no later word moves them back.",
        "FLA: word number, from zero, divided by four, rounded down. VLA: onset divided by two, rounded down.",
        {"onsets": _TOY_ONSETS.round(2)},
    )


@solves("alignment-2")
def alignment_2() -> Solution:
    return Solution(
        "sound",
        (
            ("word", "A mean already says which words there were. What does it lose that a sum keeps?"),
            (
                "meaning",
                "The sum of the same states points the same way as their mean. Only its length differs: with what?",
            ),
            ("topic", "Topics change over minutes; a sum and a mean differ from scan to scan."),
        ),
        "A sum grows with the number of words. A higher score, and nothing learned about their meaning.",
    )


@solves("alignment-3")
def alignment_3() -> Solution:
    r = np.array([0.05, 0.10, 0.62, 0.71, 0.08])
    z = np.arctanh(r)
    return Solution(
        np.tanh(z.mean()),
        (
            (r.mean(), "This is the plain mean. Fisher's z comes before the mean."),
            (z.mean(), "This is a mean on the scale of z. Go back to r."),
            (np.median(r), "This is the median, which ignores how high the highest are."),
            (np.sqrt((r**2).mean()), "You averaged squares. Fisher's z is the inverse hyperbolic tangent."),
        ),
        "High correlations count more on the scale of z, where each has the same standard error.",
        "`np.arctanh`, mean, `np.tanh`.",
        {"r": r},
    )


@solves("alice-1")
def alice_1() -> Solution:
    return Solution(
        "higher layers",
        (
            ("layer 0", "The embedding of a word knows no other word: what could it lose?"),
            ("all layers", "One of them knows no context even now. Which?"),
            ("none", "With context 0 the model reads every word by itself. Which layers used the words before?"),
        ),
        "If higher layers fall to the level of layer 0, what they had added came from the words before.",
    )


@solves("alice-2")
def alice_2() -> Solution:
    return Solution(
        360 - 60 - 2 * 8,
        (
            (300, "You left out the test block, and not the gap around it."),
            (292, "A block in the middle has neighbours on both sides."),
            (60, "This is how many scans are tested. How many train?"),
            (298, "The gap is in scans, eight on each side."),
        ),
        "A gap costs a few training scans, and keeps a test scan's neighbours from giving it away.",
        "All scans, less the block, less what lies near it.",
    )


@solves("story-1")
def story_1() -> Solution:
    return Solution(
        15,
        (
            (75, "These are words. How many scans do they fill?"),
            (30, "These are seconds. How many scans?"),
            (17, "FLA fills a scan with five words, not with four and a half."),
            (0.5, "This is by how much one scan is off. Errors of all scans add up."),
        ),
        "Half a word a scan looks small. It adds up to half a minute, and no delay of a regression brings that back.",
        "How many words were heard, and how many scans does FLA fill with them?",
    )


@solves("story-2")
def story_2() -> Solution:
    return Solution(
        0.02,
        (
            (0.12, "This is the score itself. What would the network score without training?"),
            (0.01, "This is the gain over counting words, another question."),
            (0.2, "This is a ratio. A share of a small number looks large: give the difference of the r."),
            (-0.02, "The sign is turned: trained minus untrained."),
        ),
        "Architecture and word identity alone gave most of the score; training gave the rest.",
        "Compare two networks that differ in training and in nothing else.",
    )


@solves("pitfalls-1")
def pitfalls_1() -> Solution:
    return Solution(
        np.sqrt(0.1),
        (
            (
                0.1,
                "At this value two echoes correlate, and both are noisy. A prediction that equals the shared part has no noise of its own.",
            ),
            (
                np.sqrt(0.9),
                "This would be the bound if nine tenths were shared. They are thermal noise, each echo's own.",
            ),
            (0.9, "Nine tenths are thermal noise, which no echo tells of another."),
        ),
        "A leak of a tenth of the variance still allows an r far above what most models of language reach.",
        "A share of variance is a squared correlation.",
    )


@solves("pitfalls-2")
def pitfalls_2() -> Solution:
    n, a, b = 200, 0.6, 0.5
    return Solution(
        n * (1 - a * b) / (1 + a * b),
        (
            (n, "This is the number of scans, as if each were a new observation."),
            (n * (1 - a) / (1 + a), "You used the memory of one signal only. What counts is the product of both."),
            (n * (1 + a * b) / (1 - a * b), "More than there are scans? Turn the fraction over."),
        ),
        "A correlation over these scans is as uncertain as over half as many that are independent.",
        "n (1 - ab) / (1 + ab), with a and b the correlations of neighbouring scans in the two signals.",
    )


@solves("pitfalls-3")
def pitfalls_3() -> Solution:
    return Solution(
        "shares called significant",
        (
            ("leaks", "A leak is a bias: another seed draws other noise, and the leak reads that as well."),
            ("both", "One of them is a mean over very many vertices with a cause that does not change."),
            ("neither", "All vertices of a phantom share one story and so one draw. Which of the two depends on it?"),
        ),
        "Many vertices are not many studies: they share a story, and so their false positives come together.",
    )


@solves("pitfalls-4")
def pitfalls_4() -> Solution:
    rng = np.random.default_rng(4)
    null = np.sort(rng.normal(0, 0.05, 199).round(3))
    score = float(null[-7])
    k = int((null >= score).sum())
    return Solution(
        (1 + k) / 200,
        (
            (
                k / 199,
                "A p of zero could then happen. The observed score counts as one of the draws, above and below the line.",
            ),
            (1 - (1 + k) / 200, "This is the share of draws below the score. How many are as high or higher?"),
            (k, "This is a count. A p-value is a share."),
        ),
        "With 199 draws no p can be smaller than 1 in 200.",
        "Count the draws that are as high as the score or higher, and the score itself.",
        {"null": null, "score": score},
    )
