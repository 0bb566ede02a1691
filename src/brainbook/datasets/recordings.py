"""The recording of one run, a volume or a pair of surfaces, as scans on the 20,484 vertices of fsaverage5."""

import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from brainbook.datasets.atlas import VERTICES_PER_HEMISPHERE
from brainbook.datasets.files import check_content
from brainbook.datasets.images import open_image
from brainbook.datasets.surface import to_surface
from brainbook.errors import DatasetError
from brainbook.store import read_json

# Each of these spheres holds the vertices of the coarser ones first (FreeSurfer subdivides an icosahedron).
SURFACES = {10_242: "fsaverage5", 40_962: "fsaverage6", 163_842: "fsaverage"}
_HEAD = 1 << 16  # bytes of a GIFTI file that hold its attributes and the metadata of its first array
_TIME_STEP = re.compile(rb"TimeStep(?:\]\]>)?</Name>\s*<Value>(?:<!\[CDATA\[)?\s*([\d.eE+-]+)")


@dataclass(frozen=True)
class VolumeRecording:
    """The NIfTI recording `path` in MNI space.

    `scans` are the first analysed scan and the one after the last, None for all.

    Examples
    --------
    >>> dataset = open_dataset("data/phantom")
    >>> recording = dataset.recording(dataset.runs("sub-EN057")[0])
    >>> type(recording).__name__, recording.header_tr
    ('VolumeRecording', 2.0)
    """

    path: Path
    scans: tuple[int, int] | None = None

    @cached_property
    def image(self) -> nib.Nifti1Image:
        """The whole recording, checked and not read yet (see `open_image`)."""
        image = open_image(self.path)
        if image.ndim != 4:
            raise DatasetError(f"{self.path} has the shape {image.shape}: a recording is [x, y, z, scans]")
        return image

    @property
    def n_scans(self) -> int:
        """Number of scans of the whole recording."""
        return self.image.shape[3]

    @property
    def header_tr(self) -> float | None:
        """Seconds from one scan to the next by the header; None if it says none: 0, or 1, which stands for none."""
        time = float(self.image.header["pixdim"][4])
        unit = self.image.header.get_xyzt_units()[1]
        seconds = time * {"msec": 1e-3, "usec": 1e-6}.get(unit, 1.0)
        if seconds > 100:  # milliseconds that are called seconds (fMRIPrep issue 1725)
            seconds /= 1e3
        return seconds if time not in (0, 1) and seconds > 0 else None

    def content_key(self) -> list:
        """Return what changes with the content or the scans that are taken of it."""
        data: Any = self.image.dataobj  # a `CheckedData`
        key = data.content_key()
        return key if self.scans is None else [key, self.scans]

    def to_surface(self, cache: str | Path | None = None, sampling: str = "line") -> np.ndarray:
        """Return the analysed scans on fsaverage5, array [scans, 20484]."""
        image = self.image if self.scans is None else self.image.slicer[..., slice(*self.scans)]
        return to_surface(image, cache=cache, sampling=sampling)


@dataclass(frozen=True)
class SurfaceRecording:
    """A recording on fsaverage5, fsaverage6 or fsaverage: a GIFTI file for each hemisphere, an array for each scan.

    `path` is the left hemisphere's file, `right` the other's; `scans` as in `VolumeRecording`.

    Examples
    --------
    >>> dataset = open_dataset("data/described")
    >>> recording = dataset.recording(dataset.runs(dataset.participants("EN")[0])[0])
    >>> type(recording).__name__, recording.to_surface().shape[1]
    ('SurfaceRecording', 20484)
    """

    path: Path  # left
    right: Path
    scans: tuple[int, int] | None = None

    @cached_property
    def n_scans(self) -> int:
        """Number of scans of the whole recording, by the attributes at the head of the files."""
        counts = [_head(path)[0] for path in (self.path, self.right)]
        if counts[0] != counts[1]:
            raise DatasetError(
                f"{self.path} has {counts[0]} scans and {self.right.name} {counts[1]}: one of them is damaged or cut "
                "off, get both again"
            )
        return counts[0]

    @cached_property
    def header_tr(self) -> float | None:
        """Seconds from one scan to the next by the metadata, None if they do not say it."""
        return _head(self.path)[1]

    def content_key(self) -> list:
        """Return what changes with the content or the scans that are taken of it."""
        return [self.path, self.right, self.scans]

    def to_surface(self, cache: str | Path | None = None, sampling: str = "line") -> np.ndarray:
        """Return the analysed scans on fsaverage5, array [scans, 20484]; `sampling` has no meaning here.

        Of a finer surface the vertices that fsaverage5 has are taken, without smoothing.
        """
        halves = [_read_gifti(path)[:, :VERTICES_PER_HEMISPHERE] for path in (self.path, self.right)]
        return np.concatenate(halves, axis=1, dtype=np.float64)[slice(*(self.scans or (None,)))]


Recording = VolumeRecording | SurfaceRecording


def analysed(recording: Recording, first: int, n_scans: int) -> Recording:
    """Return a recording of which `n_scans` scans from the scan `first` on are analysed."""
    return replace(recording, scans=(first, first + n_scans))


