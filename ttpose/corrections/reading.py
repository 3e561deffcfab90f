"""Corrections files read into memory: our own, and COCO keypoint files of annotation tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ttpose.core.errors import InputError
from ttpose.core.files import sha256_of
from ttpose.core.skeleton import Skeleton
from ttpose.corrections.coco import frames_from_coco
from ttpose.corrections.model import Corrections
from ttpose.corrections.records import SCHEMA, ClipIdentity, parse_frames
from ttpose.media import SourceInfo

_HINT = "corrections are made by `ttpose correct`; COCO keypoint files with categories are read, too"


def read_corrections(path: Path | str, skeleton: Skeleton, info: SourceInfo) -> Corrections:
    """Read the corrections of one clip or photo.

    Args:
        path: A file of the schema `ttpose.corrections/1`, or a COCO keypoint file.
        skeleton: The keypoint set whose joints are asked for.
        info: Of the clip.

    Raises:
        InputError: The file is missing, damaged, of another kind, or of another clip, or a correction in it is wrong;
            one line that names the file, and the frame and joint.
    """
    path = Path(path)
    content = load(path)
    try:
        if content.get("schema") != SCHEMA:
            return Corrections(frames_from_coco(content, skeleton, identity_of(info)))
        check_clip(ClipIdentity.from_dict(content.get("clip")), info)
        return Corrections(parse_frames(content.get("frames"), skeleton, identity_of(info)))
    except InputError as error:
        raise InputError(f"{path}: {error.message}", error.hint) from error


def load(path: Path) -> dict[str, Any]:
    """A corrections file's or COCO file's content; raises InputError for anything else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", f"check the path; {_HINT}") from error
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise InputError(f"{path} is not a corrections file or is damaged: {error}", _HINT) from error
    if isinstance(content, dict) and content.get("schema") == SCHEMA:
        return content
    if isinstance(content, dict) and isinstance(content.get("images"), list) and "annotations" in content:
        return content
    found = content.get("schema") if isinstance(content, dict) else None
    raise InputError(f"{path} is not a corrections file (its schema is {found or 'missing'})", _HINT)


def identity_of(info: SourceInfo, *, fingerprint: bool = False) -> ClipIdentity:
    """What is known of a clip; with its SHA-256 where that is asked for, which reads the whole file."""
    digest = sha256_of(info.path) if fingerprint else None
    return ClipIdentity(info.path.name, info.width, info.height, info.frames, digest)


def check_clip(clip: ClipIdentity, info: SourceInfo) -> None:
    """Refuse the corrections of another clip.

    A clip that was renamed is known by its SHA-256, one that was written anew in the same size by its name.

    Raises:
        InputError: Another size, number of frames, or neither name nor content are the same.
    """
    if (clip.width, clip.height) != (info.width, info.height):
        raise InputError(
            f"made for a clip of {clip.width} × {clip.height} pixels, {info.path.name} has"
            f" {info.width} × {info.height}",
            "take the very clip that was corrected, or correct this one",
        )
    if None not in (clip.frames, info.frames) and clip.frames != info.frames:
        raise InputError(
            f"made for a clip of {clip.frames} frames, {info.path.name} has {info.frames}",
            "take the very clip that was corrected, or correct this one",
        )
    if clip.name != info.path.name and clip.sha256 is not None and clip.sha256 != sha256_of(info.path):
        raise InputError(f"made for {clip.name}, not for {info.path.name}", "give each clip its own corrections")
