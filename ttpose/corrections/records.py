"""The file format `ttpose.corrections/1` (docs/correct.md): records that are JSON and checked, and what they mean."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.core.errors import InputError
from ttpose.core.skeleton import Skeleton
from ttpose.core.version import __version__
from ttpose.corrections.model import (
    HIDDEN,
    NOT_IN_PICTURE,
    PARTS,
    VISIBLE,
    FrameCorrection,
    part_members,
)

#: Name and version of the file format; a change that breaks readers raises the number.
SCHEMA = "ttpose.corrections/1"
#: What a file calls the visibility of a joint.
STATES = {"visible": VISIBLE, "hidden": HIDDEN, "not in picture": NOT_IN_PICTURE}
_DIGITS = 2  # a hundredth of a pixel, as in keypoint files


@dataclass(frozen=True)
class ClipIdentity:
    """Which clip corrections belong to.

    Attributes:
        name: The file's name without its folder.
        width, height: Pixels as shown, after rotation.
        frames: How many, None if not known.
        sha256: Of the file, None if not known.
    """

    name: str
    width: int
    height: int
    frames: int | None
    sha256: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "width": self.width,
            "height": self.height,
            "frames": self.frames,
        }

    @classmethod
    def from_dict(cls, data: Any) -> ClipIdentity:
        """The inverse of `to_dict`; raises InputError."""
        try:
            frames, sha256 = data["frames"], data.get("sha256")
            identity = cls(str(data["name"]), int(data["width"]), int(data["height"]), frames, sha256)
        except (KeyError, TypeError, ValueError, AttributeError):
            identity = None
        known = identity is not None and (identity.frames is None or _is_index(identity.frames))
        if identity is None or not known or not (identity.sha256 is None or isinstance(identity.sha256, str)):
            raise InputError("`clip` needs a name, a width and a height in pixels, and a number of frames or null")
        return identity


def parse_frames(records: Any, skeleton: Skeleton, clip: ClipIdentity) -> dict[int, FrameCorrection]:
    """Check the records of a file's `frames` and take them into memory; records without a correction are left out.

    Raises:
        InputError: One line that names the frame and what is wrong with it.
    """
    if not isinstance(records, list):
        raise InputError("`frames` is not a list")
    found: dict[int, FrameCorrection] = {}
    for position, record in enumerate(records):
        if not isinstance(record, dict) or not _is_index(record.get("index")):
            raise InputError(f"record {position} of `frames` has no frame number `index`")
        index = record["index"]
        if index in found:
            raise InputError(f"frame {index} is there twice")
        found[index] = parse_frame(record, skeleton, clip)
    return {index: frame for index, frame in sorted(found.items()) if frame.corrected.any() or frame.swaps}


def parse_frame(record: Mapping[str, Any], skeleton: Skeleton, clip: ClipIdentity) -> FrameCorrection:
    """One record; raises InputError."""
    index = record["index"]
    check_index(index, clip)
    keypoints = np.full((len(skeleton), 3), np.nan)
    for name, joint in _entries(record, "joints", index):
        keypoints[_position(name, skeleton, index)] = _joint(name, joint, index, clip)
    reference = np.full((len(skeleton), 2), np.nan)
    for name, place in _entries(record, "reference", index):
        reference[_position(name, skeleton, index)] = _place(place, f"frame {index}: the reference of {name}")
    return FrameCorrection(keypoints, _parts(record.get("swaps", []), index), reference)


def check_index(index: int, clip: ClipIdentity) -> None:
    """Refuse a frame that is not in the clip; raises InputError."""
    if clip.frames is not None and not index < clip.frames:
        raise InputError(
            f"frame {index} is not in the clip, which has the frames 0 to {clip.frames - 1}", "frames count from 0"
        )


def check_inside(x: float, y: float, name: str, index: int, clip: ClipIdentity) -> None:
    """Refuse a joint that is not a place in the picture; raises InputError."""
    if not (math.isfinite(x) and math.isfinite(y)):
        raise InputError(f"frame {index}: {name} is at ({x}, {y}), which is no place", "x and y must be numbers")
    if not (-0.5 <= x <= clip.width - 0.5 and -0.5 <= y <= clip.height - 0.5):
        raise InputError(
            f"frame {index}: {name} at ({x:g}, {y:g}) is outside the picture of {clip.width} × {clip.height} pixels",
            'a joint that cannot be seen because the picture ends has the state "not in picture"',
        )


def frame_record(index: int, frame: FrameCorrection, skeleton: Skeleton, note: str | None = None) -> dict[str, Any]:
    """A correction as JSON-ready values; the inverse of `parse_frame`."""
    names = {code: state for state, code in STATES.items()}
    record: dict[str, Any] = {"index": int(index), "joints": {}}
    for k in np.flatnonzero(frame.corrected):
        joint: dict[str, Any] = {"state": names[int(frame.keypoints[k, 2])]}
        if frame.placed[k]:
            joint = {"x": _rounded(frame.keypoints[k, 0]), "y": _rounded(frame.keypoints[k, 1]), **joint}
        record["joints"][skeleton.keypoints[k]] = joint
    if frame.swaps:
        record["swaps"] = list(frame.swaps)
        known = np.flatnonzero(np.isfinite(frame.reference).all(axis=1))
        record["reference"] = {skeleton.keypoints[k]: [_rounded(v) for v in frame.reference[k]] for k in known}
    if note:
        record["note"] = note
    return record


def file_text(clip: ClipIdentity, skeleton: Skeleton, records: list[dict[str, Any]]) -> str:
    """A whole file, one frame a line."""
    head = {"schema": SCHEMA, "ttpose_version": __version__, "clip": clip.to_dict(), "skeleton": skeleton.name}
    lines = [f" {_one_line(key)}: {_one_line(value)}," for key, value in head.items()]
    frames = ",\n  ".join(_one_line(record) for record in records)
    return "{\n" + "\n".join(lines) + '\n "frames": [\n  ' + frames + "\n ]\n}\n"


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the format, as shipped with the package."""
    text = Path(__file__).with_name("corrections-1.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _entries(record: Mapping[str, Any], key: str, index: int) -> list[tuple[str, Any]]:
    entries = record.get(key, {})
    if not isinstance(entries, dict):
        raise InputError(f"frame {index}: `{key}` is not an object of joints by name")
    return list(entries.items())


def _position(name: str, skeleton: Skeleton, index: int) -> int:
    if name not in skeleton.keypoints:
        known = ", ".join(skeleton.keypoints)
        raise InputError(f"frame {index}: {skeleton.name} has no joint {name!r}", f"its joints: {known}")
    return skeleton.index(name)


def _joint(name: str, joint: Any, index: int, clip: ClipIdentity) -> tuple[float, float, float]:
    state = joint.get("state", "visible") if isinstance(joint, dict) else None
    if not isinstance(state, str) or state not in STATES:
        raise InputError(f"frame {index}: {name} needs a state, one of {', '.join(STATES)}")
    if STATES[state] == NOT_IN_PICTURE:
        return math.nan, math.nan, NOT_IN_PICTURE
    x, y = _place([joint.get("x"), joint.get("y")], f"frame {index}: {name}")
    check_inside(x, y, name, index, clip)
    return x, y, STATES[state]


def _place(values: Any, what: str) -> tuple[float, float]:
    numbers = isinstance(values, list) and len(values) == 2 and all(map(_is_number, values))
    if not numbers or not all(map(math.isfinite, values)):
        shown = ", ".join(map(str, values)) if isinstance(values, list) else values
        raise InputError(f"{what} is at ({shown}), which is no place", "x and y must be numbers")
    return float(values[0]), float(values[1])


def _parts(values: Any, index: int) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(value in (*PARTS, "all") for value in values):
        raise InputError(f"frame {index}: `swaps` is a list of {', '.join((*PARTS, 'all'))}, not {values}")
    return PARTS if "all" in values else tuple(part for part in PARTS if part in values)


def reference_of(keypoints: np.ndarray, parts: tuple[str, ...], skeleton: Skeleton) -> np.ndarray:
    """Where the joints of swapped parts are [K, 2] by a prediction [K, 3] that has them the wrong way round."""
    reference, flip = np.full((len(skeleton), 2), np.nan), np.array(skeleton.flip)
    for part in parts:
        members = part_members(part, skeleton)
        reference[members] = keypoints[flip[members], :2]
    return reference


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _rounded(value: float) -> float:
    return round(float(value), _DIGITS)


def _one_line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
