from __future__ import annotations

import gc
import time
import tracemalloc

import numpy as np
import pytest

from tests import clips
from tests.live.dot_stream import FAST, SHAPE, near, picture, walking
from ttpose.core.errors import InputError, NoPersonError
from ttpose.inference.crops import PersonCrop
from ttpose.live import run
from ttpose.live.run import Live, LiveSettings, person_of
from ttpose.live.streams import LiveSource, open_live
from ttpose.live.window import Key
from ttpose.media import Frame
from ttpose.models.person import PersonDelta
from ttpose.results import read_json


def _settings(**more):
    return LiveSettings(learn=FAST, **{"every_frame": True, **more})


def _stream(frames, endless=False):
    return LiveSource("a stream", frames, endless)


def test_as_many_frames_come_out_of_a_file_as_go_in(tmp_path, loaded, detector):
    clip = clips.write_clip(tmp_path / "walk.mp4", 60, images=[picture(i) for i in range(60)])
    output = tmp_path / "out" / "live.json"
    summary = Live(loaded, detector, _settings(output=output)).run(open_live(clip))
    result = read_json(output)
    assert summary.frames == len(result.frames) == result.source["frames"] == 60
    assert summary.dropped == 0
    assert [frame.index for frame in result.frames] == list(range(60))
    assert all(near(frame.people[0].keypoints, frame.index) for frame in result.frames)
    assert summary.learned.steps > 0
    assert summary.learned.checks > 0
    assert result.model["guard"]["decision"] == summary.learned.report.decision
    assert list(tmp_path.glob("out/*")) == [output]


def test_memory_does_not_grow(loaded, detector):
    sizes, crops = [], []

    def alive():
        gc.collect()
        return sum(type(thing) is PersonCrop for thing in gc.get_objects())

    before = alive()  # other tests' fixtures

    def stream():
        for frame in walking(200):
            if frame.index % 50 == 49:
                crops.append(alive() - before)
                sizes.append(tracemalloc.get_traced_memory()[0])
            yield frame

    tracemalloc.start()
    try:
        Live(loaded, detector, _settings()).run(_stream(stream()))
    finally:
        tracemalloc.stop()
    one_crop = 192 * 192 * 3
    assert max(crops) <= 8 + 9 + 4  # the ring, those for checks, and what is being worked on
    assert sizes[3] < sizes[0] + 20 * one_crop  # 150 frames later
    assert sizes[3] < sizes[2] + 10 * one_crop


def test_a_camera_is_read_at_its_own_pace(loaded, detector):
    def camera():
        for frame in walking(80):
            time.sleep(0.002)
            yield frame

    summary = Live(loaded, detector, _settings()).run(_stream(camera(), endless=True))
    assert summary.frames + summary.dropped == 80
    assert summary.dropped > 0


def test_it_ends_after_the_seconds_asked_for(loaded, detector):
    assert Live(loaded, detector, _settings(seconds=1.0)).run(_stream(walking(80))).frames == 25


def test_a_stream_that_breaks_off_keeps_what_was_seen(tmp_path, loaded, detector):
    def breaking(after):
        yield from walking(after)
        raise InputError(f"stopped after {after}", "check the cable")

    output = tmp_path / "live.json"
    summary = Live(loaded, detector, _settings(output=output)).run(_stream(breaking(20)))
    assert "stopped after 20" in str(summary.broken)
    assert len(read_json(output).frames) == 20
    with pytest.raises(InputError, match="stopped after 0"):
        Live(loaded, detector, _settings()).run(_stream(breaking(0)))


def test_nobody_and_damaged_frames(tmp_path, loaded, detector):
    black = np.zeros((*SHAPE, 3), np.uint8)
    with pytest.raises(NoPersonError, match="no person was found"):
        Live(loaded, detector, _settings()).run(_stream(Frame(i, i / 25, black) for i in range(5)))
    frames = (Frame(i, i / 25, None if i == 3 else picture(i)) for i in range(6))
    output = tmp_path / "live.json"
    Live(loaded, detector, _settings(output=output)).run(_stream(frames))
    assert [bool(frame.people) for frame in read_json(output).frames] == [True] * 3 + [False] + [True] * 2
    assert read_json(output).frames[3].note == "the frame is damaged"


class _Window:
    """A window that presses a key at some frames."""

    def __init__(self, keys):
        self.keys, self.texts, self.asked = keys, [], 0

    def key(self):
        self.asked += 1
        return self.keys.get(self.asked - 1)

    def show(self, image, text):
        assert image.shape == (*SHAPE, 3)
        self.texts.append(text)


def test_the_keys(loaded, detector):
    saved = []
    window = _Window({5: Key.pause, 10: Key.save, 15: Key.toggle, 20: Key.pause, 30: Key.quit})
    summary = Live(loaded, detector, _settings(), window=window, save=saved.append).run(_stream(walking(60)))
    assert summary.frames == len(window.texts) == 30
    assert [i for i, text in enumerate(window.texts) if "paused" in text] == list(range(5, 20))
    assert len(saved) == 1


class _Comparing(_Window):
    """A window whose user looks at the base for ten frames once learned weights predict, then quits."""

    def __init__(self):
        super().__init__({})
        self.since = None

    def key(self):
        shown = len(self.texts)
        if self.since is None:
            if not shown or "personalized" not in self.texts[-1]:
                return None
            self.since = shown
            return Key.toggle
        return {10: Key.toggle, 15: Key.quit}.get(shown - self.since)


def test_the_base_can_be_looked_at(loaded, detector, monkeypatch):
    used, original = [], run.predict_in_box

    def predict(image, box, model, settings):
        if len(used) < len(window.texts) + 1:  # a corrected box is predicted again
            used.append(model)
        return original(image, box, model, settings)

    monkeypatch.setattr(run, "predict_in_box", predict)
    window = _Comparing()
    Live(loaded, detector, _settings(), window=window).run(_stream(walking(3000)))
    assert window.since is not None, "nothing was learned in so many frames"
    base, since = loaded.network, window.since
    assert used[since : since + 10] == [base] * 10
    assert used[since + 10] is not base
    assert all("base" in text for text in window.texts[since : since + 10])
    assert "personalized" in window.texts[since + 10]


def test_what_was_learned_can_be_saved_and_loaded(tmp_path, loaded, detector):
    summary = Live(loaded, detector, _settings()).run(_stream(walking(80)))
    person = person_of(summary.learned, loaded, "a stream")
    person.save(tmp_path / "p.safetensors")
    again = PersonDelta.load(tmp_path / "p.safetensors", loaded.base_sha256)
    assert again.changes.keys() == person.changes.keys()
    assert again.notes["mode"] == "live"
