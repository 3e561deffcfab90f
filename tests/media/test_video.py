from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests import clips
from ttpose.core.errors import InputError
from ttpose.media import Frame, Source, open_source
from ttpose.media.video import DAMAGED, SMEARED, VideoSource


def read(source: Source, step: int = 1) -> list[Frame]:
    return list(source.frames(step))


def shown(frames: list[Frame]) -> list[int | None]:
    return [None if frame.image is None else clips.number_of(frame.image) for frame in frames]


@pytest.fixture(params=["decord", "pyav"])
def use_decord(request: pytest.FixtureRequest) -> bool:
    if request.param == "decord":
        pytest.importorskip("decord")
    return request.param == "decord"


def test_every_frame_comes_in_order_with_its_time(tmp_path: Path, use_decord: bool) -> None:
    source = VideoSource(clips.write_clip(tmp_path / "a.mp4", 40), use_decord=use_decord)
    assert source.decoder == ("decord" if use_decord else "pyav")
    frames = read(source)
    assert [frame.index for frame in frames] == shown(frames) == list(range(40))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(40) / 30, atol=1e-4)
    assert (source.info.width, source.info.height, source.info.frames) == (clips.WIDTH, clips.HEIGHT, 40)
    assert source.info.fps == pytest.approx(30) and source.info.duration_s == pytest.approx(40 / 30)
    assert frames[5].image is not None and frames[5].image.dtype == np.uint8 and frames[5].note is None
    assert source.warnings == []


def test_steps_give_the_right_frames_and_reading_starts_over(tmp_path: Path, use_decord: bool) -> None:
    times = [0.033 * i + 0.0005 * i * i for i in range(40)]
    source = VideoSource(clips.write_clip(tmp_path / "a.mp4", times_s=times), use_decord=use_decord)
    for _ in range(2):
        assert shown(read(source, 7)) == [0, 7, 14, 21, 28, 35]
    assert [frame.index for frame in read(source, 7)] == [0, 7, 14, 21, 28, 35]
    half = source.frames()
    next(half)
    half.close()
    assert len(read(source)) == 40


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_variable_frame_rate_keeps_every_time(tmp_path: Path, suffix: str, use_decord: bool) -> None:
    times = [0.0, 0.05, 0.06, 0.5, 2.0, 2.01, 3.0]
    source = VideoSource(clips.write_clip(tmp_path / f"a.{suffix}", times_s=times), use_decord=use_decord)
    frames = read(source)
    np.testing.assert_allclose([frame.time_s for frame in frames], times, atol=1e-3)
    assert shown(frames) == list(range(7))


def test_times_count_from_the_first_frame(tmp_path: Path) -> None:
    frames = read(open_source(clips.write_clip(tmp_path / "a.mkv", times_s=[5.0, 5.5, 6.0])))
    np.testing.assert_allclose([frame.time_s for frame in frames], [0, 0.5, 1], atol=1e-3)


@pytest.mark.parametrize(("rotation", "corner"), [(0, (20, 3)), (90, (3, -21)), (180, (-21, -4)), (270, (-4, 20))])
def test_rotation_metadata_is_honoured(tmp_path: Path, rotation: int, corner: tuple[int, int]) -> None:
    source = open_source(clips.write_clip(tmp_path / "a.mov", 3, rotation=rotation))
    size = (clips.WIDTH, clips.HEIGHT) if rotation % 180 == 0 else (clips.HEIGHT, clips.WIDTH)
    assert (source.info.width, source.info.height, source.info.rotation) == (*size, rotation)
    for frame in source.frames():
        assert frame.image is not None and frame.image.shape == (size[1], size[0], 3)
        red, green, _ = frame.image[corner].astype(int)
        assert red > 180 and green < 80


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.webm", "libvpx", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.mpg", "mpeg2video", "yuv420p"),
        ("a.ts", "libx264", "yuv420p"),
        ("a.mov", "mjpeg", "yuvj420p"),
        ("a.mp4", "libx264", "yuv420p10le"),
        ("a.gif", "gif", "rgb8"),
    ],
)
def test_containers_and_codecs(tmp_path: Path, name: str, codec: str, pix_fmt: str) -> None:
    frames = read(open_source(clips.write_clip(tmp_path / name, 20, codec=codec, pix_fmt=pix_fmt)))
    assert [frame.index for frame in frames] == shown(frames) == list(range(20))
    assert all(before.time_s < after.time_s for before, after in pairwise(frames))
    assert frames[-1].time_s == pytest.approx(19 / 30, abs=0.05)


