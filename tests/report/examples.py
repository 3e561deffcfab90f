from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tests.clips import HEIGHT, WIDTH
from ttpose.adaptation.guard.metrics import GuardMetrics, GuardReport
from ttpose.adaptation.samples import Samples
from ttpose.api import Personalization
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17
from ttpose.inference.crops import cut_crop
from ttpose.models.config import ModelConfig
from ttpose.models.person import PersonDelta
from ttpose.models.pose_model import PoseModel
from ttpose.results import FrameRecord, KeypointResult, PersonRecord

FRAMES = 40
NASTY = "<script>alert(1)<\\script> & 'clip'.mp4"  # no "/", which no file name can have


def figure(shift: float = 0.0) -> np.ndarray:
    """Keypoints [17, 3] of a person who stands straight, moved right by `shift` pixels."""
    heights = {"nose": 22, "eye": 20, "ear": 21, "shoulder": 35, "elbow": 50, "wrist": 62, "hip": 65, "knee": 85}
    points = np.zeros((17, 3))
    for k, name in enumerate(COCO17.keypoints):
        side = {"left": 8, "right": -8}.get(name.split("_")[0], 0)
        points[k] = 60 + side + shift, heights.get(name.split("_")[-1], 105), 0.9
    return points


def result_of(path: Path, keypoints: list[np.ndarray | None], notes: dict[int, str] | None = None) -> KeypointResult:
    frames = []
    for i, points in enumerate(keypoints):
        people = () if points is None else (PersonRecord(1, Box.around(points[:, :2]), points),)
        frames.append(FrameRecord(i, i / 30, people, (notes or {}).get(i)))
    source = {
        "path": str(path),
        "kind": "video",
        "width": WIDTH,
        "height": HEIGHT,
        "frames": len(frames),
        "duration_s": 1.0,
    }
    model = {"base": "mobile", "base_sha256": "ab" * 32, "person": None, "person_sha256": None, "guard": None}
    return KeypointResult(source, model, COCO17, frames)


def made_for(path: Path, after: list[np.ndarray | None], samples: Samples | None = None) -> Personalization:
    """A personalization whose base has every keypoint 6 pixels (a fifth of the torso) further down, refined 1.5."""
    base, refined = (
        [None if points is None else points + np.array([0, down, -0.2]) for points in after] for down in (6, 1.5)
    )
    checks = {
        "base": GuardMetrics(0.05, 0.01, 0.1, 0.7, 0.0, None),
        "personalized": GuardMetrics(0.04, 0.01, 0.1, 0.9, 0.02, None),
    }
    notes = {"settings": '{"preset": "fast", "steps": 3, "augmentation": {"flip": true}}'}
    return Personalization(
        result_of(path, after, {5: "left and right legs swapped to agree with the frames around"}),
        result_of(path, base),
        result_of(path, refined),
        PersonDelta("ab" * 32, {}, notes),
        GuardReport("personalized", "every check passed", checks),
        {"find_s": 0.5, "refine_s": 1.0, "adapt_s": 6.0},
        [{"total": 0.3}, {"total": 0.2}, {"total": 0.1}],
        samples,
    )


def small_samples() -> Samples:
    """Two small models and three crops; the heatmaps say nothing."""
    torch.manual_seed(0)
    config = ModelConfig(
        encoder="resnet18", skeleton="coco17", input_size=64, num_self=20, encoder_width=8, transformer_width=64,
        transformer_hidden=64, reconstruction_size=64, reconstruction_width=4,
    )  # fmt: skip
    base, personal = PoseModel(config).eval(), PoseModel(config).eval()
    noise = np.random.default_rng(0).integers(0, 255, (3, HEIGHT, WIDTH, 3), np.uint8)
    crops = tuple(cut_crop(image, Box(40, 10, 40, 100), 64, index=10 * i) for i, image in enumerate(noise))
    return Samples(base, personal, crops)


@dataclass(frozen=True)
class Clip:
    path: Path
    made: Personalization
