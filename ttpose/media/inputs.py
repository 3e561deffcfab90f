"""Which files a command works on: the same rules for every command."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from ttpose.core.errors import UsageError

#: Suffixes that are picked up inside folders, in lower case. A file named outright is judged by its content instead.
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".wmv", ".flv", ".3gp"}
    | {".ogv", ".gif"}
)
#: The ending of the folders that hold our own results, which are never inputs.
RESULT_ENDING = "_ttpose"
REGULAR_HINT = "copy what it gives into a file first"
# What else a name can stand for, by the file type bits of its mode.
_OTHER_KINDS = {
    stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def find_inputs(paths: Iterable[Path | str]) -> list[Path]:
    """List the files to work on, each once, in the order given and inside folders in natural order (2 before 10).

    A file named outright is taken whatever its suffix. Folders are searched to the bottom for the known suffixes (in
    any case); hidden files and folders and the `*_ttpose` folders of results are passed over.

    Raises:
        UsageError: Nothing was given, a name does not exist or is no regular file (which may have no end, and can be
            read but once), or a folder holds nothing usable.
    """
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        files = sorted(_walk(path), key=_natural) if path.is_dir() else [path]
        if not path.exists():
            raise UsageError(f"no such file or folder: {path}", "check the spelling")
        if (what := not_regular(path)) is not None:
            raise UsageError(f"{path} is {what}, not a regular file", REGULAR_HINT)
        if not files:
            known = " ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES | VIDEO_SUFFIXES))
            raise UsageError(f"no video or image in folder {path}", f"known suffixes: {known}")
        for file in files:
            found.setdefault(file.resolve(), file)
    if not found:
        raise UsageError("no input was given", "name a video, an image or a folder of them")
    return list(found.values())


def not_regular(path: Path) -> str | None:
    """What a name stands for that is neither file nor folder, such as "a pipe"; nothing is opened. Else None."""
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except OSError:
        return None
    return None if kind in (stat.S_IFREG, stat.S_IFDIR) else _OTHER_KINDS.get(kind, "something else")


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and not name.endswith(RESULT_ENDING)]
        for name in names:
            path = Path(parent, name)
            if not name.startswith(".") and path.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES and path.is_file():
                yield path


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """A sorting key in which runs of digits count as numbers and each folder's files come before its sub-folders'."""
    parts = re.split(r"(\d+)", path.as_posix().lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts] + [(1, 0, path.as_posix())]
