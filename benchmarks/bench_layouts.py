"""What is recovered from phantoms in the layouts of real datasets, each opened as the real one is?

    python benchmarks/bench_layouts.py [--participants 2] [--scans 150] [--signal 4] [--layouts fmriprep lebel] [--keep]

Each layout's phantom has the same story, brains and noise, but for its clock, its sections and its places. Region by
region the true drivers predict it, each run from the others; the truth says how far anything could. Half a minute to a
minute and a half of one core for a layout. With --keep the table goes to book/archive/calibration.
"""

import argparse
import shlex
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from brainbook.chapters import driver_masks
from brainbook.datasets import Dataset, open_dataset
from brainbook.encoding import cross_validate, delays_in_scans, lag_check
from brainbook.phantom import Truth, make_phantom, read_truth
from brainbook.phantom.dataset import LAYOUTS
from brainbook.phantom.drivers import DRIVERS
from brainbook.workflow import archive_table

TRIM_SECONDS = 16.0
AUDITORY = ["G_temp_sup-G_T_transv", "S_temporal_transverse"]


def recovered(data: Dataset, truth: Truth) -> dict[str, float]:
    """Score the true drivers in every participant, and compare with the truth: means over driven regions."""
    features, rows = [values for values, _ in truth.drivers("EN").values()], []
    delays, trim = delays_in_scans(data.tr, (0, 2, 4, 6, 8, 10)), round(TRIM_SECONDS / data.tr)
    for participant in data.participants("EN"):
        observed = data.responses(participant)
        masks = driver_masks(truth, observed.names)
        nuisance = data.nuisance(participant)
        result = cross_validate(
            features, observed.values, observed.run_of_scan, delays, np.logspace(1, 5, 9), trim=trim, nuisance=nuisance
        )
        own = {name: result.scores[place][masks[name]] for place, name in enumerate(DRIVERS)}
        known = truth.ceilings[truth.ceilings["participant"] == participant].set_index(["region", "hemisphere"])
        ceilings = known.loc[pd.MultiIndex.from_frame(observed.names), "ceiling"].to_numpy()
        best = np.concatenate(list(own.values()))
        limit = np.concatenate([ceilings[masks[name]] for name in DRIVERS])
        choice = result.scores[:, ~masks["none"]].argmax(axis=0)
        right = np.concatenate([np.flatnonzero(masks[name][~masks["none"]]) for name in DRIVERS])
        wanted = np.repeat(range(len(DRIVERS)), [masks[name].sum() for name in DRIVERS])
        auditory = observed.names["region"].isin(AUDITORY).to_numpy()
        lags = lag_check(features[0][:, 0], observed.values[:, auditory], observed.run_of_scan, tr=data.tr)
        rows.append({
            "score": best.mean(), "ceiling": limit.mean(), "share of ceiling": best.mean() / limit.mean(),
            "r with ceiling": np.corrcoef(best, limit)[0, 1], "undriven": result.scores[:, masks["none"]].mean(),
            "right driver": (choice[right] == wanted).mean(),
            "lag": lags.groupby("lag")["value"].mean().idxmax() * data.tr, **agreement(data, participant, ceilings),
        })  # fmt: skip
    return pd.DataFrame(rows).mean().to_dict()


def agreement(data: Dataset, participant: str, ceilings: np.ndarray) -> dict[str, float]:
    """Correlate repetitions of a section with each other, where there are any; expect the square of the ceiling."""
    repeats = data.repeats(participant)
    if not repeats:
        return {}
    between = []
    for each in repeats.values():  # repetitions, scans, targets
        products = np.einsum("ist,jst->ijt", each, each) / (each.shape[1] - 1)
        between.append(products[np.triu_indices(len(each), 1)].mean(axis=0))
    return {"repeats": float(np.mean(between)), "true repeats": float(np.mean(ceilings**2))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layouts", nargs="+", default=list(LAYOUTS), choices=list(LAYOUTS))
    parser.add_argument("--participants", type=int, default=2)
    parser.add_argument("--scans", type=int, default=150)
    parser.add_argument("--signal", type=float, default=4.0)
    parser.add_argument("--keep", action="store_true", help="keep the table with the book")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # regions that nothing drives take any penalty
    rows = []
    for layout in given.layouts:
        start = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            options = {"participants": given.participants, "scans": given.scans, "signal": given.signal}
            only = {"languages": ("EN",), "echoes": 0} if layout == "ds003643" else {}
            root = make_phantom(Path(folder) / "phantom", layout=layout, **options, **only)
            written = time.process_time() - start
            data, truth = open_dataset(root), read_truth(root)
            about = {"layout": layout, "tr": data.tr, "sections": len(data.scans("EN"))}
            about["scans"] = sum(data.scans("EN").values())
            rows.append({**about, **recovered(data, truth)})
        print(f"{layout}: {written:.0f} s to write, {time.process_time() - start:.0f} s in all", flush=True)
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format="{:.3f}".format))
    if given.keep:
        command = f"python benchmarks/bench_layouts.py {shlex.join(sys.argv[1:])}"
        archive_table("calibration", "layouts", table, command)


if __name__ == "__main__":
    main()
