import numpy as np
import pytest

from brainbook.number_sense.arithmetic import (
    OF_BEST,
    arithmetic,
    arithmetic_in_latents,
    equations,
    guesses,
    score,
    solve,
    solve_shuffled,
    sums_of_images,
    sums_of_means,
    sums_within_colours,
)


def test_408_equations_of_which_72_are_identities():
    table = equations()
    assert len(table) == 408
    assert table.identity.sum() == 72
    assert table.answer.between(1, 9).all()
    assert (table.a != table.c).all()
    assert (table.answer == table.a + table.b - table.c).all()
    assert not table.duplicated().any()


@pytest.mark.parametrize("sums", [sums_of_means, sums_within_colours, sums_of_images])
def test_an_ordered_line_solves_everything(exact, shown, sums):
    model, classifier = exact
    solved = solve(model, sums(model.embed(shown), shown), "oscn", classifier)
    assert score(solved).value.to_dict() == {"all": 1.0, "identities": 1.0, "without identities": 1.0}


def test_identities_come_back_whatever_the_latents_are(exact, shown):
    """Numbers in random places: z(a) + z(b) - z(b) is z(a) still, and nothing else comes out but by luck."""
    model, classifier = exact
    places = np.random.default_rng(3).permutation(np.arange(1, 10))
    z = model.embed(shown)
    z[:, 0] = places[shown.number - 1]
    solved = solve(model, sums_of_means(z, shown), "oscn", classifier)
    solved["read"] = np.argsort(places)[solved.read - 1] + 1
    accuracy = score(solved).value
    assert accuracy["identities"] == 1.0
    assert accuracy["without identities"] < 0.35


def test_shuffling_destroys_order_but_not_identities(exact, shown):
    model, classifier = exact
    accuracy = score(solve_shuffled(model, model.embed(shown), shown, "oscn", classifier, times=20)).value
    assert accuracy["identities"] == 1.0
    assert accuracy["without identities"] < 0.3


def test_noise_costs_accuracy_and_is_seeded(exact, shown):
    model, classifier = exact
    sums = sums_of_means(model.embed(shown), shown)
    noisy = [solve(model, sums, "oscn", classifier, seed=seed) for seed in (1, 1, 2)]
    assert score(noisy[0]).value["all"] < 0.5
    assert (noisy[0].read == noisy[1].read).all()
    assert (noisy[0].read != noisy[2].read).any()


def test_single_images_share_a_colour(exact, shown):
    """Colour is 100 times as large as number here: mixed colours would show."""
    model, classifier = exact
    solved = solve(model, sums_of_images(model.embed(shown), shown, draws=2), "oscn", classifier)
    assert len(solved) == 816
    assert (solved.read == solved.answer).all()


def test_guesses_are_what_they_say():
    accuracy = {name: score(table).value for name, table in guesses(np.random.default_rng(0)).items()}
    assert accuracy["nearest number"]["identities"] == 1.0
    table = equations()
    by_one = (table[~table.identity].b - table[~table.identity].c).abs() == 1
    assert accuracy["nearest number"]["without identities"] == pytest.approx(by_one.mean())
    # an operand is right only where c happens to be the answer: a and b never are, outside identities
    right_by_c = (table[~table.identity].c == table[~table.identity].answer).mean() / 3
    assert accuracy["an operand"]["without identities"] == pytest.approx(right_by_c, abs=0.01)
    assert 1 / 9 < accuracy["best constant"]["without identities"] < 0.2


def test_table_of_all(exact, shown):
    model, classifier = exact
    table = arithmetic(model, {"oscn": model.embed(shown)}, {"oscn": shown}, {"oscn": classifier})
    assert set(table.measure) == {
        "arithmetic",
        "arithmetic, one colour",
        "arithmetic, single images",
        "arithmetic, shuffled",
    }
    assert set(table.factor) == {"all", "identities", "without identities", OF_BEST}
    whole = table[(table.measure == "arithmetic") & (table.condition == "noise-free")].set_index("factor")
    assert whole.n.to_dict() == {"all": 408, "identities": 72, "without identities": 336, OF_BEST: 336}
    assert (whole.chance == 1 / 9).all()
    assert (whole.error == 0).all()


def test_a_share_of_the_best_possible(exact, shown):
    """Where half of the single means are decoded to another number, half of the sums is all that can be read."""

    class Half(type(exact[0])):
        def decode(self, z, name=None):
            decoded = super().decode(z)
            decoded[:, 0, 0, 0] = np.where(decoded[:, 0, 0, 0] > 5.5, 9, decoded[:, 0, 0, 0])
            return decoded

    model = Half()
    table = arithmetic(model, {"oscn": model.embed(shown)}, {"oscn": shown}, {"oscn": exact[1]})
    table = table[(table.measure == "arithmetic") & (table.condition == "noise-free")].set_index("factor")
    of_single = table.value["identities"]
    assert of_single == pytest.approx(6 / 9, abs=0.03)
    assert table.ceiling["without identities"] == of_single
    assert table.value[OF_BEST] == pytest.approx(table.value["without identities"] / of_single)
    assert table.ceiling[OF_BEST] == 1.0


class TestInLatents:
    def solved(self, z, images):
        table = arithmetic_in_latents({"oscn": z}, {"oscn": images})
        return table.set_index(["measure", "factor"]).value

    def test_a_line_adds(self, shown):
        value = self.solved(np.outer(shown.number, [1.0, -2.0, 0.5]), shown)
        assert value["arithmetic, latents", "without identities"] == 1
        assert value["arithmetic, latents, shuffled", "without identities"] < 0.4

    def test_clusters_without_order_only_give_operands_back(self, shown):
        value = self.solved(np.eye(9)[shown.number - 1], shown)
        assert value["arithmetic, latents", "identities"] == 1
        table = equations()
        operand = (table.answer == table.c) & ~table.identity  # the answer is c: 2c = a + b, and c is the farthest one
        assert value["arithmetic, latents", "without identities"] <= operand[~table.identity].mean()

    def test_a_logarithmic_line_adds_some(self, shown):
        value = self.solved(np.log(shown.number)[:, None], shown)
        assert 0.1 < value["arithmetic, latents", "without identities"] < 0.8
