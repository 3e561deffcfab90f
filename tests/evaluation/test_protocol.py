from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from torch import Tensor

from tests.evaluation.dots import POINTS, DotModel, draw
from ttpose.adaptation.settings import preset_named
from ttpose.core.errors import InputError, UsageError
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17, PENN13
from ttpose.data.datasets import Video
from ttpose.data.labelled_clip import LabelledFrame, write_clip
from ttpose.evaluation import histogram, protocol
from ttpose.evaluation.histogram import write_histogram
from ttpose.evaluation.protocol import PROTOCOLS, Method, Protocol, evaluate_dataset, run_protocol
from ttpose.metrics.pck import PENN_RULE

BOX = Box(45, 10, 110, 125)
WRONG = np.array([-14, 0])  # the torso is 50 px: 14 px are too many, 10 are allowed


def make_video(
    folder: Path, name: str, shown: np.ndarray, visibility: np.ndarray | float = 2, person: str = ""
) -> Video:
    """A video that shows joints at `shown` [T, 13, 2] and labels them at POINTS."""
    (folder / name).mkdir(parents=True)
    frames = []
    for number, points in enumerate(shown):
        path = folder / name / f"{number:06d}.png"
        cv2.imwrite(str(path), draw(points)[..., ::-1])
        labels = np.concatenate([POINTS, np.broadcast_to(np.reshape(visibility, (-1, 1)), (13, 1))], 1)
        frames.append(LabelledFrame(path, labels, BOX))
    return Video(name, person or name, tuple(frames), PENN13)


def still(frames: int, *wrong: str) -> np.ndarray:
    shown = np.stack([POINTS] * frames)
    for joint in wrong:
        shown[:, PENN13.index(joint)] += WRONG
    return shown


def answer(shift: np.ndarray, decision: str = "personalized") -> Any:
    """A personalizer that finds every joint `shift` [13, 2] away from its label."""

    def personalize(
        model: Any, images: Callable[[int], np.ndarray], boxes: Sequence[Box], *, settings: Any, progress: Any
    ) -> SimpleNamespace:
        assert images(0).dtype == np.uint8
        keypoints = np.concatenate([POINTS + shift, np.ones((13, 1))], 1)
        guard = SimpleNamespace(decision=decision, to_dict=dict)
        return SimpleNamespace(keypoints=np.stack([keypoints] * len(boxes)), guard=guard, timings={"a": 0.5, "b": 1.5})

    return personalize


def shift_of(*wrong: str) -> np.ndarray:
    return still(1, *wrong)[0] - POINTS


@pytest.fixture
def report(tmp_path: Path, dot_model: DotModel) -> protocol.ProtocolReport:
    """Two videos of one person, one of another; online leaves an ankle wrong, offline nothing."""
    hidden = np.full(13, 2.0)
    hidden[:3] = 1  # head and shoulders: labelled, not visible, so not counted by Penn Action's rule
    videos = [
        make_video(tmp_path, "one", still(2, "right_ankle", "left_knee"), person="ann"),
        make_video(tmp_path, "two", still(3), person="ann"),
        make_video(tmp_path, "three", still(1, "head", "left_elbow"), hidden),
    ]
    methods = [
        Method("online", preset_named("paper", mode="online", seed=4), answer(shift_of("right_ankle"))),
        Method("offline", preset_named("paper", seed=4), answer(shift_of(), "base")),
    ]
    return run_protocol(videos, dot_model, PROTOCOLS["penn"], methods, seed=4, about={"dataset": "penn:here"})


def test_means_by_hand(report: protocol.ProtocolReport) -> None:
    # Labels that count: 13 · 2, 13 · 3, and 10 of the one frame with hidden joints.
    assert sum(row.labels for row in report.joints) == 26 + 39 + 10
    assert report.methods == ("before", "online", "offline")
    assert report.mean("before") == pytest.approx((75 - 4 - 1) / 75)
    assert report.mean("online") == pytest.approx((75 - 6) / 75)
    assert report.mean("offline") == 1.0


def test_rows_by_hand(report: protocol.ProtocolReport) -> None:
    one, two, three = report.videos
    assert (one.pck("before"), two.pck("before"), three.pck("before")) == pytest.approx((11 / 13, 1.0, 9 / 10))
    assert one.pck("online") == pytest.approx(12 / 13)
    assert (one.guards, one.seconds) == ({"online": "personalized", "offline": "base"}, {"online": 2.0, "offline": 2.0})
    joints = {row.joint: row for row in report.joints}
    assert (joints["head"].labels, joints["head"].pck("before")) == (5, 1.0)
    assert joints["left_knee"].right == {"before": 4, "online": 6, "offline": 6}
    assert joints["right_ankle"].pck("online") == 0


