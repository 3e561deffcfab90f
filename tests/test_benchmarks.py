from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("resource", reason="POSIX only")

from benchmarks import shifted_crops, speed
from tests import clips, sample
from ttpose.core.geometry import Box
from ttpose.media import open_source


def test_the_long_clip_is_the_clip_again_and_again(tmp_path: Path) -> None:
    clip = clips.write_clip(tmp_path / "clip.mp4", 20, gop=7)
    frames = list(open_source(speed.looped(clip, tmp_path / "long.mp4", 3)).frames())
    assert [clips.number_of(frame.image) for frame in frames] == [*range(20)] * 3
    assert [frame.time_s for frame in frames] == pytest.approx([i / 30 for i in range(60)], abs=2e-3)


def test_a_run_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", sample.environment())
    clip = sample.write_part(tmp_path / "clip.mp4", range(3))
    run = speed.measure("predict", clip, ["predict", *sample.CPU])
    assert run.frames == 3
    assert 0 < run.work_s < run.wall_s
    assert 100e6 < run.peak_bytes < 3e9
    assert run.row in speed.report(clip, [run])


def test_a_box_is_shifted_by_a_hundredth_at_most() -> None:
    box, rng = Box(10, 20, 200, 400), np.random.default_rng(0)
    moved = [shifted_crops.shifted(box, rng) for _ in range(50)]
    middles = np.array([[b.x + b.width / 2 - 110, b.y + b.height / 2 - 220] for b in moved])
    assert (np.abs(middles) <= [2, 4]).all()
    assert np.ptp(middles, axis=0).min() > 2
    assert all(0.99 <= b.width / 200 <= 1.01 and b.height == pytest.approx(2 * b.width) for b in moved)


def test_sixteen_bits_are_compared_on_the_same_copies() -> None:
    runs = [("float32", 0, 50.0), ("float32", 1, 54.0), ("bfloat16", 0, 51.0), ("bfloat16", 1, 55.0)]
    lines = [
        {
            "clip": "a",
            "copy": copy,
            "precision": bits,
            **{stage: [found, found, 90.0] for stage in shifted_crops.STAGES},
        }
        for bits, copy, found in runs
    ]
    table = shifted_crops._table(lines)
    assert "| a | base | 52.0 ± 2.8 | 52.0 ± 2.8 | 90.0 ± 0.0 |" in table
    assert "| bfloat16 less float32 | refined | +1.00 ± 0.00 | +1.00 ± 0.00 | +0.00 ± 0.00 |" in table
