"""Keypoint files in COCO's format, grouped into videos of one person.

An image belongs to the video that its `video_id` (or `vid_id`, as in PoseTrack) names, and an annotation to the
person that its `person_id` (or `track_id`) names. Without a person id a video must show one person a frame; without a
video id every annotation is a video of one frame. `frame_id` (else `id`) orders the frames. Names of the keypoints
come from the file's category.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ttpose.core.errors import InputError
from ttpose.core.files import read_json_text
from ttpose.core.geometry import Box
from ttpose.core.progress import Progress
from ttpose.core.skeleton import Skeleton
from ttpose.data.labelled_clip import LabelledFrame
from ttpose.data.video import Skips, Video, clean_frame, keep_usable, skeleton_of

_HINT = "expected images, annotations and categories with keypoint names (cocodataset.org/#format-data)"


@dataclass(frozen=True)
class CocoFile:
    """The checked parts of a COCO keypoint file.

    Attributes:
        path: The file.
        images: Images by id.
        annotations: Annotations of people.
        skeleton: What the keypoints are.
    """

    path: Path
    images: dict[Any, dict[str, Any]]
    annotations: list[dict[str, Any]]
    skeleton: Skeleton


def read_coco(path: Path, pictures: Path | None = None, progress: Progress | None = None) -> list[Video]:
    """The videos of a file, in the order of their first annotation.

    Args:
        path: The JSON file.
        pictures: Folder that the images' file names are relative to; by default the file's own.
        progress: Told what is left out.

    Raises:
        InputError: The file is missing, no JSON, or not of this format, or no picture is there.
    """
    return coco_videos(load_coco(path), pictures or path.parent, Skips("coco"), progress)


def load_coco(path: Path) -> CocoFile:
    """Read a file and check its outline; raises `InputError`."""
    try:
        content = read_json_text(path)
    except FileNotFoundError:
        raise InputError(f"no annotation file {path}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}") from error
    parts = [content.get(name) if isinstance(content, dict) else None for name in ("images", "annotations")]
    if not all(isinstance(part, list) and all(isinstance(entry, dict) for entry in part) for part in parts):
        raise InputError(f"{path} is no COCO annotation file", _HINT)
    categories = content.get("categories")
    names = next(
        (c["keypoints"] for c in categories if isinstance(c, dict) and c.get("keypoints")), None
    ) if isinstance(categories, list) else None  # fmt: skip
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path} does not name its keypoints", _HINT)
    images, annotations = parts
    by_id = {image.get("id"): image for image in images or ()}
    people = [entry for entry in annotations or () if "keypoints" in entry and not entry.get("iscrowd")]
    if not people:
        raise InputError(f"{path} holds no keypoint annotation", _HINT)
    return CocoFile(path, by_id, people, skeleton_of(names, path.stem))


def coco_videos(file: CocoFile, pictures: Path, skips: Skips, progress: Progress | None) -> list[Video]:
    """Group the annotations into videos; raises `InputError` when none is usable."""
    crowd = _videos_with_several_people(file)
    groups: dict[tuple[str, str], list[tuple[Any, LabelledFrame]]] = {}
    for number, entry in enumerate(file.annotations):
        image = file.images.get(entry.get("image_id"))
        if image is None or not isinstance(image.get("file_name"), str):
            _malformed(file, number, "has no image with a file name")
        video, person = _ids(image, entry)
        if video is None:
            key = (f"{image['file_name']}#{entry.get('id', number)}", str(person or entry.get("id", number)))
        elif person is None and video in crowd:
            skips.add("annotations without a person id in videos of several people")
            continue
        else:
            key = (f"{video}#{person}" if person is not None else str(video), str(person or video))
        frame = clean_frame(_frame(file, number, entry, pictures / image["file_name"]), skips)
        if frame is not None:
            groups.setdefault(key, []).append((image.get("frame_id", image.get("id")), frame))
    videos = [
        Video(name, person, frames, file.skeleton)
        for (name, person), entries in groups.items()
        if (frames := _present(entries, skips))
    ]
    videos = keep_usable(videos, skips)
    skips.tell(progress)
    if not videos:
        raise InputError(f"no annotation of {file.path} can be used", f"are its pictures below {pictures}?")
    return videos


def _present(entries: list[tuple[Any, LabelledFrame]], skips: Skips) -> tuple[LabelledFrame, ...]:
    # Numbers in their order, then whatever else a file may number its frames with.
    ordered = sorted(
        entries, key=lambda entry: (0, entry[0], "") if isinstance(entry[0], (int, float)) else (1, 0, str(entry[0]))
    )
    frames = tuple(frame for _, frame in ordered if frame.path.is_file())
    skips.add("frames without a picture", len(entries) - len(frames))
    return frames


def _ids(image: dict[str, Any], entry: dict[str, Any]) -> tuple[Any, Any]:
    video = next((image[key] for key in ("video_id", "vid_id") if image.get(key) is not None), None)
    person = next((entry[key] for key in ("person_id", "track_id") if entry.get(key) is not None), None)
    return video, person


def _videos_with_several_people(file: CocoFile) -> set[Any]:
    counts = Counter(entry.get("image_id") for entry in file.annotations)
    return {_ids(file.images[key], {})[0] for key, count in counts.items() if count > 1 and key in file.images}


def _frame(file: CocoFile, number: int, entry: dict[str, Any], path: Path) -> LabelledFrame:
    keypoints = _floats(file, number, entry, "keypoints")
    if keypoints.size != 3 * len(file.skeleton):
        _malformed(file, number, f"has {keypoints.size} keypoint numbers, expected {3 * len(file.skeleton)}")
    keypoints = keypoints.reshape(-1, 3)
    if not np.isin(keypoints[np.isfinite(keypoints[:, 2]), 2], (0, 1, 2)).all():
        _malformed(file, number, "has a visibility other than 0, 1 or 2")
    box = _floats(file, number, entry, "bbox")
    if box.size != 4:
        _malformed(file, number, "has no bbox of 4 numbers")
    return LabelledFrame(path, keypoints, Box(*box.tolist()))


def _floats(file: CocoFile, number: int, entry: dict[str, Any], key: str) -> np.ndarray:
    try:
        return np.array(entry[key], dtype=np.float64).ravel()
    except (KeyError, TypeError, ValueError):
        _malformed(file, number, f'has no numbers "{key}"')


def _malformed(file: CocoFile, number: int, what: str) -> NoReturn:
    raise InputError(f"{file.path}: annotation {number} {what}")
