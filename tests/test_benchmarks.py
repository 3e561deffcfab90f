from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="POSIX only")

from benchmarks import speed
from tests import clips, sample
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
