"""BrainLM: what it is built on, its tasks, its training, decoding, and how it refuses bad input."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import BertConfig, BertForMaskedLM

from brainbook.errors import ConfigurationError, DatasetError, ModelError
from brainbook.language_models import load_language_model, model_folders, word_states
from brainbook.language_models.__main__ import main
from brainbook.language_models.brainlm import folders
from brainbook.language_models.brainlm.decoding import (
    bag_of_words_scores,
    decode,
    masked_losses,
    match_scores,
    prediction_scores,
)
from brainbook.language_models.brainlm.examples import (
    concatenate,
    derangement,
    non_overlapping,
    pair_scans,
    phantom_recordings,
)
from brainbook.language_models.brainlm.model import BrainLM, load_brainlm, save_brainlm
from brainbook.language_models.brainlm.published import (
    convert_published,
    published_checkpoint,
    read_checkpoint,
)
from brainbook.language_models.brainlm.settings import TASKS, VERSIONS, BrainLMSettings
from brainbook.language_models.brainlm.training import (
    new_brainlm,
    task_loss,
    train_brainlm,
)
from brainbook.language_models.names import choose_checkpoint
from brainbook.language_models.tiny import settings as tiny

pytestmark = pytest.mark.integration

N_FEATURES = 12


@pytest.fixture(scope="module")
def recorded():
    return phantom_recordings(300, N_FEATURES, snr=2.0)


@pytest.fixture(scope="module")
def pairs(recorded, bert):
    return pair_scans(*recorded, bert.tokenizer)


@pytest.fixture
def model(bert):
    return new_brainlm(bert, N_FEATURES, trained=False).eval()


def test_without_a_brain_it_is_transformers_bert(model, pairs):
    ids, mask = pairs.input_ids[:4], pairs.attention_mask[:4]
    with torch.no_grad():
        states, brain = model(ids, mask)
        expected = model.text(input_ids=ids, attention_mask=mask).logits
    assert brain is None
    torch.testing.assert_close(model.words(states), expected)


def test_both_segments_see_each_other_and_padding_is_not_seen(model, pairs):
    ids, mask, brain = pairs.input_ids[:2].clone(), pairs.attention_mask[:2], pairs.brain[:2].clone()
    with torch.no_grad():
        text, scans = model(ids, mask, brain)
        assert text.shape == (2, 40, 16) and scans.shape == (2, 4, 16)
        ids[mask == 0] = 7
        torch.testing.assert_close(model(ids, mask, brain)[1], scans)
        brain[:, 1] += 1
        assert (model(ids, mask, brain)[0] - text).abs()[mask == 1].max() > 1e-4
        ids[:, 1] = 9
        assert (model(ids, mask, brain)[1] - scans).abs().max() > 1e-4


def test_a_hidden_scan_does_not_show(model, pairs):
    ids, mask, brain = pairs.input_ids[:2], pairs.attention_mask[:2], pairs.brain[:2].clone()
    hidden = torch.tensor([[True, False, False, False]] * 2)
    with torch.no_grad():
        before = model(ids, mask, brain, hidden)[1]
        brain[:, 0] = 100.0
        torch.testing.assert_close(model(ids, mask, brain, hidden)[1], before)


def test_the_triplet_loss_is_the_sources(model, pairs):
    rows, other = torch.arange(5), torch.tensor([1, 2, 3, 4, 0])
    batch = {"input_ids": pairs.input_ids[rows], "attention_mask": pairs.attention_mask[rows]}
    batch |= {"brain": pairs.brain[rows], "mismatch": other, "task": "matching"}
    with torch.no_grad():
        loss, parts = task_loss(model, batch)
        scores = torch.from_numpy(match_scores(model, pairs[np.arange(5)]))
    right = scores.diag()
    brain, text = scores[rows, other], scores[other, rows]
    expected = (0.2 + brain - right).clamp(min=0).mean() + (0.2 + text - right).clamp(min=0).mean()
    torch.testing.assert_close(loss, expected)
    assert np.isnan(parts["masked_brain"]) and parts["matching"] is loss


def test_pairs_hold_the_words_of_their_scans_and_the_later_brain(recorded, bert):
    words, brain, runs = recorded
    pairs = pair_scans(words, brain, runs, bert.tokenizer, scans=3, step=2, delay=2)
    row = int(np.flatnonzero((pairs.run == 2) & (pairs.first_scan == 4))[0])
    mine = words[(words["section"] == 2) & words["onset"].between(8, 14, inclusive="left")]
    assert pairs.texts[row] == " ".join(mine["word"])
    np.testing.assert_array_equal(pairs.brain[row], brain[np.flatnonzero(runs == 2)[6:9]])
    assert bert.tokenizer.decode(pairs.input_ids[row], skip_special_tokens=True).startswith(mine["word"].iloc[0])


def test_non_overlapping_examples_share_no_scan(pairs):
    selected = non_overlapping(concatenate([pairs, pairs]), 4)
    for run in np.unique(selected.run):
        first = selected.first_scan[selected.run == run]
        halves = np.split(first, np.flatnonzero(np.diff(first) < 0) + 1)
        assert len(halves) == 2 and all((np.diff(half) >= 4).all() for half in halves)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_training_lowers_every_task_and_resumes(version, pairs, bert, tmp_path, monkeypatch):
    settings = replace(VERSIONS[version], steps=40, batch=16, learning_rate=3e-3)
    whole, again = (new_brainlm(bert, N_FEATURES, trained=False) for _ in range(2))
    curve = train_brainlm(whole, pairs, bert.tokenizer, settings, "cpu")
    trained = [task for task in TASKS if curve[task].notna().any()]
    assert trained == [task for task in TASKS if settings.tasks.get(task)]
    language = curve["masked_language"].dropna()
    assert language.iloc[-4:].mean() < language.iloc[:4].mean()

    steps = iter(range(25))

    def interrupted(*args, **options):
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return task_loss(*args, **options)

    options = {"checkpoint": tmp_path, "checkpoint_every": 10}
    with pytest.raises(KeyboardInterrupt), monkeypatch.context() as patched:
        patched.setattr("brainbook.language_models.brainlm.training.task_loss", interrupted)
        train_brainlm(again, pairs, bert.tokenizer, settings, "cpu", **options)
    train_brainlm(again, pairs, bert.tokenizer, settings, "cpu", **options)
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_brain_helps_when_it_knows_the_text(bert):
    """Hardly any noise: held-out scans are predicted better from their own text than from another's."""
    words, brain, runs = phantom_recordings(1200, 24, snr=200.0)
    pairs = pair_scans(words, brain, runs, bert.tokenizer)
    train, test = pairs[pairs.run < 25], pairs[pairs.run >= 25]
    model = new_brainlm(bert, 24, trained=False)
    settings = BrainLMSettings(tasks={"masked_brain": 1.0}, all_hidden_share=0.0, steps=150, learning_rate=5e-3)
    train_brainlm(model, train, bert.tokenizer, settings, "cpu")
    real, shuffled = (
        masked_losses(model.eval(), test, bert.tokenizer, brain)["scan"] for brain in ("real", "shuffled")
    )
    assert len(real) == len(test)
    assert real.mean() < shuffled.mean()
    assert real.mean() < float((test.brain**2).mean())


