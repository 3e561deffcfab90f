"""Labelled clips on disk: a folder of JPEG frames beside one `labels.json`.

    walk_07/
      labels.json   {"clip", "person", "joints", "source", "visibility", "size", "scored_joints",
                     "frames": [{"frame", "keypoints": [[x, y, v], ...], "bbox": [x, y, w, h], "mask"?}, ...]}
      0000.jpg      frames in order of time
      0000.mask.png optional: how much of each pixel the person covers, 0..255

Keypoints and boxes are in pixels with pixel centres at integers; v is 2 visible, 1 hidden but labelled, 0 missing or
outside the picture. A collection of stills of different people is the same with "dataset" for "clip", no "person"
and a "size" per frame.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ttpose.core.errors import InputError, OutputError
from ttpose.core.files import read_json_text
from ttpose.core.geometry import Box

LABELS_NAME = "labels.json"
VISIBILITY_MEANING = "2 labelled visible, 1 labelled occluded, 0 missing or outside"
# Keypoints of a 256-pixel frame are known to about a hundredth of a pixel, more digits would only fill disks.
_DECIMALS = 2


@dataclass(frozen=True)
class LabelledFrame:
    """One frame of a labelled clip.

    Attributes:
        path: The picture.
        keypoints: float64 [K, 3]: x, y, visibility (0, 1, 2).
        box: The person.
        mask: Grey picture of the person's coverage, or None.
    """

    path: Path
    keypoints: np.ndarray
    box: Box
    mask: Path | None = None

    def read(self) -> np.ndarray:
        """The picture, RGB uint8 [H, W, 3]; raises `InputError` when it cannot be decoded."""
        return np.ascontiguousarray(_decode(self.path, colour=True)[..., ::-1])


@dataclass(frozen=True)
class LabelledClip:
    """Frames of one person with labels, or stills of many people.

    Attributes:
        folder: Where it lies.
        name: The clip's (or the set of stills') name.
        person: Who is seen; None for stills of different people.
        joints: Names of the K keypoints, as in `ttpose.core.skeleton` (`left_knee`, never `l_knee`).
        scored_joints: The joints whose labels mean what COCO's mean.
        source: Where the labels come from.
        frames: In order of time.
    """

    folder: Path
    name: str
    person: str | None
    joints: tuple[str, ...]
    scored_joints: tuple[str, ...]
    source: str
    frames: tuple[LabelledFrame, ...]

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def keypoints(self) -> np.ndarray:
        """All labels, float64 [T, K, 3]: x, y, visibility."""
        return np.stack([frame.keypoints for frame in self.frames])

    @property
    def scored(self) -> np.ndarray:
        """bool [K]: which joints are in `scored_joints`."""
        return np.array([name in self.scored_joints for name in self.joints])


def find_clips(folder: Path | str) -> list[Path]:
    """Return every clip folder in or below `folder`, sorted by path; hidden folders are passed over.

    Raises:
        InputError: The folder is missing or holds no clip.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"{root} is not a folder", f"give a folder of clips, each with a {LABELS_NAME}")
    found = [
        path.parent
        for path in sorted(root.rglob(LABELS_NAME))
        if not any(part.startswith(".") for part in path.relative_to(root).parts)
    ]
    if not found:
        raise InputError(f"no labelled clip in {root}", f"a clip is a folder with JPEG frames and a {LABELS_NAME}")
    return found


def distinct_names(clips: Sequence[LabelledClip], root: Path) -> list[str]:
    """The clips' names; where two are the same, their folders below `root`."""
    times = Counter(clip.name for clip in clips)
    return [clip.name if times[clip.name] == 1 else clip.folder.relative_to(root).as_posix() for clip in clips]


def read_clip(folder: Path | str) -> LabelledClip:
    """Read a clip's labels (pictures are read on demand, but must be there).

    Raises:
        InputError: No labels, not JSON, a missing key or frame, a number that is not finite, a box without area.
    """
    folder = Path(folder)
    labels = _read_labels(folder)
    names = labels.get("joints")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        _malformed(folder, '"joints" must be a list of names')
    joints = tuple(_full_name(name) for name in names)
    scored = tuple(_full_name(str(name)) for name in labels.get("scored_joints", names))
    if unknown := sorted(set(scored) - set(joints)):
        _malformed(folder, f'"scored_joints" names {unknown[0]}, which is not among "joints"')
    entries = labels.get("frames")
    if not isinstance(entries, list) or not entries:
        _malformed(folder, '"frames" must be a list with at least one frame')
    person = labels.get("person")
    return LabelledClip(
        folder=folder,
        name=str(labels.get("clip", labels.get("dataset", folder.name))),
        person=None if person is None else str(person),
        joints=joints,
        scored_joints=scored,
        source=str(labels.get("source", "")),
        frames=tuple(_read_frame(folder, number, entry, len(joints)) for number, entry in enumerate(entries)),
    )


