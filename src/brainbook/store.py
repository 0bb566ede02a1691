"""Files that are complete or not there, and results that are computed once.

Nothing here unpickles: arrays are `.npy` files without objects, everything else is JSON.
"""

import errno
import glob
import hashlib
import json
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tokenize import TokenError
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import yaml
from filelock import FileLock, SoftFileLock

from brainbook.errors import BrainbookError, ConfigurationError
from brainbook.source_code import code_of

_YAML_CHARACTERS, _YAML_VALUES = 500_000, 100_000
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)  # the answers of disks that lock no files


@contextmanager
def file_lock(path: str | Path, timeout: float = -1, **options: Any) -> Iterator[None]:
    """Hold a lock on a file while the block runs: the operating system's, gone with the process that held it.

    Raises filelock.Timeout if another process holds it for `timeout` seconds longer (-1 waits), and ConfigurationError
    on a disk that cannot lock files, as some mounts of NFS and Lustre. `options` are those of `filelock.FileLock`.
    """
    lock = FileLock(path, timeout=timeout, **options)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # filelock then makes do with a file that would outlive a kill
            lock.acquire()
        reason = os.strerror(errno.ENOSYS) if isinstance(lock, SoftFileLock) else ""
    except (OSError, NotImplementedError) as error:
        if getattr(error, "errno", errno.ENOSYS) not in NO_LOCKS:
            raise
        reason = getattr(error, "strerror", None) or str(error)
    try:
        if reason:
            raise ConfigurationError(
                f"{path}: the disk cannot lock files ({reason}), so that two processes would do the same work at once: "
                "use a folder on another disk, or have this one mounted with locks (NFS: lockd, Lustre: -o flock)"
            )
        yield
    finally:
        lock.release()


