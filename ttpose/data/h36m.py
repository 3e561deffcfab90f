"""Human3.6M (Ionescu et al. 2014) after extraction: `annotations.json` beside the pictures.

The dataset's licence forbids passing frames on, and everybody extracts them in another way; this is the layout here:

    DIR/annotations.json   COCO's keypoint format, the 16 joints of `ttpose.core.skeleton.H36M16` in pixels
    DIR/images/...         the pictures, at the images' `file_name` below DIR/images (or below DIR)

Each image has `subject` (1, 5, 6, 7, 8, 9 or 11), `video_id` (such as "S9_Walking_54138969") and `frame_id`.
Subjects 9 and 11 are for testing, the others for training. All videos of a subject are one person.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ttpose.core.errors import InputError
from ttpose.core.progress import Progress
from ttpose.core.skeleton import H36M16
from ttpose.data.coco import CocoFile, coco_videos, load_coco
from ttpose.data.video import Skips, Split, Video

_TEST_SUBJECTS = (9, 11)  # the protocol of the TTP paper and of most work on this dataset


def read_h36m(folder: Path, split: Split, progress: Progress | None = None) -> list[Video]:
    """The videos of a split in the file's order.

    Raises:
        InputError: No annotation file there, one of another format, or no picture at all.
    """
    file = load_coco(folder / "annotations.json")
    if file.skeleton != H36M16:
        raise InputError(f"{file.path} does not name the 16 joints", f"in this order: {', '.join(H36M16.keypoints)}")
    chosen = {key for key, image in file.images.items() if _is_test(file, image) == (split == "test")}
    entries = [dict(entry) for entry in file.annotations if entry.get("image_id") in chosen]
    for entry in entries:
        entry["person_id"] = f"S{int(file.images[entry['image_id']]['subject'])}"
    pictures = folder / "images" if (folder / "images").is_dir() else folder
    part = CocoFile(file.path, file.images, entries, file.skeleton)
    return [
        dataclasses.replace(video, name=video.name.rpartition("#")[0])
        for video in coco_videos(part, pictures, Skips("h36m"), progress)
    ]


def _is_test(file: CocoFile, image: dict[str, object]) -> bool:
    subject, video = image.get("subject"), image.get("video_id")
    if not isinstance(subject, int) or video is None:
        raise InputError(f'{file.path}: image {image.get("id")} has no "subject" (a number) or no "video_id"')
    return subject in _TEST_SUBJECTS
