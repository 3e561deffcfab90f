from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.painted import dot_color, group_of
from ttpose.adaptation.augment import Augmentation, draw_warp
from ttpose.core import geometry
from ttpose.core.skeleton import COCO17
from ttpose.inference.warps import PLAIN, carry_keypoints, warped_batch

MIRROR = COCO17.flip


def _labels(crop, keypoints):
    out = keypoints.copy()
    out[:, :2] = geometry.apply(geometry.invert(crop.to_source), keypoints[:, :2])
    return out


@pytest.mark.parametrize("seed", range(8))
def test_keypoints_follow_the_pixels_through_random_views(walk, seed):
    keypoints, _, crops = walk
    warp = draw_warp(np.random.default_rng(seed), Augmentation(contrast=0, tint=0, brightness=0))
    images, (matrix,) = warped_batch([crops[3]], [warp], 128)
    carried = carry_keypoints(_labels(crops[3], keypoints[3]), matrix, False, MIRROR)
    image = images[0].permute(1, 2, 0).numpy()
    for name, (x, y, _) in zip(COCO17.keypoints, carried, strict=True):
        column, row = round(x), round(y)
        if 2 <= row < 126 and 2 <= column < 126:
            assert np.abs(image[row, column] - dot_color(group_of(name))).max() < 90, name


@pytest.mark.parametrize("seed", range(6))
def test_the_way_there_and_back(walk, seed):
    keypoints, _, crops = walk
    warp = draw_warp(np.random.default_rng(seed), Augmentation())
    labels = _labels(crops[0], keypoints[0])
    matrix = crops[0].matrix(128, **warp.spatial)
    there = carry_keypoints(labels, matrix, warp.flip, MIRROR)
    assert np.abs(there[:, :2] - labels[:, :2]).max() > 1
    back = carry_keypoints(there, geometry.invert(matrix), warp.flip, MIRROR)
    assert np.allclose(back, labels)


def test_a_mirrored_view_renames_the_sides(walk):
    keypoints, _, crops = walk
    labels = _labels(crops[0], keypoints[0])
    labels[:, 2] = np.arange(17)
    matrix = crops[0].matrix(128, flip=True)
    carried = carry_keypoints(labels, matrix, True, MIRROR)
    left, right = COCO17.index("left_wrist"), COCO17.index("right_wrist")
    # Whoever faces the camera has the left wrist on the right of the picture, mirrored or not.
    assert labels[left, 0] > labels[right, 0] and carried[left, 0] > carried[right, 0]
    assert (carried[left, 2], carried[right, 2]) == (right, left)
    assert carried[0, 2] == 0


def test_the_plain_view_is_the_crop(walk):
    crop = walk[2][5]
    images, (matrix,) = warped_batch([crop], [PLAIN], 128)
    assert images.dtype == torch.float32 and images.shape == (1, 3, 128, 128)
    assert np.array_equal(images[0].permute(1, 2, 0).numpy(), crop.view(crop.matrix(128), 128))
    assert np.allclose(matrix, crop.matrix(128))


def test_light_changes_and_is_clipped(walk):
    crop = walk[2][5]
    how = Augmentation(rotation_share=0, scale=(1, 1), shift_sd=0, flip=False, contrast=0.25, tint=0.1, brightness=20)
    plain = crop.view(crop.matrix(128), 128).astype(float)
    rng = np.random.default_rng(1)
    for _ in range(5):
        warp = draw_warp(rng, how)
        found = warped_batch([crop], [warp], 128)[0][0].permute(1, 2, 0).numpy()
        assert np.allclose(found, np.clip(plain * warp.gain + warp.offset, 0, 255), atol=1e-3)
        assert found.min() >= 0 and found.max() <= 255
        assert np.abs(found - plain).max() > 1


def test_random_views_stay_within_their_limits():
    rng, how = np.random.default_rng(0), Augmentation(rotation_sd=30)
    warps = [draw_warp(rng, how) for _ in range(2000)]
    angles = np.array([w.rotation for w in warps])
    assert np.abs(angles).max() == 60.0
    assert np.mean(angles != 0) == pytest.approx(0.6, abs=0.03)
    clipped_sd = 0.96 * 30  # a normal distribution cut at twice its deviation
    assert angles[angles != 0].std() == pytest.approx(clipped_sd, rel=0.06)
    assert np.mean([w.flip for w in warps]) == pytest.approx(0.5, abs=0.04)
    scales = np.array([w.scale for w in warps])
    assert scales.min() >= how.scale[0] and scales.max() <= how.scale[1]
    assert scales.std() == pytest.approx((how.scale[1] - how.scale[0]) / 12**0.5, rel=0.05)
    gains = np.array([w.gain for w in warps])
    assert gains.min() >= 0.75 * 0.9 and gains.max() <= 1.25 * 1.1
    assert not any(draw_warp(rng, Augmentation(flip=False)).flip for _ in range(50))


def test_the_same_seed_draws_the_same_views():
    def draw(seed):
        rng = np.random.default_rng(seed)
        return [draw_warp(rng, Augmentation()).rotation for _ in range(10)]

    assert draw(3) == draw(3) != draw(4)
