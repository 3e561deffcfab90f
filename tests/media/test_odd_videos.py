"""Every kind of odd video gives the right frames at the right times, and says what was done."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests import clips
from tests.odd_inputs import ODD_VIDEOS, SIZE, Odd, Track, write_changing, write_subtitles, write_video
from ttpose.core.errors import InputError
from ttpose.media import Frame, OverlayWriter, Reading, open_source
from ttpose.media.cut_off import bytes_missing
from ttpose.media.video import CUT, VideoSource


def numbers(frames: list[Frame]) -> list[int | None]:
    return [None if frame.image is None else clips.number_of(frame.image) for frame in frames]


@pytest.mark.parametrize("odd", ODD_VIDEOS, ids=lambda odd: odd.name)
def test_an_odd_video_is_read_rightly(odd: Odd, tmp_path: Path) -> None:
    source = open_source(write_video(tmp_path / odd.name, **{"frames": odd.frames, **odd.make}))
    frames = list(source.frames())
    assert (source.info.width, source.info.height) == odd.size
    assert [frame.index for frame in frames] == list(range(odd.frames))
    assert {frame.image.shape for frame in frames if frame.image is not None} == {(*odd.size[::-1], 3)}
    times = [frame.time_s for frame in frames]
    np.testing.assert_allclose(times, odd.start + odd.times * np.arange(odd.frames), atol=1.1e-3)  # Matroska: 1 ms
    assert {frame.note for frame in frames} == {None}
    if odd.band:
        assert numbers(frames) == list(range(odd.frames))
    told = " ".join(source.warnings)
    assert odd.warns in told and bool(told) == bool(odd.warns)
    found = source.info.describe(len(frames))
    usual = {"path", "kind", "width", "height", "frames", "duration_s"}
    assert {key: value for key, value in found.items() if key not in usual} == odd.source
    assert source.passed == odd.frames


def test_square_pixels_show_things_in_their_true_shape(tmp_path: Path) -> None:
    disc = np.full((120, 160, 3), 40, np.uint8)
    y, x = np.mgrid[:120, :160]
    disc[((x - 80) * 2) ** 2 + (y - 60) ** 2 < 40**2] = 220  # at 2:1 a circle of radius 40
    path = tmp_path / "disc.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2)
        out.mux([*stream.encode(av.VideoFrame.from_ndarray(disc, format="rgb24")), *stream.encode()])
    (frame,) = open_source(path).frames()
    assert frame.image is not None
    rows, columns = np.nonzero(frame.image[..., 0] > 128)
    assert np.ptp(columns) == pytest.approx(np.ptp(rows), abs=2) and np.ptp(rows) == pytest.approx(79, abs=2)
    assert columns.mean() == pytest.approx(159.5, abs=1)  # pixel centres stay where they are


def test_greys_reach_from_black_to_white(tmp_path: Path) -> None:
    for bits in (10, 12, 14, 16):
        path = write_video(tmp_path / f"{bits}.mkv", frames=3, grey_bits=bits)
        image = next(iter(open_source(path).frames())).image
        assert image is not None
        expected = clips.picture(0)[..., 1]
        np.testing.assert_allclose(image[..., 0], expected, atol=1)
        assert (image == image[..., :1]).all()


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4", "avi", "h264"])
@pytest.mark.parametrize("sizes", [((160, 120), (120, 160)), ((120, 160), (160, 120)), ((160, 120), (320, 240))])
def test_each_frame_keeps_its_own_shape(
    tmp_path: Path, suffix: str, sizes: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    source = open_source(write_changing(tmp_path / f"a.{suffix}", sizes))
    frames = list(source.frames())
    assert len(frames) == 20
    (first, second), scale = sizes, min(sizes[0][0] / sizes[1][0], sizes[0][1] / sizes[1][1])
    shown = [round(side * scale) for side in second]
    x, y = (first[0] - shown[0]) // 2, (first[1] - shown[1]) // 2
    for frame in frames:
        assert frame.image is not None and frame.image.shape == (*first[::-1], 3)
        later = frame.index >= 10
        assert (frame.note is not None) == later
        if later:
            assert f"{second[0]}×{second[1]}" in str(frame.note) and f"{first[0]}×{first[1]}" in str(frame.note)
            inside = frame.image[y : y + shown[1], x : x + shown[0]]
            band = inside[: round(16 * scale)]
            cells = [cell[2:-2, 2:-2].mean() > 127 for cell in np.array_split(band, 8, axis=1)]
            assert sum(int(cell) << bit for bit, cell in enumerate(cells)) == frame.index
            frame.image[y : y + shown[1], x : x + shown[0]] = 0
            assert not frame.image.any()  # black around it


CUT_KINDS = {
    "a.mp4": {"faststart": True}, "b.mp4": {"codec": "libx265", "faststart": True}, "a.mov": {"faststart": True},
    "a.mkv": {}, "a.webm": {"codec": "libvpx-vp9"}, "b.webm": {"codec": "libvpx"}, "a.avi": {},
    "b.avi": {"codec": "mpeg4"}, "a.ts": {}, "a.flv": {}, "a.wmv": {"codec": "wmv2"},
}  # fmt: skip


@pytest.mark.parametrize("share", [0.6, 0.9])
@pytest.mark.parametrize("name", CUT_KINDS)
def test_a_file_that_is_cut_off_gives_every_frame_that_is_whole_and_says_so(
    tmp_path: Path, name: str, share: float
) -> None:
    whole = write_video(tmp_path / name, frames=60, **CUT_KINDS[name])
    cut = clips.truncated(whole, tmp_path / f"cut{name}", share)
    source = open_source(cut)
    frames = list(source.frames())
    with av.open(str(cut)) as container:
        complete = sum(packet.size > 0 and not packet.is_corrupt for packet in container.demux(video=0))
    seen = numbers(frames)
    assert 10 < complete - 1 <= len(frames) <= complete + 1 < 60
    assert seen[: complete - 2] == list(range(complete - 2))  # the last ones may be built on one that is cut
    assert "missing" in source.warnings[0]
    assert bytes_missing(cut) > 0 and bytes_missing(whole) == 0
    assert open_source(whole).warnings == []


def test_of_a_frame_that_the_file_ends_in_its_beginning_is_shown(tmp_path: Path) -> None:
    # Slices, as x264 writes them by default: those that are there can be read.
    options = {"slices": "4", "bf": "0"}
    whole = write_video(tmp_path / "a.mp4", frames=4, options=options, faststart=True)
    with av.open(str(whole)) as container:
        key = next(packet for packet in container.demux(video=0) if packet.is_keyframe)
        end = key.pos + int(key.size * 0.8)
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[:end])
    source = open_source(tmp_path / "cut.mp4")
    (frame,) = source.frames()
    assert frame.note == CUT and frame.image is not None
    error = np.abs(frame.image[:60].astype(int) - clips.picture(0)[:60])
    assert error.mean() < 12


def test_a_track_is_taken_by_its_number(tmp_path: Path) -> None:
    path = write_video(tmp_path / "two.mp4", frames=5, tracks=[Track((80, 60)), Track()], sound=True)
    source = open_source(path, Reading(stream=0))
    assert (source.info.width, source.info.stream, source.decoder) == (80, 0, "pyav")
    assert {frame.image.shape for frame in source.frames() if frame.image is not None} == {(60, 80, 3)}
    for number in (2, 7):  # the sound, and nothing
        with pytest.raises(InputError, match=f"no video track {number}") as caught:
            open_source(path, Reading(stream=number))
        assert "0 (80×60)" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["a.mp4", "bare.mjpeg", "a.avi"])
def test_a_rate_that_is_given_spaces_the_frames(tmp_path: Path, name: str) -> None:
    made = {"codec": "mjpeg", "pix_fmt": "yuvj420p"} if name.endswith("mjpeg") else {}
    source = open_source(write_video(tmp_path / name, frames=6, **made), Reading(fps=240))
    assert [frame.time_s for frame in source.frames()] == pytest.approx([i / 240 for i in range(6)])
    assert source.info.fps == 240 and source.info.duration_s == pytest.approx(6 / 240) and source.warnings == []
    assert Reading.of(source.info.describe(6)) == Reading(fps=240)


def test_a_cut_mp4_with_a_gap_keeps_the_times_of_what_is_there(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", frames=60, options={"bf": "3", "b-adapt": "0"}, faststart=True)
    frames = list(open_source(clips.truncated(whole, tmp_path / "cut.mp4", 0.8)).frames())
    for frame, number in zip(frames[:-3], numbers(frames), strict=False):
        assert number is not None and frame.time_s == pytest.approx(number / 30, abs=1e-3)


def test_decord_is_not_given_what_it_reads_wrongly(tmp_path: Path) -> None:
    pytest.importorskip("decord")
    assert VideoSource(write_video(tmp_path / "plain.mp4")).decoder == "decord"
    assert VideoSource(write_video(tmp_path / "wide.mp4", aspect=Fraction(4, 3))).decoder == "pyav"
    assert VideoSource(write_changing(tmp_path / "turned.mkv", [SIZE, SIZE[::-1]])).decoder == "pyav"
    assert VideoSource(write_video(tmp_path / "two.mkv", tracks=[Track((80, 60)), Track()])).decoder == "pyav"


@pytest.mark.parametrize(
    ("make", "hint"), [(write_subtitles, "only subtitles"), (clips.write_audio_only, "only sound")]
)
def test_what_has_no_pictures_says_what_it_has(tmp_path: Path, make: object, hint: str) -> None:
    path = tmp_path / ("a.srt" if make is write_subtitles else "a.m4a")
    make(path)  # type: ignore[operator]
    with pytest.raises(InputError, match="no video track") as caught:
        open_source(path)
    assert hint in str(caught.value.hint)


def test_an_overlay_keeps_the_start_on_the_clock_and_the_sound_with_it(tmp_path: Path) -> None:
    path = write_video(tmp_path / "late.mp4", frames=10, late_s=0.5, sound=True)
    source = open_source(path)
    with OverlayWriter(tmp_path / "over:lay.mp4", *SIZE, fps=30, sound_from=path) as writer:
        for frame in source.frames():
            assert frame.image is not None
            writer.write(frame.image, frame.time_s)
    with av.open(f"file:{tmp_path / 'over:lay.mp4'}") as container:
        starts = {s.type: float(s.start_time * s.time_base) for s in container.streams}
    assert starts["video"] == pytest.approx(0.5, abs=1e-3) and starts["audio"] == pytest.approx(0, abs=0.03)
    again = [frame.time_s for frame in open_source(tmp_path / "over:lay.mp4").frames()]
    assert again == pytest.approx([0.5 + i / 30 for i in range(10)], abs=1e-3)
