"""Pictures of an executed page: as sharp as a dense screen shows them, and as light as a page should be."""

import io
from base64 import b64decode, b64encode

import nbformat
from PIL import Image

COLOURS = 256  # of a picture; what matplotlib draws has few, and the steps of a colour map stay below what an eye sees


def lighter(png: bytes) -> bytes:
    """Return a PNG with at most `COLOURS` colours on white, or the picture as it is where that is no lighter.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> Image.new("RGBA", (40, 30), "#0072B2").save(stream := io.BytesIO(), "PNG")
    >>> Image.open(io.BytesIO(lighter(stream.getvalue()))).convert("RGB").getpixel((3, 3))
    (0, 114, 178)
    """
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    plain = Image.new("RGBA", picture.size, "white")
    plain.alpha_composite(picture)
    few = plain.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(stream := io.BytesIO(), "PNG", optimize=True)
    return min(png, stream.getvalue(), key=len)


def lighten(notebook: nbformat.NotebookNode) -> None:
    """Make the pictures in a notebook's outputs lighter, in place."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                output["data"]["image/png"] = b64encode(lighter(b64decode(png))).decode()