def test_ablations_differ_only_in_the_brain(pairs, bert):
    settings = BrainLMSettings(tasks={"masked_language": 1.0}, steps=2, batch=8)
    weights = []
    for brain in ("real", "shuffled", "none"):
        model = new_brainlm(bert, N_FEATURES, trained=False)
        curve = train_brainlm(model, pairs, bert.tokenizer, replace(settings, brain=brain), "cpu")
        assert curve["loss"].notna().all()
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert not torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_a_derangement_leaves_nothing_in_place():
    for n in (2, 3, 50):
        order = derangement(n, 1)
        assert sorted(order) == list(range(n)) and (order != np.arange(n)).all()


def test_decoding_of_perfect_useless_and_tied_scores():
    perfect = decode(np.eye(20)).set_index(["direction", "measure"])["value"].unstack()
    assert (perfect["matching"] == 1).all() and (perfect["top 1"] == 1).all() and (perfect["mean rank"] == 1).all()
    tied = decode(np.zeros((20, 20)))
    matching = tied[tied["measure"] == "matching"]
    np.testing.assert_allclose(matching["value"], 0.5)
    rng = np.random.default_rng(0)
    noise = decode(rng.standard_normal((400, 400)))
    known = noise[noise["measure"].isin(["matching", "mean rank"])]
    np.testing.assert_allclose(known["value"], known["chance"], rtol=0.08)


