"""Penn Action (Zhang et al. 2013) as it is unpacked: `frames/0001/000001.jpg` and `labels/0001.mat`.

Known defects, over all 2,326 label files (1,258 train, 1,068 test, 163,841 frames):
- The box list is one frame short in 1154 and 1865; both start at the first frame, so the last box stands for two.
- 185 frames of 10 videos have a box without area (0038 from its 61st frame): they are left out.
- 177 frames of 15 videos have no visible joint, among them all 68 of 1516: that video is left out, the others stay.
- 1,012 visible joints lie outside the picture: they stay.
- Boxes and joints are stored as bytes or words in about every tenth file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ttpose.core.errors import InputError
from ttpose.core.progress import Progress
from ttpose.core.skeleton import PENN13
from ttpose.data.labelled_clip import LabelledFrame
from ttpose.data.matlab import malformed, numbers, read_mat
from ttpose.data.video import Skips, Split, Video, box_of_corners, clean_frame, keep_usable

_JOINTS = len(PENN13)


def read_penn(folder: Path, split: Split, progress: Progress | None = None) -> list[Video]:
    """The videos of a split, sorted by number.

    Raises:
        InputError: No dataset there, a damaged label file, or no picture at all.
    """
    frames, labels = folder / "frames", folder / "labels"
    for part in (frames, labels):
        if not part.is_dir():
            raise InputError(f"{folder} has no folder {part.name}", "unpack Penn_Action.tar.gz: frames/ and labels/")
    files = sorted(labels.glob("*.mat"))
    if not files:
        raise InputError(f"{labels} holds no .mat file", "unpack Penn_Action.tar.gz again")
    skips = Skips("penn")
    videos = [video for path in files if (video := _read_video(path, frames / path.stem, split, skips)) is not None]
    videos = keep_usable(videos, skips)
    skips.tell(progress)
    if not videos:
        raise InputError(f"{folder} holds no usable {split} video", "are the frames unpacked? frames/0001/000001.jpg")
    return videos


def _read_video(path: Path, pictures: Path, split: Split, skips: Skips) -> Video | None:
    variables = read_mat(path)
    train = np.asarray(variables.get("train", ())).ravel()
    if train.size != 1:
        malformed(path, '"train" is missing')
    # The flag is 1 for training and -1 for testing.
    if (int(train[0]) == 1) != (split == "train"):
        return None
    x, y, visible = (numbers(path, variables, name, _JOINTS) for name in ("x", "y", "visibility"))
    corners = numbers(path, variables, "bbox", 4)
    if not len(x) == len(y) == len(visible) or len(corners) not in (len(x), len(x) - 1) or len(corners) == 0:
        malformed(path, f"{len(x)} frames, {len(y)} y, {len(visible)} visibilities, {len(corners)} boxes")
    present = {entry.name for entry in pictures.iterdir()} if pictures.is_dir() else set()
    keypoints = np.stack([x, y, _visibility(x, y, visible)], -1)
    found = []
    for number, points in enumerate(keypoints):
        name = f"{number + 1:06d}.jpg"
        if name not in present:
            skips.add("frames without a picture")
            continue
        box = box_of_corners(corners[min(number, len(corners) - 1)])
        frame = clean_frame(LabelledFrame(pictures / name, points, box), skips)
        found += [frame] if frame is not None else []
    if not found:
        skips.add("videos without a usable frame")
        return None
    return Video(path.stem, path.stem, tuple(found), PENN13)


def _visibility(x: np.ndarray, y: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """2 where visible; 1 where hidden with coordinates; 0 where the file says (1, 1), its way of saying nowhere."""
    return np.where(visible > 0, 2, np.where((x > 1) | (y > 1), 1, 0))
