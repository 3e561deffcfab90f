"""The Python functions of `import ttpose`, with the shipped base."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ttpose
from tests import sample
from ttpose.adaptation.settings import PRESETS
from ttpose.core.errors import InputError, NoPersonError, UsageError, WeightsError
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17, COCO17_FEET
from ttpose.inference.ensemble import EnsembleMember
from ttpose.inference.photos import find_people, predict_people
from ttpose.inference.settings import SINGLE_VIEW
from ttpose.media import open_source, write_image
from ttpose.results import read_json, write_json, write_trc
from ttpose.tracking.detector import Detection, PersonDetector


@pytest.fixture(scope="module")
def pose() -> ttpose.api.Pose:
    return ttpose.load_model(device="cpu")


def distance(keypoints: np.ndarray, frame: int) -> np.ndarray:
    """From the truth, in torso lengths, [17]; feet have none."""
    true = sample.truth()[frame]
    torso = np.linalg.norm(true[[5, 6], :2].mean(0) - true[[11, 12], :2].mean(0))
    return np.linalg.norm(keypoints[:17, :2] - true[:, :2], axis=1) / torso


def test_a_picture(pose: ttpose.api.Pose) -> None:
    found = pose.predict(sample.images()[0])
    assert found["keypoints"].shape == (21, 3)
    assert found["names"] == list(COCO17_FEET.keypoints)
    assert np.mean(distance(found["keypoints"], 0) < 0.2) > 0.9
    assert ((found["keypoints"][:, 2] >= 0) & (found["keypoints"][:, 2] <= 1)).all()
    fast = pose.predict(sample.images()[0], preset="fast")
    assert (fast["keypoints"].shape, fast["names"]) == ((17, 3), list(COCO17.keypoints))


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


def largest(result: ttpose.api.KeypointResult) -> ttpose.results.PersonRecord:
    (frame,) = result.frames
    return max(frame.people, key=lambda person: person.box.area)


@pytest.mark.parametrize("preset", ["fast", "balanced"])
def test_one_photo_one_answer(pose: ttpose.api.Pose, tmp_path: Path, preset: str) -> None:
    """Everybody, the largest, an image in memory, and what personalizing starts from are the same box and joints."""
    photo = tmp_path / "photo.png"
    write_image(photo, sample.images()[37])
    found = pose.predict(sample.images()[37], preset=preset)
    chosen = largest(ttpose.predict(photo, subject="largest", preset=preset, device="cpu"))
    everybody = largest(ttpose.predict(photo, preset=preset, device="cpu"))
    settings = replace(PRESETS[preset], steps=1, guard=False)
    start = largest(ttpose.personalize(photo, settings=settings, device="cpu").refined_keypoints)
    for one in (chosen, everybody, start):
        np.testing.assert_allclose(one.box.as_list(), found["box"], atol=0.05)
        np.testing.assert_allclose(one.keypoints, found["keypoints"], atol=0.05)
    assert np.mean(distance(found["keypoints"], 37) < 0.2) > 0.9


def test_a_photos_preset_is_balanced_and_a_videos_is_fast(pose: ttpose.api.Pose, tmp_path: Path) -> None:
    write_image(tmp_path / "photo.png", sample.images()[37])
    clip = sample.write_part(tmp_path / "clip.mp4", range(2))
    for source, preset in ((tmp_path / "photo.png", "balanced"), (clip, "fast")):
        plain, named = (ttpose.predict(source, device="cpu", **more) for more in ({}, {"preset": preset}))
        for one, other in zip(plain.frames, named.frames, strict=True):
            np.testing.assert_allclose(one.people[0].keypoints, other.people[0].keypoints, atol=0.01)
    with pytest.raises(UsageError, match="no preset 'best'"):
        ttpose.predict(clip, preset="best", device="cpu")
    with pytest.raises(UsageError, match="no preset 'best'"):
        pose.predict(sample.images()[0], preset="best")


def test_tiny_unsure_people_in_a_photo_are_not_reported(tmp_path: Path) -> None:
    """Two spots that the detector takes for people; nothing in them looks like one to the pose model."""

    class Spots(PersonDetector):
        def __init__(self) -> None:
            pass

        def find(self, images: Any, min_score: Any = None, sizes: Any = None) -> Any:
            return [[Detection(Box(30, 30, 9, 20), 0.9), Detection(Box(60, 200, 150, 280), 0.9)] for _ in images]

    image = np.full((512, 384, 3), 120, np.uint8)
    image[30:50, 30:39] = 60
    base = ttpose.load_model(device="cpu").loaded
    boxes = find_people(image, Spots())
    assert len(boxes) == 2
    people = predict_people(image, boxes, base.network, Spots(), SINGLE_VIEW)
    assert [person.box.side > 48 for person in people] == [True], "the small one is left out, the large one told"
    assert people[0].keypoints[:, 2].mean() < 0.2


@pytest.fixture(scope="module")
def balanced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, ttpose.api.Personalization]:
    """A clip, the person learned from it, and what personalizing with the preset balanced gave."""
    folder = tmp_path_factory.mktemp("balanced")
    clip = sample.write_part(folder / "dance.mp4", range(6))
    made = ttpose.personalize(clip, settings=replace(PRESETS["balanced"], steps=2, guard=False, seed=3), device="cpu")
    made.person.save(folder / "person.safetensors")
    return clip, folder / "person.safetensors", made


def test_predicting_with_the_person_gives_what_personalizing_wrote(
    balanced: tuple[Path, Path, ttpose.api.Personalization], tmp_path: Path
) -> None:
    clip, person, made = balanced
    assert len(made.keypoints.frames) == len(made.refined_keypoints.frames) == len(made.base_keypoints.frames) == 6
    assert len(made.history) == 2 and made.person.changes
    assert all(seconds >= 0 for seconds in made.timings.values())
    assert ttpose.load_model(person, device="cpu").loaded.person == person
    again = ttpose.predict(clip, weights=person, preset="balanced", device="cpu")
    for mine, theirs in zip(again.frames, made.keypoints.frames, strict=True):
        np.testing.assert_allclose(mine.people[0].keypoints, theirs.people[0].keypoints, atol=0.05)
        np.testing.assert_allclose(mine.people[0].box.as_list(), theirs.people[0].box.as_list(), atol=0.05)
    write_json(again, tmp_path / "keypoints.json")
    assert read_json(tmp_path / "keypoints.json").to_dict() == again.to_dict()
    ttpose.write_overlay(clip, again, tmp_path / "overlay.mp4")
    assert (tmp_path / "overlay.mp4").stat().st_size > 1000


def test_a_part_of_slow_motion_follows_the_clock_of_filming_everywhere(tmp_path: Path) -> None:
    """Eight times slower, of which the frames 6 to 17: the same places, other times, rates and speeds."""
    clip = sample.write_part(tmp_path / "dance.mp4", range(24))
    whole = ttpose.predict(clip, device="cpu")
    step = whole.frames[1].time_s
    part = ttpose.predict(clip, slow_motion=8, time_range=(6 * step, 18 * step), device="cpu")
    assert [frame.index for frame in part.frames] == list(range(12))
    assert [frame.time_s for frame in part.frames] == pytest.approx([t * step / 8 for t in range(6, 18)], abs=1e-5)
    assert part.source["first_frame"] == 6 and part.source["duration_s"] == pytest.approx(12 * step / 8, rel=1e-3)
    moved = [
        np.abs(mine.people[0].keypoints - other.people[0].keypoints).max()
        for mine, other in zip(part.frames, whole.frames[6:18], strict=True)
    ]
    assert np.median(moved) < 3  # crops follow the person from another frame on
    write_trc(part, tmp_path / "a.trc")
    rate = float((tmp_path / "a.trc").read_text().splitlines()[2].split("\t")[0])
    assert rate == pytest.approx(8 / step, rel=1e-3)
    ttpose.write_overlay(clip, part, tmp_path / "overlay.mp4")
    shown = open_source(tmp_path / "overlay.mp4").info
    assert (shown.frames, shown.fps) == (12, pytest.approx(1 / step, rel=0.01))  # it plays as the clip does
    made = ttpose.personalize(
        clip, settings=replace(PRESETS["fast"], steps=1, guard=False), slow_motion=8, device="cpu",
        time_range=(6 * step, 18 * step),
    )  # fmt: skip
    assert [frame.time_s for frame in made.keypoints.frames] == [frame.time_s for frame in part.frames]
    ttpose.write_report(clip, made, tmp_path / "report.html")
    assert f'"times":[{6 * step / 8:.4f}'.rstrip("0") in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_predicting_with_the_base_gives_what_personalizing_started_from(
    balanced: tuple[Path, Path, ttpose.api.Personalization],
) -> None:
    clip, _, made = balanced
    refined = ttpose.predict(clip, preset="balanced", device="cpu")
    for mine, theirs in zip(refined.frames, made.refined_keypoints.frames, strict=True):
        np.testing.assert_allclose(mine.people[0].keypoints, theirs.people[0].keypoints, atol=0.05)
    fast = ttpose.predict(clip, device="cpu")
    for mine, theirs in zip(fast.frames, made.refined_keypoints.frames, strict=True):
        assert np.mean(distance(mine.people[0].keypoints, mine.index) < 0.2) > 0.9
        assert np.mean(distance(theirs.people[0].keypoints, theirs.index) < 0.2) > 0.9
        assert not np.allclose(mine.people[0].keypoints, theirs.people[0].keypoints[:17], atol=0.1)
    assert (refined.skeleton, fast.skeleton) == (COCO17_FEET, COCO17)


def test_feet_are_beside_the_ankles_and_can_be_left_out(tmp_path: Path) -> None:
    clip = sample.write_part(tmp_path / "dance.mp4", range(4))
    feet = ttpose.predict(clip, skeleton="coco17_feet", device="cpu")
    body = ttpose.predict(clip, preset="balanced", skeleton="coco17", device="cpu")
    assert (feet.skeleton, body.skeleton) == (COCO17_FEET, COCO17)
    for frame, other in zip(feet.frames, body.frames, strict=True):
        mine, theirs = frame.people[0].keypoints, other.people[0].keypoints
        np.testing.assert_allclose(mine[:17], theirs, atol=0.01, err_msg="the body is the same")
        torso = np.linalg.norm(theirs[[5, 6], :2].mean(0) - theirs[[11, 12], :2].mean(0))
        ankles, toes, heels = mine[15:17, :2], mine[17:19, :2], mine[19:21, :2]
        assert np.linalg.norm(heels - ankles, axis=1).max() < 0.3 * torso
        assert np.linalg.norm(toes - ankles, axis=1).max() < 0.7 * torso
        assert np.linalg.norm(toes - heels, axis=1).min() > 0.1 * torso
        assert (mine[17:, 2] > 0.3).all()
    with pytest.raises(UsageError, match="needs the ensemble"):
        ttpose.predict(clip, preset="fast", skeleton="coco17_feet", device="cpu")
    with pytest.raises(UsageError, match="no keypoint set 'feet'"):
        ttpose.personalize(clip, skeleton="feet", device="cpu")


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


def test_wrong_use() -> None:
    for how in ({"preset": "best"}, {"mode": "live"}, {"steps": 0}, {"device": "cuda:99"}):
        with pytest.raises(UsageError):
            ttpose.personalize("none.mp4", **{"device": "cpu", **how})
    with pytest.raises(InputError, match=r"none\.mp4"):
        ttpose.personalize("none.mp4", device="cpu")
    with pytest.raises(WeightsError, match=r"none\.safetensors"):
        ttpose.load_model("none.safetensors", device="cpu")


def test_the_functions_keep_their_names_whatever_was_imported() -> None:
    # A module of that name, which Python would put in the function's place, must not come back.
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


@pytest.mark.parametrize("ensemble", [False, True])
def test_a_clip_with_more_frames_than_are_kept_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ensemble: bool
) -> None:
    clip = sample.write_part(tmp_path / "part.mp4", range(12))
    fast = PRESETS["fast"]
    settings = replace(fast, steps=1, guard=False, refine=replace(fast.refine, ensemble=ensemble))
    kept = ttpose.personalize(clip, settings=settings, device="cpu")
    monkeypatch.setattr("ttpose.adaptation.session.MOST_KEPT", 6)
    asked: list[int] = []
    original = EnsembleMember.predict

    def predict(self: EnsembleMember, crops: Any, keypoints: np.ndarray) -> np.ndarray:
        asked.extend(crop.index for crop in crops)
        return original(self, crops, keypoints)

    monkeypatch.setattr(EnsembleMember, "predict", predict)
    again = ttpose.personalize(clip, settings=settings, device="cpu")
    assert asked == (list(range(12)) if ensemble else []), "once: the ensemble's network has not learned"
    assert [f.index for f in again.keypoints.frames] == list(range(12))
    for one, other in zip(kept.keypoints.frames, again.keypoints.frames, strict=True):
        moved = one.people[0].keypoints[:, :2] - other.people[0].keypoints[:, :2]
        assert float(np.median(np.abs(moved))) < 4, "other frames taught; the pose stays where it is"
    for one, other in zip(kept.refined_keypoints.frames, again.refined_keypoints.frames, strict=True):
        np.testing.assert_allclose(one.people[0].keypoints, other.people[0].keypoints, atol=0.05)
