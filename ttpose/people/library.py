"""Person files and bases by name: where they lie, how they are added, found and removed."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ttpose.core.errors import UsageError, WeightsError
from ttpose.core.files import atomic_path
from ttpose.models.store import model_path

SUFFIX = ".safetensors"
#: Name of the base that comes with the package.
SHIPPED_BASE = "mobile"
#: Environment variable that names another data folder than the user's own.
DATA_VARIABLE = "TTPOSE_DATA_DIR"
# Letters and digits of any script, - and _ inside; short enough for every file system even in UTF-8.
_NAME = re.compile(r"\w(?:[\w-]{0,38}\w)?")
# What Windows keeps for devices, whatever the suffix.
_RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)
_PERSON_FORMAT, _BASE_FORMAT = "ttpose.person/1", "ttpose.model/1"


@dataclass(frozen=True)
class Person:
    """One person, or one base, of a library.

    Attributes:
        name: As it was given.
        path: The person file.
        notes: The file's own notes: `base_sha256`, `guard`, `settings`, `source`, of a base its `config`; empty if it
            cannot be read.
    """

    name: str
    path: Path
    notes: dict[str, str]

    @property
    def saved(self) -> datetime:
        """When it was added or last replaced, local time."""
        return datetime.fromtimestamp(self.path.stat().st_mtime).astimezone()


class Library:
    """The people in a folder, each a person file; upper and lower case are one name.

    Args:
        folder: Where they lie; None takes `people` in the user's data folder.
    """

    _what, _place, _format = "person", "people", _PERSON_FORMAT
    _file = "a ttpose person file"
    _empty = "nobody is in it yet: see --save-as of `ttpose personalize`"
    _taken = "continue with --person {name}, choose another name, or add --overwrite"

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or data_folder() / self._place

    def names(self) -> list[str]:
        """All names, sorted."""
        found = self.folder.glob(f"*{SUFFIX}") if self.folder.is_dir() else ()
        return sorted((path.stem for path in found if not path.name.startswith(".")), key=str.casefold)

    def people(self) -> list[Person]:
        """Everybody, by name; a file that cannot be read is in it without notes."""
        return [self.get(name) for name in self.names()]

    def find(self, name: str) -> Path | None:
        """The file of a name, or None."""
        wanted = _folded(name)
        return next((self.folder / f"{known}{SUFFIX}" for known in self.names() if _folded(known) == wanted), None)

    def get(self, name: str) -> Person:
        """One person; raises UsageError for a name that is not there."""
        path = self.find(name)
        if path is None:
            raise UsageError(f"there is no {self._what} {name!r} in the library", self.suggestion(name))
        return Person(path.stem, path, _notes(path))

    def suggestion(self, name: str) -> str:
        """A hint for a name that is not there: the nearest ones."""
        known = {_folded(other): other for other in self.names()}
        near = [known[match] for match in difflib.get_close_matches(_folded(name), list(known), n=3, cutoff=0.5)]
        if near:
            return f"did you mean {' or '.join(near)}?"
        return f"see `ttpose {self._place} list`" if known else self._empty

    def add(self, name: str, file: Path | str, *, replace: bool = False) -> Person:
        """Copy a person file into the library, whole or not at all.

        Raises:
            UsageError: The name is not allowed, or taken and `replace` is not set.
            WeightsError: The file is no person file.
            OutputError: The library cannot be written.
        """
        self.check_free(name, replace=replace)
        if _notes(Path(file), strict=True).get("format") != self._format:
            raise WeightsError(f"{file} is not {self._file}", "see `ttpose info FILE`")
        before, target = self.find(name), self.folder / f"{unicodedata.normalize('NFC', name)}{SUFFIX}"
        with atomic_path(target) as partial:
            shutil.copyfile(file, partial)
        if before is not None and before != target and not before.samefile(target):  # anna is Anna now
            before.unlink()
        return self.get(name)

    def check_free(self, name: str, *, replace: bool = False) -> None:
        """Raise UsageError where `add` would, before any work is done."""
        check_name(name, self._what)
        if not replace and self.find(name) is not None:
            raise UsageError(f"there is a {self._what} {name!r} in the library already", self._taken.format(name=name))

    def remove(self, name: str) -> Path:
        """Delete a person and return the path that was; raises UsageError for a name that is not there."""
        path = self.get(name).path
        path.unlink()
        return path


class BaseLibrary(Library):
    """The user's bases by name, each a weights file; in `models` in the user's data folder."""

    _what, _place, _format = "base", "models", _BASE_FORMAT
    _file = "a base (weights from elsewhere become one by `ttpose import-checkpoint`)"
    _empty = "none is in it yet: see `ttpose models add`"
    _taken = "choose another name, or add --overwrite"

    def check_free(self, name: str, *, replace: bool = False) -> None:
        """As `Library.check_free`; the shipped base keeps its name."""
        if _folded(name) == SHIPPED_BASE:
            raise UsageError(f"{name} is the shipped base", "choose another name")
        super().check_free(name, replace=replace)


def check_name(name: str, what: str = "person") -> None:
    """Refuse what cannot be a name everywhere; raises UsageError."""
    if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a {what}'s name", "use up to 40 letters, digits, - and _, such as anna or runner-2"
        )


def find_weights(given: Path | str) -> Path:
    """The weights file that a path, a person's name or a base's name means; a file that exists wins.

    Raises:
        WeightsError: Neither.
    """
    path = Path(given)
    if path.exists() and not path.is_dir():
        return path
    name, library = str(given), Library()
    named = _NAME.fullmatch(name) is not None and not path.suffix
    if named and (found := library.find(name) or BaseLibrary().find(name)) is not None:
        return found
    if path.is_dir():
        raise WeightsError(f"{path} is a folder", f"give a file, such as {path / 'person.safetensors'}")
    if named:
        raise WeightsError(f"there is no file and no person {name!r}", library.suggestion(name))
    raise WeightsError(f"cannot read {path}: No such file or directory", "check the path")


def find_base(given: Path | str) -> Path:
    """The weights file that a path or a base's name means; as `find_weights`, but bases come before people."""
    name = str(given)
    if not Path(given).exists() and _folded(name) == SHIPPED_BASE:
        return model_path(f"{SHIPPED_BASE}{SUFFIX}")
    if not Path(given).exists() and (found := BaseLibrary().find(name)) is not None:
        return found
    try:
        return find_weights(given)
    except WeightsError as error:
        if Path(given).is_dir() or _NAME.fullmatch(name) is None:
            raise
        raise WeightsError(f"there is no file and no base {name!r}", BaseLibrary().suggestion(name)) from error


def data_folder() -> Path:
    """The user's data folder for ttpose, which need not exist; the variable TTPOSE_DATA_DIR names another."""
    given = os.environ.get(DATA_VARIABLE)
    if given:
        return Path(given)
    import platformdirs

    return platformdirs.user_data_path("ttpose", appauthor=False)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _notes(path: Path, *, strict: bool = False) -> dict[str, str]:
    """A weights file's metadata; of one that cannot be read none, or with `strict` a WeightsError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as weights:
            return dict(weights.metadata() or {})
    except (OSError, SafetensorError) as error:
        if strict:
            raise WeightsError(f"cannot read {path}: {error}", "give a person.safetensors file") from error
        return {}
