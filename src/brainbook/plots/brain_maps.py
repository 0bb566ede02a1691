"""Maps of the cortex: flat maps, inflated surfaces, and a viewer for the browser (`webgl.viewer`).

Values belong to the 20,484 vertices of fsaverage5 (10,242 left, then 10,242 right) or to the 148 regions of a
parcellation, in the order of its `columns`. A parcellation is any object with `columns` (a table with region and
hemisphere), `region_index` [20484] (-1 outside the cortex) and `source`: `brainbook.datasets.destrieux()` is one.

Every map says what its colours mean, with the unit, and which parcellation drew its borders. Where a value is NaN or
not shown, the grey folds of the cortex (gyri light, sulci dark) are seen.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from contourpy import contour_generator
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from scipy import ndimage

from brainbook.errors import DatasetError
from brainbook.plots.look import GREY, WIDTH, colours
from brainbook.plots.own_surfaces import OwnSurface
from brainbook.plots.pycortex_store import FSAVERAGE5, HEIGHT, open_store, store_folder
from brainbook.plots.webgl import viewer_html, write_viewer

__all__ = ["Scale", "flatmap", "flatmaps", "surface_views", "value_scale", "viewer", "viewer_html", "vertex_values"]

N_VERTICES = 20_484
NAME_POINTS = 9.0  # size of the regions' names
_MAP_PIXELS = 1149  # width of the flat map of fsaverage5 at HEIGHT pixels


@dataclass(frozen=True)
class Scale:
    """What colours mean: colour map, norm, the unit beside the bar, its ticks and their names (None: matplotlib's)."""

    cmap: Colormap
    norm: Normalize
    unit: str
    ticks: Sequence[float] | None = None
    tick_names: Sequence[str] | None = None
    extend: str = "neither"

    def bar(self, figure: Figure, axes, horizontal: bool = True, **options) -> None:
        """Draw the labelled colour bar beside `axes`."""
        drawn = figure.colorbar(
            ScalarMappable(self.norm, self.cmap), ax=axes, extend=self.extend, ticks=self.ticks,
            orientation="horizontal" if horizontal else "vertical", label=self.unit, **options,
        )  # fmt: skip
        drawn.outline.set_visible(False)
        if self.tick_names is not None:
            (drawn.ax.set_xticklabels if horizontal else drawn.ax.set_yticklabels)(self.tick_names)
            drawn.ax.minorticks_off()


def value_scale(
    values: np.ndarray,
    unit: str = "Pearson r",
    limits: tuple[float, float] | None = None,
    diverging: bool = False,
    steps: Sequence[int] | None = None,
    categories: Sequence[str] | None = None,
) -> Scale:
    """Choose colours for `values` (any shape, NaN left out).

    limits : lowest and highest colour. Without them: 0 (or the 1st percentile if values are negative) to the 99.5th
        percentile; symmetric about 0 when `diverging`. The bar's ends are pointed where values lie beyond.
    diverging : blue below 0, red above, white at 0 (RdBu_r); else viridis, which is perceptually even.
    steps : whole numbers that have one colour each (layers).
    categories : names; a value is an index into them.
    """
    shown = np.asarray(values, float)[np.isfinite(values)]
    if categories is not None:
        cmap = ListedColormap([colours(categories)[name] for name in categories])
        norm = BoundaryNorm(np.arange(len(categories) + 1) - 0.5, len(categories))
        return Scale(cmap, norm, unit, range(len(categories)), list(categories))
    if steps is not None:
        steps = list(steps)
        cmap = mpl.colormaps["viridis"].resampled(len(steps))
        edges = np.append(np.array(steps) - 0.5, steps[-1] + 0.5)
        ticks = steps if len(steps) <= 9 else steps[:: -(-len(steps) // 8)]
        return Scale(cmap, BoundaryNorm(edges, len(steps)), unit, ticks, [str(step) for step in ticks])
    if limits is None:
        if not len(shown):
            limits = (0.0, 1.0)
        elif diverging:
            limits = (-np.percentile(np.abs(shown), 99.5), np.percentile(np.abs(shown), 99.5))
        else:
            limits = (min(0.0, np.percentile(shown, 1)), np.percentile(shown, 99.5))
    low, high = limits if limits[1] > limits[0] else (limits[0], limits[0] + 1e-6)
    if diverging and limits is not None and not np.isclose(-low, high):
        high = max(abs(low), abs(high))
        low = -high
    below, above = bool(len(shown) and shown.min() < low), bool(len(shown) and shown.max() > high)
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[below, above]
    return Scale(mpl.colormaps["RdBu_r" if diverging else "viridis"], Normalize(low, high), unit, extend=extend)


def vertex_values(values: np.ndarray, regions=None) -> np.ndarray:
    """Return values by vertex, float [20484], from values by vertex [20484] or by region [148] of `regions`."""
    values = np.asarray(values, float)
    if values.shape == (N_VERTICES,):
        return values
    if regions is None or values.shape != (len(regions.columns),):
        wanted = f"[{N_VERTICES}]" + ("" if regions is None else f" or [{len(regions.columns)}]")
        raise DatasetError(
            f"a map needs values of shape {wanted}, these have {list(values.shape)}"
            + ("; for values by region, give the parcellation as `regions`" if regions is None else "")
        )
    return np.append(values, np.nan)[regions.region_index]


def flatmap(
    values: np.ndarray,
    regions=None,
    shown: np.ndarray | None = None,
    scale: Scale | None = None,
    title: str | None = None,
    n_names: int = 5,
    colour_bar: bool = True,
    note: bool = True,
    ax: Axes | None = None,
    store: str | Path | None = None,
    surface: OwnSurface | None = None,
    **scale_options,
) -> Axes:
    """Draw both hemispheres flat, left and right.

    Parameters
    ----------
    values : float array [20484] by vertex, or [148] by region of `regions`; NaN is not drawn.
    regions : the parcellation whose borders are drawn, and the names of its `n_names` largest regions a hemisphere.
    shown : bool array like `values`; where it is False (not significant), the map is transparent.
    scale : colours, shared between several maps; without it, `value_scale(values, **scale_options)`: unit, limits,
        diverging, steps, categories.
    note : say below the map which parcellation drew the borders.
    store : folder of the pycortex store, built when missing; None for the one in use, or cache/pycortex.
    surface : a participant's own surface (`own_surfaces.own_surface`), which takes the values of fsaverage5.
    """
    if surface is not None and not surface.flat:
        raise DatasetError(
            f"{surface.subject} has not been flattened (in surf/ there is neither lh.full.flat.patch.3d nor "
            "lh.autoflatten.flat.patch.3d): draw fsaverage5, or look at the viewer"
        )
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, WIDTH / 2.24 + (0.9 if colour_bar else 0.3)), layout="constrained")
    by_vertex = vertex_values(values, regions)
    if shown is not None:
        keep = vertex_values(np.asarray(shown, float), regions) == 1
        by_vertex = np.where(keep, by_vertex, np.nan)
    scale = scale or value_scale(by_vertex, **scale_options)
    subject = FSAVERAGE5 if surface is None else surface.subject
    vertex, folds = _flat_pixels(str(store_folder(store)), subject)
    on_surface = by_vertex if surface is None else by_vertex[surface.nearest]
    ax.imshow(folds, cmap="gray", vmin=0, vmax=1, interpolation="bilinear")
    image = np.where(vertex >= 0, on_surface[vertex], np.nan)
    ax.imshow(scale.cmap(scale.norm(np.ma.masked_invalid(image))), interpolation="nearest")
    if regions is not None:
        index = regions.region_index if surface is None else regions.region_index[surface.nearest]
        borders, places = _borders(str(store_folder(store)), subject, index.tobytes())
        ax.add_collection(LineCollection(borders, colors="black", linewidths=0.5, alpha=0.75))
        _write_names(ax, regions.columns, places, n_names)
    for side, text in ((0.02, "Left"), (0.98, "Right")):
        ax.text(side, 0.02, text, transform=ax.transAxes, ha="left" if side < 0.5 else "right", fontsize=11, color=GREY)
    ax.set_axis_off()
    if title:
        ax.set_title(title, loc="left")
    if note and regions is not None:
        ax.text(
            0.5, -0.03, _note(regions, subject), transform=ax.transAxes, ha="center", va="top", fontsize=9.5, color=GREY
        )  # fmt: skip
    if colour_bar:
        scale.bar(ax.figure, ax, shrink=0.6, aspect=28, pad=0.06)
    return ax


def flatmaps(
    maps: Mapping,
    regions=None,
    shown: Mapping | None = None,
    columns: int = 1,
    title: str | None = None,
    n_names: int = 0,
    scale: Scale | None = None,
    store: str | Path | None = None,
    surface: OwnSurface | None = None,
    **scale_options,
) -> Figure:
    """Small multiples of flat maps with one shared colour bar.

    `maps` is name -> values, laid out in `columns`; or (row, column) -> values, such as ("EN", "before"): a grid with a
    row a first name and a column a second. `shown` has the same keys. The rest is as in `flatmap`.
    """
    values = {key: vertex_values(map_, regions) for key, map_ in maps.items()}
    scale = scale or value_scale(np.stack(list(values.values())), **scale_options)
    grid = all(isinstance(key, tuple) for key in values)
    if grid:
        row_names, column_names = (list(dict.fromkeys(key[axis] for key in values)) for axis in (0, 1))
        places = {key: (row_names.index(key[0]), column_names.index(key[1])) for key in values}
        n_rows, columns = len(row_names), len(column_names)
    else:
        places = {key: divmod(i, columns) for i, key in enumerate(values)}
        n_rows = -(-len(values) // columns)
    width = WIDTH * (1 if columns < 3 else 1.5)  # two columns keep their titles readable on a phone
    figure, axes = plt.subplots(
        n_rows,
        columns,
        figsize=(width, n_rows * (width / columns / 2.24 + 0.35) + 1.2),
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for key, map_ in values.items():
        name = " · ".join(map(str, key)) if grid else str(key)
        keep = None if shown is None else vertex_values(np.asarray(shown[key], float), regions) == 1
        flatmap(map_, regions, keep, scale, name, n_names, False, False, axes[places[key]], store, surface)
    scale.bar(figure, axes.ravel().tolist(), shrink=0.6, aspect=32, pad=0.03)
    if regions is not None:
        figure.supxlabel(_note(regions, FSAVERAGE5 if surface is None else surface.subject), fontsize=9.5, color=GREY)
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontsize=mpl.rcParams["axes.titlesize"])
    return figure


def surface_views(
    values: np.ndarray,
    regions=None,
    shown: np.ndarray | None = None,
    scale: Scale | None = None,
    title: str | None = None,
    **scale_options,
) -> Figure:
    """Lateral and medial views of both inflated hemispheres (nilearn); parameters as in `flatmap`. About a second."""
    from nilearn import datasets, plotting

    by_vertex = vertex_values(values, regions)
    if shown is not None:
        by_vertex = np.where(vertex_values(np.asarray(shown, float), regions) == 1, by_vertex, np.nan)
    scale = scale or value_scale(by_vertex, **scale_options)
    meshes = datasets.load_fsaverage(FSAVERAGE5)["inflated"].parts
    depth = datasets.load_fsaverage_data(FSAVERAGE5, data_type="sulcal").data.parts
    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 5.4), subplot_kw={"projection": "3d"}, layout="constrained")
    halves = {"left": by_vertex[: N_VERTICES // 2], "right": by_vertex[N_VERTICES // 2 :]}
    for column, (side, half) in enumerate(halves.items()):
        for row, view in enumerate(("lateral", "medial")):
            # nilearn takes limits, not a norm: colours are made here, and a map of them is drawn one to one.
            plotting.plot_surf(
                meshes[side], surf_map=np.ma.asarray(scale.norm(np.ma.masked_invalid(half)), float).filled(np.nan),
                bg_map=depth[side], hemi=side, view=view, cmap=scale.cmap, axes=axes[row, column], figure=figure,
                vmin=0, vmax=1 if not isinstance(scale.norm, BoundaryNorm) else scale.cmap.N - 1,
                # The median of a face's three vertices is one of them; the mean of layers 0 and 6 would be layer 3.
                avg_method="median" if isinstance(scale.norm, BoundaryNorm) else "mean",
                colorbar=False, bg_on_data=False, engine="matplotlib",
            )  # fmt: skip
            axes[row, column].set_title(f"{side.capitalize()}, {view}", fontsize=12, loc="center", y=0.92)
            axes[row, column].set_box_aspect(None, zoom=1.35)
    scale.bar(figure, axes.ravel().tolist(), shrink=0.6, aspect=28, pad=0.02)
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontsize=mpl.rcParams["axes.titlesize"])
    return figure


def viewer(
    layers: Mapping[str, np.ndarray],
    folder: str | Path,
    regions=None,
    shown: Mapping | None = None,
    scale: Scale | None = None,
    title: str = "Brain maps",
    store: str | Path | None = None,
    surface: OwnSurface | None = None,
    **scale_options,
) -> Path:
    """Write one WebGL viewer in which every map of `layers` (name -> values) is a button; return its index.html.

    Parameters as in `flatmaps`. It is written to `folder`, which the book copies as it is, with a picture of the flat
    maps that stands in for it where it cannot be drawn. Takes 3 to 5 s and 4.5 MB. `viewer_html` shows it in a page.
    """
    values = {name: vertex_values(map_, regions) for name, map_ in layers.items()}
    if shown is not None:
        keep = {name: vertex_values(np.asarray(shown[name], float), regions) == 1 for name in values}
        values = {name: np.where(keep[name], map_, np.nan) for name, map_ in values.items()}
    scale = scale or value_scale(np.stack(list(values.values())), **scale_options)
    limits = (
        scale.norm.boundaries[[0, -1]] if isinstance(scale.norm, BoundaryNorm) else (scale.norm.vmin, scale.norm.vmax)
    )

    def draw_picture(path: Path) -> None:
        columns = 1 if len(values) < 4 else 2
        drawn = surface if surface is None or surface.flat else None  # no flat map of one's own: the average brain's
        figure = flatmaps(values, regions, columns=columns, title=title, scale=scale, store=store, surface=drawn)
        figure.savefig(path)
        plt.close(figure)

    alt = f"{title}: flat maps of {', '.join(map(str, values))} ({scale.unit})"
    subject = FSAVERAGE5 if surface is None else surface.subject
    note = "" if regions is None else _note(regions, subject)
    drawn = values if surface is None else {name: map_[surface.nearest] for name, map_ in values.items()}
    return write_viewer(
        drawn, folder, scale.cmap, tuple(map(float, limits)), scale.unit, draw_picture, alt, note, title, subject, store
    )


def _note(regions, subject: str) -> str:
    return f"Borders: Destrieux regions, {regions.source}; {subject}"


def _write_names(ax: Axes, columns, places: dict[int, tuple[float, float, int]], n_names: int) -> None:
    """Name the largest regions of each hemisphere, passing over a name that would cover another."""
    height = NAME_POINTS / 72 / WIDTH * _MAP_PIXELS  # of a line of text, in pixels of the map
    taken: list[tuple[float, float, float]] = []  # x, y, half the width
    for hemisphere in ("lh", "rh"):
        own = [index for index in places if columns.hemisphere.iloc[index] == hemisphere]
        written = 0
        for index in sorted(own, key=lambda i: -places[i][2]):
            x, y, _ = places[index]
            name = columns.region.iloc[index]
            half = 0.3 * height * len(name)
            if written == n_names:
                break
            if any(abs(x - x2) < half + half2 and abs(y - y2) < 1.2 * height for x2, y2, half2 in taken):
                continue
            ax.text(
                x, y, name, ha="center", va="center", fontsize=NAME_POINTS,
                path_effects=[withStroke(linewidth=2.2, foreground="white", alpha=0.85)],
            )  # fmt: skip
            taken.append((x, y, half))
            written += 1


@functools.lru_cache(maxsize=4)
def _flat_pixels(store: str, subject: str) -> tuple[np.ndarray, np.ndarray]:
    """Vertex under each pixel of the flat map, int [512, width], -1 outside; grey of the folds, float, NaN outside."""
    cortex = open_store(store)
    utils = cortex.quickflat.utils
    mask, _ = utils.get_flatmask(subject, height=HEIGHT)  # width, height
    nearest = utils.get_flatcache(subject, None, height=HEIGHT)  # pixels, vertices: one 1 a row
    vertex = np.full(mask.shape, -1)
    vertex[mask] = nearest.indices
    vertex = np.ascontiguousarray(vertex.T[::-1])
    curvature = cortex.db.get_surfinfo(subject, "curvature").data
    folds = np.where(vertex >= 0, np.where(curvature[vertex] > 0, 0.86, 0.66), np.nan)
    return vertex, folds


@functools.lru_cache(maxsize=4)
def _borders(
    store: str, subject: str, region_index: bytes
) -> tuple[list[np.ndarray], dict[int, tuple[float, float, int]]]:
    """Border lines of all regions on the flat map; by region (x, y) of the place farthest from them, and pixels."""
    vertex, _ = _flat_pixels(store, subject)
    region = np.where(vertex >= 0, np.frombuffer(region_index, np.int64)[vertex], -1)
    lines, places = [], {}
    for index, box in enumerate(ndimage.find_objects(region + 1), start=0):
        if box is None:
            continue
        rows, columns = (slice(max(s.start - 4, 0), s.stop + 4) for s in box)
        inside = region[rows, columns] == index
        # Smoothed, because the pixels of one vertex make steps that no region has.
        smooth = ndimage.gaussian_filter(np.pad(inside, 1).astype(np.float32), 1.5)
        corner = np.array([columns.start - 1, rows.start - 1])
        lines += [line + corner for line in contour_generator(z=smooth).lines(0.5)]
        depth = ndimage.distance_transform_edt(np.pad(inside, 1))
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        places[index] = (x + corner[0], y + corner[1], int(inside.sum()))
    return lines, places
