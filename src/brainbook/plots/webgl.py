"""The viewer for the browser: pycortex's WebGL brain under a bar of buttons that also answer to the keyboard.

A viewer is a folder of static files, about 4.5 MB however many maps it shows. It works without a network, but only from
a server (`make serve`): browsers do not let a page read its neighbours on disk. Until the brain is there, and wherever
it cannot be drawn (no WebGL, no server), the page shows a picture of the maps.
"""

import html
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import to_hex

from brainbook.errors import ConfigurationError
from brainbook.plots.pycortex_store import FSAVERAGE5, open_store, quiet

_TEMPLATE = Path(__file__).with_name("viewer_page") / "viewer.html"
COLOUR_MAPS = ("viridis", "RdBu_r")  # those that both matplotlib and pycortex have and the book uses


def write_viewer(
    maps: Mapping[str, np.ndarray],
    folder: str | Path,
    scale: Any,
    draw_picture: Callable[[Path], None],
    alt: str,
    source: str = "",
    title: str = "Brain maps",
    subject: str = FSAVERAGE5,
    store: str | Path | None = None,
) -> Path:
    """Write the viewer into `folder`, whole or not at all, in the place of an earlier one; return its index.html.

    Parameters
    ----------
    maps : name -> float array [vertices] of `subject`, left then right; NaN is transparent. One button each.
    scale : the `brain_maps.Scale` of all maps. Its colour map is one of COLOUR_MAPS.
    draw_picture : writes the fall-back picture to the path it is given (PNG).
    alt : what the picture shows, in words.
    source : a line below the buttons: parcellation, data.
    """
    if not maps:
        raise ConfigurationError("a viewer needs at least one map")
    cmap, (low, high) = scale.cmap, scale.limits
    if cmap.name not in COLOUR_MAPS:
        raise ConfigurationError(f"the viewer has the colour maps {', '.join(COLOUR_MAPS)}, not {cmap.name!r}")
    cortex = open_store(store)
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    views = {  # pycortex puts these names into its script as they are: the page's own script knows the real ones
        f"map{number}": cortex.Vertex(np.asarray(values, np.float32), subject, cmap=cmap.name, vmin=low, vmax=high)
        for number, values in enumerate(maps.values())
    }
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder.parent) as scratch:
        new = Path(scratch) / "new"
        with quiet():
            cortex.webgl.make_static(
                str(new), views, template=str(_TEMPLATE), title=html.escape(title), recache=False,
                overlays_visible=(), labels_visible=(), maps=json.dumps(list(maps)).replace("<", "\\u003c"),
                gradient=", ".join(to_hex(cmap(x)) for x in np.linspace(0, 1, 17)),
                low=f"{low:.3g}", high=f"{high:.3g}", unit=html.escape(scale.unit), source=html.escape(source),
            )  # fmt: skip
        page = new / "index.html"
        # Put in afterwards, because pycortex swallows every image that its template names into the page.
        still = f'<img src="picture.png" alt="{html.escape(alt)}">'
        page.write_text(page.read_text(encoding="utf-8").replace("@picture@", still), encoding="utf-8")
        draw_picture(new / "picture.png")
        new.chmod(0o755)
        if folder.exists():
            folder.rename(Path(scratch) / "old")
        new.rename(folder)
    return folder / "index.html"


def viewer_html(address: str, title: str) -> str:
    """Return HTML that shows a viewer inside a page: an iframe, and a link that opens the viewer on a page of its own.

    `address` is where the viewer's index.html is, seen from the page. `title` names the frame for screen readers.
    """
    address, title = html.escape(address), html.escape(title)
    return (
        f'<figure style="margin: 0"><iframe src="{address}" title="{title}" loading="lazy" allow="fullscreen" '
        f'style="width: 100%; height: 560px; border: 0"></iframe>'
        f'<figcaption><a href="{address}">{title}: open on a page of its own</a></figcaption></figure>'
    )
