"""BBC Pose (Charles et al. 2013) as it is unpacked: `bbcpose.mat` and the frames `1/123.jpg` … `20/123.jpg`.

`bbcpose.mat` holds one struct array `bbcpose` with a video an element: `train_frames` [1, N] and `train_joints`
[2, 7, N] (labelled automatically), `test_frames` and `test_joints` (labelled by hand, videos 11 to 20 only). Videos 1
to 10 are for training, 11 to 20 for testing; the extended set's videos after the 20th are not used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ttpose.core.errors import InputError
from ttpose.core.progress import Progress
from ttpose.core.skeleton import BBC7
from ttpose.data.labelled_clip import LabelledFrame
from ttpose.data.matlab import malformed, read_mat
from ttpose.data.video import Skips, Split, Video, box_of_corners, clean_frame, keep_usable

_VIDEOS = {"train": range(1, 11), "test": range(11, 21)}
_FIELDS = {"train": ("train_frames", "train_joints"), "test": ("test_frames", "test_joints")}
# There are no boxes: the paper's code takes the joints' extent, 60 pixels wider on each side, within 720×480.
_MARGIN, _WIDTH, _HEIGHT = 60.0, 720.0, 480.0
# Where the file lies after unpacking, relative to the folder.
_PLACES = ("bbcpose.mat", "code/bbcpose.mat", "bbcpose_extbbcpose_code_1.0/bbcpose.mat")


def read_bbc(folder: Path, split: Split, progress: Progress | None = None) -> list[Video]:
    """The videos of a split in their order.

    Raises:
        InputError: No dataset there, a damaged label file, or no picture at all.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", "give the folder with bbcpose.mat and the frames 1/ to 20/")
    path = next((folder / place for place in _PLACES if (folder / place).is_file()), folder / _PLACES[0])
    table = read_mat(path).get("bbcpose")
    names = getattr(table, "dtype", np.dtype(float)).names or ()
    if table is None or not set(_FIELDS[split]) <= set(names):
        malformed(path, f'it holds no struct "bbcpose" with {" and ".join(_FIELDS[split])}')
    rows, skips = np.ravel(table), Skips("bbc")
    numbers = [number for number in _VIDEOS[split] if number <= len(rows)]
    videos = [
        video
        for number in numbers
        if (video := _read_video(path, rows[number - 1], number, folder, split, skips)) is not None
    ]
    videos = keep_usable(videos, skips)
    skips.tell(progress)
    if not videos:
        raise InputError(f"{folder} holds no usable {split} video", "are the frames unpacked? 1/123.jpg")
    return videos


def _read_video(path: Path, row: Any, number: int, folder: Path, split: Split, skips: Skips) -> Video | None:
    frames_name, joints_name = _FIELDS[split]
    try:
        frames = np.asarray(row[frames_name], dtype=np.float64).ravel()
        joints = np.asarray(row[joints_name], dtype=np.float64)
    except (TypeError, ValueError):
        malformed(path, f"video {number}: {frames_name} or {joints_name} is not numeric")
    if joints.ndim == 2:  # MATLAB drops the last axis of a single frame
        joints = joints[..., None]
    if joints.shape != (2, len(BBC7), len(frames)):
        malformed(path, f"video {number}: {len(frames)} {frames_name}, {joints_name} {list(joints.shape)}")
    pictures = folder / str(number)
    present = {entry.name for entry in pictures.iterdir()} if pictures.is_dir() else set()
    found = []
    for frame_number, points in sorted(
        zip(frames.tolist(), joints.transpose(2, 1, 0), strict=True), key=lambda p: p[0]
    ):
        name = f"{int(frame_number)}.jpg" if np.isfinite(frame_number) else ""
        if name not in present:
            skips.add("frames without a picture")
            continue
        keypoints = np.column_stack([points, np.full(len(points), 2.0)])
        frame = clean_frame(LabelledFrame(pictures / name, keypoints, box_of_corners(_corners(points))), skips)
        found += [frame] if frame is not None else []
    if not found:
        skips.add("videos without a usable frame")
        return None
    return Video(str(number), str(number), tuple(found), BBC7)


def _corners(points: np.ndarray) -> np.ndarray:
    points = points[np.isfinite(points).all(1)]
    if not len(points):
        return np.full(4, np.nan)
    (x0, y0), (x1, y1) = points.min(0) - _MARGIN, points.max(0) + _MARGIN
    return np.array([max(x0, 0), max(y0, 0), min(x1, _WIDTH), min(y1, _HEIGHT)])
