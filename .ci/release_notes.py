"""Print the notes of a release, `python .ci/release_notes.py v0.2.0`, once everything says that it is that version."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACES = {
    "src/brainbook/__init__.py": r'__version__ = "(.*)"',
    "CITATION.cff": r"^version: (.*)$",
    "codemeta.json": r'"version": "(.*)"',
    ".zenodo.json": r'"version": "(.*)"',
}


def release_notes(tag: str, root: Path = ROOT) -> str:
    """Return what CHANGELOG.md says of a version; an error names the files that are of another."""
    version = tag.removeprefix("v")
    found = {
        place: match[1] if (match := re.search(pattern, (root / place).read_text("utf-8"), re.M)) else "none"
        for place, pattern in PLACES.items()
    }
    wrong = [f"{place}: {other}" for place, other in found.items() if other != version]
    changes = re.search(
        rf"^## {re.escape(version)}\b.*?\n(.*?)(?=^## |\Z)", (root / "CHANGELOG.md").read_text("utf-8"), re.M | re.S
    )
    if changes is None:
        wrong.append(f"CHANGELOG.md: no heading '## {version}'")
    if wrong:
        raise SystemExit(f"this is not version {version} everywhere: " + "; ".join(wrong))
    return changes[1].strip()


if __name__ == "__main__":
    print(release_notes(sys.argv[1]))
