"""Solutions of the chapters on language models, transfer and number sense."""

import numpy as np
from scipy.stats import binom, binomtest

from brainbook.course.solution import Solution, solves


@solves("tiny_models-1")
def tiny_models_1() -> Solution:
    return Solution(
        "the word",
        (
            ("the scene", "A scene has to be gathered from many words. What does layer 0 know of other words?"),
            ("both", "Layer 0 is the embedding of one word. Which of the two needs more than one word?"),
            ("neither", "An embedding is looked up by what is printed: that much it must hold."),
        ),
        "What rises through the layers is what has to be gathered from context.",
    )


@solves("tiny_models-2")
def tiny_models_2() -> Solution:
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    return Solution(
        0.4,
        (
            (0.25, "This is chance if all four scenes were as frequent as each other."),
            ((shares**2).sum().round(2), "This is what guessing in proportion gives. Another fixed guess does better."),
            (1.0, "Without looking at any word?"),
        ),
        "An accuracy must beat the most frequent class, not one in four.",
        "Which single guess is right most often?",
        {"shares": shares},
    )


@solves("brainlm-1")
def brainlm_1() -> Solution:
    words = np.array([10, 11, 12, 13])
    return Solution(
        words + 2,
        (
            (words - 2, "These scans came before the words."),
            (words, "These scans answer to what was said earlier."),
            (2 * words, "These are seconds. The delay is two scans."),
            (words + 4, "The delay is given in scans already: two, which are four seconds."),
        ),
        "With a TR of two seconds a delay of two scans lies just before the response's peak.",
        "Move every scan by the delay.",
        {"scans": words},
    )


@solves("brainlm-2")
def brainlm_2() -> Solution:
    n, chance = 60, 1 / 20
    least = int(next(k for k in range(n) if binom.sf(k - 1, n, chance) <= 0.05))
    return Solution(
        least,
        (
            (3, "So many are right by chance on average. More than that happens almost half of the time."),
            (
                least - 1,
                "Just this many or more still happens in more than 5% of the experiments: `sf(k)` is the chance of *more* than k.",
            ),
            (
                least + 1,
                "One fewer is enough. (This is the answer with a p from both sides, or with `sf(k)` for `sf(k - 1)`.)",
            ),
            (33, "This would be right at chance one half. The right one is one of twenty here."),
        ),
        "Twice the expected number is not yet surprising when so little is expected.",
        "`scipy.stats.binom.sf(k - 1, n, chance)` is the chance of k or more.",
    )


@solves("transfer-1")
def transfer_1() -> Solution:
    error = np.sqrt(0.25 / 2000)
    return Solution(
        error,
        (
            (0.25 / 2000, "This is the variance of the accuracy. Take the root."),
            (0.5, "This is the standard deviation of one answer, right or wrong. The accuracy is a mean of 2,000."),
            (1.96 * error, "This is half the width of the interval. The standard error comes before the factor 1.96."),
            (100 * error, "This is in per cent. Give it as a share."),
        ),
        "51.75% lies one and a half standard errors from a half: guessing gives as much now and then.",
        "The variance of one answer is p (1 - p).",
    )


@solves("transfer-2")
def transfer_2() -> Solution:
    return Solution(
        1 - 0.97**4,
        (
            (0.03, "This is the p of one model that was named beforehand. The best of four had four tries."),
            (0.03 / 4, "A choice among four makes the evidence weaker, and p larger."),
            (0.03**4, "This is the chance that all four do so well. One of them is enough."),
            (
                0.12,
                "Nearly: four times p is an upper bound. The chance that at least one of four does it is a little lower.",
            ),
        ),
        "What looked significant alone is what one study in nine finds by choosing the best of four.",
        "One minus the chance that none does.",
    )


@solves("transfer-3")
def transfer_3() -> Solution:
    return Solution(
        "below zero",
        (
            ("near one", "Which sign would the loss have to reward for that? Read it for a pair that matches."),
            ("unchanged", "There is a gradient, and it is the same for all pairs. Which way does it push?"),
            ("split", "To part matching from other pairs the loss must treat them differently. Does it, as printed?"),
        ),
        "A loss that falls is no sign that what should be learned is being learned.",
    )


@solves("transfer-4")
def transfer_4() -> Solution:
    return Solution(
        "chance",
        (
            ("as before", "The new words start at random. Who brings them to their translations in so few steps?"),
            ("perfect", "A higher learning rate moves weights further, not better."),
            ("below chance", "For that it would have to know the answer, and say the opposite."),
        ),
        "What starts the new words near their translations does most of the work: a control that the paper lacks.",
    )


@solves("transfer_to_brains-1")
def transfer_to_brains_1() -> Solution:
    return Solution(
        np.array([-0.002, 0.006]),
        (
            ([0.008, 0.016], "This interval lies around the new score. The gain is the difference of the two."),
            ([0, 0.4], "This is in shares of the old score. Give the gain in r."),
            ([0.006, -0.002], "Give the lower bound first."),
            ([0, 0.004], "The gain plus or minus half of .004? The half-width is .004 itself."),
        ),
        "'20% better' and 'no evidence of any change' describe the same table.",
        "Lower and upper bound of the difference.",
    )


