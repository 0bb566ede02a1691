"""Chinese and French text on built pages says which language it is."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book" / "_ext"))
from languages import mark  # noqa: E402


def test_languages_are_marked_between_tags_only():
    page = '<p title="你好">Say 你好，世界 in <em>Le Petit Prince</em>.<script>"你"</script></p>'
    assert mark(page) == (
        '<p title="你好">Say <span lang="zh">你好，世界</span> in <em><span lang="fr">Le Petit Prince</span></em>.'
        '<script>"你"</script></p>'
    )
    assert mark("<td>puis elle pleura dans la maison</td>") == (
        '<td><span lang="fr">puis elle pleura dans la maison</span></td>'
    )
