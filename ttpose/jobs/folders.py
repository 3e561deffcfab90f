"""Where results go, which of them are there already, and with what settings they were made."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ttpose.core.errors import OutputError
from ttpose.core.files import check_folder, fitting, write_text
from ttpose.core.text import json_text, readable
from ttpose.core.version import __version__

RECORD_NAME = "run.json"
_SCHEMA = "ttpose.run/1"


def output_folders(inputs: Sequence[Path], root: Path) -> dict[Path, Path]:
    """Name the result folder of each input: `<stem>_ttpose` in `root`.

    Inputs of one run that would share that name say more until none is shared: `clip_mp4_ttpose`, then
    `day1_clip_mp4_ttpose` with the folder they lie in, then eight digits of their path's hash. A name that file systems
    would refuse is shortened, and ends in eight digits of its hash.
    """
    detail = dict.fromkeys(inputs, 0)
    while True:
        names = {path: _name(path, detail[path]) for path in inputs}
        # Upper and lower case are one name on the file systems of macOS and Windows.
        uses = Counter(name.casefold() for name in names.values())
        shared = [path for path in inputs if uses[names[path].casefold()] > 1 and detail[path] < 3]
        if not shared:
            return {path: root / fitting(name, "_ttpose") for path, name in names.items()}
        for path in shared:
            detail[path] += 1


def _name(path: Path, detail: int) -> str:
    path = path.resolve()
    with_suffix = f"{path.stem}_{path.suffix[1:]}" if path.suffix else path.stem
    if detail == 3:
        return f"{path.stem}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"
    return (path.stem, with_suffix, f"{path.parent.name}_{with_suffix}")[detail]


class ResultFolder:
    """The folder of one input's results, with a record (`run.json`) of the settings that each file was made with."""

    def __init__(self, path: Path, source: Path) -> None:
        self.path = path
        self._source = readable(source.resolve())
        self._owner, self._files, self._details = _read_record(path / RECORD_NAME)

    @property
    def owner(self) -> str | None:
        """The input that the results in the folder belong to, None where no record tells."""
        return self._owner

    @property
    def other_owner(self) -> str | None:
        """The input that the results in the folder belong to, if it is another one."""
        return self._owner if self._owner not in (None, self._source) else None

    @property
    def details(self) -> dict[str, Any]:
        """What was recorded of how the results came out."""
        from ttpose.results.former import current_guard

        guard = self._details.get("guard")
        return self._details | ({"guard": current_guard(guard)} if isinstance(guard, dict) else {})

    @property
    def more(self) -> tuple[str, ...]:
        """The files that the last run made beside those that were known before it, such as one for each person."""
        return tuple(map(str, self._details.get("more_files", ())))

    def finished(self, names: Iterable[str]) -> bool:
        """Whether all these files (or folders of files) exist and were finished for this input, with `more` if any."""
        names = (*names, *self.more)
        return self.other_owner is None and all(name in self._files and (self.path / name).exists() for name in names)

    def differences(self, names: Iterable[str], settings: dict[str, Any]) -> list[str]:
        """The settings, as `key: value`, that finished files were made with instead of these."""
        found: dict[str, Any] = {}
        for name in names:
            made_with = self._files[name]["settings"]
            keys = [*settings, *(key for key in made_with if key not in settings)]
            found |= {key: made_with.get(key) for key in keys if made_with.get(key) != settings.get(key)}
        return [f"{key}: {value}" for key, value in found.items()]

    def unchanged(self, names: Iterable[str], settings: dict[str, Any]) -> bool:
        """Whether all these files were finished for this input with these very settings, by this version."""
        names = list(names)
        same = self.finished(names) and not self.differences(names, settings)
        return same and all(self._files[name].get("ttpose_version") == __version__ for name in names)

    def check_writable(self, names: Iterable[str] = ()) -> None:
        """Fail before any work is done, not after it; raises OutputError."""
        check_folder(self.path)
        for name in names:
            path, is_folder = self.path / name, not Path(name).suffix
            if path.exists() and path.is_dir() != is_folder:
                what = "a file" if is_folder else "a folder"
                raise OutputError(f"cannot write {path}: {what} of that name is there", "choose another folder with -o")

    def sweep(self) -> None:
        """Remove what a kill that nothing can tidy up after left half-written."""
        sweep(self.path)

    def forget(self, names: Iterable[str]) -> None:
        """Take files that are about to be replaced off the record, so that a kill leaves them unfinished."""
        if self.other_owner is not None:
            self._files, self._details = {}, {}
        kept = {name: entry for name, entry in self._files.items() if name not in set(names)}
        if kept != self._files or self._owner not in (None, self._source):
            self._files = kept
            self._save()

    def remember(self, names: Iterable[str], settings: dict[str, Any], details: dict[str, Any] | None = None) -> None:
        """Record that these files are whole, and how they came out (JSON-ready); raises OutputError."""
        self._details = details or {}
        self._files |= {name: {"ttpose_version": __version__, "settings": settings} for name in names}
        self._save()

    def _save(self) -> None:
        self._owner = self._source
        record = {"schema": _SCHEMA, "input": self._source, "files": self._files, "details": self._details}
        write_text(self.path / RECORD_NAME, json_text(record, indent=1) + "\n")


def sweep(folder: Path, stem: str = "") -> None:
    """Remove the half-written files (see `ttpose.core.files`) in a folder, of all files or of those called `stem`."""
    for path in folder.glob(f".{stem}*") if folder.is_dir() else ():
        if re.search(r"\.[0-9a-f]{8}\.(partial|old)(\.|$)", path.name):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _read_record(path: Path) -> tuple[str | None, dict[str, dict[str, Any]], dict[str, Any]]:
    """Owner, files and details of a record; a missing, foreign or damaged one counts as nothing finished."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["schema"] != _SCHEMA:
            return None, {}, {}
        files = {str(name): {**entry, "settings": dict(entry["settings"])} for name, entry in record["files"].items()}
        return str(record["input"]), files, dict(record.get("details", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None, {}, {}
