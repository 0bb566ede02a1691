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
from textwrap import wrap
from typing import Any

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
from brainbook.plots.look import GREY, WIDTH, colours, finish_figure
from brainbook.plots.own_surfaces import OwnSurface
from brainbook.plots.pycortex_store import FSAVERAGE5, HEIGHT, open_store, store_folder
from brainbook.plots.webgl import write_viewer

N_VERTICES = 20_484  # of fsaverage5; `brainbook.datasets.atlas` has it too, but figures know no dataset
NAME_POINTS = 9.0  # size of the regions' names
_MAP_PIXELS = 1149  # width of the flat map of fsaverage5 at HEIGHT pixels
AVERAGE = OwnSurface(FSAVERAGE5, np.arange(N_VERTICES), flat=True)


@dataclass(frozen=True)
class Scale:
    """What colours mean: colour map, norm, the unit beside the bar, its ticks and their names (None: matplotlib's)."""

    cmap: Colormap
    norm: Normalize
    unit: str
    ticks: Sequence[float] | None = None
    tick_names: Sequence[str] | None = None
    extend: str = "neither"

    @property
    def limits(self) -> tuple[float, float]:
        """Values of the lowest and the highest colour."""
        norm: Any = self.norm
        low, high = norm.boundaries[[0, -1]] if isinstance(norm, BoundaryNorm) else (norm.vmin, norm.vmax)
        return float(low), float(high)

    def bar(self, figure: Any, axes: Any, **options: Any) -> None:
        """Draw the labelled colour bar beside `axes`."""
        drawn = figure.colorbar(
            ScalarMappable(self.norm, self.cmap), ax=axes, extend=self.extend, ticks=self.ticks,
            orientation="horizontal", label=self.unit, **options,
        )  # fmt: skip
        drawn.outline.set_visible(False)
        if self.tick_names is not None:
            drawn.ax.set_xticklabels(self.tick_names)
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

    Examples
    --------
    >>> scale = value_scale(np.array([0.0, 0.2, 0.4]), unit="Pearson r", limits=(0, 0.5))
    >>> scale.norm(0.25)
    np.float64(0.5)
    """
    if categories is not None:
        cmap: Colormap = ListedColormap([colours(categories)[name] for name in categories])
        norm = BoundaryNorm(np.arange(len(categories) + 1) - 0.5, len(categories))
        return Scale(cmap, norm, unit, range(len(categories)), list(categories))
    if steps is not None:
        steps = list(steps)
        cmap = mpl.colormaps["viridis"].resampled(len(steps))
        edges = np.append(np.array(steps) - 0.5, steps[-1] + 0.5)
        ticks = steps if len(steps) <= 9 else steps[:: -(-len(steps) // 8)]
        return Scale(cmap, BoundaryNorm(edges, len(steps)), unit, ticks, [str(step) for step in ticks])
    shown = np.asarray(values, float)[np.isfinite(values)]
    if limits is not None:
        low, high = limits
    elif not len(shown):
        low, high = 0.0, 1.0
    elif diverging:
        low, high = 0.0, np.percentile(np.abs(shown), 99.5)
    else:
        low, high = min(0.0, np.percentile(shown, 1)), np.percentile(shown, 99.5)
    if diverging:
        high = max(abs(low), abs(high))
        low = -high
    high = max(high, low + 1e-6)
    below, above = bool((shown < low).any()), bool((shown > high).any())
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[below, above]
    return Scale(mpl.colormaps["RdBu_r" if diverging else "viridis"], Normalize(low, high), unit, extend=extend)


def vertex_values(values: np.ndarray, regions: Any = None, shown: np.ndarray | None = None) -> np.ndarray:
    """Return values by vertex, float [20484], from values by vertex [20484] or by region [148] of `regions`.

    Where `shown`, of the same shape, is False, they are NaN.
    """
    values = np.asarray(values, float)
    if values.shape != (N_VERTICES,):
        if regions is None or values.shape != (len(regions.columns),):
            wanted = f"[{N_VERTICES}]" + ("" if regions is None else f" or [{len(regions.columns)}]")
            advice = "; for values by region, give the parcellation as `regions`" if regions is None else ""
            raise DatasetError(f"a map needs values of shape {wanted}, these have {list(values.shape)}{advice}")
        values = np.append(values, np.nan)[regions.region_index]
    if shown is None:
        return values
    return np.where(vertex_values(np.asarray(shown, float), regions) == 1, values, np.nan)


def flatmap(
    values: np.ndarray,
    regions: Any = None,
    shown: np.ndarray | None = None,
    scale: Scale | None = None,
    title: str | None = None,
    n_names: int = 5,
    ax: Axes | None = None,
    store: str | Path | None = None,
    surface: OwnSurface = AVERAGE,
    **scale_options: Any,
) -> Axes:
    """Draw both hemispheres flat, left and right.

    Parameters
    ----------
    values : float array [20484] by vertex, or [148] by region of `regions`; NaN is not drawn.
    regions : the parcellation whose borders are drawn, and the names of its `n_names` largest regions a hemisphere.
    shown : bool array like `values`; where it is False (not significant), the map is transparent.
    scale : colours, shared between several maps; without it, `value_scale(values, **scale_options)`: unit, limits,
        diverging, steps, categories.
    ax : where to draw; colour bar and note, which parcellation drew the borders, are then left to the caller.
    store : folder of the pycortex store, built when missing; None for the one in use, or cache/pycortex.
    surface : a participant's own surface (`own_surfaces.own_surface`), which takes the values of fsaverage5.

    Examples
    --------
    >>> from brainbook.datasets import destrieux
    >>> regions = destrieux(fetch=False)
    >>> ax = flatmap(np.linspace(0, 0.3, 148), regions, title="Encoding score", unit="Pearson r")
    >>> ax.get_title(loc="left")
    'Encoding score'
    """
    if not surface.flat:
        raise DatasetError(
            f"{surface.subject} has not been flattened (in surf/ there is neither lh.full.flat.patch.3d nor "
            "lh.autoflatten.flat.patch.3d): draw fsaverage5, or look at the viewer"
        )
    alone = ax is None
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, WIDTH / 2.24 + 0.9), layout="constrained")
    by_vertex = vertex_values(values, regions, shown)
    scale = scale or value_scale(by_vertex, **scale_options)
    vertex, folds = _flat_pixels(str(store_folder(store)), surface.subject)
    ax.imshow(folds, cmap="gray", vmin=0, vmax=1, interpolation="bilinear")
    image = np.where(vertex >= 0, by_vertex[surface.nearest][vertex], np.nan)
    ax.imshow(scale.cmap(scale.norm(np.ma.masked_invalid(image))), interpolation="nearest")
    if regions is not None:
        index = regions.region_index[surface.nearest]
        borders, places = _borders(str(store_folder(store)), surface.subject, index.tobytes())
        ax.add_collection(LineCollection(borders, colors="black", linewidths=0.5, alpha=0.75))
        _write_names(ax, regions, places, n_names)
    for side, place in (("left", 0.02), ("right", 0.98)):
        ax.text(place, 0.02, side.capitalize(), transform=ax.transAxes, ha=side, fontsize=11, color=GREY)
    ax.set_axis_off()
    if title:
        ax.set_title(title, loc="left")
    if alone and regions is not None:
        below: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "va": "top"}
        ax.text(0.5, -0.03, _note(regions, surface), fontsize=9.5, color=GREY, **below)
    if alone:
        scale.bar(ax.figure, ax, shrink=0.6, aspect=28, pad=0.06)
    return ax


def flatmaps(
    maps: Mapping,
    regions: Any = None,
    shown: Mapping | None = None,
    columns: int = 1,
    title: str | None = None,
    n_names: int = 0,
    scale: Scale | None = None,
    store: str | Path | None = None,
    surface: OwnSurface = AVERAGE,
    **scale_options: Any,
) -> Figure:
    """Draw small multiples of flat maps with one shared colour bar.

    `maps` is name -> values, laid out in `columns`; or (row, column) -> values, such as ("EN", "before"): a grid with a
    row a first name and a column a second. `shown` has the same keys. The rest is as in `flatmap`.

    Examples
    --------
    >>> figure = flatmaps({"left": np.zeros(20484), "right": np.ones(20484)}, columns=2)
    >>> [ax.get_title(loc="left") for ax in figure.axes[:2]]
    ['left', 'right']
    """
    shown = {} if shown is None else shown  # a DataFrame is a mapping, too
    scale = scale or value_scale(np.stack([vertex_values(map_, regions) for map_ in maps.values()]), **scale_options)
    grid = all(isinstance(key, tuple) for key in maps)
    if grid:
        row_names, column_names = (list(dict.fromkeys(key[axis] for key in maps)) for axis in (0, 1))
        places = {key: (row_names.index(key[0]), column_names.index(key[1])) for key in maps}
        n_rows, columns = len(row_names), len(column_names)
    else:
        places = {key: divmod(i, columns) for i, key in enumerate(maps)}
        n_rows = -(-len(maps) // columns)
    width = WIDTH * (1 if columns < 3 else 1.5)  # two columns keep their titles readable on a phone
    size = (width, n_rows * (width / columns / 2.24 + 0.35) + 1.2)
    figure, axes = plt.subplots(n_rows, columns, figsize=size, squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.set_axis_off()
    for key, map_ in maps.items():
        name = " · ".join(map(str, key)) if grid else str(key)
        flatmap(map_, regions, shown.get(key), scale, name, n_names, axes[places[key]], store, surface)
    scale.bar(figure, axes.ravel().tolist(), shrink=0.6, aspect=32, pad=0.03)
    if regions is not None:
        figure.supxlabel(_note(regions, surface), fontsize=9.5, color=GREY)
    return finish_figure(figure, title)


def surface_views(
    values: np.ndarray,
    regions: Any = None,
    shown: np.ndarray | None = None,
    scale: Scale | None = None,
    title: str | None = None,
    **scale_options: Any,
) -> Figure:
    """Draw lateral and medial views of both inflated hemispheres (nilearn); parameters as in `flatmap`.

    Examples
    --------
    >>> figure = surface_views(np.linspace(0, 0.3, 20484))
    >>> figure.axes[0].get_title()
    'Left, lateral'
    """
    from nilearn import datasets, plotting

    by_vertex = vertex_values(values, regions, shown)
    scale = scale or value_scale(by_vertex, **scale_options)
    meshes = datasets.load_fsaverage(FSAVERAGE5)["inflated"].parts
    depth = datasets.load_fsaverage_data(FSAVERAGE5, data_type="sulcal").data.parts
    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 5.4), subplot_kw={"projection": "3d"}, layout="constrained")
    stepped = isinstance(scale.norm, BoundaryNorm)
    for column, (side, half) in enumerate(zip(("left", "right"), np.split(by_vertex, 2), strict=True)):
        for row, view in enumerate(("lateral", "medial")):
            # nilearn takes limits, not a norm: colours are made here, and a map of them is drawn one to one.
            plotting.plot_surf(
                meshes[side], surf_map=np.ma.asarray(scale.norm(np.ma.masked_invalid(half)), float).filled(np.nan),
                bg_map=depth[side], hemi=side, view=view, cmap=scale.cmap, axes=axes[row, column], figure=figure,
                vmin=0, vmax=scale.cmap.N - 1 if stepped else 1,
                # The median of a face's three vertices is one of them; the mean of layers 0 and 6 would be layer 3.
                avg_method="median" if stepped else "mean",
                colorbar=False, bg_on_data=False, engine="matplotlib",
            )  # fmt: skip
            axes[row, column].set_title(f"{side.capitalize()}, {view}", fontsize=12, loc="center", y=0.92)
            axes[row, column].set_box_aspect(None, zoom=1.35)
    scale.bar(figure, axes.ravel().tolist(), shrink=0.6, aspect=28, pad=0.02)
    return finish_figure(figure, title)


def viewer(
    layers: Mapping[str, np.ndarray],
    folder: str | Path,
    regions: Any = None,
    shown: Mapping | None = None,
    scale: Scale | None = None,
    title: str = "Brain maps",
    store: str | Path | None = None,
    surface: OwnSurface = AVERAGE,
    **scale_options: Any,
) -> Path:
    """Write one WebGL viewer in which every map of `layers` (name -> values) is a button; return its index.html.

    Parameters as in `flatmaps`. It is written to `folder`, which the book copies as it is, with a picture of the flat
    maps that stands in for it where it cannot be drawn. It takes 3 to 5 s and 4.5 MB; `viewer_html` shows it in a page.

    Examples
    --------
    >>> viewer({"score": np.linspace(0, 0.3, 20484)}, "viewers/score").name
    'index.html'
    """
    shown = {} if shown is None else shown  # a DataFrame is a mapping, too
    values = {name: vertex_values(map_, regions, shown.get(name)) for name, map_ in layers.items()}
    scale = scale or value_scale(np.stack(list(values.values())), **scale_options)

    def draw_picture(path: Path) -> None:
        columns = 1 if len(values) < 4 else 2
        drawn = surface if surface.flat else AVERAGE
        figure = flatmaps(values, regions, columns=columns, title=title, scale=scale, store=store, surface=drawn)
        figure.savefig(path)
        plt.close(figure)

    alt = f"{title}: flat maps of {', '.join(map(str, values))} ({scale.unit})"
    source = "" if regions is None else _note(regions, surface)
    drawn = {name: map_[surface.nearest] for name, map_ in values.items()}
    return write_viewer(drawn, folder, scale, draw_picture, alt, source, title, surface.subject, store)


def _note(regions: Any, surface: OwnSurface) -> str:
    return f"Borders: Destrieux regions, {regions.source}; {surface.subject}"


def _write_names(ax: Axes, regions: Any, places: dict[int, tuple[float, float, int]], n_names: int) -> None:
    """Name the largest regions of each hemisphere, passing over a name that would cover another."""
    height = NAME_POINTS / 72 / WIDTH * _MAP_PIXELS  # of a line of text, in pixels of the map
    halo = withStroke(linewidth=2.2, foreground="white", alpha=0.85)
    names = getattr(regions, "readable", regions.columns.region.tolist())
    taken: list[tuple[float, float, float, float]] = []  # x, y, half the width, half the height
    left = {"lh": n_names, "rh": n_names}
    for index, (x, y, _) in sorted(places.items(), key=lambda item: -item[1][2]):
        lines, hemisphere = wrap(names[index], 16), regions.columns.hemisphere.iloc[index]
        half, high = 0.33 * height * max(map(len, lines)), 0.75 * height * len(lines)
        covers = any(abs(x - x2) < half + half2 and abs(y - y2) < high + high2 for x2, y2, half2, high2 in taken)
        if left[hemisphere] and not covers:
            ax.text(x, y, "\n".join(lines), ha="center", va="center", fontsize=NAME_POINTS, path_effects=[halo])
            taken.append((x, y, half, high))
            left[hemisphere] -= 1


@functools.lru_cache(maxsize=4)
def _flat_pixels(store: str, subject: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the vertex under each pixel of the flat map, int [512, width], -1 outside, and the grey of its fold."""
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
    """Return the borders of all regions on the flat map, and by region (x, y) farthest from them and its pixels."""
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
