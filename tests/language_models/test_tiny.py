"""Tiny models: what they are made of, how they are cached. That they learn is tested on a very small one."""

import threading
from dataclasses import replace

import pandas as pd
import pytest
import torch

from brainbook.errors import ModelError
from brainbook.language_models import load_language_model
from brainbook.language_models.__main__ import main
from brainbook.language_models.masking import mask_tokens
from brainbook.language_models.tiny import folders, settings as tiny, training
from brainbook.language_models.tiny.corpus import TokenStream, make_tokenizer
from brainbook.language_models.tiny.folders import tiny_folder
from brainbook.language_models.tiny.settings import SHARP, TINY_MODELS, TinySettings, tiny_settings
from brainbook.language_models.tiny.training import new_model, next_token_examples, train_tiny
from brainbook.phantom.story import sentences
from brainbook.phantom.world import make_world

pytestmark = pytest.mark.integration

QUICK = {"layers": 1, "units": 16, "heads": 2, "inner": 16, "n_sentences": 300, "steps": 3, "tokens_per_step": 192}


@pytest.fixture
def quick(monkeypatch):
    """Every tiny model, so small that it is trained in a moment."""
    monkeypatch.setattr(tiny, "TINY_MODELS", {name: replace(it, **QUICK) for name, it in TINY_MODELS.items()})


@pytest.mark.parametrize("name", [*TINY_MODELS, "tiny-causal-joint"])
def test_a_tiny_model_is_trained_once_and_loaded_by_name(quick, tmp_path, name, monkeypatch):
    first = load_language_model(name, cache=tmp_path)
    kinds = {"bert": "Bert", "modernbert": "ModernBert", "causal": "Llama", "albert": "Albert"}
    assert type(first.model).__name__ == f"{kinds[name.split('-')[1]]}Model"
    assert first.causal == name.startswith("tiny-causal")
    monkeypatch.setattr(folders, "train_tiny", None)  # must not be needed again
    assert load_language_model(name, cache=tmp_path).fingerprint == first.fingerprint
    assert len(pd.read_csv(tiny_folder(name, tmp_path) / "loss.csv")) == 3
    [made] = [f for f in (tmp_path / "models").iterdir() if not f.name.startswith(".")]
    assert {f.suffix for f in made.iterdir()} == {".json", ".safetensors", ".csv"}


