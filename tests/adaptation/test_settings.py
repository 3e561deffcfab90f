from __future__ import annotations

import dataclasses

import pytest

from ttpose.adaptation.augment import Augmentation
from ttpose.adaptation.settings import PAPER, PRESETS, preset_named
from ttpose.core.errors import UsageError
from ttpose.inference.settings import REFINE_PRESETS, SINGLE_VIEW


def test_the_paper_preset_is_the_papers():
    """Section 4 of the method: Adam 1e-4, batch 32, as many steps as frames, reconstruction alone, all else frozen."""
    assert (PAPER.pose_rate, PAPER.decoder_rate, PAPER.batch) == (1e-4, 1e-4, 32)
    assert PAPER.steps == 0  # as many as there are frames
    assert (PAPER.reconstruction, PAPER.reconstruction_batch) == (1.0, 32)
    assert (PAPER.self_training, PAPER.distillation, PAPER.anchor) == (0, 0, 0)
    assert (PAPER.decoder_warmup, PAPER.rate_warmup, PAPER.clip_norm, PAPER.ema) == (0, 0, None, None)
    assert not PAPER.guard and PAPER.refine == SINGLE_VIEW
    assert not any("affinity.weight".startswith(prefix) for prefix in PAPER.trainable)


def test_the_papers_views():
    """Scale ±25 %, rotations of 30° (at most 60°) for 60 % of the views, half of them mirrored, light as it is."""
    how = PAPER.augmentation
    assert how.scale == (0.75, 1.25)
    assert (how.rotation_sd, how.rotation_share, how.flip) == (30.0, 0.6, True)
    assert (how.shift_sd, how.contrast, how.tint, how.brightness) == (0, 0, 0, 0)


def test_presets_are_complete_and_named_as_they_are_called():
    assert set(PRESETS) == {"fast", "balanced", "thorough", "paper"}
    assert all(settings.preset == name for name, settings in PRESETS.items())
    costs = [PRESETS[name].steps * PRESETS[name].batch for name in ("fast", "balanced", "thorough")]
    assert costs == sorted(costs) and len(set(costs)) == 3


@pytest.mark.parametrize("name", ["fast", "balanced", "thorough"])
def test_inference_of_a_preset_is_that_of_predict(name):
    assert PRESETS[name].refine == REFINE_PRESETS[name]


def test_ours_are_careful():
    for name in ("fast", "balanced", "thorough"):
        settings = PRESETS[name]
        assert settings.guard and settings.clip_norm is not None and settings.ema is not None
        assert settings.max_crops <= 1000, "the cost of a long clip must be capped"


def test_the_callers_changes():
    settings = preset_named("fast", steps=7, seed=3)
    assert (settings.preset, settings.mode, settings.steps, settings.seed) == ("fast", "offline", 7, 3)
    assert settings.batch == PRESETS["fast"].batch
    assert preset_named("paper") == PAPER
    assert preset_named("paper", steps=5).steps == 5


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"name": "best"}, "balanced"),
        ({"name": "fast", "mode": "both"}, "offline"),
        ({"name": "fast", "steps": 0}, "at least 1"),
        ({"name": "fast", "steps": -5}, "at least 1"),
        ({"name": "fast", "mode": "online", "steps": 7}, "one step a frame"),
    ],
)
def test_what_there_is_none_of_is_a_usage_error(wrong, named):
    with pytest.raises(UsageError) as caught:
        preset_named(**wrong)
    assert named in str(caught.value)


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PAPER.steps = 3
    assert hash(Augmentation()) == hash(Augmentation())
