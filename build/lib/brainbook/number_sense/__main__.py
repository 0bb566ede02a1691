"""Run a study of number sense: `python -m brainbook.number_sense mnist --digits FOLDER --results results/mnist`."""

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path

from brainbook import __version__
from brainbook.errors import BrainbookError
from brainbook.number_sense.presets import make_study, read_presets
from brainbook.number_sense.runs import run_study
from brainbook.store import atomic_write, write_json


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m brainbook.number_sense", description=__doc__)
    add = parser.add_argument
    add("study", choices=list(read_presets()), help="a set of settings; the options below change some")
    add("--digits", help="'embedded', 'mnist' (downloads it) or a folder of MNIST's idx files")
    add("--seeds", type=int, help="models of each arm")
    add("--steps", dest="training_steps", type=int, help="steps of training")
    add("--epochs", dest="training_epochs", type=float, help="epochs of training, in place of steps")
    add("--bound", dest="objective_bound", choices=("elbo", "iwae", "dreg"))
    add("--samples", dest="objective_samples", type=int, help="K, samples of the posterior")
    add("--architecture", dest="model_architecture", choices=("mlp", "cnn"))
    add("--set", action="append", default=[], metavar="NAME=JSON", help="any other setting")
    add("--cache", default="cache", help="where trained models are cached")
    add("--results", help="a folder for the tables; default results/<study>/number_sense")
    add("--processes", type=int, default=1, help="arms and seeds trained at the same time, a core each")
    add("--device", default="auto", choices=("auto", "cpu", "cuda"))
    options = vars(parser.parse_args(arguments))
    preset, cache, results, processes, device = map(options.pop, ("study", "cache", "results", "processes", "device"))
    began = time.monotonic()
    try:
        for setting in options.pop("set"):
            name, _, value = setting.partition("=")
            options[name] = json.loads(value)
        study = make_study(preset, **options)
        tables = run_study(study, cache, processes, device)
    except (BrainbookError, json.JSONDecodeError) as error:
        parser.exit(2, f"error: {error}\n")
    folder = Path(results or f"results/{preset}/number_sense")
    for name, table in tables.items():
        with atomic_write(folder / f"{name}.parquet") as temporary:
            table.to_parquet(temporary, index=False)
    record = {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "seconds": round(time.monotonic() - began),
        "study": preset,
        "settings": study.model_dump(mode="json"),
    }
    write_json(folder / "study.json", record)
    print(f"{len(tables['evaluation'])} measures of {len(study.designs)} designs in {record['seconds']} s: {folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
