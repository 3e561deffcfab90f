from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests import clips
from ttpose.media import open_source
from ttpose.media.ahead import read_ahead


def _threads() -> int:
    return sum(thread.name == "ttpose-read-ahead" for thread in threading.enumerate())


def test_items_come_in_order_and_only_so_many_ahead() -> None:
    made = []

    def items():
        for number in range(20):
            made.append(number)
            yield number

    reader = read_ahead(items(), 3)
    assert next(reader) == 0
    until = time.monotonic() + 5
    while len(made) < 5 and time.monotonic() < until:
        time.sleep(0.001)
    time.sleep(0.02)
    assert len(made) == 5  # one given, three waiting, one at the door
    assert list(reader) == list(range(1, 20))
    assert _threads() == 0


@pytest.mark.parametrize("most", [1, 4])
@pytest.mark.parametrize("taken", [1, 2, 3, 5])
def test_leaving_early_closes_the_source(most: int, taken: int) -> None:
    closed = []

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.append(threading.current_thread().name)

    for _ in range(20):  # whatever the two threads are doing just then
        reader = read_ahead(endless(), most)
        for _ in range(taken):
            next(reader)
        reader.close()
    assert closed == ["ttpose-read-ahead"] * 20
    assert _threads() == 0


def test_errors_arrive_after_the_items_before_them() -> None:
    def failing():
        yield 1
        raise ValueError("broken")

    reader = read_ahead(failing(), 4)
    assert next(reader) == 1
    with pytest.raises(ValueError, match="broken"):
        next(reader)


def test_videos_are_read_ahead_and_dropped_readers_end(tmp_path: Path) -> None:
    source = open_source(clips.write_clip(tmp_path / "a.mp4", 40))
    reader = source.frames()
    assert next(reader).index == 0
    assert _threads() == 1
    del reader
    assert _threads() == 0
    assert [frame.index for frame in source.frames(7)] == list(range(0, 40, 7))


def test_an_open_reader_does_not_keep_the_process_from_ending(tmp_path: Path) -> None:
    clip = clips.write_clip(tmp_path / "a.mp4", 40)
    code = "import sys; from ttpose.media import open_source; reader = open_source(sys.argv[1]).frames(); next(reader)"
    subprocess.run([sys.executable, "-c", code, str(clip)], check=True, timeout=60)
