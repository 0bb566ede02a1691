"""What is done to the texts and pictures of built pages: languages are marked, pictures made small."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book" / "_ext"))
from languages import mark  # noqa: E402
from small_pictures import shrink  # noqa: E402


def test_languages_are_marked_between_tags_only():
    page = '<p title="你好">Say 你好，世界 in <em>Le Petit Prince</em>.<script>"你"</script></p>'
    assert mark(page) == (
        '<p title="你好">Say <span lang="zh">你好，世界</span> in <em><span lang="fr">Le Petit Prince</span></em>.'
        '<script>"你"</script></p>'
    )
    assert mark("<td>puis elle pleura dans la maison</td>") == (
        '<td><span lang="fr">puis elle pleura dans la maison</span></td>'
    )


def test_pictures_get_a_palette_only_where_it_is_smaller(tmp_path):
    ramp = np.linspace(0, 255, 300 * 300).reshape(300, 300, 1) * [1, 0.5, 0.2] + np.arange(300)[:, None] % 3
    Image.fromarray(ramp.clip(0, 255).astype(np.uint8)).convert("RGBA").save(tmp_path / "figure.png", compress_level=0)
    Image.new("RGB", (9, 9)).save(tmp_path / "small.png")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for _ in range(2):
        for path in tmp_path.iterdir():
            shrink(path)
    with Image.open(tmp_path / "figure.png") as image:
        assert image.mode == "P" and np.abs(np.asarray(image.convert("RGB")) - ramp).mean() < 3
    assert (tmp_path / "figure.png").stat().st_size < len(before["figure.png"]) / 3
    assert (tmp_path / "small.png").read_bytes() == before["small.png"]
