"""What was found in a video or photo, in memory: keypoints per person, people per frame, frames per source."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ttpose.core.errors import InputError
from ttpose.core.geometry import Box
from ttpose.core.skeleton import Skeleton, skeleton_named
from ttpose.core.text import readable
from ttpose.results.former import FORMER_SCHEMA, current_keypoints
from ttpose.results.seen import SeenPerson

#: Name and version of the file format; a change that breaks readers raises the number.
SCHEMA = "ttpose.keypoints/2"

_PIXEL_DIGITS = 2  # a hundredth of a pixel is far below any pose model's error
_SCORE_DIGITS = 4
_DISTANCE_DIGITS = 1  # of a disagreement, which is a hint and no measurement
_TIME_DIGITS = 6  # microseconds, the finest clock of common containers (Matroska, MP4) that matters here

# Spread given to the keypoints of a set that this version does not know: COCO's shoulder, a middle value.
_UNKNOWN_SIGMA = 0.079


@dataclass(frozen=True)
class PersonRecord:
    """One person in one frame.

    Attributes:
        id: The same number in every frame for the same person.
        box: Person box in original pixels.
        keypoints: float [K, 3]: x, y in original pixels and score 0..1. A keypoint that could not be placed has
            NaN coordinates and score 0.
        smoothed: The same after smoothing over time, or None; also has points in short gaps of `keypoints`.
        filled: Nobody was found in this frame: the box and `smoothed` lie between the frames around, and
            `keypoints` has no positions.
        filled_keypoints: Positions in the skeleton of the smoothed keypoints that were filled in.
        disagreement: float [K]: how far each keypoint is, in pixels, from the base's prediction from a single view;
            NaN where either has no place. None where that is not known.
        corrected: Positions in the skeleton of the keypoints that a person corrected. Such a keypoint is where the
            person put it, with the score 1, or not in the picture, with the score 0.

    Raises:
        ValueError: The keypoints are not [K, 3] or the box is not finite.
    """

    id: int
    box: Box
    keypoints: np.ndarray
    smoothed: np.ndarray | None = None
    filled: bool = False
    filled_keypoints: tuple[int, ...] = ()
    disagreement: np.ndarray | None = None
    corrected: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for keypoints in (self.keypoints, self.keypoints if self.smoothed is None else self.smoothed):
            if keypoints.ndim != 2 or keypoints.shape[1] != 3 or len(keypoints) != len(self.keypoints):
                raise ValueError(f"keypoints must be [K, 3], not {list(keypoints.shape)}")
        if self.disagreement is not None and self.disagreement.shape != self.keypoints.shape[:1]:
            raise ValueError(f"a disagreement must be [K], not {list(self.disagreement.shape)}")
        if not all(math.isfinite(value) for value in self.box.as_list()):
            raise ValueError(f"a person's box must be finite, not {self.box.as_list()}")

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-ready values, rounded; never NaN."""
        box = [round(float(value), _PIXEL_DIGITS) for value in self.box.as_list()]
        record: dict[str, Any] = {"id": int(self.id), "box": box, "keypoints": _points_to_json(self.keypoints)}
        if self.smoothed is not None:
            record["smoothed"] = _points_to_json(self.smoothed)
        if self.filled:
            record["filled"] = True
        if self.filled_keypoints:
            record["filled_keypoints"] = [int(k) for k in self.filled_keypoints]
        if self.corrected:
            record["corrected"] = [int(k) for k in self.corrected]
        if self.disagreement is not None:
            distances = self.disagreement.tolist()
            record["disagreement"] = [round(d, _DISTANCE_DIGITS) if math.isfinite(d) else None for d in distances]
        return record

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PersonRecord:
        """The inverse of `to_dict`; raises KeyError, TypeError or ValueError on anything else."""
        x, y, width, height = (float(value) for value in data["box"])
        return cls(
            int(data["id"]),
            Box(x, y, width, height),
            _points_from_json(data["keypoints"]),
            _points_from_json(data["smoothed"]) if "smoothed" in data else None,
            bool(data.get("filled", False)),
            tuple(int(k) for k in data.get("filled_keypoints", ())),
            _distances_from_json(data["disagreement"]) if "disagreement" in data else None,
            tuple(int(k) for k in data.get("corrected", ())),
        )


