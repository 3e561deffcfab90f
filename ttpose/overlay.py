"""Keypoints drawn on the clip or photo that they belong to."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ttpose.media import OverlayWriter, Source, draw_skeleton, open_source, write_image
from ttpose.progress import Advance, Progress
from ttpose.results import FrameRecord, KeypointResult


def write_overlay(
    source: Path | str, result: KeypointResult, path: Path | str, progress: Progress | None = None
) -> None:
    """Draw a result on its source: an MP4 for a video, an image for an image.

    Args:
        source: The file that `result` was made from.
        result: Keypoints in its pixels.
        path: What to write, .mp4 or an image suffix.
        progress: Hears the stage "draw".

    Raises:
        InputError: The source cannot be read.
        OutputError: The overlay cannot be written.
    """
    media = open_source(source)
    if media.info.kind == "image":
        image = next(iter(media.frames())).image
        if image is not None:
            write_image(path, _drawn(image, result.frames[0], result))
        return
    with (progress or Progress()).stage("draw", len(result.frames)) as advance:
        _write_video(media, result, Path(path), advance)


def _write_video(media: Source, result: KeypointResult, path: Path, advance: Advance) -> None:
    info = media.info
    last = np.zeros((info.height, info.width, 3), np.uint8)
    with OverlayWriter(path, info.width, info.height, fps=info.fps, sound_from=info.path) as writer:
        for frame, record in zip(media.frames(), result.frames, strict=False):
            # A damaged frame shows the one before it, so that the picture keeps its time.
            last = frame.image if frame.image is not None else last
            writer.write(_drawn(last, record, result), frame.time_s)
            advance(1)


def _drawn(image: np.ndarray, record: FrameRecord, result: KeypointResult) -> np.ndarray:
    for person in record.people:
        image = draw_skeleton(image, person.keypoints, result.skeleton)
    return image
