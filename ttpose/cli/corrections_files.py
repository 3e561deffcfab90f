"""`--corrections FILE`, once or several times: which input each file is about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ttpose.core.errors import UsageError

_ONE_EACH = "give one corrections file for each input that was corrected"


def corrections_by_source(files: Sequence[Path], sources: Sequence[Path]) -> dict[str, str]:
    """The corrections file of each input that has one, both as text.

    Several inputs are told apart by the clip's name in the file.

    Raises:
        UsageError: A file is about none of the inputs, or two are about the same one.
        InputError: A file cannot be read.
    """
    found: dict[str, str] = {}
    for file in files:
        source = str(sources[0] if len(sources) == 1 else _source_of(file, sources))
        if source in found:
            raise UsageError(f"{found[source]} and {file} are both about {source}", _ONE_EACH)
        found[source] = str(file)
    return found


def _source_of(file: Path, sources: Sequence[Path]) -> Path:
    from ttpose.corrections.reading import load

    clip = load(file).get("clip")
    name = clip.get("name") if isinstance(clip, dict) else None
    if name is None:
        raise UsageError(
            f"{file} does not name its clip", "personalize that input alone, or use `ttpose correct --import`"
        )  # fmt: skip
    named = [source for source in sources if source.name == name]
    if len(named) != 1:
        raise UsageError(f"{file} is about {name}, which is {len(named) or 'none'} of the inputs", _ONE_EACH)
    return named[0]
