from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.evaluation.dots import POINTS, DotModel, draw
from ttpose.core.errors import InputError, UsageError, WeightsError
from ttpose.core.geometry import Box
from ttpose.core.progress import Progress
from ttpose.core.skeleton import PENN13
from ttpose.data.labelled_clip import write_clip
from ttpose.evaluation.clips import evaluate_clips

BOX = Box(40, 10, 120, 125)
# The torso is 50 px, so 14 px is wrong at 0.2 (10 px).
FAR = np.array([-14, 0, 0])
NEAR = np.array([7, 0, 0])  # wrong at 0.1 (5 px), right at 0.2
PERFECT = {"pck@0.05": 1.0, "pck@0.1": 1.0, "pck@0.2": 1.0}


def labels(frames: int = 4, visibility: float = 2) -> np.ndarray:
    return np.stack([np.concatenate([POINTS, np.full((13, 1), visibility)], 1)] * frames)


def save(folder: Path, shown: np.ndarray, labelled: np.ndarray, **more: Any) -> Path:
    """A clip that shows joints at `shown` and labels them at `labelled`."""
    options = {"joints": PENN13.keypoints, "person": "ann", "source": "test", **more}
    return write_clip(folder, [draw(p) for p in shown], labelled, [BOX] * len(shown), quality=98, **options)


class FakePersonalizer:
    """Answers with the labels, or with what it is told to; refined keypoints are 7 pixels off."""

    def __init__(self, answer: np.ndarray | None = None) -> None:
        self.answer, self.calls = answer, []

    def __call__(
        self, model: Any, images: Callable[[int], np.ndarray], boxes: Sequence[Box], *, settings: Any, progress: Any
    ) -> SimpleNamespace:
        self.calls.append((model, images(len(boxes) - 1), list(boxes), settings))
        keypoints = labels(len(boxes)) if self.answer is None else self.answer
        guard = SimpleNamespace(
            decision="personalized", to_dict=lambda: {"decision": "personalized", "metrics": {"a": 1}}
        )
        refined = labels(len(boxes)) + NEAR
        return SimpleNamespace(keypoints=keypoints, refined=refined, guard=guard, timings={"adapt": 0.5})


def test_perfect_predictions_score_one(tmp_path: Path, dot_model: DotModel) -> None:
    save(tmp_path / "walk", labels(), labels())
    report = evaluate_clips(tmp_path, weights=dot_model)
    (clip,) = report.clips
    assert (clip.clip, clip.person, clip.frames, clip.folder) == ("walk", "ann", 4, "walk")
    assert (clip.scores, clip.guard) == ({"base": PERFECT}, None)
    assert clip.jitter == {"base": 0}
    assert report.mean.scores == clip.scores


def test_errors_that_were_drawn_are_found(tmp_path: Path, dot_model: DotModel) -> None:
    shown = labels()
    shown[:2, PENN13.index("left_knee")] += NEAR
    shown[:, PENN13.index("right_ankle")] += FAR
    save(tmp_path / "walk", shown, labels())
    report = evaluate_clips(tmp_path, weights=dot_model)
    assert report.clips[0].scores["base"]["pck@0.1"] == pytest.approx((52 - 2 - 4) / 52)
    assert report.clips[0].scores["base"]["pck@0.2"] == pytest.approx((52 - 4) / 52)
    joints = {row.joint: row for row in report.joints}
    assert joints["left_knee"].scores["base"] == {"pck@0.05": 0.5, "pck@0.1": 0.5, "pck@0.2": 1.0}
    assert joints["right_ankle"].scores["base"] == dict.fromkeys(PERFECT, 0.0)
    assert joints["left_hip"].scores["base"] == PERFECT


def test_joints_match_by_name_and_only_scored_ones_count(tmp_path: Path, dot_model: DotModel) -> None:
    order = [11, 12, 7, 8, 1, 2, 0]
    names = [PENN13.keypoints[k].replace("left_", "l_").replace("right_", "r_") for k in order]
    labelled = labels()[:, order]
    labelled = np.concatenate([labelled, labelled[:, :1]], 1)  # a joint that the model has not
    labelled[:, 6, :2] += 50  # the head, far off and not scored
    save(tmp_path / "walk", labels(), labelled, joints=[*names, "tail"], scored_joints=[*names[:6], "tail"])
    (clip,) = evaluate_clips(tmp_path, weights=dot_model).clips
    assert clip.scores["base"]["pck@0.1"] == 1.0
    assert [row.joint for row in clip.joints] == [PENN13.keypoints[k] for k in order[:6]]
    assert {row.labels for row in clip.joints} == {4}
    assert dict(clip.not_scored) == {
        "head": "not among the clip's scored_joints",
        "tail": "the model has no such keypoint",
    }