def test_random_pairings_say_how_far_luck_goes():
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(60):
        table = decode(rng.standard_normal((30, 30)), n_random=200)
        assert (table.lower <= table.chance).all() and (table.chance <= table.upper).all()
        matching = table[table.measure == "matching"]
        inside += list(matching.value.between(matching.lower, matching.upper))
    assert 0.88 <= np.mean(inside) <= 1
    with pytest.raises(DatasetError, match="not numbers"):
        decode(np.full((3, 3), np.nan))


def test_predicted_scans_are_scored_by_correlation(model, pairs):
    some = pairs[np.arange(6)]
    scores = prediction_scores(model, some)
    hidden = torch.ones(some.brain.shape[:2], dtype=torch.bool)
    with torch.no_grad():
        _, states = model(some.input_ids, some.attention_mask, torch.full_like(some.brain, 3.0), hidden)
        expected = model.brain_head(states).flatten(1).numpy()
    brain = some.brain.flatten(1).numpy()
    expected, brain = expected - expected.mean(0), brain - brain.mean(0)
    cosine = expected[2] @ brain[4] / np.linalg.norm(expected[2]) / np.linalg.norm(brain[4])
    assert scores[2, 4] == pytest.approx(cosine, abs=1e-5)


def test_counts_of_words_decode_clear_recordings(recorded, pairs, bert):
    some = non_overlapping(pairs[pairs.run > 5], 4)
    scores = bag_of_words_scores(pairs[pairs.run <= 5], some, len(bert.tokenizer))
    matching = decode(scores).query("measure == 'matching'")
    assert (matching.value > matching.upper).all()


def test_retrieval_goes_both_ways():
    scores = np.array([[0.9, 0.8, 0.1], [0.2, 0.5, 0.4], [0.3, 0.6, 0.55]])  # texts, brains
    value = decode(scores, top=(1,)).set_index(["direction", "measure"])["value"]
    assert value["text -> brain", "mean rank"] == pytest.approx((1 + 1 + 2) / 3)
    assert value["brain -> text", "mean rank"] == pytest.approx((1 + 3 + 1) / 3)


def test_saved_and_loaded(model, bert, tmp_path, pairs):
    save_brainlm(model, bert.tokenizer, tmp_path / "saved")
    loaded = load_brainlm(tmp_path / "saved")
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    text = load_language_model(str(tmp_path / "saved"))
    assert word_states(text, ["the", "fox"]).shape == (3, 2, 16)
    with pytest.raises(ModelError, match="not a BrainLM"):
        load_brainlm(tmp_path)


def published(units=64, layers=2, prefix="uniter.", old_norms=True) -> tuple[dict, BertForMaskedLM, torch.Tensor]:
    """A state dict with the published checkpoint's names, at a small size, and the BERT that is in it."""
    config = BertConfig(
        vocab_size=90, hidden_size=units, num_hidden_layers=layers, num_attention_heads=units // 64,
        intermediate_size=128, max_position_embeddings=32,
    )  # fmt: skip
    bert = BertForMaskedLM(config).eval()
    project = torch.randn(units, 20)
    state = {}
    for name, value in bert.state_dict().items():
        name = name.replace("bert.", prefix, 1) if name.startswith("bert.") else name
        if old_norms:
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        state[name] = value
    state[f"{prefix}img_embeddings.img_linear.weight"] = project
    state[f"{prefix}img_embeddings.img_linear.bias"] = torch.zeros(units)
    state[f"{prefix}img_embeddings.img_layer_norm.weight"] = torch.ones(units)
    state[f"{prefix}img_embeddings.img_layer_norm.bias"] = torch.zeros(units)
    state[f"{prefix}img_embeddings.mask_embedding.weight"] = torch.zeros(2, 20)
    state[f"{prefix}pooler.dense.weight"] = torch.zeros(units, units)
    state["itm_output.weight"] = torch.zeros(2, units)
    return state, bert, project


