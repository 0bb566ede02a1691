"""`python -m brainbook.phantom FOLDER`: write a phantom study."""

import argparse
import sys

from brainbook.datasets.little_prince_runs import LANGUAGES
from brainbook.errors import BrainbookError
from brainbook.phantom.dataset import LAYOUTS, make_phantom


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and write the phantom; the exit status is 2 if that is refused."""
    parser = argparse.ArgumentParser(
        prog="python -m brainbook.phantom", description=str(make_phantom.__doc__).split("\n")[0]
    )
    parser.add_argument("folder", help="folder to write; a phantom that is already there is replaced")
    parser.add_argument("--participants", type=int, default=3, help="of each language (default 3)")
    parser.add_argument("--scans", type=int, default=150, help="mean scans of a section (default 150)")
    parser.add_argument("--seed", type=int, default=0, help="of story, brains and noise (default 0)")
    parser.add_argument("--voxel-size", type=float, default=6.0, help="mm (default 6; the real recordings have 2)")
    languages = "default: all of ds003643, EN of the other layouts"
    parser.add_argument("--languages", nargs="+", default=None, choices=LANGUAGES, help=languages)
    echoes = "participants of a language with raw echoes (ds003643 only, default 1)"
    parser.add_argument("--echoes", type=int, default=None, help=echoes)
    parser.add_argument("--signal", type=float, default=1.0, help="multiplies the variance the story explains")
    parser.add_argument("--null", action="store_true", help="the same noise and no response to the story")
    layout = "of which dataset (default ds003643, Le Petit Prince)"
    parser.add_argument("--layout", default="ds003643", choices=list(LAYOUTS), help=layout)
    parser.add_argument("--space", default=None, help="of the recordings, where a layout has a choice")
    no_truth = "leave truth/ out, so that it is read as real ones are"
    parser.add_argument("--no-truth", action="store_false", dest="truth", help=no_truth)
    options = vars(parser.parse_args(arguments))
    try:
        root = make_phantom(options.pop("folder"), **options)
    except BrainbookError as error:
        print(f"python -m brainbook.phantom: {error}", file=sys.stderr)
        return 2
    kind = "null phantom" if options["null"] else "phantom"
    print(f"{root}: {kind}, {options['participants']} participants per language")
    return 0


if __name__ == "__main__":
    sys.exit(main())