def test_frames_without_labels_or_torso_are_counted(tmp_path: Path, dot_model: DotModel) -> None:
    labelled = labels()
    labelled[0, :, 2] = 0
    labelled[1, PENN13.index("left_hip"), 2] = 0
    save(tmp_path / "walk", labels(), labelled)
    (clip,) = evaluate_clips(tmp_path, weights=dot_model).clips
    assert (clip.frames_without_labels, clip.frames_without_torso) == (1, 1)
    assert {row.labels for row in clip.joints} == {2}


def test_a_clip_without_any_label_has_no_figure(tmp_path: Path, dot_model: DotModel) -> None:
    save(tmp_path / "bare", labels(), labels(visibility=0))
    save(tmp_path / "walk", labels(), labels(), person="bob")
    report = evaluate_clips(tmp_path, weights=dot_model).to_dict()
    assert report["clips"][0]["base"] == dict.fromkeys(PERFECT)
    assert report["mean"]["base"] == PERFECT
    assert report["joints"][0]["labels"] == 4


def test_persons_and_mean(tmp_path: Path, dot_model: DotModel) -> None:
    wrong = labels()
    wrong[:, :, 0] += 14
    save(tmp_path / "a", labels(), labels())
    save(tmp_path / "b", wrong, labels())
    save(tmp_path / "c", labels(2), labels(2), person="bob")
    report = evaluate_clips(tmp_path, weights=dot_model)
    persons = [(p.person, p.clips, p.scores["base"]["pck@0.2"]) for p in report.persons]
    assert persons == [("ann", 2, 0.5), ("bob", 1, 1.0)]
    assert report.mean.scores["base"]["pck@0.2"] == pytest.approx(2 / 3)  # over clips
    over = report.over_persons["pck@0.2"]["base"]
    assert (over.mean, over.count) == (0.75, 2)
    assert report.joints[0].scores["base"]["pck@0.2"] == pytest.approx(6 / 10)  # over labels


def test_base_refined_and_personalized(tmp_path: Path, dot_model: DotModel) -> None:
    wrong = labels()
    wrong[:, 3] += FAR
    save(tmp_path / "walk", wrong, labels())
    personalizer = FakePersonalizer()
    report = evaluate_clips(
        tmp_path, weights=dot_model, personalize=True, preset="fast", steps=3, seed=5, personalizer=personalizer
    )
    (clip,) = report.clips
    assert list(clip.scores) == ["base", "refined", "personalized"]
    assert clip.scores["base"]["pck@0.2"] == pytest.approx(12 / 13)
    assert clip.scores["refined"] == {"pck@0.05": 0.0, "pck@0.1": 0.0, "pck@0.2": 1.0}
    assert clip.scores["personalized"] == PERFECT
    assert (clip.guard, clip.timings) == ("personalized", {"adapt": 0.5})
    assert clip.jitter == {"base": 0, "refined": 0, "personalized": 0}
    ((model, last, boxes, settings),) = personalizer.calls
    assert model is dot_model
    assert (last.shape, last.dtype, boxes) == ((160, 200, 3), np.uint8, [BOX] * 4)
    assert (settings.preset, settings.steps, settings.seed, settings.mode) == ("fast", 3, 5, "offline")
    over = report.over_persons
    assert over["pck@0.2"]["gain_by_refinement"].mean == pytest.approx(1 / 13)
    assert (over["pck@0.1"]["gain_by_learning"].mean, over["pck@0.2"]["gain_by_learning"].mean) == (1.0, 0.0)
    assert report.all_gains() == {stage: {"walk": pytest.approx(1 / 13)} for stage in ("refined", "personalized")}
    shown = report.to_dict()
    for row in (shown["clips"][0], shown["mean"], shown["persons"][0], shown["joints"][0]):
        assert [row[stage]["pck@0.05"] for stage in ("refined", "personalized")] == [0.0, 1.0]
        assert set(row["base"]) == set(PERFECT)
    assert report.settings["personalize"]["steps"] == 3


def test_stills_are_measured_but_not_personalized(tmp_path: Path, dot_model: DotModel) -> None:
    save(tmp_path / "stills", labels(), labels(), person=None)
    save(tmp_path / "walk", labels(), labels())
    personalizer = FakePersonalizer(labels() + np.array([100, 0, 0]))
    report = evaluate_clips(tmp_path, weights=dot_model, personalize=True, personalizer=personalizer)
    stills, walk = report.clips
    assert (stills.guard, list(stills.scores)) == ("stills", ["base"])
    assert walk.scores["personalized"] == dict.fromkeys(PERFECT, 0.0)
    assert len(personalizer.calls) == 1
    # All stages cover the same clips.
    assert (report.mean.clips, report.mean.scores) == (1, walk.scores)
    assert [person.person for person in report.persons] == ["ann"]