def test_gains(report: protocol.ProtocolReport) -> None:
    gains = report.gains("online")
    assert list(gains) == ["one", "two", "three"]
    assert list(gains.values()) == pytest.approx([1 / 13, -1 / 13, 0])
    over = report.gain_over_persons("offline")
    # ann's mean over two videos and the other's one.
    assert (over.mean, over.count) == (pytest.approx((1 / 13 + 1 / 10) / 2), 2)


def test_settings_and_seeds_are_stored(report: protocol.ProtocolReport) -> None:
    settings = report.to_dict()["settings"]
    assert (settings["dataset"], settings["seed"], settings["crop_pad"]) == ("penn:here", 4, 1.25)
    assert settings["rule"] == dataclasses.asdict(PENN_RULE)
    assert settings["methods"]["online"]["seed"] == 4
    assert settings["methods"]["online"]["mode"] == "online"


def test_files(report: protocol.ProtocolReport, tmp_path: Path) -> None:
    report.write_json(tmp_path / "r.json")
    written = json.loads((tmp_path / "r.json").read_text())
    assert written == report.to_dict()
    assert written["mean"]["offline"] == 1.0
    assert written["videos"][0]["pck"]["before"] == pytest.approx(11 / 13)
    report.write_csv(tmp_path / "r.csv")
    with open(tmp_path / "r.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    (mean,) = [row for row in rows if (row["part"], row["method"]) == ("mean", "online")]
    assert (mean["labels"], mean["right"], float(mean["gain"])) == ("75", "69", pytest.approx(-1 / 75, abs=1e-6))
    (video,) = [r for r in rows if (r["part"], r["video"], r["method"]) == ("video", "three", "offline")]
    assert (video["person"], video["pck"], video["guard"], video["jitter"]) == ("three", "1.0", "base", "")


def test_the_joints_mean_weighs_joints_equally(report: protocol.ProtocolReport) -> None:
    equal = dataclasses.replace(report, settings={**report.settings, "rule": {"average": "joints"}})
    # Over all videos: elbow 5 of 6, knee 4 of 6, ankle 4 of 6, ten others all right.
    assert equal.mean("before") == pytest.approx((5 / 6 + 4 / 6 + 4 / 6 + 10) / 13)


def test_the_crop_is_the_protocols(tmp_path: Path) -> None:
    class Watched(DotModel):
        def forward(self, images: Tensor) -> Any:
            self.shown = images
            return super().forward(images)

    def height(pad: float) -> float:
        """Pixels from left shoulder to left hip, whose colours no edge of another dot has, in the network's crop."""
        model = Watched().eval()
        run_protocol([make_video(tmp_path, f"pad {pad}", still(1))], model, Protocol(PENN_RULE, pad))
        shoulder, hip = (
            (model.shown[0] - model.wanted[k, :, None, None]).abs().sum(0).lt(60).nonzero()[:, 0].float().mean()
            for k in (1, 7)
        )
        return float(hip - shoulder)

    drawn = POINTS[7, 1] - POINTS[1, 1]
    for pad in (1.0, 1.25):
        assert height(pad) == pytest.approx(drawn * 256 / (BOX.side * pad), rel=0.02)


def test_columns_have_names_of_their_own(tmp_path: Path, dot_model: DotModel) -> None:
    video = make_video(tmp_path, "one", still(1))
    with pytest.raises(UsageError, match="one name"):
        run_protocol([video], dot_model, PROTOCOLS["penn"], [Method("before", preset_named("fast"))])


def test_a_video_that_fails_is_listed(tmp_path: Path, dot_model: DotModel) -> None:
    good, bad = make_video(tmp_path, "good", still(1)), make_video(tmp_path, "bad", still(2))
    bad.frames[1].path.write_bytes(b"no picture")
    report = run_protocol([bad, good], dot_model, PROTOCOLS["penn"])
    assert [video.video for video in report.videos] == ["good"]
    assert "000001.png" in report.failed["bad"]
    with pytest.raises(InputError, match="none of the 1 videos"):
        run_protocol([bad], dot_model, PROTOCOLS["penn"])


def test_a_video_without_visible_joints_has_no_figure(tmp_path: Path, dot_model: DotModel) -> None:
    blind, seen = make_video(tmp_path, "blind", still(2), 1), make_video(tmp_path, "seen", still(1))
    report = run_protocol([blind, seen], dot_model, PROTOCOLS["penn"])
    assert report.videos[0].frames_without_labels == 2
    assert report.to_dict()["videos"][0]["pck"] == {"before": None}
    assert report.mean("before") == 1.0


def test_joints_that_the_model_lacks(tmp_path: Path, dot_model: DotModel) -> None:
    video = make_video(tmp_path, "one", still(1))
    faces = dataclasses.replace(COCO17, keypoints=("nose", "left_eye"), sigmas=(0.1, 0.1))
    frames = tuple(LabelledFrame(f.path, f.keypoints[:2], f.box) for f in video.frames)
    with pytest.raises(InputError, match="none of the labelled joints"):
        run_protocol([dataclasses.replace(video, frames=frames, skeleton=faces)], dot_model, PROTOCOLS["penn"])
    some = dataclasses.replace(video, scored_joints=("left_knee",))
    report = run_protocol([some], dot_model, PROTOCOLS["clips"])
    assert [row.joint for row in report.joints] == ["left_knee"]
    assert "head" in report.not_scored


def test_a_dataset_by_its_description(tmp_path: Path, dot_model: DotModel) -> None:
    labels = np.concatenate([POINTS, np.full((13, 1), 2.0)], 1)[None]
    write_clip(
        tmp_path / "walk",
        [draw(POINTS)],
        labels,
        [BOX],
        joints=PENN13.keypoints,
        person="ann",
        source="test",
        quality=98,
    )
    report = evaluate_dataset(f"clips:{tmp_path}", weights=dot_model, modes=())
    assert report.mean("before") == 1.0
    assert report.settings["dataset"] == f"clips:{tmp_path}"
    with pytest.raises(UsageError):
        evaluate_dataset(f"mpii:{tmp_path}", weights=dot_model)
    with pytest.raises(UsageError, match="mode"):
        evaluate_dataset(f"clips:{tmp_path}", weights=dot_model, modes=("never",))  # type: ignore[arg-type]


def test_oks_ap_of_a_coco_file(tmp_path: Path, dot_model: DotModel) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed")
    wrong = still(1)[0].copy()
    wrong[PENN13.keypoints.index("left_wrist")] += (9, 0)
    wrong[PENN13.keypoints.index("left_elbow")] += (-8, 0)
    images, annotations = [], []
    (tmp_path / "pictures").mkdir()
    for number, points in enumerate((POINTS, wrong)):
        name = f"{number}.png"
        cv2.imwrite(str(tmp_path / "pictures" / name), draw(points)[..., ::-1])
        images.append({"id": number, "file_name": name, "width": 200, "height": 160, "video_id": 1, "frame_id": number})
        flat = np.concatenate([POINTS, np.full((13, 1), 2.0)], 1).ravel().tolist()
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "bbox": BOX.as_list(),
                "area": 4000.0,
                "keypoints": flat,
            }
        )
    file = tmp_path / "people.json"
    category = {"id": 1, "name": "person", "keypoints": list(PENN13.keypoints)}
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [category]}))
    report = evaluate_dataset(f"coco:{file}:{tmp_path / 'pictures'}", weights=dot_model, modes=())
    assert report.oks_ap is not None
    figures = report.oks_ap["before"]
    # Recall at a threshold is the share of people whose OKS reaches it. The picture with two errors has this one:
    labels = np.concatenate([POINTS, np.full((13, 1), 2.0)], 1)
    distance = np.linalg.norm(wrong[:, :2] - labels[:, :2], axis=1)
    similarity = np.exp(-(distance**2) / (2 * 4000.0 * (2 * np.array(PENN13.sigmas)) ** 2)).mean()  # COCO's definition
    assert 0.5 < similarity < 0.95
    thresholds = np.arange(0.5, 1, 0.05)
    assert np.abs(thresholds - similarity).min() > 0.005  # the model finds points to within a pixel only
    assert figures["AR"] == pytest.approx(np.where(thresholds <= similarity, 1.0, 0.5).mean())
    assert figures["AP50"] == pytest.approx(1.0)
    assert np.isnan(figures["AP_large"])  # 4,000 square pixels are a medium person
    assert report.to_dict()["oks_ap"]["before"]["AP_large"] is None


def test_histogram(report: protocol.ProtocolReport, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    write_histogram({m: report.gains(m) for m in report.methods[1:]}, tmp_path / "gain.png", measure="PCK@0.2")
    image = cv2.imread(str(tmp_path / "gain.png"))
    assert image is not None
    assert image.std() > 5
    with pytest.raises(UsageError, match="no gains"):
        write_histogram({"online": {"one": float("nan")}}, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_histogram_bins_hold_every_value() -> None:
    for values in ([0.0], [-1.25, 1.25], [-31.0, 4.0], [99.9]):
        edges = histogram.bins(np.array(values))
        assert np.histogram(values, edges)[0].sum() == len(values)
        middles = (edges[1:] + edges[:-1]) / 2
        assert np.abs(middles).min() == 0
