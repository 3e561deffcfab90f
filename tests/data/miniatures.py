"""Miniature datasets in their real layouts, with drawn people whose joints are bright dots."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from ttpose.core.geometry import Box
from ttpose.core.skeleton import BBC7, COCO17, H36M16, PENN13
from ttpose.data.labelled_clip import write_clip

SIZE = 96


def picture(points: np.ndarray, seed: int) -> np.ndarray:
    """A person as dots of one colour a joint on a plain ground; RGB uint8 [SIZE, SIZE, 3]."""
    rng = np.random.default_rng(seed)
    image = np.full((SIZE, SIZE, 3), rng.integers(40, 120, 3), np.uint8)
    colours = np.random.default_rng(5).integers(60, 255, (len(points), 3))
    for (x, y), colour in zip(points, colours, strict=True):
        cv2.circle(image, (round(float(x)), round(float(y))), 4, [int(c) for c in colour], -1)
    return image


def poses(count: int, joints: int, seed: int) -> np.ndarray:
    """Keypoints [count, joints, 2] that wander inside the picture."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(25, SIZE - 25, (joints, 2))
    return start + np.cumsum(rng.normal(0, 1.5, (count, joints, 2)), 0).clip(-12, 12)


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1])


def make_penn(folder: Path, *, videos: int = 4, frames: int = 4, change=None) -> Path:
    """Penn Action with odd videos for training; `change(number, variables)` may spoil the labels."""
    from scipy.io import savemat

    (folder / "labels").mkdir(parents=True)
    for number in range(1, videos + 1):
        points = poses(frames, len(PENN13), number)
        for index, pose in enumerate(points):
            save(folder / "frames" / f"{number:04d}" / f"{index + 1:06d}.jpg", picture(pose, number))
        variables = {
            "action": "squat",
            "pose": "left",
            "x": points[..., 0],
            "y": points[..., 1],
            "visibility": np.ones((frames, len(PENN13)), np.uint8),
            "train": np.array([[1 if number % 2 else -1]], np.int32),
            "bbox": np.concatenate([points.min(1) - 5, points.max(1) + 5], 1),
            "dimensions": np.array([[SIZE, SIZE, frames]], np.uint16),
            "nframes": np.array([[frames]], np.uint8),
        }
        if change is not None:
            change(number, variables)
        savemat(folder / "labels" / f"{number:04d}.mat", variables)
    return folder


def make_bbc(folder: Path, *, frames: int = 3) -> Path:
    from scipy.io import savemat

    fields = ("videoName", "type", "source", "train_frames", "train_joints", "test_frames", "test_joints")
    table = np.zeros((1, 20), dtype=[(name, object) for name in fields])
    for number in (1, 11):
        points = poses(2 * frames, len(BBC7), number)
        for index, pose in enumerate(points):
            save(folder / str(number) / f"{index + 10}.jpg", picture(pose, number))
        joints, names = points.transpose(2, 1, 0), np.arange(10, 10 + 2 * frames, dtype=np.float64)[None]
        row = table[0, number - 1]
        row["train_frames"], row["train_joints"] = names[:, :frames], joints[..., :frames]
        row["test_frames"], row["test_joints"] = names[:, frames:], joints[..., frames:]
    for row in table[0]:
        for name in fields:
            if not isinstance(row[name], np.ndarray):
                row[name] = np.zeros((2, 7, 0)) if name.endswith("joints") else np.zeros((1, 0))
    savemat(folder / "bbcpose.mat", {"bbcpose": table})
    return folder


def coco_content(folder: Path, skeleton=COCO17, *, videos: int = 2, frames: int = 3) -> dict:
    """A COCO keypoint file's content, with its pictures in `folder`."""
    content: dict = {"images": [], "annotations": [], "categories": [{"id": 1, "keypoints": list(skeleton.keypoints)}]}
    for video in range(videos):
        for index, pose in enumerate(poses(frames, len(skeleton), video)):
            number, name = len(content["images"]) + 1, f"v{video}/{index:03d}.jpg"
            save(folder / name, picture(pose, video))
            content["images"].append({"id": number, "file_name": name, "video_id": f"v{video}", "frame_id": index})
            low, high = pose.min(0) - 5, pose.max(0) + 5
            content["annotations"].append(
                {
                    "id": number,
                    "image_id": number,
                    "category_id": 1,
                    "keypoints": np.column_stack([pose, np.full(len(pose), 2)]).ravel().tolist(),
                    "bbox": [*low.tolist(), *(high - low).tolist()],
                }
            )
    return content


def make_coco(folder: Path, **options) -> Path:
    path = folder / "people.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(coco_content(folder, **options)))
    return path


def make_h36m(folder: Path) -> Path:
    content = coco_content(folder / "images", H36M16, videos=3)
    for image in content["images"]:
        image["subject"] = {"v0": 1, "v1": 9, "v2": 11}[image["video_id"]]
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


def make_clips(folder: Path, *, clips: int = 2, frames: int = 4, skeleton=PENN13) -> Path:
    for number in range(clips):
        points = poses(frames, len(skeleton), number)
        write_clip(
            folder / f"clip{number}",
            np.stack([picture(pose, number) for pose in points]),
            np.concatenate([points, np.full((*points.shape[:2], 1), 2.0)], -1),
            [Box.around(pose).scaled(1.2) for pose in points],
            joints=skeleton.keypoints,
            person=f"person{number}",
            source="test",
        )
    return folder