def test_training_repeats_itself(quick):
    a, b = (train_tiny(tiny.TINY_MODELS["tiny-bert"], "cpu")[0].state_dict() for _ in range(2))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_of_two_who_ask_at_once_one_trains(quick, tmp_path, monkeypatch):
    trained, real = [], folders.train_tiny
    monkeypatch.setattr(folders, "train_tiny", lambda *a: (trained.append(1), real(*a))[1])
    made = []
    threads = [threading.Thread(target=lambda: made.append(tiny_folder("tiny-bert", tmp_path))) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(trained) == 1 and made[0] == made[1]


def test_a_training_that_fails_leaves_nothing(quick, tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "train_tiny", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tiny_folder("tiny-bert", tmp_path)
    assert all(f.name.endswith(".lock") for f in (tmp_path / "models").iterdir())


def test_settings_and_corpus_are_in_the_key(quick, tmp_path, monkeypatch):
    made = [tiny_folder("tiny-bert", tmp_path)]
    tiny.TINY_MODELS["tiny-bert"] = replace(tiny.TINY_MODELS["tiny-bert"], seed=1)
    made.append(tiny_folder("tiny-bert", tmp_path))
    monkeypatch.setattr(folders, "corpus_sample", lambda: ["another world"])
    made.append(tiny_folder("tiny-bert", tmp_path))
    assert len(set(made)) == 3


def test_not_training_says_how_to(tmp_path):
    with pytest.raises(ModelError, match="python -m brainbook.language_models tiny tiny-bert-joint"):
        tiny_folder("tiny-bert-joint", tmp_path, train=False)


def test_command_line(quick, tmp_path, capsys):
    main(["tiny", "tiny-causal", "--cache", str(tmp_path), "--device", "cpu"])
    assert "tiny-causal: " in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["tiny", "tiny-nothing", "--cache", str(tmp_path)])
    assert "is no tiny model: tiny-bert" in capsys.readouterr().err


def test_tokenizers_are_english_or_joint():
    english = make_tokenizer(tiny_settings("tiny-bert"))
    joint = make_tokenizer(tiny_settings("tiny-bert-joint"))
    french = "le renard rencontra la chèvre"
    assert len(english.tokenize(french)) > 1.5 * len(joint.tokenize(french))
    assert "[UNK]" not in joint.tokenize("商人遇见了园丁") and "[UNK]" in english.tokenize("商人遇见了园丁在花园里帮助")
    assert english("fox")["input_ids"][0] == english.cls_token_id


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_share_of_known_characters_is_a_dial(share):
    characters = "".join(sorted(set("".join(sentences(500, 3, ("CN",))["CN"])) - {" "}))
    tokenizer = make_tokenizer(TinySettings("bert", known_characters=share))
    known = [p != "[UNK]" for p in tokenizer.tokenize(characters)]
    assert sum(known) / len(known) == pytest.approx(share, abs=0.1)


def test_windows_begin_with_words_and_stay_in_a_story():
    tokenizer = make_tokenizer(TinySettings("bert"))
    stream = TokenStream(tokenizer, ("EN",), 90, 0)  # stories of 40, 40 and 10 sentences
    generator = torch.Generator().manual_seed(0)
    windows = stream.windows(500, 24, generator)
    assert windows.shape == (500, 24)
    assert (windows[:, 0] == tokenizer.cls_token_id).all() and (windows[:, -1] == tokenizer.sep_token_id).all()
    assert not any(t.startswith("##") for t in tokenizer.convert_ids_to_tokens(windows[:, 1].tolist()))
    corpus = sentences(90, 0, ("EN",))
    stories = [f" {' '.join(group)} " for _, group in corpus.groupby("story")["EN"]]
    for window in windows[:50]:
        text = tokenizer.decode(window, skip_special_tokens=True).replace(" ##", "").split()
        assert any(f" {' '.join(text[:-1])} " in story for story in stories)  # the last word may be cut
    first = {sentence.split()[0] for sentence in corpus["EN"]}
    aligned = stream.windows(200, 12, generator, aligned=True)
    assert {tokenizer.decode(w, skip_special_tokens=True).split()[0] for w in aligned} <= first


def test_masking_follows_berts_recipe():
    tokenizer = make_tokenizer(TinySettings("bert"))
    stream = TokenStream(tokenizer, ("EN",), 400, 0)
    ids = stream.windows(2000, 32, torch.Generator().manual_seed(0))
    masked, labels = mask_tokens(ids, tokenizer, torch.Generator().manual_seed(1))
    chosen = labels != -100
    assert not chosen[:, [0, -1]].any()
    assert chosen[:, 1:-1].float().mean() == pytest.approx(0.15, abs=0.005)
    assert (labels[chosen] == ids[chosen]).all()
    assert (masked[~chosen] == ids[~chosen]).all()
    became_mask = (masked == tokenizer.mask_token_id)[chosen].float().mean()
    stayed = (masked == ids)[chosen].float().mean()
    assert became_mask == pytest.approx(0.8, abs=0.02) and stayed == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("architecture", ["bert", "modernbert", "albert"])
def test_a_masked_model_that_is_asked_for_the_next_token_does_not_see_it(architecture):
    ids = torch.randint(5, 90, (2, 12), generator=torch.Generator().manual_seed(0))
    other = ids.clone()
    other[:, 7:] = ids[:, 7:].flip(1)
    model = new_model(TinySettings(architecture, layers=2, units=16, heads=2, inner=16), 100).eval()
    first, second = (model(**next_token_examples(text)).logits for text in (ids, other))
    torch.testing.assert_close(first[:, :7], second[:, :7], rtol=0, atol=0)
    assert (first[:, 7:] - second[:, 7:]).abs().max() > 0.01
    labels = next_token_examples(ids)["labels"]
    assert (labels[:, :10] == ids[:, 1:11]).all() and (labels[:, 10:] == -100).all()


def test_batches_of_a_mixed_training(monkeypatch):
    """Every second batch asks for the next token; the first three steps of twelve read the sharper stories."""
    batches = {}

    def fit(model, batch, loss, *, steps, **options):
        batches.update({step: batch(step, torch.Generator().manual_seed(step)) for step in range(steps)})
        return pd.DataFrame()

    monkeypatch.setattr(training, "fit", fit)
    mixed = {**QUICK, "steps": 12, "windows": (24,), "causal_share": 0.5, "sharp_share": 0.25}
    _, tokenizer, _ = train_tiny(TinySettings("modernbert", **mixed), "cpu")
    assert [step for step, batch in batches.items() if batch["attention_mask"].ndim == 4] == [1, 3, 5, 7, 9, 11]
    worlds = {"sharp": make_world(**SHARP), "own": make_world()}
    texts = {name: f" {' '.join(sentences(300, 0, ('EN',), world=world)['EN'])} " for name, world in worlds.items()}

    def found(step):  # how many windows stand in each corpus, but for words that are cut
        words = [" ".join(tokenizer.decode(row[2:-4]).split()) for row in batches[step]["input_ids"]]
        return {name: sum(f" {window} " in text for window in words) for name, text in texts.items()}

    assert found(1)["sharp"] > 0 == found(1)["own"] and found(3)["own"] > 0 == found(3)["sharp"]


def test_a_tiny_model_learns():
    small = {"layers": 2, "units": 32, "heads": 2, "inner": 64, "n_sentences": 2000, "windows": (16,)}
    settings = TinySettings("llama", **small, steps=60, tokens_per_step=512, learning_rate=5e-3)
    _, _, curve = train_tiny(settings, "cpu")
    assert curve["loss"].iloc[-10:].mean() < 0.8 * curve["loss"].iloc[0]


def test_the_originals_differ_as_the_tiny_ones_do():
    first, second = TINY_MODELS["tiny-albert-v1"], TINY_MODELS["tiny-albert-v2"]
    assert first.dropout > 0 == second.dropout and second.steps > first.steps
    assert second.n_sentences > first.n_sentences


def test_an_unknown_architecture_is_refused():
    with pytest.raises(ModelError, match="architecture 'elmo'"):
        new_model(TinySettings("elmo"), 100)
