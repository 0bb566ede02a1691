# Begin here: the pages read files of the book's folder. This finds it, or gets it, and simulates the recordings.
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = ""  # address of the book's repository: where this notebook gets the book if it lies outside of it
here = Path.cwd()
places = [folder for folder in (here, *here.parents, here / "brainbook") if (folder / "src/brainbook").is_dir()]
if not places and not REPOSITORY:
    raise SystemExit("This notebook lies outside the book's folder: move it there, or name the address in REPOSITORY")
if not places:
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", REPOSITORY, "brainbook"], check=True)
os.chdir(places[0] if places else "brainbook")
try:
    import brainbook  # noqa: F401
except ImportError:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "-e", ".[book,maps]"], check=True)
    sys.path.insert(0, str(Path("src").resolve()))  # an installation is found by a Python that starts after it
if not Path("data/phantom").is_dir():
    import yaml

    from brainbook.phantom import make_phantom

    make_phantom("data/phantom", **yaml.safe_load(Path("studies/demo.yaml").read_text())["phantom"])
