"""Fine-tuning on pairs: it learns from true pairs, not from shuffled ones, and caches what it trained."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from brainbook.datasets import shuffle_pairs
from brainbook.errors import ConfigurationError
from brainbook.language_models import load_language_model
from brainbook.language_models.__main__ import main
from brainbook.language_models.sentence_matching.evaluation import accuracy, cosines
from brainbook.language_models.sentence_matching.matcher import sentence_vectors
from brainbook.language_models.sentence_matching.settings import TransferSettings, with_loss
from brainbook.language_models.sentence_matching.transfer import (
    fine_tune,
    load_transferred,
    phantom_pairs,
    transferred,
)

QUICK = TransferSettings(steps=60, batch_size=32, learning_rate=5e-3, validate_every=20, hidden=8)


@pytest.fixture
def accuracy_on_test(match_probability):
    def accuracy_on_test(matcher, language_model, pairs) -> dict:
        test = pairs[pairs.part == "test"]
        return accuracy(test.match, match_probability(matcher, language_model.tokenizer, test) > 0.5)

    return accuracy_on_test


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["tiny_bert", "tiny_causal"])
def test_true_pairs_are_learned_and_shuffled_ones_are_not(kind, request, tiny_pairs, accuracy_on_test):
    model = request.getfixturevalue(kind)
    before = {name: tensor.clone() for name, tensor in model.model.state_dict().items()}
    settings = TransferSettings(**{**vars(QUICK), "steps": 150, "contrast": 1.0})
    matcher, curve = fine_tune(model, tiny_pairs, settings, device="cpu")
    assert accuracy_on_test(matcher, model, tiny_pairs)["lower"] > 0.7
    assert curve["loss"].tail(10).mean() < curve["loss"].head(10).mean()
    assert curve.validation_accuracy.dropna().max() > 0.75
    assert (curve.validation.notna() == curve.validation_accuracy.notna()).all()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.model.state_dict().items())
    control, _ = fine_tune(model, shuffle_pairs(tiny_pairs, "sentences"), settings, device="cpu")
    found = accuracy_on_test(control, model, tiny_pairs)
    assert found["lower"] < 0.5 < found["upper"]


@pytest.mark.integration
def test_the_printed_loss_drives_all_sentences_apart(tiny_bert, tiny_pairs):
    """The term cannot tell matches from mismatches: it makes English the opposite of French."""
    found = {}
    for form in ("standard", "printed"):
        settings = TransferSettings(**{**vars(QUICK), "steps": 100, "cosine_form": form, "cosine": 5.0})
        matcher, _ = fine_tune(tiny_bert, tiny_pairs, settings, device="cpu")
        test = tiny_pairs[tiny_pairs.part == "test"]
        first, second = (sentence_vectors(matcher, tiny_bert.tokenizer, test[c].tolist()) for c in ("first", "second"))
        found[form] = pd.Series(cosines(first, second)).groupby(test.match.to_numpy()).mean()
    assert found["printed"][1] < -0.8 and found["printed"][0] < -0.5
    assert found["standard"][1] > 0.5 > found["standard"][0]


@pytest.mark.integration
def test_the_language_loss_keeps_a_language_model(tiny_causal, tiny_pairs):
    ids = torch.tensor([tiny_causal.tokenizer(text)["input_ids"] for text in tiny_pairs["first"].head(40)])
    losses = {}
    for weight in (1e-6, 1.0):
        settings = TransferSettings(**{**vars(QUICK), "language": weight})
        matcher, curve = fine_tune(tiny_causal, tiny_pairs, settings, device="cpu")
        with torch.no_grad():
            losses[weight] = matcher.embed(ids, torch.ones_like(ids), ids)[1].item()
        assert {"match", "cosine", "contrast", "language", "accuracy", "pairs"} <= set(curve)
    assert losses[1.0] < losses[1e-6] - 0.2


def test_frozen_layers_stay_and_early_stopping_stops(tiny_bert, tiny_pairs):
    settings = TransferSettings(**{**vars(QUICK), "frozen_layers": 2})
    matcher, _ = fine_tune(tiny_bert, tiny_pairs, settings, device="cpu")
    for name, tensor in matcher.language_model.state_dict().items():
        assert torch.equal(tensor, tiny_bert.model.state_dict()[name])
    hopeless = tiny_pairs.copy()  # the validation part asks for the contrary of what training teaches
    hopeless.loc[hopeless.part == "validation", "match"] = 1 - hopeless.match
    settings = TransferSettings(**{**vars(QUICK), "steps": 400, "validate_every": 10, "patience": 2})
    assert len(fine_tune(tiny_bert, hopeless, settings, device="cpu")[1]) < 400


def test_the_same_seed_gives_the_same_weights(tiny_causal, tiny_pairs):
    short = TransferSettings(**{**vars(QUICK), "steps": 5, "language": 1.0})
    one, again = (fine_tune(tiny_causal, tiny_pairs, short, device="cpu")[0].state_dict() for _ in range(2))
    assert all(torch.equal(one[name], again[name]) for name in one)
    other = fine_tune(tiny_causal, tiny_pairs, TransferSettings(**{**vars(short), "seed": 1}), device="cpu")[0]
    assert not all(torch.equal(one[name], tensor) for name, tensor in other.state_dict().items())


def test_a_named_loss_is_what_it_says():
    """Published: cross-entropy and cosine alone, in either form; ours: what the settings ask for."""
    settings = {"contrast": 1.0, "language": 1.0, "new_words": True, "steps": 7}
    published, printed, ours = (TransferSettings(**with_loss(settings, it)) for it in ("published", "printed", "ours"))
    assert (published.match, published.cosine, published.contrast, published.language) == (1, 1, 0, 0)
    assert published.cosine_form == "standard" and printed == replace(published, cosine_form="printed")
    assert ours == TransferSettings(**settings) and printed.new_words and printed.steps == 7
    with pytest.raises(ConfigurationError, match="published, printed, ours, not 'mine'"):
        with_loss(settings, "mine")


def test_settings_that_cannot_be(tiny_bert, tiny_pairs):
    with pytest.raises(ConfigurationError, match="standard, printed"):
        TransferSettings(cosine_form="backwards")
    with pytest.raises(ConfigurationError, match="not all 0"):
        TransferSettings(match=0, cosine=0)
    with pytest.raises(ConfigurationError, match="no pairs to train on"):
        fine_tune(tiny_bert, tiny_pairs[tiny_pairs.part == "test"], QUICK)


def test_a_transferred_model_is_cached_and_loads_like_any_other(tiny_causal, tiny_pairs, tmp_path, match_probability):
    short = TransferSettings(**{**vars(QUICK), "steps": 10, "language": 1.0})
    folder = transferred(tiny_causal.name, tiny_pairs, short, tmp_path, "cpu")
    written = (folder / "model.safetensors").stat().st_mtime_ns
    assert transferred(tiny_causal.name, tiny_pairs, short, tmp_path, "cpu") == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == written
    other = tiny_pairs.assign(match=np.where(tiny_pairs.part == "test", 1 - tiny_pairs.match, tiny_pairs.match))
    assert transferred(tiny_causal.name, other, short, tmp_path, "cpu") == folder  # the test part was not looked at
    language_model, matcher, curve = load_transferred(folder, "cpu")
    assert len(curve) == 10 and curve.validation_accuracy.notna().sum() == 1
    trained, _ = fine_tune(tiny_causal, tiny_pairs, short, "cpu")
    expected = match_probability(trained, tiny_causal.tokenizer, tiny_pairs)
    np.testing.assert_allclose(match_probability(matcher, language_model.tokenizer, tiny_pairs), expected, atol=1e-5)
    assert load_language_model(str(folder), device="cpu").n_layers == 2


def test_phantom_pairs_are_parallel_in_all_languages():
    pairs = phantom_pairs(200, ("FR", "CN"))
    assert pairs.language.value_counts().to_dict() == {"FR": 200, "CN": 200}
    french, chinese = (pairs[pairs.language == language] for language in ("FR", "CN"))
    assert (french[["part", "second_row"]].to_numpy() == chinese[["part", "second_row"]].to_numpy()).all()
    assert pairs.groupby(["language", "part"]).match.mean().eq(0.5).all()
    train, test = (set(pairs[pairs.part == part]["first"]) for part in ("train", "test"))
    assert not train & test


@pytest.mark.integration
def test_the_command_line_fine_tunes_and_says_where(tiny_causal, tmp_path, capsys):
    options = f"--n 150 --steps 3 --batch-size 8 --validate-every 3 --max-tokens 24 --cache {tmp_path} --device cpu"
    main(["transfer", tiny_causal.name, *options.split()])
    assert "validation accuracy" in capsys.readouterr().out
    assert len(list(tmp_path.glob("models/transfer-*/model.safetensors"))) == 1
    for wrong, message in [
        (["no-such-model-anywhere"], "no-such-model-anywhere"),
        ([tiny_causal.name, "--xnli", str(tmp_path), "--n", "10"], "does not exist"),
        ([tiny_causal.name, "--cosine-form", "odd"], "standard, printed"),
    ]:
        with pytest.raises(SystemExit):
            main(["transfer", *wrong, "--cache", str(tmp_path)])
        assert message in capsys.readouterr().err
