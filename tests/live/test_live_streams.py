from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests import clips
from tests.live.dot_stream import walking
from ttpose.core.errors import InputError, UsageError
from ttpose.live.streams import Newest, open_live, paced


def _slowly(frames, seconds):
    for frame in frames:
        time.sleep(seconds)
        yield frame


def test_only_the_newest_frame_waits():
    stream = Newest(_slowly(walking(60), 0.005))
    taken = []
    for frame in stream:
        if frame is not None:
            taken.append(frame.index)
            time.sleep(0.03)
    assert taken == sorted(set(taken))
    assert taken[-1] == 59
    assert 2 < len(taken) < 40
    assert len(taken) + stream.dropped == 60


def test_waiting_does_not_block():
    begin, ticks = time.monotonic(), 0
    for frame in Newest(_slowly(walking(2), 0.3)):
        ticks += frame is None
    assert ticks >= 4
    assert time.monotonic() - begin < 5


def test_closing_ends_the_reading_and_closes_the_stream():
    closed = []

    def endless():
        try:
            while True:
                yield from walking(10)
        finally:
            closed.append(True)

    stream = Newest(endless())
    next(iter(stream))
    stream.close()
    assert closed == [True]


def test_a_stream_that_breaks_off_says_so():
    def breaking():
        yield from walking(3)
        raise InputError("camera 0 stopped after 3 frames")

    with pytest.raises(InputError, match="stopped after 3"):
        list(Newest(breaking()))


def test_a_file_can_be_paced():
    begin = time.monotonic()
    assert len(list(paced(walking(10)))) == 10
    assert 0.36 <= time.monotonic() - begin < 2


def test_files_addresses_and_cameras(tmp_path):
    stream = open_live(clips.write_clip(tmp_path / "a.mp4", 5))
    assert (stream.endless, [frame.index for frame in stream.frames]) == (False, [0, 1, 2, 3, 4])
    with pytest.raises(InputError, match="cannot read"):
        open_live(str(tmp_path / "none.mp4"))
    with pytest.raises(UsageError, match="folder"):
        open_live(str(tmp_path))
    with pytest.raises(InputError, match="camera 987 cannot be opened") as error:
        open_live(987)
    assert "--camera" in error.value.hint
    with pytest.raises(InputError, match="cannot be opened"):
        open_live("rtsp://127.0.0.1:9/nothing")


@pytest.mark.parametrize("beside_window", [False, True])
def test_a_part_of_a_file(tmp_path, beside_window):
    clip = clips.write_clip(tmp_path / "a.mp4", 30)
    frames = list(open_live(clip, beside_window=beside_window, time_range=(0.5, 0.7)).frames)
    assert [(frame.index, clips.number_of(frame.image)) for frame in frames] == [(i, 15 + i) for i in range(6)]
    begin = time.monotonic()
    assert len(list(paced(frame for frame in frames))) == 6
    assert time.monotonic() - begin < 0.45  # it does not wait for what is before


def test_a_network_stream_is_captured_until_it_breaks_off(tmp_path):
    clip = clips.write_clip(tmp_path / "a.mp4", 5)
    stream = open_live(f"file://{clip}")  # an address like any other to OpenCV's reader
    frames = []
    with pytest.raises(InputError, match="stopped after 5 frames"):
        for frame in stream.frames:
            frames.append(frame)
    assert stream.endless
    assert [clips.number_of(frame.image) for frame in frames] == [0, 1, 2, 3, 4]
    assert frames[0].image[24, 4].argmax() == 0  # the red patch is red


def test_beside_a_window_nothing_is_loaded_that_makes_it_stand_still(tmp_path):
    clip = clips.write_clip(tmp_path / "a.mp4", 5)
    code = (
        "import sys; import ttpose.live.run; from ttpose.live.window import Window\n"
        "from ttpose.live.streams import open_live\n"
        "frames = list(open_live(sys.argv[1], beside_window=True).frames)\n"
        "print(*[f.index for f in frames], round(frames[4].time_s, 3), *{'av', 'decord'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code, str(clip)], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["0", "1", "2", "3", "4", "0.133"]


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize("beside_window", [False, True])
def test_pixels_are_square_whoever_reads_the_file(tmp_path, rotation, beside_window):
    from fractions import Fraction

    from tests.odd_inputs import write_video

    path = write_video(tmp_path / "a.mp4", frames=3, aspect=Fraction(4, 3), rotation=rotation)
    shapes = {frame.image.shape for frame in open_live(path, beside_window=beside_window).frames}
    assert shapes == {(213, 120, 3) if rotation else (120, 213, 3)}
