import io
from base64 import b64encode

import nbformat
import numpy as np
from PIL import Image

from brainbook.workflow.pictures import lighten, lighter


def png(pixels: np.ndarray) -> bytes:
    Image.fromarray(pixels).save(stream := io.BytesIO(), "PNG")
    return stream.getvalue()


def test_a_picture_gets_lighter_and_looks_the_same():
    rows, columns = np.mgrid[:200, :300]
    smooth = np.stack([rows, columns * 0.8, 0 * rows + 90, 0 * rows + 255], axis=-1).astype(np.uint8)
    made = lighter(png(smooth))
    seen = np.asarray(Image.open(io.BytesIO(made)).convert("RGB"), int)
    assert len(made) <= len(png(smooth)) and np.abs(seen - smooth[..., :3]).mean() < 6


def test_what_is_clear_becomes_white_and_few_colours_stay_exact():
    clear = np.zeros((20, 30, 4), np.uint8)
    clear[5:10, 5:10] = [0, 114, 178, 255]
    seen = np.asarray(Image.open(io.BytesIO(lighter(png(clear)))).convert("RGB"))
    if len(lighter(png(clear))) < len(png(clear)):
        assert seen[0, 0].tolist() == [255] * 3 and seen[7, 7].tolist() == [0, 114, 178]


def test_outputs_without_a_picture_stay(tmp_path):
    picture = b64encode(png(np.random.default_rng(0).integers(0, 3, (90, 90, 3)).astype(np.uint8))).decode()
    outputs = [
        nbformat.v4.new_output("display_data", {"image/png": picture}),
        nbformat.v4.new_output("stream", text="12"),
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=outputs)])
    lighten(notebook)
    assert notebook.cells[0].outputs[1].text == "12" and "image/png" in notebook.cells[0].outputs[0].data
