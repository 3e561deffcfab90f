"""OpenPose's JSON output: a folder with one file per frame, for the many tools that read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.core.files import atomic_folder, fitting
from ttpose.core.skeleton import Skeleton, convert
from ttpose.results.records import KeypointResult, PersonRecord

_BODY = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip
_LEGS = ("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle")
_HEAD = ("right_eye", "left_eye", "right_ear", "left_ear")
_FEET = tuple(f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel"))

#: Keypoint names in OpenPose's order (its doc/output.md), by the name of the set.
OPENPOSE_SETS = {
    "body25": (*_BODY, "pelvis", *_LEGS, *_HEAD, *_FEET),
    "coco18": (*_BODY, *_LEGS, *_HEAD),
}

_DIGITS = 3  # as OpenPose writes pixels; scores get one more
_NOTHING = (
    "face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d", "pose_keypoints_3d",
    "face_keypoints_3d", "hand_left_keypoints_3d", "hand_right_keypoints_3d",
)  # fmt: skip


def write_openpose(result: KeypointResult, folder: Path | str, *, keypoints: str = "body25") -> None:
    """Write a folder of `<stem>_<frame, 12 digits>_keypoints.json`, all frames or none, also those without people.

    A stem that is too long for file names is shortened and ends in a hash.

    Args:
        result: Keypoints of any set.
        folder: The folder; one that is there is replaced.
        keypoints: "body25" or "coco18". Neck and mid-hip are half-way between the shoulders and hips where the
            result does not have them. Big toes and heels are a result's that has feet; small toes, and feet that are
            not known, are 0, 0, 0, as OpenPose writes what it did not find.

    Raises:
        KeyError: Unknown keypoint set.
        OutputError: The folder cannot be written.
    """
    target = Skeleton(keypoints, OPENPOSE_SETS[keypoints], (), ())
    stem = Path(str(result.source.get("path", ""))).stem or "frame"
    with atomic_folder(folder) as partial:
        for frame in result.frames:
            people = [_person(person, result.skeleton, target) for person in frame.people if not person.filled]
            text = json.dumps({"version": 1.3, "people": people}, allow_nan=False)
            (partial / fitting(stem, f"_{frame.index:012d}_keypoints.json")).write_text(text, encoding="utf-8")


def _person(person: PersonRecord, source: Skeleton, target: Skeleton) -> dict[str, Any]:
    points = convert(person.keypoints.astype(np.float64), source, target)
    placed = np.isfinite(points[:, :2]).all(1)
    points = np.where(placed[:, None], np.nan_to_num(points), 0.0)
    flat = [
        round(float(v), digits)
        for row in points
        for v, digits in zip(row, (_DIGITS, _DIGITS, _DIGITS + 1), strict=True)
    ]
    return {"person_id": [person.id], "pose_keypoints_2d": flat, **{name: [] for name in _NOTHING}}
