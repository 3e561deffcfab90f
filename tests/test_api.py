"""The Python functions of `import ttpose`, with the shipped base."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import ttpose
from tests import sample
from ttpose.adaptation.settings import PRESETS
from ttpose.core.errors import InputError, NoPersonError, UsageError, WeightsError
from ttpose.core.skeleton import COCO17
from ttpose.inference.ensemble import EnsembleMember
from ttpose.results import read_json, write_json


@pytest.fixture(scope="module")
def pose() -> ttpose.api.Pose:
    return ttpose.load_model(device="cpu")


def distance(keypoints: np.ndarray, frame: int) -> np.ndarray:
    """From the truth, in torso lengths, [17]."""
    true = sample.truth()[frame]
    torso = np.linalg.norm(true[[5, 6], :2].mean(0) - true[[11, 12], :2].mean(0))
    return np.linalg.norm(keypoints[:, :2] - true[:, :2], axis=1) / torso


def test_a_picture(pose: ttpose.api.Pose) -> None:
    found = pose.predict(sample.images()[0])
    assert found["keypoints"].shape == (17, 3)
    assert found["names"] == list(COCO17.keypoints)
    assert np.mean(distance(found["keypoints"], 0) < 0.2) > 0.9
    assert ((found["keypoints"][:, 2] >= 0) & (found["keypoints"][:, 2] <= 1)).all()


def test_a_picture_with_a_box(pose: ttpose.api.Pose) -> None:
    true = sample.truth()[0][:, :2]
    (x, y), (right, bottom) = true.min(0) - 15, true.max(0) + 15
    found = pose.predict(sample.images()[0], box=(x, y, right - x, bottom - y))
    assert found["box"] == pytest.approx([x, y, right - x, bottom - y])
    assert np.mean(distance(found["keypoints"], 0) < 0.2) > 0.9


def test_a_picture_of_nobody(pose: ttpose.api.Pose) -> None:
    with pytest.raises(NoPersonError):
        pose.predict(np.full((120, 160, 3), 100, np.uint8))
    with pytest.raises(InputError, match="uint8"):
        pose.predict(np.zeros((120, 160), np.uint8))


def test_personalize_a_clip_and_use_the_person_again(tmp_path: Path) -> None:
    clip = sample.write_part(tmp_path / "dance.mp4", range(4))
    made = ttpose.personalize(clip, preset="fast", steps=2, device="cpu", seed=3)
    assert len(made.keypoints.frames) == len(made.base_keypoints.frames) == 4
    assert made.guard.decision in ("personalized", "interpolated", "base")
    assert len(made.history) == 2
    assert all(seconds >= 0 for seconds in made.timings.values())
    made.person.save(tmp_path / "person.safetensors")
    personal = ttpose.load_model(tmp_path / "person.safetensors", device="cpu")
    assert personal.loaded.person == tmp_path / "person.safetensors"
    again = ttpose.predict(clip, weights=tmp_path / "person.safetensors", device="cpu")
    for mine, theirs in zip(again.frames, made.keypoints.frames, strict=True):
        np.testing.assert_allclose(mine.people[0].keypoints, theirs.people[0].keypoints, atol=0.05)
    write_json(again, tmp_path / "keypoints.json")
    assert read_json(tmp_path / "keypoints.json").to_dict() == again.to_dict()
    ttpose.write_overlay(clip, again, tmp_path / "overlay.mp4")
    assert (tmp_path / "overlay.mp4").stat().st_size > 1000


def test_personalize_online(tmp_path: Path) -> None:
    clip = sample.write_part(tmp_path / "dance.mp4", range(3))
    made = ttpose.personalize(clip, preset="fast", mode="online", device="cpu")
    assert len(made.history) == 3 and set(made.guard.checks) == {"base", "interpolated", "personalized"}
    truth = [sample.truth()[i] for i in range(3)]
    torso = np.linalg.norm(truth[0][[5, 6], :2].mean(0) - truth[0][[11, 12], :2].mean(0))
    for frame, true in zip(made.keypoints.frames, truth, strict=True):
        error = np.linalg.norm(frame.people[0].keypoints[:, :2] - true[:, :2], axis=-1)
        assert np.mean(error < 0.2 * torso) > 0.9
    # A part of the change is kept, as offline.
    whole = max(float(c.abs().max()) for c in made.person.changes.values())
    assert 0 < whole < 3 * 0.25 * 5e-5 * 1.5, "three steps of Adam at most, a quarter of them"
    made.person.save(tmp_path / "person.safetensors")
    assert ttpose.load_model(tmp_path / "person.safetensors", device="cpu").loaded.person is not None


def test_joints_of_a_video_are_rescored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ttpose.inference import pipeline as run

    def raised(seen, times, skeleton):
        moved = seen.keypoints.copy()
        moved[:, 9, 1] -= 50
        return moved, np.ones(moved.shape[:2], bool)

    clip = sample.write_part(tmp_path / "dance.mp4", range(3))
    plain = ttpose.predict(clip, device="cpu")
    monkeypatch.setattr(run, "rescore", raised)
    other = ttpose.predict(clip, device="cpu")
    for before, after in zip(plain.frames, other.frames, strict=True):
        lift = (before.people[0].keypoints - after.people[0].keypoints)[:, 1]
        assert abs(lift[9] - 50) < 20 and np.abs(np.delete(lift, 9)).max() < 20


def test_a_second_opinion_of_a_video(tmp_path: Path) -> None:
    clip = sample.write_part(tmp_path / "dance.mp4", range(4))
    plain = ttpose.predict(clip, device="cpu")
    asked = ttpose.predict(clip, ensemble=True, device="cpu")
    assert len(asked.frames) == len(plain.frames) == 4
    limbs = np.arange(5, 17)
    for before, after in zip(plain.frames, asked.frames, strict=True):
        keypoints = after.people[0].keypoints
        assert np.mean(distance(keypoints, after.index) < 0.2) > 0.9
        moved = np.abs(keypoints - before.people[0].keypoints)[:, :2].max(1)
        # The crop is cut with a margin, which blurs it a little.
        assert np.median(moved[limbs]) > 2 * np.median(moved[:5])


def test_a_second_opinion_of_a_photo(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "dance.png"), sample.images()[0][..., ::-1])
    plain = ttpose.predict(tmp_path / "dance.png", device="cpu")
    asked = ttpose.predict(tmp_path / "dance.png", ensemble=True, device="cpu")
    (before,), (after,) = plain.frames[0].people, asked.frames[0].people
    assert np.mean(distance(after.keypoints, 0) < 0.2) > 0.9
    assert (np.abs(after.keypoints - before.keypoints)[5:, :2].max(1) > 0.2).mean() > 0.5
    assert np.allclose(after.box.as_list(), before.box.as_list())


def test_wrong_use() -> None:
    for how in ({"preset": "best"}, {"mode": "live"}, {"steps": 0}, {"device": "cuda:99"}):
        with pytest.raises(UsageError):
            ttpose.personalize("none.mp4", **{"device": "cpu", **how})
    with pytest.raises(InputError, match=r"none\.mp4"):
        ttpose.personalize("none.mp4", device="cpu")
    with pytest.raises(WeightsError, match=r"none\.safetensors"):
        ttpose.load_model("none.safetensors", device="cpu")


def test_the_functions_keep_their_names_whatever_was_imported() -> None:
    # There is also a package ttpose.personalize, which Python would put in the function's place.
    code = """
