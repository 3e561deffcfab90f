from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests import clips
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17
from ttpose.media import open_source, read_image, write_image
from ttpose.report.overlay import write_overlay, write_side_by_side
from ttpose.results import FrameRecord, KeypointResult, PersonRecord

TIMES = [0.0, 0.04, 0.3, 0.34]


def result(x: float, width: int, height: int, frames: int = 4) -> KeypointResult:
    """A person about column `x`."""
    points = np.column_stack([x + np.linspace(-5, 5, 17), np.linspace(0.3, 0.9, 17) * height, np.ones(17)])
    record = PersonRecord(1, Box(x - 5, 0.3 * height, 10, 0.6 * height), points)
    source = {"path": "a.mp4", "kind": "video", "width": width, "height": height, "frames": frames, "duration_s": 1.0}
    model = {"base": "mobile", "base_sha256": "ab" * 32, "person": None, "person_sha256": None, "guard": None}
    return KeypointResult(source, model, COCO17, [FrameRecord(t, TIMES[t], (record,)) for t in range(frames)])


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (np.abs(before.astype(int) - after) > 60).any(2)


def test_base_is_left_and_personalized_right_each_with_its_name_and_the_times_stay(tmp_path: Path) -> None:
    width, height = clips.WIDTH, clips.HEIGHT
    source = clips.write_clip(tmp_path / "a.mp4", times_s=TIMES)
    before, after = result(0.25 * width, width, height), result(0.75 * width, width, height)
    write_side_by_side(source, before, replace(after, frames=after.frames), tmp_path / "out.mp4")
    frames = list(open_source(tmp_path / "out.mp4").frames())
    np.testing.assert_allclose([frame.time_s for frame in frames], TIMES, atol=1e-3)
    plain = next(iter(open_source(source).frames())).image
    shown = frames[0].image
    assert plain is not None and shown is not None and shown.shape == (height, 2 * width, 3)
    left, right = (changed(plain, part) for part in (shown[:, :width], shown[:, width:]))
    low = slice(height // 4, None)  # under the names
    assert left[low, : width // 2].sum() > 50 and left[low, width // 2 :].sum() == 0
    assert right[low, width // 2 :].sum() > 50 and right[low, : width // 2].sum() == 0
    for part in (left, right):
        assert part[: height // 8, : width // 2].any()


def test_only_sure_keypoints_are_drawn(tmp_path: Path) -> None:
    grey = np.full((90, 60, 3), 90, np.uint8)
    write_image(tmp_path / "a.png", grey)
    found = result(30, 60, 90, 1)
    keypoints = found.frames[0].people[0].keypoints
    keypoints[:8, 2], keypoints[8:, 2] = 0.6, 0.1  # the upper half is sure
    rows = {}
    for least in (0.0, 0.2, 0.7):
        write_overlay(tmp_path / "a.png", found, tmp_path / "out.png", min_score=least)
        rows[least] = np.flatnonzero(changed(grey, read_image(tmp_path / "out.png")).any(1))
    assert rows[0.0].max() > 70
    assert 20 < rows[0.2].max() < 60
    assert rows[0.7].size == 0
    write_overlay(tmp_path / "a.png", found, tmp_path / "usual.png")
    write_overlay(tmp_path / "a.png", found, tmp_path / "out.png", min_score=0.2)
    assert (tmp_path / "usual.png").read_bytes() == (tmp_path / "out.png").read_bytes()


def test_a_photo_beside_itself(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.full((90, 61, 3), 90, np.uint8))
    write_side_by_side(tmp_path / "a.png", result(30, 61, 90, 1), result(30, 61, 90, 1), tmp_path / "out.png")
    shown = read_image(tmp_path / "out.png")
    assert shown.shape == (90, 122, 3)
    assert (shown[30:, :61] == shown[30:, 61:]).all() and (shown != 90).any()
    write_overlay(tmp_path / "a.png", result(30, 61, 90, 1), tmp_path / "one.png")
    assert (read_image(tmp_path / "one.png")[30:] == shown[30:, :61]).all()


@pytest.mark.parametrize(("size", "expected"), [((1920, 1080), (3840, 1080)), ((3840, 2160), (3840, 1080))])
def test_what_is_too_wide_for_players_is_shrunk(
    tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    write_image(tmp_path / "a.png", np.full((size[1], size[0], 3), 90, np.uint8))
    both = result(300, *size, frames=1)
    write_side_by_side(tmp_path / "a.png", both, both, tmp_path / "out.jpg")
    assert read_image(tmp_path / "out.jpg").shape == (expected[1], expected[0], 3)


def test_a_picture_without_people_is_not_changed_by_its_name(tmp_path: Path) -> None:
    source = clips.write_clip(tmp_path / "a.mp4", times_s=TIMES)
    nobody = result(30, clips.WIDTH, clips.HEIGHT)
    nobody = replace(nobody, frames=[replace(frame, people=()) for frame in nobody.frames])
    write_side_by_side(source, nobody, nobody, tmp_path / "out.mp4", labels=("one", "two"))
    assert len(list(open_source(tmp_path / "out.mp4").frames())) == 4
