from __future__ import annotations

import numpy as np

from ttpose.core.skeleton import BBC7, COCO17, COCO17_FEET, H36M16
from ttpose.results.derived import DERIVED, with_derived


def _points(count: int) -> np.ndarray:
    return np.random.default_rng(4).uniform(0, 100, (3, count, 2))


def test_derived_points_follow_the_keypoints() -> None:
    points = _points(21)
    found, names = with_derived(points, COCO17_FEET)
    assert names == (*COCO17_FEET.keypoints, *DERIVED)
    np.testing.assert_array_equal(found[:, :21], points)
    neck, mid_hip, top = np.moveaxis(found[:, 21:], 1, 0)
    shoulders, hips, ears = (
        points[:, [COCO17.index(f"left_{part}"), COCO17.index(f"right_{part}")]].mean(1)
        for part in ("shoulder", "hip", "ear")
    )
    np.testing.assert_allclose(neck, shoulders)
    np.testing.assert_allclose(mid_hip, hips)
    along, up = top - ears, ears - neck
    np.testing.assert_allclose(along, 0.64 * up)


def test_what_is_not_seen_derives_nothing() -> None:
    points = _points(17)
    points[1, COCO17.index("left_ear")] = np.nan
    found, _ = with_derived(points, COCO17)
    assert np.isnan(found[:, -1]).any(1).tolist() == [False, True, False]
    assert np.isfinite(found[:, -3:-1]).all()


def test_sets_that_lack_a_part_or_have_a_neck_stay_as_they_are() -> None:
    for skeleton in (BBC7, H36M16):
        points = _points(len(skeleton))
        found, names = with_derived(points, skeleton)
        assert found is points and names == skeleton.keypoints
