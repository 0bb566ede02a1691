"""The training loop: it learns, repeats itself, resumes exactly, and says what is wrong."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from brainbook.errors import ConfigurationError, ModelError
from brainbook.training import fit, learning_rate_factor, progress

TRUTH = torch.tensor([[1.5], [-2.0], [0.5]])


def make_model(seed=0, dropout=0.2):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, 1))


def make_batch(number, generator):
    x = torch.randn(32, 3, generator=generator)
    return {"x": x, "y": x @ TRUTH}


def squared_error(model, batch):
    loss = ((model(batch["x"]) - batch["y"]) ** 2).mean()
    return loss, {"mean_output": model(batch["x"]).mean()}


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_fit_learns_and_reports_every_step():
    model = make_model(dropout=0.0)
    curve = fit(model, make_batch, squared_error, steps=300, learning_rate=0.01, device="cpu")
    assert list(curve["step"]) == list(range(1, 301))
    assert {"loss", "mean_output", "learning_rate", "gradient_norm", "seconds", "validation"} <= set(curve.columns)
    assert curve["loss"].iloc[-20:].mean() < 0.05 * curve["loss"].iloc[:10].mean()


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_same_seed_same_weights_and_another_seed_others(precision):
    runs = []
    for seed in (3, 3, 4):
        model = make_model()
        fit(model, make_batch, squared_error, steps=5, precision=precision, seed=seed, device="cpu")
        runs.append(weights(model))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_the_callers_random_state_is_left_alone():
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    fit(make_model(), make_batch, squared_error, steps=3, device="cpu")
    assert torch.equal(torch.rand(3), expected)


class Killed(Exception):
    pass


def loader():
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(70, 3, generator=generator)
    return DataLoader([{"x": a, "y": b} for a, b in zip(x, x @ TRUTH, strict=True)], batch_size=16, shuffle=True)


@pytest.mark.parametrize("data", [make_batch, loader()], ids=["function", "shuffled loader"])
@pytest.mark.parametrize("optimizer", [None, torch.optim.RMSprop], ids=["AdamW", "RMSprop"])
def test_a_killed_run_resumes_to_the_same_result(tmp_path, data, optimizer):
    settings = dict(steps=23, accumulate=2, optimizer=optimizer, seed=1, device="cpu", validate_every=4)
    settings |= dict(validate=lambda model: float(weights(model).abs().sum()))
    whole = make_model()
    curve = fit(whole, data, squared_error, **settings)
    calls = 0

    def dies(model, batch):
        nonlocal calls
        calls += 1
        if calls > 30:  # in the middle of step 16
            raise Killed
        return squared_error(model, batch)

    settings |= dict(checkpoint=tmp_path, checkpoint_every=5)
    with pytest.raises(Killed):
        fit(make_model(), data, dies, **settings)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["step-00000010", "step-00000015"]
    resumed = make_model(seed=99)  # other first weights: they must not matter
    again = fit(resumed, data, squared_error, **settings)
    assert torch.equal(weights(whole), weights(resumed))
    columns = ["step", "loss", "gradient_norm", "validation"]
    np.testing.assert_array_equal(curve[columns].to_numpy(), again[columns].to_numpy())
    finished = make_model(seed=98)
    fit(finished, data, squared_error, **settings)  # a finished run: nothing left to do
    assert torch.equal(weights(whole), weights(finished))


def torn(path, how):
    content = path.read_bytes()
    middle = len(content) // 2
    damaged = {"cut": content[:middle], "empty": b"", "flipped": content[:middle] + b"\xa5" + content[middle + 1 :]}
    path.write_bytes(damaged[how])


@pytest.mark.parametrize("how", ["cut", "empty", "flipped", "gone"])
@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "best.safetensors", "state.json"])
def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path, name, how):
    settings = dict(steps=6, checkpoint=tmp_path, checkpoint_every=2, device="cpu", validate_every=2)
    settings |= dict(validate=lambda model: float(weights(model).abs().sum()))
    whole = make_model()
    curve = fit(whole, make_batch, squared_error, **settings)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["step-00000004", "step-00000006"]
    path = tmp_path / "step-00000006" / name
    path.unlink() if how == "gone" else torn(path, how)
    resumed = make_model(seed=9)
    with pytest.warns(UserWarning, match=f"step-00000006/{name}.*Going on from step-00000004"):
        again = fit(resumed, make_batch, squared_error, **settings)
    assert torch.equal(weights(whole), weights(resumed))
    np.testing.assert_array_equal(curve["loss"], again["loss"])
    assert sorted(f.name for f in tmp_path.iterdir()) == ["step-00000004", "step-00000006"]
    fit(make_model(), make_batch, squared_error, **settings)  # the newest is whole again: no warning
    for step in tmp_path.iterdir():
        torn(step / "state.json", "cut")
    with pytest.raises(ModelError, match="step-00000006/state.json: damaged.*remove .* to begin anew"):
        fit(make_model(), make_batch, squared_error, **settings)


def test_older_checkpoints_go_only_when_the_new_one_is_on_the_disk(tmp_path, monkeypatch):
    settings = dict(steps=6, checkpoint=tmp_path, checkpoint_every=2, device="cpu")
    synced = []

    def sync(*paths):
        synced.extend(path.name for path in paths)
        if "model.safetensors" in synced[-len(paths) :] and len(list(tmp_path.glob("step-*"))) == 2:
            raise Killed

    monkeypatch.setattr("brainbook.checkpoints.sync", sync)
    with pytest.raises(Killed):
        fit(make_model(), make_batch, squared_error, **settings)
    assert {"model.safetensors", "optimizer.safetensors", "state.json", tmp_path.name} <= set(synced)
    assert {f.name for f in tmp_path.glob("step-*")} == {"step-00000002", "step-00000004"}
    monkeypatch.undo()
    resumed, whole = make_model(), make_model()
    fit(resumed, make_batch, squared_error, **settings)
    fit(whole, make_batch, squared_error, steps=6, device="cpu")
    assert torch.equal(weights(whole), weights(resumed))
    assert {f.name for f in tmp_path.iterdir()} == {"step-00000004", "step-00000006"}  # and what was half-written


def test_a_checkpoint_of_another_model_is_named(tmp_path):
    fit(make_model(), make_batch, squared_error, steps=2, checkpoint=tmp_path, device="cpu")
    other = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(), nn.Linear(8, 1))
    with pytest.raises(ModelError, match="model.safetensors: belongs to another model"):
        fit(other, make_batch, squared_error, steps=2, checkpoint=tmp_path, device="cpu")


def test_nothing_in_a_checkpoint_is_pickled(tmp_path):
    fit(make_model(), make_batch, squared_error, steps=2, checkpoint=tmp_path, device="cpu")
    assert {f.suffix for f in tmp_path.rglob("*") if f.is_file()} == {".safetensors", ".json"}


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    fit(make_model(), make_batch, squared_error, steps=2, checkpoint=tmp_path, device="cpu")
    with pytest.raises(ConfigurationError, match="learning_rate 0.001 .now 0.5"):
        fit(make_model(), make_batch, squared_error, steps=2, learning_rate=0.5, checkpoint=tmp_path, device="cpu")


def test_the_norm_is_reported_with_and_without_a_limit_and_the_limit_binds():
    found = {}
    for clip in (None, 1e6, 1e-3):
        model = make_model()
        curve = fit(model, make_batch, squared_error, steps=4, clip=clip, optimizer=torch.optim.SGD, device="cpu")
        found[clip] = curve["gradient_norm"].to_numpy(), weights(model)
    assert (found[None][0] > 0.1).all()
    np.testing.assert_allclose(found[None][0], found[1e6][0])
    assert torch.equal(found[None][1], found[1e6][1])
    moved = {clip: torch.linalg.norm(after - weights(make_model())) for clip, (_, after) in found.items()}
    assert moved[1e-3] <= 4 * 1e-3 * 1e-3 * 1.001 < moved[None]  # steps, norm, learning rate


def test_accumulation_equals_one_larger_batch():
    """Four micro-batches of 8 give the gradient of one batch of 32."""
    x = torch.randn(32, 3, generator=torch.Generator().manual_seed(0))
    batches = [{"x": part, "y": part @ TRUTH} for part in x.split(8)]
    parted, whole = make_model(dropout=0.0), make_model(dropout=0.0)
    fit(parted, batches, squared_error, steps=4, accumulate=4, device="cpu")
    fit(whole, [{"x": x, "y": x @ TRUTH}], squared_error, steps=4, device="cpu")
    torch.testing.assert_close(weights(parted), weights(whole))


def test_validation_keeps_the_best_weights_and_stops_early():
    scores = iter([3.0, 1.0, 2.0, 5.0, 0.0])
    kept = []

    def validate(model):
        assert not model.training and not torch.is_grad_enabled()
        kept.append(weights(model))
        return next(scores)

    model = make_model()
    options = dict(validate=validate, validate_every=10, patience=2)
    curve = fit(model, make_batch, squared_error, steps=100, device="cpu", **options)
    assert len(curve) == 40  # the best was the second of four validations
    assert torch.equal(weights(model), kept[1])
    assert curve["validation"].dropna().tolist() == [3.0, 1.0, 2.0, 5.0]


def test_learning_rate_warms_up_and_decays():
    factors = [learning_rate_factor(step, 100, 0.1, "linear") for step in range(100)]
    assert np.all(np.diff(factors[:11]) > 0) and np.all(np.diff(factors[10:]) < 0)
    assert factors[10] == 1 and factors[99] == pytest.approx(1 / 90)
    assert learning_rate_factor(50, 100, 5, "constant") == 1


def test_the_optimizer_is_the_callers(monkeypatch):
    seen = []

    def make(parameters, lr):
        seen.append((len(parameters), lr))
        return torch.optim.SGD(parameters, lr=lr, momentum=0.9)

    fit(make_model(), make_batch, squared_error, steps=2, learning_rate=0.2, optimizer=make, device="cpu")
    assert seen == [(4, 0.2)]


def test_loss_may_call_any_method_and_frozen_parameters_stay():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.frozen = nn.Parameter(torch.ones(1), requires_grad=False)
            self.slope = nn.Parameter(torch.zeros(1))

        def objective(self, batch):
            return ((self.slope * batch - self.frozen * batch) ** 2).mean()

    model = Named()
    data = DataLoader(TensorDataset(torch.ones(8, 1)), batch_size=4)
    fit(model, data, lambda m, b: m.objective(b[0]), steps=100, learning_rate=0.1, device="cpu")
    assert model.frozen.item() == 1 and model.slope.item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"schedule": "wavy"}, "schedule 'wavy'"),
        ({"precision": "fp4"}, "precision 'fp4'"),
        ({"device": "tpu"}, "device 'tpu'"),
        ({"accumulate": 0}, "accumulate is 0"),
    ],
)
def test_impossible_settings_are_refused(options, words):
    with pytest.raises(ConfigurationError, match=words):
        fit(make_model(), make_batch, squared_error, **{"steps": 2, "device": "cpu", **options})


def test_empty_batches_are_refused():
    with pytest.raises(ConfigurationError, match="batches is empty"):
        fit(make_model(), [], squared_error, steps=1, device="cpu")


def test_a_loss_that_is_not_a_number_says_where():
    with pytest.raises(ModelError, match="nan at step 1"):
        fit(make_model(), lambda n, g: torch.full((2, 3), torch.nan), lambda m, b: m(b).mean(), steps=1, device="cpu")


def test_progress_is_silent_where_nobody_looks(capsys):
    assert list(progress(range(3), "counting")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


TWO_PROCESSES = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
from test_training import fit, make_batch, make_model, squared_error, weights
model = make_model()
curve = fit(model, make_batch, squared_error, steps=4, accumulate=2, device="cpu", checkpoint=sys.argv[2])
"""


@pytest.mark.integration
def test_two_processes_arrive_where_one_does(tmp_path):
    """Same micro-batches and dropout, shared by two CPU processes (gloo) or taken by one."""
    from safetensors.torch import load_file

    script = tmp_path / "train.py"
    script.write_text(TWO_PROCESSES)
    here = str(Path(__file__).parent)
    launch = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--cpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
    ]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    done = subprocess.run([*launch, script, here, tmp_path / "two"], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    one = make_model()
    fit(one, make_batch, squared_error, steps=4, accumulate=2, device="cpu")
    two = load_file(tmp_path / "two" / "step-00000004" / "model.safetensors")
    for name, value in one.state_dict().items():
        torch.testing.assert_close(two[name], value, rtol=1e-5, atol=1e-6)
