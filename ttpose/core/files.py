"""Files that appear whole or not at all, and their fingerprints."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ttpose.core.errors import OutputError
from ttpose.core.text import readable

# Most bytes of a file's name on the file systems of Linux and macOS; Windows counts characters, which are fewer.
_LONGEST_NAME = 255
# What is being written at the moment, for a process that has to end without unwinding.
_partial: set[Path] = set()


@contextmanager
def atomic_path(target: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `target` that takes its name when the block ends well.

    The temporary name keeps the target's suffix, because writers such as video encoders choose the format by it.
    On any exception, Ctrl-C included, the temporary file is removed and an earlier `target` stays as it was.

    Raises:
        OutputError: The folder or file cannot be written (no permission, disk full), or the name is a device's.
    """
    target = Path(target)
    _refuse_special(target)
    partial = target.with_name(fitting(f".{target.stem}", f".{uuid.uuid4().hex[:8]}.partial{target.suffix}"))
    _partial.add(partial)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with open(partial, "rb+") as handle:
            os.fsync(handle.fileno())
        _share(partial)
        os.replace(partial, target)
    except OSError as error:
        raise OutputError(
            f"cannot write {target}: {error.strerror or error}", "check free space and permissions"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()
        _partial.discard(partial)


@contextmanager
def atomic_folder(target: Path | str) -> Iterator[Path]:
    """Give a new, empty folder beside `target` that takes its name, and its place, when the block ends well.

    On any exception, Ctrl-C included, the new folder is removed and an earlier `target` stays as it was.

    Raises:
        OutputError: `target` is a file, or cannot be written (no permission, disk full).
    """
    target = Path(target)
    mark = uuid.uuid4().hex[:8]
    partial, old = (target.with_name(f".{target.name}.{mark}.{kind}") for kind in ("partial", "old"))
    try:
        if target.exists() and not target.is_dir():
            raise OutputError(f"cannot write the folder {target}: a file of that name is there", "choose another place")
        _partial.add(partial)
        partial.mkdir(parents=True)
        yield partial
        if target.is_dir():  # a folder that is not empty cannot be replaced in one step
            os.replace(target, old)
        os.replace(partial, target)
    except OSError as error:
        if old.exists() and not target.exists():
            os.replace(old, target)
        raise OutputError(
            f"cannot write {target}: {error.strerror or error}", "check free space and permissions"
        ) from error
    finally:
        for left in (partial, old):
            shutil.rmtree(left, ignore_errors=True)
        _partial.discard(partial)


def remove_partial() -> None:
    """Remove everything that is being written, for a process that ends without unwinding."""
    for path in list(_partial):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def fitting(stem: str, ending: str) -> str:
    """A file's name of two parts, the first shortened, with a hash of all of it, where file systems want it shorter."""
    if len(os.fsencode(stem + ending)) <= _LONGEST_NAME:
        return stem + ending
    mark = f"_{hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]}"
    room = max(_LONGEST_NAME - len(os.fsencode(mark + ending)), 0)
    return os.fsencode(stem)[:room].decode("utf-8", "ignore") + mark + ending


def check_folder(folder: Path | str) -> None:
    """Fail where files could not be put into a folder, which need not be there yet; raises OutputError."""
    folder = Path(folder)
    for place in (folder, *folder.absolute().parents):
        if place.exists():
            break
        if place.is_symlink():
            raise OutputError(f"cannot write into {folder}: {place} is a link to nothing", "choose another folder")
    if not place.is_dir():
        raise OutputError(f"cannot write into {folder}: {place} is a file", "choose another folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write into {folder}: no permission", "choose another folder")


def check_file(target: Path | str) -> None:
    """Fail where a file could not be put, before the work for it is done; raises OutputError."""
    target = Path(target)
    check_folder(target.parent)
    _refuse_special(target)


def _refuse_special(target: Path) -> None:
    """Keep devices and pipes from being replaced by a file of their name."""
    try:
        kind = stat.S_IFMT(target.stat().st_mode)
    except OSError:
        return
    if kind != stat.S_IFREG:
        what = "a folder" if kind == stat.S_IFDIR else "not a regular file"
        raise OutputError(f"cannot write {target}: it is {what}", "choose another name")


def _share(path: Path) -> None:
    """Give a file the permissions of any new file; some writers make theirs readable by the owner only."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def write_text(target: Path | str, text: str) -> None:
    """Write UTF-8 text to `target` whole or not at all; raises `OutputError`."""
    with atomic_path(target) as partial:
        partial.write_text(readable(text), encoding="utf-8")


def read_json_text(path: Path | str) -> Any:
    """Parse a JSON file in UTF-8, or in UTF-16 or -32 as some Windows programs write it; a byte-order mark is fine.

    Raises:
        OSError, ValueError, RecursionError: It cannot be read, is no JSON, or is nested too deeply.
    """
    return json.loads(Path(path).read_bytes())


def sha256_of(path: Path | str) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
