from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests import clips
from ttpose.core.errors import OutputError
from ttpose.core.skeleton import COCO17, COCO17_FEET
from ttpose.media import OverlayWriter, open_source
from ttpose.report.drawing import LEFT, RIGHT, draw_skeleton


def person(x: float, y: float, height: float, score: float = 1.0) -> np.ndarray:
    """A standing person seen from the front, whose left is at the right of the picture."""
    rows = {"nose": 0.1, "eye": 0.08, "ear": 0.09, "shoulder": 0.22, "elbow": 0.4, "wrist": 0.55, "hip": 0.55}
    rows |= {"knee": 0.78, "ankle": 1.0}
    sides = {"nose": 0.0, "eye": 0.02, "ear": 0.04, "shoulder": 0.12, "elbow": 0.16, "wrist": 0.2, "hip": 0.08}
    sides |= {"knee": 0.09, "ankle": 0.1}
    points = []
    for name in COCO17.keypoints:
        part = name.split("_")[-1]
        sign = 1 if name.startswith("left_") else -1
        points.append((x + sign * sides[part] * height, y + rows[part] * height, score))
    return np.array(points)


def painted(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(axis=2)


def test_left_and_right_limbs_have_their_colours_and_the_image_is_kept() -> None:
    image = np.full((300, 300, 3), 90, np.uint8)
    keypoints = person(150, 20, 250)
    out = draw_skeleton(image, keypoints, COCO17)
    assert (image == 90).all()
    for side, colour in (("left", LEFT), ("right", RIGHT)):
        a, b = (keypoints[COCO17.index(f"{side}_{part}"), :2] for part in ("knee", "ankle"))
        x, y = np.round((a + b) / 2).astype(int)
        assert np.abs(out[y, x].astype(int) - colour).max() < 8
    # A dark outline on both sides of the limb.
    assert out[y, x - 4 : x + 5].min() < 60


def test_feet_are_drawn_in_their_sides_colours() -> None:
    image = np.full((300, 300, 3), 90, np.uint8)
    body = person(150, 20, 220)
    ankles = body[[COCO17.index("left_ankle"), COCO17.index("right_ankle")]]
    toes, heels = ankles + np.array([30, 24, 0]), ankles + np.array([-12, 22, 0])
    keypoints = np.concatenate([body, toes, heels])
    out = draw_skeleton(image, keypoints, COCO17_FEET)
    for side, colour in enumerate((LEFT, RIGHT)):
        x, y = np.round((toes[side, :2] + heels[side, :2]) / 2).astype(int)
        assert np.abs(out[y, x].astype(int) - colour).max() < 8, "the sole"


def test_thickness_follows_the_person_and_opacity_the_score() -> None:
    image = np.full((1000, 1000, 3), 90, np.uint8)
    areas = [painted(image, draw_skeleton(image, person(500, 50, h), COCO17)).sum() for h in (150, 600)]
    assert areas[1] > 8 * areas[0]
    changes = []
    for score in (0.25, 0.6, 1.0):
        out = draw_skeleton(image, person(500, 50, 600, score), COCO17)
        changes.append(np.abs(out.astype(int) - 90).sum())
    assert changes[0] < 0.7 * changes[2] and changes[0] < changes[1] < changes[2]


def test_what_is_unsure_unknown_or_outside_is_left_out() -> None:
    image = np.full((100, 100, 3), 90, np.uint8)
    low = person(50, 5, 90, 0.1)
    assert not painted(image, draw_skeleton(image, low, COCO17)).any()
    unknown = person(50, 5, 90)
    unknown[:, :2] = np.nan
    assert not painted(image, draw_skeleton(image, unknown, COCO17)).any()
    far = person(50, 5, 90)
    far[COCO17.index("left_wrist"), :2] = 1e12
    far[COCO17.index("right_wrist"), :2] = -40.0
    assert painted(image, draw_skeleton(image, far, COCO17)).any()


def write_overlay(path: Path, source_path: Path, size: tuple[int, int] = (clips.WIDTH, clips.HEIGHT)) -> None:
    source = open_source(source_path)
    with OverlayWriter(path, *size, fps=source.info.fps, sound_from=source_path) as writer:
        for frame in source.frames():
            assert frame.image is not None
            writer.write(np.resize(frame.image, (size[1], size[0], 3)), frame.time_s)


def test_the_overlay_keeps_times_and_sound_and_starts_fast(tmp_path: Path) -> None:
    times = [0.0, 0.05, 0.06, 0.5, 1.2, 1.21]
    source = clips.write_clip(tmp_path / "a.mp4", times_s=times, sound=True)
    write_overlay(tmp_path / "out.mp4", source)
    frames = list(open_source(tmp_path / "out.mp4").frames())
    np.testing.assert_allclose([frame.time_s for frame in frames], times, atol=1e-3)
    assert [clips.number_of(frame.image) for frame in frames if frame.image is not None] == list(range(6))
    with av.open(str(source)) as before, av.open(str(tmp_path / "out.mp4")) as after:
        assert after.streams.video[0].codec_context.name == "h264"
        assert after.streams.video[0].codec_context.pix_fmt == "yuv420p"
        sounds = [[bytes(p) for p in clip.demux(audio=0) if p.size] for clip in (before, after)]
    assert len(sounds[1]) >= len(sounds[0]) - 4
    assert sounds[1] == sounds[0][: len(sounds[1])]
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_odd_sizes_are_padded_to_even(tmp_path: Path) -> None:
    with OverlayWriter(tmp_path / "out.mp4", 61, 41) as writer:
        writer.write(np.full((41, 61, 3), 200, np.uint8), 0.0)
    (frame,) = open_source(tmp_path / "out.mp4").frames()
    assert frame.image is not None and frame.image.shape == (42, 62, 3)
    assert np.abs(frame.image.astype(int) - 200).max() < 8


@pytest.mark.parametrize("size", [(320, 240), (1280, 720)])
def test_colours_survive(tmp_path: Path, size: tuple[int, int]) -> None:
    with OverlayWriter(tmp_path / "out.mp4", *size) as writer:
        writer.write(np.full((size[1], size[0], 3), (200, 60, 30), np.uint8), 0.0)
    (frame,) = open_source(tmp_path / "out.mp4").frames()
    assert frame.image is not None
    assert np.abs(frame.image[9:-9, 9:-9].astype(int) - (200, 60, 30)).max() <= 5


def test_equal_times_still_give_one_frame_each(tmp_path: Path) -> None:
    with OverlayWriter(tmp_path / "out.mp4", 64, 48) as writer:
        for _ in range(3):
            writer.write(np.zeros((48, 64, 3), np.uint8), 0.5)
    assert len(list(open_source(tmp_path / "out.mp4").frames())) == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_overlay_leaves_the_old_one_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"old")
    with pytest.raises(error), OverlayWriter(target, 64, 48) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8), 0.0)
        raise error
    assert target.read_bytes() == b"old" and list(tmp_path.iterdir()) == [target]


def test_what_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError), OverlayWriter(tmp_path / "file" / "out.mp4", 64, 48):
        pass
    with pytest.raises(OutputError, match="no frame"), OverlayWriter(tmp_path / "out.mp4", 64, 48):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
