"""Pictures of the built pages with 256 colours each, chosen for it: a third of the bytes, to the eye the same."""

import io
from pathlib import Path

from PIL import Image

LARGE = 30_000  # bytes: smaller ones stay as they are


def shrink(path: Path) -> None:
    """Write a PNG anew with a palette of its own if that is smaller; one that has a palette stays as it is."""
    with Image.open(path) as image:
        if image.mode == "P" or path.stat().st_size < LARGE:
            return
        opaque = Image.new("RGB", image.size, "white")
        opaque.paste(image, mask=image.getchannel("A") if "A" in image.getbands() else None)
    stream = io.BytesIO()
    opaque.quantize(256).save(stream, "png", optimize=True)
    if len(stream.getvalue()) < path.stat().st_size:
        path.write_bytes(stream.getvalue())


def shrink_all(app, exception):
    if exception is None and app.builder.format == "html":
        for path in sorted(Path(app.outdir, "_images").glob("*.png")):
            shrink(path)


def setup(app):
    app.connect("build-finished", shrink_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
