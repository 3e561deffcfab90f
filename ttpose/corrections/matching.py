"""Several corrections files and several clips: which file is of which clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ttpose.core.errors import InputError, UsageError
from ttpose.core.files import sha256_of
from ttpose.corrections.reading import load
from ttpose.corrections.records import SCHEMA, ClipIdentity


def match_corrections(files: Sequence[Path], clips: Sequence[Path]) -> dict[Path, Path]:
    """The corrections file of each clip that has one.

    A single file goes with a single clip whatever it says; whether it fits is told when it is read. Among several, a
    file is of the clip whose name it tells, or else of the clip with the content that it tells.

    Raises:
        InputError: A file cannot be read.
        UsageError: A file is of none of the clips or does not tell which, or two are of the same.
    """
    if len(files) == len(clips) == 1:
        return {clips[0]: files[0]}
    found: dict[Path, Path] = {}
    for file in files:
        clip = _clip_of(file, clips)
        if clip in found:
            raise UsageError(f"{found[clip]} and {file} are both of {clip}", "give one corrections file for each clip")
        found[clip] = file
    return found


def _clip_of(file: Path, clips: Sequence[Path]) -> Path:
    content = load(file)
    if content.get("schema") != SCHEMA:
        raise UsageError(
            f"{file} does not tell which of {len(clips)} clips it is of",
            "take it over with `ttpose correct CLIP_ttpose --import FILE`, and give the corrections.json that makes",
        )
    try:
        told = ClipIdentity.from_dict(content.get("clip"))
    except InputError as error:
        raise InputError(f"{file}: {error.message}", error.hint) from error
    named = [clip for clip in clips if clip.name == told.name]
    if len(named) == 1:
        return named[0]
    same = [clip for clip in named or clips if told.sha256 is not None and told.sha256 == sha256_of(clip)]
    if not same:
        raise UsageError(f"{file} is of {told.name}, which is not among the inputs", "name that clip, too")
    return same[0]
