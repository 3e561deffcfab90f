"""`--person` and `--save-as`: the person library's part in `ttpose personalize`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ttpose.core.errors import UsageError
from ttpose.core.files import sha256_of
from ttpose.jobs.folders import output_folders
from ttpose.people.library import Library, check_name


@dataclass(frozen=True)
class NamedPerson:
    """A person to keep under a name once it is made.

    Attributes:
        name: In the library.
        file: The person file that the run writes.
        before: When that file was written last, or None if it is not there yet.
    """

    name: str
    file: Path
    before: int | None

    @classmethod
    def wanted(
        cls,
        name: str | None,
        sources: Sequence[Path],
        output: Path,
        same_person: bool,
        overwrite: bool,
        earlier: Path | None,
    ) -> NamedPerson | None:
        """What `--save-as` asks for, or None.

        Raises:
            UsageError: The name is not allowed or taken by somebody else, or there would be several persons.
        """
        if name is None:
            return None
        check_name(name)
        if len(sources) > 1 and not same_person:
            raise UsageError(
                f"--save-as is for one person, and there are {len(sources)} inputs",
                "add --same-person if all of them show the same one",
            )
        file = (output if same_person else output_folders(sources, output)[sources[0]]) / "person.safetensors"
        library = Library()
        taken = library.find(name)
        # Continuing a person replaces it; so does making again what was kept before.
        same = taken is not None and (taken.absolute() == earlier or _equal(taken, file))
        library.check_free(name, replace=overwrite or same)
        return cls(name, file, _written(file))

    def keep(self, made: bool, base: Path | None = None) -> str:
        """Copy the file into the library and say so, unless the run (on `base`) made none and wrote none."""
        if not self.file.is_file() or not (made or _written(self.file) != self.before):
            return f"nothing was made that could be kept as {self.name}"
        person = Library().add(self.name, self.file, replace=True)
        beside = "" if base is None else f" --base {base}"
        return f"kept as {person.name}: ttpose predict INPUT --weights {person.name}{beside}"


def _written(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.is_file() else None


def _equal(one: Path, other: Path) -> bool:
    return other.is_file() and sha256_of(one) == sha256_of(other)
