"""What maps take: flat maps, surface views and the viewer, on the cortex's 20,484 vertices.

    python benchmarks/bench_maps.py [--repeats 5]

The aim is a flat map, drawn and written, in under a second after the first. The first one reads the store, finds the
borders of 148 regions and loads matplotlib's fonts; a store that is missing is built before anything is timed, and that
time is printed by itself. On a busy machine read the processor time. Beside it: pycortex's own
`quickflat.make_figure` for the same values, without borders, names and a note, at the same height of 512 pixels.
For the time of fitting many
layers see bench_layers.py.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from brainbook.datasets.atlas import embedded_destrieux
from brainbook.plots import style
from brainbook.plots.brain_maps import flatmap, flatmaps, surface_views, viewer
from brainbook.plots.pycortex_store import FSAVERAGE5, HEIGHT, open_store, quiet


def seconds(draw, repeats: int) -> np.ndarray:
    """Measure wall and processor time of each call of `draw(number)`, [calls, 2]; closing figures is not timed."""
    times = []
    for number in range(repeats + 1):
        start = time.perf_counter(), time.process_time()
        draw(number)
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
        plt.close("all")
    return np.array(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="after the first")
    parser.add_argument("--cache", default="cache", help="where the pycortex store is, or is built")
    arguments = parser.parse_args()
    style()
    warnings.filterwarnings("ignore", "There are no gridspecs", UserWarning)  # pycortex places its axes by hand
    regions, rng = embedded_destrieux(), np.random.default_rng(0)
    start = time.perf_counter()
    cortex = open_store(f"{arguments.cache}/pycortex")
    print(f"opening the store, built if it was missing: {time.perf_counter() - start:.1f} s")
    values = rng.random((arguments.repeats + 1, 7, 20_484)) * 0.2  # other values each time: no drawing is cached
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)

        def with_pycortex(number: int) -> None:
            vertices = cortex.Vertex(values[number, 0], FSAVERAGE5, vmin=0, vmax=0.2, cmap="viridis")
            with quiet():
                figure = cortex.quickflat.make_figure(vertices, with_rois=False, with_labels=False, height=HEIGHT)
            figure.savefig(out / "theirs.png", dpi=100)

        def flat(number: int) -> None:
            flatmap(values[number, 0], regions).figure.savefig(out / "flat.png")

        def seven(number: int) -> None:
            maps = {f"layer {layer}": values[number, layer] for layer in range(7)}
            flatmaps(maps, regions, columns=2).savefig(out / "seven.png")

        def views(number: int) -> None:
            surface_views(values[number, 0], regions).savefig(out / "views.png")

        def page(number: int) -> None:
            viewer({f"layer {layer}": values[number, layer] for layer in range(7)}, out / "viewer", regions)

        print(f"\n{'drawn and written to a PNG':<48}{'first':>8}{'then':>8}{'slowest':>9}{'CPU, then':>11}  (s)")
        for name, draw in {
            "flat map, borders and names": flat,
            "pycortex quickflat, neither borders nor names": with_pycortex,
            "seven flat maps, one colour bar": seven,
            "lateral and medial views": views,
            "viewer of seven maps, with its picture": page,
        }.items():
            (first, _), *later = seconds(draw, arguments.repeats)
            wall, processor = np.array(later).T
            print(f"{name:<48}{first:8.2f}{np.median(wall):8.2f}{wall.max():9.2f}{np.median(processor):11.2f}")


if __name__ == "__main__":
    main()