def test_one_frame(tmp_path: Path) -> None:
    source = open_source(clips.write_clip(tmp_path / "a.mp4", 1))
    assert shown(read(source)) == [0] and source.info.frames == 1 and source.info.kind == "video"


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_a_damaged_stretch_leaves_marked_places_and_a_warning(tmp_path: Path, suffix: str) -> None:
    whole = clips.write_clip(tmp_path / f"whole.{suffix}", 60, gop=12)
    source = open_source(clips.corrupted(whole, tmp_path / f"bad.{suffix}"))
    frames = read(source)
    assert [frame.index for frame in frames] == list(range(60))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(60) / 30, atol=1e-4)
    lost = [frame.index for frame in frames if frame.image is None]
    assert lost and min(lost) > 10 and max(lost) < 48, lost
    assert all(frames[index].note == DAMAGED for index in lost)
    sound = [frame for frame in frames if frame.image is not None and frame.note is None]
    assert [frame.index for frame in sound] == shown(sound) and len(sound) > 30
    assert {frame.note for frame in frames} <= {None, DAMAGED, SMEARED}
    assert len(source.warnings) == 1 and f"{len(lost)} damaged" in source.warnings[0]
    assert [frame.image is None for frame in read(source)] == [frame.image is None for frame in frames]
    assert [frame.index for frame in read(source, 5)] == list(range(0, 60, 5))


def test_damage_at_the_start_keeps_the_later_frames_in_place(tmp_path: Path) -> None:
    whole = clips.write_clip(tmp_path / "a.mp4", 40, gop=10)
    source = open_source(clips.corrupted(whole, tmp_path / "b.mp4", 0.0, 0.02))
    frames = read(source)
    assert frames[0].image is None and frames[0].time_s == 0
    assert [frame.index for frame in frames] == list(range(40))
    assert shown(frames)[10:] == list(range(10, 40))


def test_a_file_cut_short_gives_what_it_holds_and_says_what_is_missing(tmp_path: Path) -> None:
    whole = clips.write_clip(tmp_path / "a.mp4", 60, faststart=True)
    source = open_source(clips.truncated(whole, tmp_path / "cut.mp4"))
    assert "of 60 frames are missing" in source.warnings[0]
    frames = read(source)
    assert 5 < len(frames) < 60
    numbers = shown(frames)
    assert numbers[:-2] == list(range(len(frames) - 2))
    assert "of 60 frames are missing" in source.warnings[0]


@pytest.mark.parametrize("make", ["no_index", "audio_only", "empty", "text", "text_txt", "all_noise"])
def test_what_is_no_video_gets_one_clear_line(tmp_path: Path, make: str) -> None:
    path = tmp_path / ("bad.txt" if make == "text_txt" else "bad.mp4")
    if make == "no_index":
        clips.truncated(clips.write_clip(tmp_path / "a.mp4"), path)
    elif make == "audio_only":
        clips.write_audio_only(path)
    elif make == "empty":
        clips.write_empty(path)
    elif make == "all_noise":
        clips.corrupted(clips.write_clip(tmp_path / "a.mp4"), path, 0.0, 1.0)
    else:
        clips.write_text(path)
    with pytest.raises(InputError) as caught:
        open_source(path)
    assert path.name in caught.value.message and "\n" not in str(caught.value)
    expected = {"no_index": "index", "audio_only": "no video track", "empty": "empty", "all_noise": "no frame"}
    assert expected.get(make, "not a video") in caught.value.message


def test_names_that_look_like_protocols_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clips.write_clip(tmp_path / "a.mp4", 3).rename(tmp_path / "concat:take%03d é.mp4")
    assert len(read(open_source("concat:take%03d é.mp4"))) == 3


def test_large_clips_are_not_given_to_decord(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", 10)
    monkeypatch.setattr("ttpose.media.video._DECORD_BYTES", 9 * clips.WIDTH * clips.HEIGHT * 3)
    assert open_source(path).decoder == "pyav"


@pytest.mark.skipif("TTPOSE_DEV_DATA" not in os.environ, reason="TTPOSE_DEV_DATA names no development data")
@pytest.mark.parametrize(("name", "count"), [("golf_swing", 264), ("signer", 43)])
def test_both_decoders_agree_on_real_clips(name: str, count: int) -> None:
    pytest.importorskip("decord")
    path = Path(os.environ["TTPOSE_DEV_DATA"], "videos", f"{name}.mp4")
    one, other = read(VideoSource(path), 20), read(VideoSource(path, use_decord=False), 20)
    assert len(one) == -(-count // 20)
    for a, b in zip(one, other, strict=True):
        assert a.time_s == b.time_s
        np.testing.assert_array_equal(a.image, b.image)