def sync(*paths: Path) -> None:
    """Wait until files and folders are on the disk: else a power cut could keep a name and lose the content."""
    for path in paths:
        if os.name == "nt" and path.is_dir():  # which cannot be opened there
            continue
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        try:
            os.fsync(handle)
        except OSError:
            if not path.is_dir():  # some network disks sync no folders
                raise
        finally:
            os.close(handle)


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds, delete it when it fails.

    A reader therefore never sees a half-written file. Missing parent folders are made. The temporary file keeps the
    suffixes of `path`, because writers such as nibabel choose their format by them.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".writing-", suffix="-" + path.name, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | Path, content: object) -> None:
    """Write `content` as indented JSON, completely or not at all; NumPy's values become numbers, others text."""

    def plain(value: object) -> object:
        return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)

    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True, default=plain) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> dict:
    """Read a JSON file that holds one object. ConfigurationError, which names the file, when it holds no such thing."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} cannot be read as JSON ({type(error).__name__}): {error}") from None
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} should hold a JSON object, not {type(content).__name__}")
    return content


def read_yaml(text: str, path: str | Path, error: type[BrainbookError] = ConfigurationError) -> dict:
    """Return the keys of a YAML text, the content of `path`; `error` names the file and the line if it cannot be used.

    Refused are keys that stand twice (the last would silently win), values that hold themselves, and texts that are
    longer than a person writes, also once their aliases are written out.
    """
    if len(text) > _YAML_CHARACTERS:
        raise error(f"{path} has {len(text):,} characters, more than {_YAML_CHARACTERS:,}: it is no file of settings")
    try:
        loader = _UniqueKeys(text)
        node = loader.get_single_node()
        if node is not None and _expanded(node, {}) > _YAML_VALUES:
            raise error(f"{path}: written out, its aliases (*name) are more than {_YAML_VALUES:,} values")
        content = None if node is None else loader.construct_document(node)
    except BrainbookError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, TypeError, OverflowError, LookupError) as bad:
        mark = getattr(bad, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        what = getattr(bad, "problem", None) or str(bad) or type(bad).__name__
        raise error(
            f"{path}{where}: not YAML ({what}). A text that begins with a brace or a star, or holds ': ', stands in "
            "quotes"
        ) from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise error(f"{path} should hold keys and their values, as in `name: value`")
    return content


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        merge = "tag:yaml.org,2002:merge"  # `<<: *anchor` brings keys in, which those written here go before
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.tag != merge and isinstance(key, yaml.ScalarNode):
                value = self.construct_object(key, deep=True)
                if value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {value!r} stands twice", key.start_mark
                    )
                seen.add(value)
        return super().construct_mapping(node, deep)


def _expanded(node: yaml.Node, sizes: dict[yaml.Node, float]) -> float:
    """Return how many values a node holds when its aliases are written out; infinite if it holds itself."""
    if node not in sizes:
        sizes[node] = float("inf")  # until it is known: asked again meanwhile, it is within itself
        values = () if isinstance(node, yaml.ScalarNode) else node.value
        sizes[node] = 1 + sum(
            _expanded(value, sizes) for pair in values for value in (pair if isinstance(pair, tuple) else (pair,))
        )
    return sizes[node]


def fingerprint(*parts: object) -> str:
    """Return a short hexadecimal key that changes whenever any of `parts` does.

    Parts may be arrays (of objects, too: their values count), data frames, sets, paths of files (their content counts,
    not their name), and anything that JSON can write, nested in dictionaries and lists. Anything else is a TypeError.
    """
    digest = hashlib.sha256()
    for part in parts:
        _feed(digest, part)
    return digest.hexdigest()[:16]


def _feed(digest: Any, part: Any) -> None:
    if isinstance(part, np.generic) and not isinstance(part, np.void | np.datetime64 | np.timedelta64):
        part = part.item()
    if isinstance(part, np.ma.MaskedArray):
        digest.update(b"masked")
        _feed(digest, np.ma.getmaskarray(part))
        _feed(digest, part.filled(part.dtype.type()))
    elif isinstance(part, np.ndarray):
        digest.update(f"array {part.dtype} {part.shape}".encode())
        if part.dtype == object:
            _feed(digest, part.ravel().tolist())
        elif part.dtype.hasobject:
            raise TypeError(f"an array of {part.dtype} has no fingerprint")
        else:
            digest.update(np.ascontiguousarray(part).tobytes())
    elif isinstance(part, pd.DataFrame):
        digest.update(b"frame")
        columns = [part.iloc[:, place].to_numpy() for place in range(part.shape[1])]
        _feed(digest, [list(part.columns), part.index.to_numpy(), *columns])
    elif isinstance(part, Path):
        with part.open("rb") as stream:
            digest.update(f"file {os.fstat(stream.fileno()).st_size} ".encode())
            while block := stream.read(1 << 20):
                digest.update(block)
    elif isinstance(part, dict):
        digest.update(b"{")
        for key in sorted(part, key=lambda key: (str(key), str(type(key)))):
            plain = isinstance(key, str) and re.fullmatch(r"[\w .-]*", key)
            digest.update((f"{key}:" if plain else f"{json.dumps(str(key))} {type(key).__name__}:").encode())
            _feed(digest, part[key])
        digest.update(b"}")
    elif isinstance(part, list | tuple):
        digest.update(b"[")
        for item in part:
            _feed(digest, item)
        digest.update(b"]")
    elif isinstance(part, set | frozenset):
        digest.update(f"set {sorted(map(fingerprint, part))}".encode())
    else:
        digest.update(b"NA" if part is pd.NA else json.dumps(part).encode())
    digest.update(b";")


def read_array(path: str | Path, mmap: bool = False) -> np.ndarray:
    """Read a .npy file that holds no objects; ConfigurationError, which names the file, if it is none or damaged."""
    try:
        return np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
    except FileNotFoundError:
        raise ConfigurationError(f"{path} does not exist: check the path") from None
    except (EOFError, ValueError, SyntaxError, TokenError, MemoryError, OverflowError, TypeError) as error:
        raise ConfigurationError(f"{path} is no .npy file of numbers, or damaged ({error}): make it again") from None


def cached_array(
    folder: str | Path | None, name: str, inputs: dict, compute: Callable[[], np.ndarray], mmap: bool = False
) -> np.ndarray:
    """Return the array that `compute` makes, from disk if the same code made it before from the same `inputs`.

    Of several processes that ask for the same array at once, one computes it and the others wait for it: the lock is
    the operating system's and gone with the process that held it. Its small file, `<array>.lock`, stays.

    Parameters
    ----------
    folder : where arrays are cached; None computes every time and caches nothing (so does code that changed meanwhile).
    name : a readable first part of the file's name.
    inputs : everything that the result depends on (see `fingerprint`) but the code: what the module of `compute` and
        the modules that it imports mean (see `source_code.code_of`) is part of the key by itself.
    compute : called without arguments when there is no such file.
    mmap : return a read-only memory map instead of loading the file.
    """
    if folder is None or (code := code_of(compute)) is None:
        return compute()
    path = Path(folder) / f"{name}-{fingerprint(inputs, code)}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as locked:
            with suppress(ConfigurationError):  # on a disk without locks two processes may compute the same
                locked.enter_context(file_lock(f"{path}.lock"))
                for left in path.parent.glob(f".writing-*-{glob.escape(path.name)}"):  # by a process that was killed
                    left.unlink(missing_ok=True)
            if not path.exists():  # else another process made it while this one waited
                array = compute()
                with atomic_write(path) as temporary, temporary.open("wb") as stream:
                    # of a full disk `write` says so, where np.save on a file says "100 requested and 0 written"
                    np.save(SimpleNamespace(write=stream.write), array, allow_pickle=False)
    try:
        return read_array(path, mmap)
    except ConfigurationError:  # torn by a copy or a full disk
        path.unlink(missing_ok=True)
        return cached_array(folder, name, inputs, compute, mmap)
