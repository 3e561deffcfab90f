"""Training on rendered people; the asset file's path is given by the environment variable TTPOSE_SYNTH_ASSETS."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from ttpose.training.joint import train
from ttpose.training.plan import TrainingPlan
from ttpose.training.schedule import training_preset

PATH = os.environ.get("TTPOSE_SYNTH_ASSETS", "")


@pytest.mark.skipif(not PATH, reason="TTPOSE_SYNTH_ASSETS is not set: no asset file to render from")
def test_a_minute_on_rendered_people_lowers_both_losses(tmp_path: Path) -> None:
    pytest.importorskip("numba", reason="numba comes with ttpose[training]")
    from ttpose_synth.generate import RenderSettings, generate

    clips = tmp_path / "clips"
    generate(clips, Path(PATH), identities=4, settings=RenderSettings(clips=1, frames=8, size=96))
    plan = TrainingPlan(training_preset("tiny"), f"clips:{clips}", tmp_path / "run", perceptual="none", workers=0,
                        log_every=1)  # fmt: skip
    result = train(plan)
    assert result.steps == result.total == 80
    with open(tmp_path / "run/losses.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    for part in ("pose", "self"):
        values = np.array([float(row[part]) for row in rows])
        assert values[-10:].mean() < 0.9 * values[:10].mean(), part
