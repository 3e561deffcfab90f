"""The shipped sample clip as material for tests: its frames, where its joints truly are, and the real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from tests import clips
from ttpose.media import open_source
from ttpose.results import KeypointResult
from ttpose.sample import sample_clip

ROOT = Path(__file__).resolve().parents[1]
COMMAND = (sys.executable, "-m", "ttpose")
#: Every command of these tests takes this device, so that a machine with a GPU gives the same numbers.
CPU = ("--device", "cpu")
#: The least work that still goes the whole way.
LEAST = ("--preset", "fast", "--steps", "2", *CPU)


@lru_cache(maxsize=1)
def images() -> np.ndarray:
    """All frames, RGB uint8 [100, 512, 384, 3]."""
    return np.stack([frame.image for frame in open_source(sample_clip()).frames() if frame.image is not None])


@lru_cache(maxsize=1)
def truth() -> np.ndarray:
    """The joints of all frames in COCO's order, [100, 17, 3]: x, y, and 2 seen, 1 hidden."""
    return np.array(json.loads((ROOT / "tests" / "sample_truth.json").read_text(encoding="utf-8"))["frames"])


def write_part(path: Path, frames: Sequence[int], *, times_s: Sequence[float] | None = None) -> Path:
    """Write some frames as a clip of 30 frames a second, or with the times given."""
    times = [i / 30 for i in range(len(frames))] if times_s is None else times_s
    return clips.write_clip(path, images=images()[list(frames)], times_s=times)


def share_right(result: KeypointResult, where: np.ndarray, within: float = 0.2) -> float:
    """PCK: share of joints within `within` torso lengths of the truth [T, 17, 3], of each frame's first person."""
    right = []
    for frame, true in zip(result.frames, where, strict=True):
        torso = np.linalg.norm(true[[5, 6], :2].mean(0) - true[[11, 12], :2].mean(0))
        assert frame.people, f"nobody in frame {frame.index}"
        distance = np.linalg.norm(frame.people[0].keypoints[: len(true), :2] - true[:, :2], axis=1)
        right.append(distance < within * torso)
    return float(np.mean(right))


def environment() -> dict[str, str]:
    """Of a command: this checkout's package, whatever the working directory, and wide lines."""
    kept = {name: value for name, value in os.environ.items() if name != "TTPOSE_ENGINE"}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "160"}


def ttpose(*words: str | Path, cwd: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own."""
    line = [*COMMAND, *map(str, words)]
    return subprocess.run(
        line, capture_output=True, text=True, env=environment(), cwd=cwd, timeout=timeout, check=False
    )
