"""PCK on held-out videos while a training goes on, as the dataset defines it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ttpose.core import geometry
from ttpose.core.errors import InputError
from ttpose.data.datasets import Video
from ttpose.metrics.pck import BBC_RULE, CLIP_RULE, H36M_RULE, PENN_RULE, RENDERED_RULE, PckRule, Tally, measure
from ttpose.models.decode import decode
from ttpose.models.pose_model import PoseModel
from ttpose.training.augment import Warp, warp_matrix
from ttpose.training.distributed import World
from ttpose.training.samples import labels_of
from ttpose.training.schedule import JointSettings

_RULES = {"penn": PENN_RULE, "bbc": BBC_RULE, "h36m": H36M_RULE, "shards": RENDERED_RULE}
_STRIDE, _BATCH = 4, 32


def pck_rule(kind: str) -> PckRule:
    """The rule of a kind of dataset: the paper's for its three, torso lengths of the clip for others."""
    return _RULES.get(kind, CLIP_RULE)


@dataclass(frozen=True)
class Validation:
    """Validation figures.

    Attributes:
        pck: Share of right joints, 0..1; NaN if none could be measured.
        joints: The same per joint, by name.
    """

    pck: float
    joints: dict[str, float]


def validate(
    model: PoseModel,
    videos: Sequence[Video],
    rule: PckRule,
    settings: JointSettings,
    world: World,
    *,
    workers: int = 0,
) -> Validation:
    """Predict every frame of the videos with its labelled box and measure; processes share the videos.

    Args:
        model: Used in evaluation mode; its mode is restored.
        videos: Held-out videos, the same on every process.
        rule: When a joint is right.
        settings: How frames are cropped.
        world: The processes.
        workers: Processes that read pictures.
    """
    training = model.training
    model.eval()
    mine = list(videos[world.rank :: world.size])
    count = len(model.skeleton)
    tally = Tally(np.zeros(count, np.int64), np.zeros(count, np.int64))
    predictions = _predict(model, _Frames(mine, model.config.input_size, settings), world, workers)
    start = 0
    for video in mine:
        labels = np.stack([labels_of(frame, video.skeleton, model.skeleton) for frame in video.frames])
        found = predictions[start : start + len(video)]
        tally = tally + measure(found, labels, model.skeleton.keypoints, rule).tally(rule.threshold)
        start += len(video)
    model.train(training)
    counts = world.total(torch.from_numpy(np.stack([tally.right, tally.counted])).to(world.device)).cpu().numpy()
    tally = Tally(counts[0], counts[1])
    return Validation(tally.mean(rule.average), dict(zip(model.skeleton.keypoints, tally.per_joint, strict=True)))


def thinned(videos: Sequence[Video], frames: int) -> list[Video]:
    """At most about `frames` frames, evenly from all videos; each video keeps at least one."""
    total = sum(map(len, videos))
    if total <= frames:
        return list(videos)
    thin = []
    for video in videos:
        keep = max(round(len(video) * frames / total), 1)
        chosen = np.linspace(0, len(video) - 1, keep).round().astype(int)
        thin.append(dataclasses.replace(video, frames=tuple(video.frames[int(index)] for index in chosen)))
    return thin


class _Frames(Dataset[tuple[np.ndarray, np.ndarray]]):
    """Plain crops of all frames, and the maps back to their pictures; black where a picture cannot be read."""

    def __init__(self, videos: Sequence[Video], size: int, settings: JointSettings) -> None:
        self.frames = [frame for video in videos for frame in video.frames]
        self.size, self.settings = size, settings

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        frame = self.frames[index]
        matrix = warp_matrix(frame.box, self.size, self.settings, Warp())
        try:
            crop = geometry.warp(frame.read(), matrix, self.size)
        except InputError:
            crop = np.zeros((self.size, self.size, 3), np.uint8)
        return crop, geometry.invert(matrix)


def _predict(model: PoseModel, frames: _Frames, world: World, workers: int) -> np.ndarray:
    """Keypoints [N, K, 3] in image pixels."""
    found = [np.zeros((0, len(model.skeleton), 3))]
    loader = DataLoader(frames, batch_size=_BATCH, num_workers=workers)
    with torch.inference_mode():
        for crops, back in loader:
            output = model(model.normalise(crops.to(world.device).permute(0, 3, 1, 2)))
            points = decode(output.supervised, output.encoded.anchors, output.encoded.offsets).cpu().double().numpy()
            points[..., :2] = geometry.heatmap_to_crop(points[..., :2], _STRIDE)
            for row, matrix in zip(points, back.numpy(), strict=True):
                row[:, :2] = geometry.apply(matrix, row[:, :2])
            found.append(points)
    return np.concatenate(found)
