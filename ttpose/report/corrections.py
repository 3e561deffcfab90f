"""What the page needs to write a corrections file of the flagged frames (`ttpose correct --import` takes it)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ttpose.core.skeleton import Skeleton
from ttpose.corrections.model import PARTS, part_members
from ttpose.corrections.reading import identity_of
from ttpose.corrections.records import SCHEMA
from ttpose.media import SourceInfo
from ttpose.report.curves import listed
from ttpose.report.quality_flags import FlagGroup

# Frames whose keypoints the page holds for swapping; a quarter of a megabyte. Later stretches cannot be swapped there.
_MOST_FRAMES = 1500


def corrections_values(
    info: SourceInfo, sha256: str, skeleton: Skeleton, keypoints: np.ndarray, flags: Sequence[FlagGroup]
) -> dict[str, Any]:
    """JSON-ready: the head of the file, parts of the body, and the poses of flagged frames with somebody in them.

    Args:
        info: Of the clip.
        sha256: Of its file.
        skeleton: The keypoint set.
        keypoints: [N, K, 3] the result.
        flags: What the page lists.
    """
    frames = {i for group in flags for stretch in group.stretches for i in range(stretch.first, stretch.last + 1)}
    there = np.isfinite(keypoints[..., 0]).any(axis=1)
    shown = [i for i in sorted(frames) if there[i]][:_MOST_FRAMES]
    clip = {**identity_of(info).to_dict(), "sha256": sha256}
    return {
        "head": {"schema": SCHEMA, "clip": clip, "skeleton": skeleton.name},
        "flip": list(skeleton.flip),
        "parts": {part: part_members(part, skeleton) for part in PARTS},
        "poses": {i: listed(keypoints[i, :, :2].ravel(), 1) for i in shown},
    }
