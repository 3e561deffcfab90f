from __future__ import annotations

import numpy as np
import pytest

from tests.results import posed
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17
from ttpose.results import FrameRecord, KeypointResult, PersonRecord


@pytest.fixture
def result() -> KeypointResult:
    """Three frames: one person with an unplaced keypoint, nobody, a damaged frame without a time."""
    points = np.column_stack([np.linspace(10, 20, 17), np.linspace(30, 90, 17), np.linspace(0.1, 1.0, 17)])
    points[4] = [np.nan, np.nan, 0.7]
    person = PersonRecord(1, Box(8.123456, 28.0, 14.0, 64.0), points.astype(np.float32))
    return KeypointResult(
        source={"path": "walk ü.mp4", "kind": "video", "width": 64, "height": 96, "frames": 3, "duration_s": 0.12},
        model={
            "base": "mobile",
            "base_sha256": "ab" * 32,
            "person": None,
            "person_sha256": None,
            "guard": {
                "decision": "base",
                "reason": "kept the base: keypoints jump more between frames",
                "metrics": {"jumps": {"base": float("nan"), "personalized": np.float32(0.5)}},
            },
        },
        skeleton=COCO17,
        frames=[
            FrameRecord(0, 0.0, (person,)),
            FrameRecord(1, 1 / 30, (), "nobody found"),
            FrameRecord(2, float("nan"), (), "damaged frame"),
        ],
    )


@pytest.fixture
def duel() -> KeypointResult:
    """Two people who face each other, with gaps (`posed.duel`)."""
    return posed.duel()