@pytest.mark.parametrize("prefix", ["uniter.", "bert.", "module.uniter."])
@pytest.mark.parametrize("old_norms", [True, False])
def test_the_published_names_are_converted(prefix, old_norms, tmp_path):
    state, bert, project = published(prefix=prefix, old_norms=old_norms)
    torch.save(state, tmp_path / "model.pt")
    model = convert_published(read_checkpoint(tmp_path / "model.pt"))
    assert torch.equal(model.project[0].weight, project)
    ids = torch.randint(0, 90, (2, 9))
    mask = torch.ones_like(ids)
    with torch.no_grad():
        torch.testing.assert_close(model.words(model(ids, mask)[0]), bert(input_ids=ids, attention_mask=mask).logits)


def test_the_published_shape_is_built():
    """24 layers of 1,024 units are too many for a test: on torch's meta device they cost nothing."""
    with torch.device("meta"):
        sizes = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
        model = BrainLM(BertConfig(vocab_size=30522, max_position_embeddings=1024, **sizes), 1024)
    assert 330e6 < sum(parameter.numel() for parameter in model.parameters()) < 350e6


def test_a_checkpoint_of_the_published_shape_is_converted():
    sizes = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
    with torch.device("meta"):
        bert = BertForMaskedLM(BertConfig(vocab_size=30522, max_position_embeddings=1024, **sizes))
        state = {name.replace("bert.", "uniter.", 1): value for name, value in bert.state_dict().items()}
        for name, shape in (("linear.weight", (1024, 1024)), ("linear.bias", (1024,)),
                            ("layer_norm.weight", (1024,)), ("layer_norm.bias", (1024,))):  # fmt: skip
            state[f"uniter.img_embeddings.img_{name}"] = torch.zeros(shape)
        model = convert_published(state)
    found = model.config
    assert {name: getattr(found, name) for name in sizes} == sizes
    assert (found.vocab_size, found.max_position_embeddings, model.n_features) == (30522, 1024, 1024)


@pytest.mark.parametrize(
    "files, found",
    [
        (["brainlm1.pt", "brainlm2.pt", "model.pt", "README.md"], ("brainlm1.pt", "brainlm2.pt")),
        (["v1/pytorch_model.bin", "v2/pytorch_model.bin"], ("v1/pytorch_model.bin", "v2/pytorch_model.bin")),
        (["BrainLM-2.0.safetensors"], (None, "BrainLM-2.0.safetensors")),  # one file is one version
        (["brainlm_2.0_step1000.pt", "brainlm_1.0.pt"], ("brainlm_1.0.pt", "brainlm_2.0_step1000.pt")),
        (["model.safetensors"], (None, None)),
        (["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"], (None, None)),
        (["from-1-to-2.pt"], (None, None)),
        (["2.1.pt", "12.pt", "a1.pt", "b1.pt"], (None, None)),
        (["README.md"], (None, None)),
    ],
)
def test_the_version_of_a_published_checkpoint_is_never_guessed(files, found, monkeypatch):
    for version, expected in zip("12", found, strict=True):
        monkeypatch.delenv(f"BRAINBOOK_BRAINLM_{version}", raising=False)
        if expected:
            assert choose_checkpoint(f"brainlm-{version}", files) == expected
        else:
            with pytest.raises(
                ModelError, match=f"holds .*which file is brainlm-{version}. Set BRAINBOOK_BRAINLM_{version}"
            ):
                choose_checkpoint(f"brainlm-{version}", files)


def test_a_variable_names_the_checkpoint(monkeypatch):
    monkeypatch.setenv("BRAINBOOK_BRAINLM_2", "model.safetensors")
    monkeypatch.delenv("BRAINBOOK_BRAINLM_1", raising=False)
    assert choose_checkpoint("brainlm-2", ["model.safetensors", "other2.pt"]) == "model.safetensors"
    with pytest.raises(ModelError, match="BRAINBOOK_BRAINLM_2 is model.safetensors, which is no file here.*other.pt"):
        choose_checkpoint("brainlm-2", ["other.pt"])
    monkeypatch.setenv("BRAINBOOK_BRAINLM_1", "model.safetensors")
    with pytest.raises(ModelError, match="one file is one version"):
        choose_checkpoint("brainlm-1", ["model.safetensors"])


def test_a_file_of_this_machine_is_taken(monkeypatch, tmp_path):
    (tmp_path / "mine.pt").touch()
    monkeypatch.setenv("BRAINBOOK_BRAINLM_1", str(tmp_path / "mine.pt"))
    assert published_checkpoint("brainlm-1") == tmp_path / "mine.pt"


