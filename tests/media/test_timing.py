"""A part of a clip, and the clock of clips that play slower than they were filmed."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from tests.clips import FPS, number_of, picture, write_clip
from ttpose.core.errors import UsageError
from ttpose.media import Reading, open_source, write_image
from ttpose.media.slow_motion import edit_list_factor


def shown(path: Path, reading: Reading, step: int = 1) -> list[tuple[int, int, float]]:
    """Number, number shown and time of each frame."""
    frames = open_source(path, reading).frames(step)
    return [(f.index, -1 if f.image is None else number_of(f.image), round(f.time_s, 6)) for f in frames]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_a_part_is_numbered_from_0_and_keeps_the_clock(tmp_path: Path, suffix: str) -> None:
    path = write_clip(tmp_path / f"clip{suffix}", 60)
    source = open_source(path, Reading(time_range=(0.5, 1.2)))
    frames = list(source.frames())
    assert [number_of(frame.image) for frame in frames if frame.image is not None] == list(range(15, 36))
    assert [frame.index for frame in frames] == list(range(21))
    assert frames[0].time_s == pytest.approx(0.5, abs=1e-3)
    assert source.info.first_frame == 15
    if suffix != ".avi":  # which does not list its frames
        assert (source.info.frames, source.info.duration_s) == (21, pytest.approx(0.7, abs=1e-3))
    assert source.info.describe(21)["time_range"] == [0.5, 1.2]
    part = [frame.index for frame in source.part(3, 6)]
    assert part == [3, 4, 5]
    assert [frame.index for frame in source.part(18, 99)] == [18, 19, 20]
    assert [index for index, _, _ in shown(path, Reading(time_range=(0.5, 1.2)), step=8)] == [0, 8, 16]


def test_a_part_has_the_pixels_of_the_whole(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 40)
    whole = {frame.index: frame.image for frame in open_source(path).frames()}
    for frame in open_source(path, Reading(time_range=(0.4, 0.8))).frames():
        np.testing.assert_array_equal(frame.image, whole[frame.index + 12])


@pytest.mark.parametrize("part", [(3.0, 4.0), (2.0, 9.0), (0.51, 0.52)])
def test_a_part_without_a_frame_is_refused(tmp_path: Path, part: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match=r"no frame is shown from .* in .*clip.mp4, which lasts 2.0 s"):
        open_source(write_clip(tmp_path / "clip.mp4", 60), Reading(time_range=part))


def test_a_part_that_reaches_beyond_the_end_says_so(tmp_path: Path) -> None:
    source = open_source(write_clip(tmp_path / "clip.mp4", 60), Reading(time_range=(1.0, 9.0)))
    assert len(list(source.frames())) == 30
    assert source.warnings == ["the time range ends at 9 s, the clip at 2.0 s"]


def test_a_photo_has_neither_part_nor_clock(tmp_path: Path) -> None:
    write_image(tmp_path / "photo.png", picture(5))
    source = open_source(tmp_path / "photo.png", Reading(slow_motion=8, time_range=(3, 4)))
    assert len(list(source.frames())) == 1 and source.info.slow_motion == 1


@pytest.mark.parametrize("reading", [Reading(slow_motion=8), Reading(capture_fps=240), Reading(capture_fps=239.76)])
def test_slow_motion_is_on_the_clock_of_filming(tmp_path: Path, reading: Reading) -> None:
    path = write_clip(tmp_path / "clip.mp4", 48)
    source = open_source(path, reading)
    assert (source.info.fps, source.info.duration_s, source.info.frames) == (240, pytest.approx(0.2), 48)
    assert [frame.time_s for frame in source.frames()] == pytest.approx([t / 240 for t in range(48)])
    assert source.info.describe(48)["slow_motion"] == 8
    assert [frame.time_s for frame in source.part(10, 12)] == pytest.approx([10 / 240, 11 / 240])


def test_a_part_of_slow_motion_is_named_as_it_plays_and_timed_as_it_was_filmed(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 60)
    found = shown(path, Reading(slow_motion=4, time_range=(1.0, 1.2)))
    assert found == [(i, 30 + i, round((30 + i) / FPS / 4, 6)) for i in range(6)]


def test_how_a_clip_was_read_can_be_read_from_its_keypoint_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 60)
    for reading in (
        Reading(slow_motion=8, time_range=(0.5, 1.0)), Reading(fps=50, capture_fps=100), Reading(fps=10), Reading(),
    ):  # fmt: skip
        first = shown(path, reading)
        told = open_source(path, reading).info.describe(len(first))
        assert shown(path, Reading.of(told)) == first


def with_edit_list(path: Path, target: Path, factor: int, *, rate: bool) -> Path:
    """The clip with an edit list that plays it slower, by a rate or by its length alone."""
    data = bytearray(path.read_bytes())
    at = data.find(b"elst")
    (units,) = struct.unpack_from(">I", data, at + 12)
    struct.pack_into(">I", data, at + 12, units * factor)
    if rate:
        struct.pack_into(">hH", data, at + 20, 0, 65536 // factor)
    target.write_bytes(data)
    return target


@pytest.mark.parametrize("rate", [True, False])
def test_an_edit_list_that_plays_slower_is_told_and_can_be_followed(tmp_path: Path, rate: bool) -> None:
    plain = write_clip(tmp_path / "plain.mp4", 48, times_s=[t / 250 for t in range(48)])
    slow = with_edit_list(plain, tmp_path / "slow.mp4", 8, rate=rate)
    assert edit_list_factor(plain) == pytest.approx(1, abs=0.05)
    assert open_source(plain).warnings == []
    (note,) = open_source(slow).warnings
    assert note.startswith("its edit list plays this clip 8 times slower than it was filmed")
    assert "250 frames a second" in note and "--slow-motion 0.125" in note
    assert open_source(slow).info.fps == pytest.approx(250)
    assert open_source(slow, Reading(slow_motion=0.125)).info.fps == pytest.approx(250 / 8)
    assert open_source(slow, Reading(slow_motion=1)).warnings == []  # the user has decided


def test_a_camera_s_note_of_the_rate_of_filming_is_told(tmp_path: Path) -> None:
    write_clip(tmp_path / "plain.mp4", 30)
    with (
        av.open(str(tmp_path / "plain.mp4")) as source,
        av.open(str(tmp_path / "phone.mp4"), "w", options={"movflags": "use_metadata_tags"}) as out,
    ):
        out.metadata["com.android.capture.fps"] = "240.000000"
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    (note,) = open_source(tmp_path / "phone.mp4").warnings
    assert note.startswith("this clip was filmed at 240 frames a second and plays at 30")
    assert "--capture-fps 240" in note
    assert open_source(tmp_path / "phone.mp4", Reading(capture_fps=240)).info.fps == pytest.approx(240)


@pytest.mark.parametrize("cut", [0, 7, 12, 40, 300])
def test_damaged_boxes_say_nothing(tmp_path: Path, cut: int) -> None:
    data = write_clip(tmp_path / "clip.mp4", 10, faststart=True).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[:cut])
    found = edit_list_factor(tmp_path / "cut.mp4")
    assert found is None or math.isfinite(found)
