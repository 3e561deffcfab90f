"""Keypoints drawn on the clip or photo that they belong to, alone or beside another result for comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ttpose.core.progress import Advance, Progress
from ttpose.media import OverlayWriter, Reading, Source, open_source, write_image
from ttpose.report.drawing import MIN_SCORE, Colours, draw_number, draw_skeleton
from ttpose.results import FrameRecord, KeypointResult

# A side-by-side picture is shrunk to this width: more than phones' decoders of H.264 take (level 5.1).
_WIDEST = 3840


def write_overlay(
    source: Path | str,
    result: KeypointResult,
    path: Path | str,
    progress: Progress | None = None,
    *,
    min_score: float = MIN_SCORE,
) -> None:
    """Draw a result on its source: an MP4 for a video, an image for an image.

    Args:
        source: The file that `result` was made from.
        result: Keypoints in its pixels.
        path: What to write, .mp4 or an image suffix.
        progress: Receives the stage "draw".
        min_score: Keypoints that score less are not drawn; 0 draws all.

    Raises:
        InputError: The source cannot be read.
        OutputError: The overlay cannot be written.
    """
    _write(open_source(source, Reading.of(result.source)), _Drawing([result], (), min_score), Path(path), progress)


def write_side_by_side(
    source: Path | str,
    before: KeypointResult,
    after: KeypointResult,
    path: Path | str,
    progress: Progress | None = None,
    *,
    labels: tuple[str, str] = ("base", "personalized"),
    min_score: float = MIN_SCORE,
) -> None:
    """Draw two results of one source beside each other, as `write_overlay` does with one, each with its name.

    Args:
        source: The file that both results were made from.
        before: Keypoints on the left.
        after: Keypoints on the right.
        path: What to write, .mp4 or an image suffix; twice as wide as the source, but at most 3840 pixels.
        progress: Receives the stage "draw".
        labels: Their names, in ASCII.
        min_score: As for `write_overlay`.

    Raises:
        InputError: The source cannot be read.
        OutputError: The file cannot be written.
    """
    _write(
        open_source(source, Reading.of(before.source)),
        _Drawing([before, after], labels, min_score),
        Path(path),
        progress,
    )


@dataclass(frozen=True)
class _Drawing:
    """What is drawn: results from left to right, their names, and the least score of a keypoint."""

    results: Sequence[KeypointResult]
    labels: Sequence[str]
    min_score: float


def _write(media: Source, drawing: _Drawing, path: Path, progress: Progress | None) -> None:
    if media.info.kind == "image":
        for _, picture in _pictures(media, drawing):
            write_image(path, picture)
        return
    with (progress or Progress()).stage("draw", len(drawing.results[0].frames)) as advance:
        _write_video(media, drawing, path, advance)


def _write_video(media: Source, drawing: _Drawing, path: Path, advance: Advance) -> None:
    info = media.info
    width, height = _size(info.width, info.height, len(drawing.results))
    slow, start = info.slow_motion, 0.0 if info.time_range is None else info.time_range[0]
    fps = None if info.fps is None else info.fps / slow
    with OverlayWriter(path, width, height, fps=fps, sound_from=info.path, start_s=start) as writer:
        for time_s, picture in _pictures(media, drawing):
            writer.write(picture, time_s * slow - start)  # as the clip plays
            advance(1)


def _pictures(media: Source, drawing: _Drawing) -> Iterator[tuple[float, np.ndarray]]:
    """Time and picture of each frame: the results on it, from left to right."""
    info, results = media.info, drawing.results
    last = np.zeros((info.height, info.width, 3), np.uint8)
    for frame, *records in zip(media.frames(), *(result.frames for result in results), strict=False):
        # A damaged frame shows the one before it, so that the picture keeps its time.
        last = frame.image if frame.image is not None else last
        parts = [_drawn(last, record, r, drawing.min_score) for record, r in zip(records, results, strict=True)]
        for part, label in zip(parts, drawing.labels, strict=False):
            _write_label(part, label)
        yield frame.time_s, parts[0] if len(parts) == 1 else _beside(parts)


def _size(width: int, height: int, count: int) -> tuple[int, int]:
    if count * width <= _WIDEST or count == 1:
        return count * width, height
    return _WIDEST, max(round(height * _WIDEST / (count * width)), 1)


def _beside(parts: Sequence[np.ndarray]) -> np.ndarray:
    import cv2

    together = np.hstack(parts)
    height, width = parts[0].shape[:2]
    size = _size(width, height, len(parts))
    return together if size[0] == together.shape[1] else cv2.resize(together, size, interpolation=cv2.INTER_AREA)


def _drawn(image: np.ndarray, record: FrameRecord, result: KeypointResult, min_score: float) -> np.ndarray:
    image = image if record.people else image.copy()  # drawing copies, and a label is written in place
    several = sum(person.followed for person in result.people) > 1
    for person in record.people:
        colours = Colours.of_number(person.id) if several else None
        image = draw_skeleton(image, person.keypoints, result.skeleton, min_score, colours)
    if several:
        for person in record.people:
            draw_number(image, person.box, person.id)
    return image


def _write_label(image: np.ndarray, text: str) -> None:
    """Write into the top left corner, in place: white on a dark plate, readable on any picture."""
    import cv2

    font, (height, width) = cv2.FONT_HERSHEY_SIMPLEX, image.shape[:2]
    (wide, high), _ = cv2.getTextSize(text, font, 1.0, 1)
    scale = min(0.04 * height / high, 0.5 * width / wide)  # a small line, and at most half the width
    thickness = max(round(2 * scale), 1)
    wide = cv2.getTextSize(text, font, scale, thickness)[0][0]
    (_, high), below = cv2.getTextSize("Ag", font, scale, thickness)  # one height for all names
    margin = max(high // 2, 2)
    image[: high + below + 2 * margin, : wide + 2 * margin] = (20, 20, 20)
    cv2.putText(image, text, (margin, margin + high), font, scale, (255, 255, 255), thickness, cv2.LINE_AA)