def test_a_damaged_picture_leaves_one_clip_out(tmp_path: Path, dot_model: DotModel) -> None:
    save(tmp_path / "bad", labels(), labels())
    (tmp_path / "bad" / "0002.jpg").write_bytes(b"no picture")
    save(tmp_path / "good", labels(), labels())
    notes: list[str] = []
    progress = Progress()
    progress.note = notes.append  # type: ignore[method-assign]
    report = evaluate_clips(tmp_path, weights=dot_model, progress=progress)
    assert [clip.clip for clip in report.clips] == ["good"]
    assert "0002.jpg" in report.failed["bad"]
    assert notes
    assert "bad is left out" in notes[0]
    (tmp_path / "good" / "0000.jpg").write_bytes(b"")
    with pytest.raises(InputError, match="none of the 2 clips"):
        evaluate_clips(tmp_path, weights=dot_model)


def test_wrong_use(tmp_path: Path, dot_model: DotModel) -> None:
    with pytest.raises(InputError, match="no labelled clip"):
        evaluate_clips(tmp_path, weights=dot_model)
    save(tmp_path / "walk", labels(), labels())
    with pytest.raises(WeightsError):
        evaluate_clips(tmp_path, weights=tmp_path / "none.safetensors")
    with pytest.raises(UsageError, match="preset"):
        evaluate_clips(tmp_path, weights=dot_model, personalize=True, preset="huge", personalizer=FakePersonalizer())
    (tmp_path / "walk" / "labels.json").write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        evaluate_clips(tmp_path, weights=dot_model)


def test_clips_of_one_name_are_told_apart(tmp_path: Path, dot_model: DotModel) -> None:
    save(tmp_path / "monday" / "walk", labels(1), labels(1))
    save(tmp_path / "tuesday" / "walk", labels(1), labels(1))
    assert [c.clip for c in evaluate_clips(tmp_path, weights=dot_model).clips] == ["monday/walk", "tuesday/walk"]


def test_files(tmp_path: Path, dot_model: DotModel) -> None:
    wrong = labels()
    wrong[:, 3] += FAR
    save(tmp_path / "clips" / "walk", wrong, labels())
    save(tmp_path / "clips" / "stills", labels(), labels(), person=None)
    report = evaluate_clips(tmp_path / "clips", weights=dot_model, personalize=True, personalizer=FakePersonalizer())
    report.write_json(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text()) == report.to_dict()
    report.write_csv(tmp_path / "r.csv")
    with open(tmp_path / "r.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    (mean,) = [row for row in rows if (row["part"], row["measure"]) == ("mean", "pck@0.2")]
    stages = [float(mean[stage]) for stage in ("base", "refined", "personalized")]
    assert stages == [pytest.approx(12 / 13, abs=1e-6), 1.0, 1.0]
    assert mean["corrected"] == ""
    (stills,) = [row for row in rows if (row["part"], row["clip"], row["measure"]) == ("clip", "stills", "pck@0.1")]
    assert (stills["person"], stills["refined"], stills["personalized"], stills["guard"]) == ("", "", "", "stills")
    assert {row["part"] for row in rows} == {"clip", "clip joint", "person", "joint", "mean"}


def test_the_pretrained_network_on_real_clips() -> None:
    """The shipped base loses nothing to MoveNet Thunder, whose figures on these clips are known."""
    data = os.environ.get("TTPOSE_DEV_DATA")
    if not data:
        pytest.skip("TTPOSE_DEV_DATA is not set: no real labelled clips at hand")
    try:
        report = evaluate_clips(Path(data) / "real_dev", device="cpu")
    except WeightsError:
        pytest.skip("this checkout has no shipped base")
    peer = {
        "trento_a_cam02": (0.557, 0.898), "trento_a_cam05": (0.344, 0.549), "trento_a_cam08": (0.701, 0.958),
        "trento_a_cam13": (0.438, 0.714), "pose2sim_cam02": (0.917, 1.0), "pose2sim_cam04": (0.912, 1.0),
    }  # fmt: skip
    for clip in report.clips:
        assert clip.scores["base"]["pck@0.1"] >= peer[clip.clip][0] - 0.02
        assert clip.scores["base"]["pck@0.2"] >= peer[clip.clip][1] - 0.02
