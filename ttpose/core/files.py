"""Files that appear whole or not at all, and their fingerprints."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ttpose.core.errors import OutputError


@contextmanager
def atomic_path(target: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `target` that takes its name when the block ends well.

    The temporary name keeps the target's suffix, because writers such as video encoders choose the format by it.
    On any exception, Ctrl-C included, the temporary file is removed and an earlier `target` stays as it was.

    Raises:
        OutputError: The folder or file cannot be written (no permission, disk full).
    """
    target = Path(target)
    partial = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:8]}.partial{target.suffix}")
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


def _share(path: Path) -> None:
    """Give a file the permissions of any new file; some writers make theirs readable by the owner only."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def write_text(target: Path | str, text: str) -> None:
    """Write UTF-8 text to `target` whole or not at all; raises `OutputError`."""
    with atomic_path(target) as partial:
        partial.write_text(text, encoding="utf-8")


def sha256_of(path: Path | str) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
