"""OKS average precision as COCO defines it, by pycocotools (optional: `ttpose[research]`)."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.core.errors import InputError, UsageError
from ttpose.core.files import read_json_text
from ttpose.data.datasets import Video
from ttpose.metrics.pck import by_name

# The order of COCOeval.stats for keypoints.
_NAMES = ("AP", "AP50", "AP75", "AP_medium", "AP_large", "AR", "AR50", "AR75", "AR_medium", "AR_large")
# Coordinates of a keypoint that the model lacks: so far off that its similarity is 0.
_NOWHERE = 1e6


def require_pycocotools() -> None:
    """Raise UsageError where pycocotools is not installed."""
    if importlib.util.find_spec("pycocotools") is None:
        raise UsageError("OKS-AP needs pycocotools", "pip install 'ttpose[research]'")


def oks_ap(annotations: Path, found: Sequence[tuple[Video, np.ndarray]], keypoints: Sequence[str]) -> dict[str, float]:
    """COCO's keypoint figures of predictions in the labels' boxes.

    Only pictures in which somebody was predicted are evaluated. A person's score, which orders the detections, is
    the mean of the keypoints' scores. Annotations without `area` get their box's.

    Args:
        annotations: The COCO file that the videos come from.
        found: Videos and their predictions [T, K_model, 3].
        keypoints: K_model names.

    Returns:
        AP and AR over OKS 0.50:0.05:0.95, at 0.5 and 0.75, and of medium and large people; NaN where there are none.

    Raises:
        UsageError: pycocotools is not installed.
        InputError: The file cannot be read, or a video's picture is not in it.
    """
    require_pycocotools()
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    content = _truth(annotations)
    results = _results(content, found, keypoints)
    with contextlib.redirect_stdout(io.StringIO()):  # the library prints its progress
        truth, guesses = COCO(), COCO()
        truth.dataset = content
        guesses.dataset = {key: content[key] for key in ("images", "categories")} | {"annotations": results}
        truth.createIndex()
        guesses.createIndex()
        evaluation = COCOeval(truth, guesses, "keypoints")
        evaluation.params.imgIds = sorted({entry["image_id"] for entry in results})
        evaluation.params.catIds = [results[0]["category_id"]] if results else []
        if found:
            evaluation.params.kpt_oks_sigmas = np.array(found[0][0].skeleton.sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    # The library says -1 where there was nobody to find.
    return {n: float(v) if v >= 0 else float("nan") for n, v in zip(_NAMES, evaluation.stats, strict=True)}


def _truth(path: Path) -> dict[str, Any]:
    """The file's content, with the entries that the library needs and files often lack."""
    try:
        content: dict[str, Any] = read_json_text(path)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    people = [entry for entry in content["annotations"] if "keypoints" in entry]
    for number, entry in enumerate(people, start=1):
        entry["id"] = number  # the library takes an id of 0 for "none"
        entry.setdefault("iscrowd", 0)
        entry.setdefault("area", entry["bbox"][2] * entry["bbox"][3])
        entry.setdefault("num_keypoints", sum(1 for flag in entry["keypoints"][2::3] if flag > 0))
    return {**content, "annotations": people}


def _results(
    content: dict[str, Any], found: Sequence[tuple[Video, np.ndarray]], keypoints: Sequence[str]
) -> list[dict[str, Any]]:
    category = next((c["id"] for c in content["categories"] if c.get("keypoints")), 1)
    images = {Path(image["file_name"]): image["id"] for image in content["images"]}
    results: list[dict[str, Any]] = []
    for video, predicted in found:
        execution_of = by_name(predicted, keypoints, video.skeleton.keypoints)
        for frame, points in zip(video.frames, execution_of, strict=True):
            known = np.isfinite(points).all(1)
            score = float(points[known, 2].mean()) if known.any() else 0.0
            points = np.where(known[:, None], points, _NOWHERE)
            (x0, y0), (x1, y1) = points[:, :2].min(0), points[:, :2].max(0)
            results.append(
                {
                    "id": len(results) + 1,
                    "image_id": _image_id(images, frame.path),
                    "category_id": category,
                    "keypoints": points.ravel().tolist(),
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": float((x1 - x0) * (y1 - y0)),
                    "score": score,
                }
            )
    return results


def _image_id(images: dict[Path, Any], path: Path) -> Any:
    """The image whose file name is the end of the path."""
    for start in range(len(path.parts)):
        name = Path(*path.parts[start:])
        if name in images:
            return images[name]
    raise InputError(f"{path} is not an image of the annotation file")