@dataclass(frozen=True)
class FrameRecord:
    """One decoded frame; a frame where nobody was found, or that is damaged, has no people and a note.

    Attributes:
        index: Position in decoding order, from 0.
        time_s: Presentation time in seconds; NaN where a damaged file does not tell.
        people: The people found.
        note: One line about this frame, or None.
    """

    index: int
    time_s: float
    people: tuple[PersonRecord, ...] = ()
    note: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-ready values, rounded; never NaN."""
        time_s = round(float(self.time_s), _TIME_DIGITS) if math.isfinite(self.time_s) else None
        record: dict[str, Any] = {
            "index": int(self.index),
            "time_s": time_s,
            "people": [person.to_dict() for person in self.people],
        }
        if self.note is not None:
            record["note"] = readable(self.note)
        return record

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> FrameRecord:
        """The inverse of `to_dict`; raises KeyError, TypeError or ValueError on anything else."""
        time_s = math.nan if data["time_s"] is None else float(data["time_s"])
        people = tuple(PersonRecord.from_dict(person) for person in data["people"])
        return cls(int(data["index"]), time_s, people, data.get("note"))


@dataclass(frozen=True)
class KeypointResult:
    """The keypoints of one video or photo: what `ttpose.keypoints/2` files hold.

    Attributes:
        source: path, kind ("video" or "image"), width, height (square pixels as shown, after rotation), frames,
            duration_s, and what `ttpose.media.SourceInfo.describe` adds for an odd file.
        model: base, base_sha256, person, person_sha256 (None for the base model), guard (None, or the guard's
            decision on the personalization, its reason and metrics).
        skeleton: The keypoint set.
        frames: One record for every decoded frame, in order.
        version: The ttpose version that made it.
        smoothing: How `smoothed` keypoints were made and what that did to the jitter, or None without any.
        people: Everybody who was seen, followed or not, where that is known and they are several.
    """

    source: dict[str, Any]
    model: dict[str, Any]
    skeleton: Skeleton
    frames: list[FrameRecord]
    version: str = field(default_factory=lambda: _own_version())
    smoothing: dict[str, Any] | None = None
    people: tuple[SeenPerson, ...] = ()

    def header(self) -> dict[str, Any]:
        """Everything but the frames, as JSON-ready values."""
        skeleton = {
            "name": self.skeleton.name,
            "keypoints": list(self.skeleton.keypoints),
            "limbs": [list(limb) for limb in self.skeleton.limbs],
        }
        header = {
            "schema": SCHEMA,
            "ttpose_version": self.version,
            "source": plain(self.source),
            "model": plain(self.model),
            "skeleton": skeleton,
        }
        if self.people:
            header["people"] = plain([person.to_dict() for person in self.people])
        return header if self.smoothing is None else {**header, "smoothing": plain(self.smoothing)}

    def to_dict(self) -> dict[str, Any]:
        """The whole result as JSON-ready values, rounded; never NaN."""
        return {**self.header(), "frames": [frame.to_dict() for frame in self.frames]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> KeypointResult:
        """The inverse of `to_dict`, also of what `ttpose.keypoints/1` files hold.

        Raises:
            InputError: The data is of neither schema, or a value in it is missing or wrong; the message says which.
        """
        if not isinstance(data, dict) or data.get("schema") not in (SCHEMA, FORMER_SCHEMA):
            found = data.get("schema") if isinstance(data, dict) else None
            raise InputError(f"expected the schema {SCHEMA}, found {found or 'none'}")
        where = "header"
        try:
            data = current_keypoints(data)
            skeleton = _skeleton_from(data["skeleton"])
            header = (dict(data["source"]), dict(data["model"]), skeleton)
            frames = []
            for position, record in enumerate(data["frames"]):
                where = f"frame record {position}"
                frames.append(FrameRecord.from_dict(record))
                if any(len(person.keypoints) != len(skeleton) for person in frames[-1].people):
                    raise ValueError(f"a person does not have {len(skeleton)} keypoints")
            where = "header"
            smoothing = dict(data["smoothing"]) if data.get("smoothing") is not None else None
            people = tuple(SeenPerson.from_dict(person) for person in data.get("people", ()))
            return cls(*header, frames, str(data["ttpose_version"]), smoothing, people)
        except KeyError as error:
            raise InputError(f"{where}: {error} is missing") from error
        except (TypeError, ValueError, OverflowError, AttributeError) as error:
            raise InputError(f"{where}: {error}") from error


def plain(value: Any) -> Any:
    """Turn nested dicts, lists, numpy values and paths into JSON-ready values; NaN and infinity become None.

    Bytes in file names that are no text are escaped (`ttpose.core.text`).
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.9g}") if math.isfinite(value) else None
    return value if value is None or isinstance(value, int) else readable(value)


def _points_to_json(keypoints: np.ndarray) -> list[list[float | None]]:
    return [_point_to_json(row) for row in keypoints.tolist()]


def _points_from_json(points: list[list[float | None]]) -> np.ndarray:
    rows = [[math.nan if value is None else float(value) for value in point] for point in points]
    return np.array(rows, dtype=np.float64)


def _distances_from_json(values: list[float | None]) -> np.ndarray:
    return np.array([math.nan if value is None else float(value) for value in values], dtype=np.float64)


def _point_to_json(row: list[float]) -> list[float | None]:
    x, y, score = row
    if not (math.isfinite(x) and math.isfinite(y)):
        return [None, None, 0.0]
    score = min(max(score, 0.0), 1.0) if math.isfinite(score) else 0.0
    return [round(x, _PIXEL_DIGITS), round(y, _PIXEL_DIGITS), round(score, _SCORE_DIGITS)]


def _skeleton_from(data: dict[str, Any]) -> Skeleton:
    keypoints = tuple(str(name) for name in data["keypoints"])
    try:
        known = skeleton_named(data["name"])
    except KeyError:
        known = None
    if known is not None and known.keypoints == keypoints:
        return known
    limbs = tuple((int(a), int(b)) for a, b in data["limbs"])
    if not all(0 <= end < len(keypoints) for limb in limbs for end in limb):
        raise ValueError("a limb names a keypoint that does not exist")
    return Skeleton(str(data["name"]), keypoints, limbs, (_UNKNOWN_SIGMA,) * len(keypoints))


def _own_version() -> str:
    from ttpose.core.version import __version__

    return __version__