def make_recording(paths: dict[str, Path]) -> Recording:
    """Return the recording of {hemisphere: path} ('' for a volume); DatasetError for other files than these.

    The space that a name tells (BIDS's space-...) must be MNI for volumes, fsaverage for surfaces.
    """
    for path in paths.values():
        space = re.search(r"_space-([A-Za-z0-9]+)", path.name)
        kind = "fsaverage" if len(paths) == 2 else "MNI"
        if space and not space[1].startswith(kind):
            raise DatasetError(
                f"{path} is in the space {space[1]}, a {'surface' if kind == 'fsaverage' else 'volume'} has to be in "
                f"{kind} space, where regions have names: name such files in `recordings` "
                "(fMRIPrep writes them with --output-spaces MNI152NLin2009cAsym fsaverage6)"
            )
    if set(paths) == {""}:
        return VolumeRecording(paths[""])
    if set(paths) == {"L", "R"}:
        return SurfaceRecording(paths["L"], paths["R"])
    path = next(iter(paths.values()))
    raise DatasetError(f"{path}: of its hemispheres only {', '.join(sorted(paths))} is there: get the other one")


def sidecar_tr(path: Path, root: Path) -> tuple[float, Path] | None:
    """Return the RepetitionTime of a recording in seconds, and the sidecar that says it; None if none does.

    Sidecars are the recording's own and, as BIDS has it, `task-<task>_bold.json` in a folder above it up to `root`.
    """
    own = path.with_name(re.sub(r"(\.func)?\.(gii|nii|nii\.gz)$", "", path.name) + ".json")
    own_func = path.with_name(re.sub(r"\.(gii|nii|nii\.gz)$", "", path.name) + ".json")
    task = re.search(r"_(task-[A-Za-z0-9]+)", path.name)
    above = [folder for folder in path.parents if folder == root or root in folder.parents]
    shared = [folder / f"{task[1]}_bold.json" for folder in above] if task else []
    for sidecar in (own, own_func, *shared):
        if sidecar.is_file():
            time = read_json(sidecar).get("RepetitionTime")
            if isinstance(time, int | float) and not isinstance(time, bool) and 0 < time < float("inf"):
                return float(time), sidecar
    return None


def repetition_time(recording: Recording, root: Path, given: float | None = None) -> float:
    """Return the seconds from one scan to the next that header, sidecar and description agree on.

    A header that holds 0 or 1 holds no time (fMRIPrep issues 3216 and 3270), and one in milliseconds is understood.

    Raises
    ------
    DatasetError : two of them differ by more than 1%, or none says it.
    """
    said = {"the description": given} if given else {}
    if sidecar := sidecar_tr(recording.path, root):
        said[sidecar[1].name] = sidecar[0]
    if recording.header_tr is not None:
        said["its header"] = recording.header_tr
    times = list(said.values())
    if not times:
        raise DatasetError(
            f"{recording.path}: neither its header nor a sidecar says how far apart scans are: say it as tr (seconds)"
        )
    if not all(0.01 < time < 100 for time in times) or max(times) > 1.01 * min(times):
        listed = ", ".join(f"{time:g} s by {who}" for who, time in said.items())
        raise DatasetError(
            f"{recording.path}: scans are {listed}. Correct what is wrong: words and scans drift apart otherwise"
        )
    return times[0]


def _head(path: Path) -> tuple[int, float | None]:
    """Return the number of scans of a GIFTI file and its time step in seconds, from its beginning."""
    with check_content(path).open("rb") as stream:
        head = stream.read(_HEAD)
    count = re.search(rb'NumberOfDataArrays\s*=\s*"(\d+)"', head)
    if not count:
        raise DatasetError(f"{path} does not begin as a GIFTI file does: get it again")
    if int(count[1]) == 1:  # one array [scans, vertices] or [vertices, scans]
        sizes = [int(size) for size in re.findall(rb'\bDim[01]\s*=\s*"(\d+)"', head)]
        scans = next((size for size in sizes if size not in SURFACES), 1) if len(sizes) > 1 else 1
    else:
        scans = int(count[1])
    step: Any = _TIME_STEP.search(head)
    try:
        seconds = float(step[1]) if step else 0.0
    except ValueError:
        raise DatasetError(f"{path}: its TimeStep is {step[1].decode()!r}, which is no number: get it again") from None
    seconds = seconds / 1e3 if seconds > 100 else seconds
    return scans, seconds if seconds not in (0, 1) else None


def _read_gifti(path: Path) -> np.ndarray:
    """Return the arrays of a GIFTI file as [scans, vertices]; DatasetError if it is damaged or of another surface."""
    try:
        image: Any = nib.load(check_content(path))
        arrays = [np.asarray(array.data) for array in image.darrays]
    except DatasetError:
        raise
    except Exception as error:  # expat's, nibabel's, zlib's and binascii's: each has its own kinds
        raise DatasetError(f"{path} cannot be read as a GIFTI file ({error}): it is damaged, get it again") from error
    sizes = {array.shape for array in arrays}
    if len(sizes) != 1:
        raise DatasetError(f"{path} holds arrays of the shapes {sorted(sizes)}: all should have the same vertices")
    values = arrays[0] if len(arrays) == 1 and arrays[0].ndim == 2 else np.stack(arrays)
    if values.ndim == 2 and values.shape[1] not in SURFACES and values.shape[0] in SURFACES:
        values = values.T
    if values.ndim != 2 or values.shape[1] not in SURFACES:
        known = ", ".join(f"{name} {count:,}" for count, name in SURFACES.items())
        raise DatasetError(
            f"{path} has arrays of the shape {arrays[0].shape}: a hemisphere of {known} vertices is expected; a "
            "participant's own surface (fsnative) has to be resampled"
        )
    return values
