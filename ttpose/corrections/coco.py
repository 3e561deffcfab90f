"""COCO keypoint files as CVAT, Label Studio and COCO Annotator export them, read as corrections of one clip.

The joints' names come from the file's category. A frame is known by its image's `frame_id`, `frame_index` or
`frame_number`, else by the last number in its file name (`frame_000162.png`), counted from 0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from ttpose.core.errors import InputError
from ttpose.core.skeleton import Skeleton
from ttpose.corrections.model import FrameCorrection
from ttpose.corrections.records import ClipIdentity, check_inside

_NUMBERS = ("frame_id", "frame_index", "frame_number")
_COUNT_HINT = "frames count from 0; pictures cut by ffmpeg count from 1 unless -start_number 0 is given"


def frames_from_coco(content: dict[str, Any], skeleton: Skeleton, clip: ClipIdentity) -> dict[int, FrameCorrection]:
    """The corrections in a file's content; joints that the file calls not labelled (visibility 0) are left out.

    Raises:
        InputError: No joint of the skeleton is named, an image is of no frame of the clip or of another size, a frame
            has several people, or a joint is outside the picture or no number.
    """
    images = {image.get("id"): image for image in content["images"] if isinstance(image, dict)}
    categories = _categories(content.get("categories"), skeleton)
    found: dict[int, FrameCorrection] = {}
    for number, entry in enumerate(content["annotations"]):
        if not isinstance(entry, dict) or not entry.get("keypoints"):
            continue  # boxes and outlines may be there as well
        image = images.get(entry.get("image_id"))
        if image is None:
            raise InputError(f"annotation {number} is of no image in the file")
        index = _frame_number(image, clip)
        if index in found:
            raise InputError(f"frame {index} has several annotated people", "keep the one who is corrected")
        names = categories.get(entry.get("category_id"), next(iter(categories.values())))
        found[index] = FrameCorrection(_keypoints(entry["keypoints"], names, skeleton, index, clip))
    found = {index: frame for index, frame in sorted(found.items()) if frame.corrected.any()}
    if not found:
        raise InputError("no keypoint in it is labelled", "visibility 1 or 2 says that a keypoint is labelled")
    return found


def plain_name(name: str) -> str:
    """A joint's name as our skeletons have it: `Left Shoulder`, `leftShoulder` and `l-shoulder` are one."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    name = re.sub(r"[\s\-.]+", "_", name).lower()
    name = re.sub(r"^([lr])_", lambda m: {"l": "left_", "r": "right_"}[m[1]], name)
    swapped = re.fullmatch(r"(.+)_(left|right|l|r)", name)
    return f"{({'l': 'left', 'r': 'right'}).get(swapped[2], swapped[2])}_{swapped[1]}" if swapped else name


def _categories(categories: Any, skeleton: Skeleton) -> dict[Any, list[int]]:
    """By category id, for each of its keypoints the position in the skeleton or -1."""
    found, unknown = {}, []
    for category in categories if isinstance(categories, list) else ():
        names = category.get("keypoints") if isinstance(category, dict) else None
        if isinstance(names, list) and names:
            plain = [plain_name(str(name)) for name in names]
            where = [skeleton.index(name) if name in skeleton.keypoints else -1 for name in plain]
            if max(where) >= 0:
                found[category.get("id")] = where
            unknown += [str(name) for name in names]
    if not found:
        joints = f"its keypoints are {', '.join(unknown[:6])}" if unknown else "its categories name no keypoints"
        raise InputError(f"{joints}: none of {skeleton.name}", f"expected names such as {skeleton.keypoints[-1]}")
    return found


def _frame_number(image: dict[str, Any], clip: ClipIdentity) -> int:
    name = str(image.get("file_name", ""))
    index = next((image[key] for key in _NUMBERS if isinstance(image.get(key), int)), None)
    if index is None:
        digits = re.findall(r"\d+", PurePosixPath(name.replace("\\", "/")).stem)
        index = int(digits[-1]) if digits else 0 if clip.frames == 1 else None
    if index is None:
        raise InputError(f"the image {name!r} does not say which frame it is", "name it such as frame_000162.png")
    size = image.get("width"), image.get("height")
    if None not in size and size != (clip.width, clip.height):
        raise InputError(
            f"the image {name!r} has {size[0]} × {size[1]} pixels, {clip.name} has {clip.width} × {clip.height}",
            "annotate frames in the clip's own size",
        )
    if clip.frames is not None and not 0 <= index < clip.frames:
        raise InputError(f"frame {index} is not in the clip, which has the frames 0 to {clip.frames - 1}", _COUNT_HINT)
    return index


def _keypoints(values: Any, where: Sequence[int], skeleton: Skeleton, index: int, clip: ClipIdentity) -> np.ndarray:
    """float [K, 3] as `FrameCorrection.keypoints`."""
    try:
        rows = np.array(values, dtype=np.float64).reshape(-1, 3)
    except (TypeError, ValueError):
        rows = np.zeros((0, 3))
    if len(rows) != len(where):
        raise InputError(f"frame {index}: its keypoints are not {len(where)} times x, y and visibility")
    found = np.full((len(skeleton), 3), np.nan)
    for position, row in zip(where, rows, strict=True):
        if position < 0 or row[2] == 0:
            continue
        if row[2] not in (1, 2):
            raise InputError(f"frame {index}: a visibility is {row[2]:g}", "it is 0, 1 or 2")
        check_inside(row[0], row[1], skeleton.keypoints[position], index, clip)
        found[position] = row
    return found
