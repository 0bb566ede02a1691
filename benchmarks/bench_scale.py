"""How long it takes at full size: one participant of 2 mm recordings through the whole path, stage by stage.

    python benchmarks/bench_scale.py [--phantom FOLDER] [--write]

Makes a phantom in the full shape of ds003643 (73 x 90 x 74 voxels, some 2,800 scans in nine sections) unless FOLDER
holds one; every stage runs in a process of its own, so that its time and its peak memory are its own. `--write` puts
the rates into src/brainbook/workflow/rates.csv, from which `make check` reckons, and writes book/how_long.md anew.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

RATES = Path(__file__).resolve().parents[1] / "src" / "brainbook" / "workflow" / "rates.csv"
WORDS = 400  # whose states are read, in contexts of 64 words


def phantom(folder: str) -> dict:
    from brainbook.phantom import make_phantom

    make_phantom(folder, participants=1, languages=("EN",), scans=310, voxel_size=2.0, echoes=0)
    return {}


def recordings(folder: str) -> dict:
    from brainbook.recordings import LittlePrince

    prince = LittlePrince(folder)
    found = prince.responses(prince.participants("EN")[0], targets="vertices", cache=f"{folder}-cache")
    return {"scans": found.values.shape[0], "targets": found.values.shape[1]}


def states(folder: str) -> dict:
    """Of a BERT-base with random weights: its arithmetic is that of the trained one."""
    from transformers import BertConfig, BertModel

    from brainbook.language_models import load_language_model, word_states
    from brainbook.language_models.zoo import LanguageModel
    from brainbook.recordings import LittlePrince

    words = LittlePrince(folder).words("EN").word.tolist()[:WORDS]
    mini = load_language_model("mini-bert", cache="cache")
    config = BertConfig(vocab_size=len(mini.tokenizer))
    model = LanguageModel("bert-base", BertModel(config, add_pooling_layer=False).eval(), mini.tokenizer)
    began = time.perf_counter()
    word_states(model, words, context=64)
    return {"words": len(words), "seconds": time.perf_counter() - began}


def ridge(folder: str, targets: str) -> dict:
    """One layer of 768 units, four delays, leave one run out with alphas chosen inside."""
    import numpy as np

    from brainbook.encoding import cross_validate
    from brainbook.recordings import LittlePrince

    prince = LittlePrince(folder)
    responses = prince.responses(prince.participants("EN")[0], targets=targets, cache=f"{folder}-cache")
    features = np.random.default_rng(0).standard_normal((len(responses.values), 768), dtype=np.float32)
    began = time.perf_counter()
    cross_validate(features, responses.values, responses.run_of_scan, device="cpu")
    return {"targets": responses.values.shape[1], "seconds": time.perf_counter() - began}


STAGES = {
    "phantom": phantom,
    "recordings": recordings,
    "states": states,
    "ridge_regions": lambda folder: ridge(folder, "regions"),
    "ridge_vertices": lambda folder: ridge(folder, "vertices"),
}


def one(stage: str, folder: str) -> None:
    wall, used = time.perf_counter(), time.process_time()
    found = STAGES[stage](folder)
    found.setdefault("seconds", time.perf_counter() - wall)
    found["cpu_seconds"] = time.process_time() - used
    found["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--phantom", help="a full-shape phantom that is there already")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--write", action="store_true", help="renew rates.csv and book/how_long.md")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        one(*chosen.one)
        return
    folder = chosen.phantom or str(Path(tempfile.mkdtemp(prefix="brainbook-scale-")) / "phantom")
    rows = []
    for stage in chosen.stages:
        if stage == "phantom" and chosen.phantom:
            continue
        command = [sys.executable, __file__, "--one", stage, folder]
        said = subprocess.run(command, capture_output=True, text=True)
        if said.returncode:
            print(f"{stage} failed: {said.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        row = {"stage": stage} | json.loads(said.stdout.strip().splitlines()[-1])
        row["load"] = round(os.getloadavg()[0], 1)
        rows.append(row)
        print(json.dumps(row), flush=True)
    if chosen.write:
        write(rows)
        from brainbook.workflow.estimate import how_long

        (RATES.parents[3] / "book" / "how_long.md").write_text(how_long(), encoding="utf-8")


def write(rows: list[dict]) -> None:
    """Put measured seconds and memory into the table of rates; on a busy machine the processor time."""
    table = pd.read_csv(RATES)
    for row in rows:
        here = (table.stage == row["stage"]) & (table.device == "cpu")
        busy = row["load"] > 3
        seconds = row["cpu_seconds"] if busy else row["seconds"]
        seconds *= 1000 / row["words"] if "words" in row else 1
        how = "processor time of one thread, the machine being busy" if busy else "wall time on 2 cores"
        source = f"measured {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores ({how})"
        table.loc[here, ["seconds", "memory_mb", "source"]] = [round(seconds, 1), row["memory_mb"], source]
    table.to_csv(RATES, index=False)


if __name__ == "__main__":
    main()
