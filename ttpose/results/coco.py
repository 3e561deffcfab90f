"""COCO keypoint files (cocodataset.org/#format-data), for tools that read COCO."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from ttpose.core.files import write_text
from ttpose.core.text import readable
from ttpose.results.records import FrameRecord, KeypointResult, PersonRecord, plain


def write_coco(result: KeypointResult, path: Path | str) -> None:
    """Write a result as one COCO annotation file, whole or not at all; raises `OutputError`.

    Every frame is an image (id = frame index + 1, because pycocotools takes 0 for "none"), every person found an
    annotation, which also has a `score` so that the list `annotations` serves `COCO.loadRes` as results. The smoothed
    keypoints of a smoothed result are an extra `keypoints_smoothed`.
    """
    write_text(path, json.dumps(to_coco(result), allow_nan=False, ensure_ascii=False))


def to_coco(result: KeypointResult) -> dict[str, Any]:
    """A result as a COCO dictionary with `info`, `licenses`, `categories`, `images` and `annotations`."""
    category = {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(result.skeleton.keypoints),
        "skeleton": [[a + 1, b + 1] for a, b in result.skeleton.limbs],  # COCO counts keypoints from 1
    }
    found = [(frame, person) for frame in result.frames for person in frame.people if not person.filled]
    annotations = [_annotation(frame, person) for frame, person in found]
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number
    return {
        "info": {"description": f"ttpose {result.version}", "source": plain(result.source)},
        "licenses": [],
        "categories": [category],
        "images": [_image(frame, result.source) for frame in result.frames],
        "annotations": annotations,
    }


def _image(frame: FrameRecord, source: dict[str, Any]) -> dict[str, Any]:
    name = readable(Path(str(source.get("path", ""))).name)
    if source.get("kind") == "video":
        name = f"{name}#{frame.index}"
    record = frame.to_dict()
    size = {"width": source.get("width"), "height": source.get("height")}
    return {"id": frame.index + 1, "file_name": name, **size, "frame_index": frame.index, "time_s": record["time_s"]}


def _annotation(frame: FrameRecord, person: PersonRecord) -> dict[str, Any]:
    record = person.to_dict()
    flat = _flat(record["keypoints"])
    scores = [score for _, _, score in record["keypoints"]]
    x, y, width, height = record["box"]
    smoothed = {"keypoints_smoothed": _flat(record["smoothed"])} if "smoothed" in record else {}
    return {
        "image_id": frame.index + 1,
        "category_id": 1,
        "bbox": record["box"],
        "area": round(width * height, 2),
        "iscrowd": 0,
        "segmentation": [[x, y, x + width, y, x + width, y + height, x, y + height]],
        "keypoints": flat,
        "num_keypoints": sum(1 for flag in flat[2::3] if flag),
        "keypoint_scores": scores,
        "score": round(math.fsum(scores) / max(len(scores), 1), 4),
        "track_id": person.id,
        **smoothed,
    }


def _flat(points: list[list[float]]) -> list[float]:
    flat: list[float] = []
    for x, y, _ in points:
        # COCO's third number is a visibility flag, not a score: 2 = placed, 0 = not placed (then x = y = 0).
        flat += [0, 0, 0] if x is None else [x, y, 2]
    return flat
