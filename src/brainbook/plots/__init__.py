"""Arrays and tables in, matplotlib out: `charts` for curves and bars, `brain_maps` for the cortex."""

from brainbook.plots.look import style

__all__ = ["style"]