def test_only_a_bert_is_started_from(gpt):
    with pytest.raises(ModelError, match="is a gpt2: a BrainLM starts from a BERT"):
        new_brainlm(gpt, N_FEATURES)


def test_a_checkpoint_that_does_not_fit_says_how():
    state, _, _ = published()
    short = {k: v for k, v in state.items() if "layer.1.output" not in k}
    with pytest.raises(ModelError, match="tensors missing, such as text.bert.encoder.layer.1.output"):
        convert_published(short, "file.pt")
    wrong = {**state, "uniter.encoder.layer.0.attention.self.query.weight": torch.zeros(3, 3)}
    with pytest.raises(ModelError, match=r"file.pt: 1 tensors of other shapes.*query.weight \(3, 3\), not \(64, 64\)"):
        convert_published(wrong, "file.pt")
    with pytest.raises(ModelError, match="not a BrainLM checkpoint"):
        convert_published({"something": torch.zeros(1)})


def test_a_checkpoint_with_code_in_it_is_not_opened(tmp_path):
    torch.save({"model": print}, tmp_path / "evil.pt")
    with pytest.raises(ModelError, match="evil.pt: holds more than tensors"):
        read_checkpoint(tmp_path / "evil.pt")


def test_bad_brains_are_refused(model, pairs, recorded, bert):
    words, brain, runs = recorded
    broken = brain.copy()
    broken[7, 3] = np.nan
    with pytest.raises(DatasetError, match="the first at scan 7, target 3"):
        pair_scans(words, broken, runs, bert.tokenizer)
    with pytest.raises(DatasetError, match="scans but"):
        pair_scans(words, brain[:-1], runs, bert.tokenizer)
    with pytest.raises(DatasetError, match="run 1: a word at .* s, but its scans end at 20.0 s"):
        keep = (runs != 1) | (np.cumsum(runs == 1) <= 10)
        pair_scans(words, brain[keep], runs[keep], bert.tokenizer)
    with pytest.raises(DatasetError, match="no words for run 99"):
        pair_scans(words, brain, np.where(runs == 1, 99, runs), bert.tokenizer)
    ids, mask = pairs.input_ids[:2], pairs.attention_mask[:2]
    with pytest.raises(DatasetError, match="expected .batch, scans, 12 features"):
        model(ids, mask, torch.zeros(2, 4, 13))
    with pytest.raises(DatasetError, match="2 texts but 3 stretches"):
        model(ids, mask, torch.zeros(3, 4, 12))
    with pytest.raises(DatasetError, match="not numbers"):
        model(ids, mask, torch.full((2, 4, 12), torch.nan))
    wide = new_brainlm(bert, 13, trained=False)
    with pytest.raises(DatasetError, match="12 features, the model was made for 13"):
        train_brainlm(wide, pairs, bert.tokenizer, BrainLMSettings(steps=1), "cpu")


@pytest.mark.parametrize("options", [{"tasks": {"reading": 1.0}}, {"tasks": {}}, {"brain": "rat"}, {"brain": "none"}])
def test_impossible_settings_are_refused(options):
    with pytest.raises((ConfigurationError, ValueError)):
        BrainLMSettings(**options)


@pytest.fixture
def quick(monkeypatch, tmp_path):
    small = {"layers": 1, "units": 16, "heads": 2, "inner": 16, "n_sentences": 300, "steps": 3, "tokens_per_step": 192}
    monkeypatch.setattr(tiny, "TINY_MODELS", {"tiny-bert": replace(tiny.TINY_MODELS["tiny-bert"], **small)})
    versions = {name: replace(settings, steps=2, batch=4) for name, settings in VERSIONS.items()}
    monkeypatch.setattr(folders, "VERSIONS", versions)
    monkeypatch.setattr(folders, "RECORDED", {"n_sentences": 1400, "n_features": 8, "snr": 1.0})
    monkeypatch.setattr(model_folders, "PRETRAINED", tmp_path / "package")