@solves("transfer_to_brains-2")
def transfer_to_brains_2() -> Solution:
    return Solution(
        np.array([0.03, 0.02, 0.03]),
        (
            ([0.06, 0.05, 0.11], "What both can explain is counted twice here."),
            ([0.02, 0.03, 0.03], "Turned about: what A alone explains is lost when A is left out of both."),
            ([0.06, 0.05, 0.03], "The last is right. The first two still hold the shared part."),
            ([0.03, 0.02, 0.05], "Both own parts are right. What is left of the three is shared."),
        ),
        "Most of what the second model explains, the first explains as well.",
        "The three parts add up to what both together explain.",
    )


@solves("transfer_models-1")
def transfer_models_1() -> Solution:
    alone = binom.sf(1034, 2000, 0.5)
    return Solution(
        1 - (1 - alone) ** 4,
        (
            (alone, "This is for one model. The best of four is reported."),
            (alone**4, "This is the chance that all four reach it."),
            (4 * alone, "The sum counts experiments twice in which two models reach it."),
            (binom.pmf(1035, 2000, 0.5), "This is the chance of exactly that many. More counts as well."),
        ),
        "By choosing the best of four, guessing reaches the published accuracy in about one study of five.",
        "51.75% of 2,000 pairs are 1,035 right answers, or more.",
    )


@solves("transfer_models-2")
def transfer_models_2() -> Solution:
    p = binomtest(40, 100, 0.5).pvalue
    return Solution(
        p,
        (
            (p / 2, "This is the p of one side. Nobody said beforehand which model would be better."),
            (
                binomtest(960, 2000, 0.5).pvalue,
                "This compares one model with a coin. Compare the two models, where they differ.",
            ),
            (0.4, "This is the share. How often would a fair coin give a share as far from a half?"),
        ),
        "Only pairs on which the models disagree can tell them apart; the other 1,900 cannot.",
        "100 pairs are decided by one of the two models only. Were it a coin?",
    )


@solves("number_sense-1")
def number_sense_1() -> Solution:
    numbers = range(1, 10)
    grid = [(a, b, c) for a in numbers for b in numbers for c in numbers if a != c and b != c and a + b - c in numbers]
    solved = sum(b - c == 1 for a, b, c in grid)
    return Solution(
        solved / len(grid),
        (
            (2 * solved / len(grid), "This is what 'the nearest number' solves, which also knows the sign of b - c."),
            (solved, "This is how many. Give the share."),
            (1 / 9, "This is what a blind guess of one in nine solves. The answers are not equally frequent."),
        ),
        "A score in arithmetic must be compared with rules that know nothing of arithmetic.",
        "Among the equations without b = c, how often is b - c = 1?",
    )


@solves("number_sense-2")
def number_sense_2() -> Solution:
    return Solution(
        "reconstruction",
        (
            ("cross-modal generation", "A digit does not say where the dots are, however tight the bound."),
            ("both alike", "In one of the two, what is missing stands in no image that the network sees."),
            (
                "neither",
                "A tighter bound lets the posterior spread where the likelihood does not mind. Who gains by that?",
            ),
        ),
        "A bound can help with what the image says, not with what it leaves out.",
    )


@solves("number_sense-3")
def number_sense_3() -> Solution:
    number, area = np.arange(1.0, 10), np.array([3, 7, 8, 13, 14, 19, 20, 25, 26.0])
    latent = np.array([0.1, 0.5, 0.4, 0.8, 0.75, 1.3, 1.2, 1.75, 1.7])

    def partial(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
        ab, ac, bc = np.corrcoef(a, b)[0, 1], np.corrcoef(a, c)[0, 1], np.corrcoef(b, c)[0, 1]
        return (ab - ac * bc) / np.sqrt((1 - ac**2) * (1 - bc**2))

    return Solution(
        partial(latent, number, area),
        (
            (np.corrcoef(latent, number)[0, 1], "Area is still in this: larger numbers have more pixels."),
            (partial(latent, area, number), "This is the latent with area, without number. The other way round."),
            (np.corrcoef(number, area)[0, 1], "This is how number and area go together. The latent is missing."),
        ),
        "What looked like a number line is a line of area: without it little of the order is left.",
        "Regress both the latent and the number on area, and correlate what is left.",
        {"latent": latent, "number": number, "area": area},
    )


@solves("what_holds_numbers-1")
def what_holds_numbers_1() -> Solution:
    return Solution(
        "the words of the claim",
        (
            (
                "the network",
                "A control of pixels or of an untrained network speaks of the images. A better network changes nothing about them.",
            ),
            ("the number of seeds", "More seeds make the interval narrower around the same place."),
            ("the control", "If you drop the control that fails, you have decided the claim beforehand."),
        ),
        "If pixels do as well, the claim is one about images, and should say so.",
    )


@solves("what_holds_numbers-2")
def what_holds_numbers_2() -> Solution:
    return Solution(
        binom.sf(2, 4, 0.5),
        (
            (0.75, "This is the share of seeds. How often would coins give three or four of four?"),
            (
                binom.pmf(3, 4, 0.5),
                "This is the chance of exactly three. Four would be even stronger evidence: it counts.",
            ),
            (
                0.5**3,
                "This is the chance that three given seeds agree; there are several ways to choose them, and a fourth seed.",
            ),
        ),
        "Four seeds can hardly show anything by their signs alone; their sizes must help.",
        "Add the chances of three and of four heads.",
    )
