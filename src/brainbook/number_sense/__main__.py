"""Carry out a study of number sense: `python -m brainbook.number_sense mnist --digits FOLDER --results results/mnist`."""

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path

from brainbook import __version__
from brainbook.errors import BrainbookError
from brainbook.number_sense.presets import STUDIES, study
from brainbook.number_sense.runs import run
from brainbook.store import atomic_write, write_json


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m brainbook.number_sense", description=__doc__)
    parser.add_argument("study", choices=list(STUDIES), help="a set of settings; the options below change some")
    parser.add_argument("--digits", help="'embedded', 'mnist' (downloads it) or a folder of MNIST's idx files")
    parser.add_argument("--seeds", type=int, help="models of each arm")
    parser.add_argument("--steps", type=int, help="steps of training")
    parser.add_argument("--epochs", type=float, help="epochs of training, in place of steps")
    parser.add_argument("--bound", choices=("elbo", "iwae", "dreg"))
    parser.add_argument("--samples", type=int, help="K, samples of the posterior")
    parser.add_argument("--architecture", choices=("mlp", "cnn"))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON", help="any other setting")
    parser.add_argument("--cache", default="cache", help="where trained models are kept")
    parser.add_argument("--results", help="a folder for the tables; default results/<study>/numbers")
    parser.add_argument("--processes", type=int, default=1, help="arms and seeds trained at the same time, a core each")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    chosen = parser.parse_args(arguments)
    try:
        changes = {
            "digits": chosen.digits, "seeds": chosen.seeds, "training_steps": chosen.steps,
            "training_epochs": chosen.epochs, "objective_bound": chosen.bound, "objective_samples": chosen.samples,
            "model_architecture": chosen.architecture,
        }  # fmt: skip
        for setting in chosen.set:
            name, _, value = setting.partition("=")
            changes[name] = json.loads(value)
        settings = study(chosen.study, **changes)
        began = time.monotonic()
        tables = run(settings, chosen.cache, chosen.processes, chosen.device)
    except (BrainbookError, json.JSONDecodeError) as error:
        parser.exit(2, f"error: {error}\n")
    folder = Path(chosen.results or f"results/{chosen.study}/numbers")
    for name, table in tables.items():
        with atomic_write(folder / f"{name}.parquet") as temporary:
            table.to_parquet(temporary, index=False)
    record = {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "seconds": round(time.monotonic() - began),
        "study": chosen.study,
        "settings": settings.model_dump(mode="json"),
    }
    write_json(folder / "study.json", record)
    print(f"{len(tables['evaluation'])} measures of {len(settings.designs)} designs in {record['seconds']} s: {folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
