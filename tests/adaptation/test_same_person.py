"""Learning from several clips of one person: what belongs to time stays within each clip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.painted import box_of, paint, standing
from tests.small_models import DotModel, recoloured
from ttpose.adaptation.guard.held_out import held_out, hold_out
from ttpose.adaptation.guard.metrics import measure
from ttpose.adaptation.offline import _other_frames
from ttpose.adaptation.pseudo_labels import pseudo_labels
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.skeleton import COCO17
from ttpose.inference.crops import PersonCrop, by_clip, cut_crop
from ttpose.inference.prediction import TTAPrediction


def crop() -> PersonCrop:
    points = standing(64)
    return cut_crop(paint(points, 64), box_of(points), 64)


def crops(*lengths: int) -> list[PersonCrop]:
    """Clips of so many frames each, a tenth of a second apart, from 0 in each."""
    one, found = crop(), []
    for clip, length in enumerate(lengths):
        found += [replace(one, index=len(found) + i, time_s=i / 10, clip=clip) for i in range(length)]
    return found


def test_clips_stand_apart() -> None:
    assert by_clip(crops(3, 1, 2)) == [slice(0, 3), slice(3, 4), slice(4, 6)]
    assert by_clip([]) == []


def test_one_clip_is_held_out_from_as_ever() -> None:
    for length in (1, 14, 15, 40, 96):
        assert held_out(crops(length)) == hold_out(length)


def test_each_long_clip_and_some_photos_are_held_out() -> None:
    mixed = crops(30, 45, *[1] * 10)
    held = held_out(mixed)
    assert {mixed[i].clip for i in held} == {0, 1, 4, 9}
    for start in (i for i in held if mixed[i].clip < 2 and i - 1 not in held):
        assert {start + 1, start + 2} <= set(held)
        assert mixed[start].clip == mixed[start + 2].clip
    assert len(held) <= len(mixed) / 5 + 1
    assert held_out(crops(1, 1)) == []
    assert len(held_out(crops(*[40] * 30))) <= 24


def test_frames_are_reconstructed_from_their_own_clip() -> None:
    mixed, rng = crops(4, 5, 1), np.random.default_rng(0)
    for target, source in zip(mixed * 9, _other_frames(rng, mixed, mixed * 9), strict=True):
        assert source.index != target.index
        assert source.clip == target.clip or target.clip == 2


def test_sides_are_corrected_within_each_clip() -> None:
    """The second clip begins when the first does; tied together, its first frame would be turned like its last."""
    skeleton, right = COCO17, standing(64)
    turned = right[list(skeleton.flip)]
    clip = crops(6)
    mixed = [*clip, *(replace(c, index=c.index + 6, clip=1) for c in clip)]
    keypoints = np.stack([right] * 6 + [turned] * 6)
    odds, spread = np.full(keypoints.shape[:2], 0.01), np.zeros(keypoints.shape[:2])
    boxes = np.array([crop.source_box.as_list() for crop in mixed])
    seen = TTAPrediction(keypoints, odds, spread, keypoints, keypoints[:, :, None], boxes)
    settings = PersonalizeSettings()
    _, together = pseudo_labels(seen, [replace(c, clip=0, time_s=c.index / 10) for c in mixed], skeleton, settings)
    assert together.any()  # one clip does not turn in a tenth of a second
    _, apart = pseudo_labels(seen, mixed, skeleton, settings)
    assert not apart.any()


def test_metrics_are_means_over_clips(dots: DotModel, walk: tuple) -> None:
    """Weighted by frames; photos have no say in movement and in limb lengths."""
    cut = walk[2]
    parts = [cut[:6], [replace(cut[10], clip=1)], [replace(cut[20], clip=2)]]
    weak = recoloured(dots)
    moved = measure(dots, None, [*parts[0], *parts[1], *parts[2]], None)[1]
    together, keypoints = measure(weak, moved, [*parts[0], *parts[1], *parts[2]], None)
    rows = (slice(0, 6), slice(6, 7), slice(7, 8))
    alone = [measure(weak, moved[part], crops, None) for part, crops in zip(rows, parts, strict=True)]
    np.testing.assert_allclose(keypoints, np.concatenate([points for _, points in alone]), atol=1e-3)
    for name in ("disagreement", "score", "moved"):
        one, two, three = (getattr(metrics, name) for metrics, _ in alone)
        assert getattr(together, name) == pytest.approx((6 * one + two + three) / 8, rel=1e-3)
    for name in ("jumps", "limb_spread"):
        assert getattr(together, name) == pytest.approx(getattr(alone[0][0], name), rel=1e-3)
    assert together.moved > 0 and together.reconstruction is None