def write_clip(
    folder: Path | str,
    images: np.ndarray | Sequence[np.ndarray],
    keypoints: np.ndarray,
    boxes: Sequence[Box],
    *,
    joints: Sequence[str],
    person: str | None,
    source: str,
    name: str | None = None,
    scored_joints: Sequence[str] | None = None,
    masks: np.ndarray | Sequence[np.ndarray] | None = None,
    quality: int = 92,
    extra: dict[str, Any] | None = None,
) -> Path:
    """Write a labelled clip; the folder appears whole or not at all and replaces an earlier one.

    Args:
        folder: The clip's own folder.
        images: T pictures of one size, RGB uint8 [H, W, 3].
        keypoints: [T, K, 3]: x, y, visibility.
        boxes: T person boxes.
        joints: K names.
        person: Who is seen.
        source: Where the labels come from.
        name: The clip's name; by default the folder's.
        scored_joints: Names to score; by default all.
        masks: T coverages, uint8 [H, W], stored as PNG.
        quality: JPEG quality. 92 keeps a 256-pixel frame in about 18 kB without visible blocks.
        extra: Further entries for `labels.json` (JSON types).

    Returns:
        The folder.

    Raises:
        ValueError: The parts do not fit together.
        OutputError: It cannot be written, or the folder holds something else than a clip.
    """
    folder = Path(folder)
    keypoints = np.asarray(keypoints, dtype=np.float64)
    if keypoints.shape != (len(images), len(joints), 3) or len(boxes) != len(images) or len(images) == 0:
        raise ValueError(f"{len(images)} images, {len(boxes)} boxes, keypoints {keypoints.shape}, {len(joints)} joints")
    if masks is not None and len(masks) != len(images):
        raise ValueError(f"{len(images)} images, {len(masks)} masks")
    if folder.exists() and not (folder / LABELS_NAME).is_file():
        raise OutputError(f"{folder} is there already and is no labelled clip", "choose another folder")
    height, width = images[0].shape[:2]
    labels = {
        "clip": name or folder.name,
        "person": person,
        "joints": list(joints),
        "source": source,
        "visibility": VISIBILITY_MEANING,
        "size": [width, height],
        "scored_joints": list(joints if scored_joints is None else scored_joints),
        **(extra or {}),
        "frames": [_frame_entry(number, keypoints[number], box, masks is not None) for number, box in enumerate(boxes)],
    }
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for number, image in enumerate(images):
            (partial / f"{number:04d}.jpg").write_bytes(encode_jpeg(image, quality))
            if masks is not None:
                (partial / f"{number:04d}.mask.png").write_bytes(_encode(".png", masks[number]))
        (partial / LABELS_NAME).write_text(json.dumps(labels, allow_nan=False), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(partial, folder)
    except OSError as error:
        raise OutputError(
            f"cannot write {folder}: {error.strerror or error}", "check free space and permissions"
        ) from error
    finally:
        with suppress(OSError):
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
    """JPEG bytes of an RGB uint8 [H, W, 3] picture."""
    import cv2

    return _encode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])


def decode_jpeg(data: np.ndarray) -> np.ndarray:
    """RGB uint8 [H, W, 3] picture of JPEG bytes uint8 [N]; raises ValueError when they are damaged."""
    import cv2

    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise ValueError("not a JPEG picture")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _encode(suffix: str, image: np.ndarray, options: Sequence[int] = ()) -> bytes:
    import cv2

    return bytes(cv2.imencode(suffix, image, list(options))[1])


def _decode(path: Path, *, colour: bool) -> np.ndarray:
    import cv2

    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE) if data.size else None
    if image is None:
        raise InputError(f"{path} is not a picture or is damaged")
    return image


def _frame_entry(number: int, keypoints: np.ndarray, box: Box, with_mask: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "frame": f"{number:04d}.jpg",
        "keypoints": [[round(float(x), _DECIMALS), round(float(y), _DECIMALS), int(v)] for x, y, v in keypoints],
        "bbox": [round(float(value), _DECIMALS) for value in box.as_list()],
    }
    if with_mask:
        entry["mask"] = f"{number:04d}.mask.png"
    return entry


def _read_labels(folder: Path) -> dict[str, Any]:
    path = folder / LABELS_NAME
    try:
        labels = read_json_text(path)
    except FileNotFoundError:
        raise InputError(f"{folder} has no {LABELS_NAME}", "a clip is a folder with JPEG frames and labels") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(labels, dict):
        raise InputError(f"{path} must hold one JSON object")
    return labels


def _read_frame(folder: Path, number: int, entry: Any, joints: int) -> LabelledFrame:
    if not isinstance(entry, dict):
        _malformed(folder, f"frame {number} is not an object")
    for key in ("frame", "keypoints", "bbox"):
        if key not in entry:
            _malformed(folder, f'frame {number} has no "{key}"')
    keypoints = _numbers(folder, number, "keypoints", entry["keypoints"], (joints, 3))
    if not np.isin(keypoints[:, 2], (0, 1, 2)).all():
        _malformed(folder, f"frame {number}: visibility must be 0, 1 or 2")
    x, y, width, height = _numbers(folder, number, "bbox", entry["bbox"], (4,)).tolist()
    if width <= 0 or height <= 0:
        _malformed(folder, f"frame {number}: the box is {width:g} wide and {height:g} high")
    mask = _existing(folder, number, entry["mask"]) if entry.get("mask") else None
    return LabelledFrame(_existing(folder, number, entry["frame"]), keypoints, Box(x, y, width, height), mask)


def _numbers(folder: Path, number: int, key: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != shape:
        _malformed(folder, f'frame {number}: "{key}" must be numbers [{", ".join(map(str, shape))}]')
    if not np.isfinite(array).all():
        _malformed(folder, f'frame {number}: "{key}" holds a number that is not finite')
    return array


def _existing(folder: Path, number: int, name: Any) -> Path:
    path = folder / str(name)
    if not path.is_file():
        _malformed(folder, f"frame {number}: {name} is missing")
    return path


def _malformed(folder: Path, what: str) -> NoReturn:
    raise InputError(f"{folder / LABELS_NAME}: {what}")


def _full_name(joint: str) -> str:
    """Turn `l_knee` into `left_knee`; other names stay."""
    for short, full in (("l_", "left_"), ("r_", "right_")):
        if joint.startswith(short):
            return full + joint[2:]
    return joint