def test_tiny_models_by_name_and_on_the_command_line(quick, tmp_path, capsys):
    first, second = (load_language_model(f"tiny-brainlm-{v}", cache=tmp_path) for v in (1, 2))
    assert first.fingerprint != second.fingerprint and first.n_units == 16
    main(["tiny", "tiny-brainlm-1", "--cache", str(tmp_path)])  # as the workflow does
    assert "tiny-brainlm-1: " in capsys.readouterr().out
    main(["tiny", "tiny-bert", "tiny-brainlm-1", "--cache", str(tmp_path / "other"), "--save-pretrained"])
    saved = folders.tiny_brainlm_folder("tiny-brainlm-1", tmp_path / "nowhere", train=False)
    assert saved.parent == tmp_path / "package" and pd.read_csv(saved / "loss.csv").validation.notna().all()
    [trained] = (tmp_path / "other" / "models").glob("tiny-brainlm-1-*")
    whole, half = (load_brainlm(folder).state_dict() for folder in (trained, saved))
    assert all(torch.equal(whole[name].half().float(), half[name].float()) for name in whole)


def test_the_last_stories_are_held_out_from_the_tiny_models(quick, tmp_path, monkeypatch, bert):
    seen, train = [], folders.train_brainlm
    monkeypatch.setattr(
        folders, "train_brainlm", lambda model, pairs, *rest, **o: seen.append(pairs) or train(model, pairs, *rest, **o)
    )
    folders.tiny_brainlm_folder("tiny-brainlm-1", tmp_path)
    trained, validation, held_out = (set(pairs.run) for pairs in folders.recorded_pairs(bert.tokenizer))
    assert trained == set(seen[0].run) and max(trained) < min(validation) and max(validation) < min(held_out)
    assert (len(validation), len(held_out)) == (folders.VALIDATION_STORIES, folders.HELD_OUT_STORIES)


def test_training_on_files(quick, tmp_path, recorded, capsys):
    words, brain, runs = recorded
    words.to_csv(tmp_path / "words.csv", index=False)
    np.save(tmp_path / "brain.npy", brain)
    np.save(tmp_path / "runs.npy", runs)
    files = [
        f"--{name}={tmp_path / name}.{kind}" for name, kind in (("words", "csv"), ("brain", "npy"), ("runs", "npy"))
    ]
    rest = ["--out", str(tmp_path / "out"), "--cache", str(tmp_path), "--steps=2", "--batch=4", "--device=cpu"]
    main(["brainlm", *files, *rest])
    assert load_brainlm(tmp_path / "out").n_features == N_FEATURES
    with pytest.raises(SystemExit):
        main(["tiny", "tiny-brainlm-9"])
    assert "'tiny-brainlm-9' is no tiny model" in capsys.readouterr().err


def test_the_published_model_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("brainbook.language_models.brainlm.published.hub_answers", lambda: False)
    with pytest.raises(ModelError, match="hf download sakura050601/brainlm.*tiny-brainlm-1"):
        load_language_model("brainlm-2", cache=tmp_path)


@pytest.mark.slow
def test_two_processes_train_to_the_same_brainlm(tmp_path, recorded, bert):
    words, brain, runs = recorded
    words.to_csv(tmp_path / "words.csv", index=False)
    np.save(tmp_path / "brain.npy", brain)
    np.save(tmp_path / "runs.npy", runs)
    bert.model.config.architectures = ["BertForMaskedLM"]
    BertForMaskedLM(bert.model.config).save_pretrained(tmp_path / "start")
    bert.tokenizer.save_pretrained(tmp_path / "start")
    common = ["-m", "brainbook.language_models", "brainlm", "--start", str(tmp_path / "start"), "--device=cpu"]
    common += ["--words", str(tmp_path / "words.csv"), "--brain", str(tmp_path / "brain.npy")]
    common += ["--runs", str(tmp_path / "runs.npy"), "--steps=4", "--batch=8", "--accumulate=2"]
    several = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes=2", "--num_machines=1"]
    several += ["--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0"]
    for out, launch in (("one", []), ("two", several)):
        command = [sys.executable, *launch, *common, "--out", str(tmp_path / out)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stderr
    one, two = (load_brainlm(tmp_path / out).state_dict() for out in ("one", "two"))
    for name, value in one.items():
        # Attention does not depend on the bias of its keys: that gradient is rounding, which Adam scales to full steps.
        if not name.endswith("key.bias"):
            torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-5)