import ttpose, sys
assert not {"torch", "cv2", "numpy"} & set(sys.modules)
import ttpose.adaptation.settings
from ttpose.core.errors import InputError
for function in (ttpose.personalize, ttpose.predict, ttpose.personalize):
    try:
        function("none.mp4", device="cpu")
    except InputError as error:
        print(error.message)
import inspect
assert str(inspect.signature(ttpose.personalize)).startswith("(source: 'Path | str', *, preset: 'str' = 'balanced'")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=sample.environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("none.mp4") == 3


@pytest.mark.parametrize("asked", [False, True])
def test_a_clip_with_more_frames_than_are_kept_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    from ttpose import api
    from ttpose.adaptation import sources

    clip = sample.write_part(tmp_path / "part.mp4", range(24))
    settings = replace(PRESETS["fast"], steps=1, ensemble=asked)
    kept = api.personalize(clip, settings=settings, device="cpu")
    monkeypatch.setattr(sources, "MOST_KEPT", 10)
    heard = []
    monkeypatch.setattr(
        EnsembleMember,
        "look",
        lambda self, crops, found, look=EnsembleMember.look: (
            heard.extend(crop.index for crop in crops) or look(self, crops, found)
        ),
    )
    again = api.personalize(clip, settings=settings, device="cpu")
    assert heard == (list(range(24)) if asked else [])
    assert [f.index for f in again.keypoints.frames] == list(range(24))
    for one, other in zip(kept.keypoints.frames, again.keypoints.frames, strict=True):
        moved = one.people[0].keypoints[:, :2] - other.people[0].keypoints[:, :2]
        # Other frames taught, and boxes were corrected once more; the pose stays where it is.
        assert float(np.median(np.abs(moved))) < 4
