from __future__ import annotations

import numpy as np
import pytest

from ttpose.core.skeleton import (
    BBC7,
    COCO17,
    COCO17_FEET,
    FEET,
    H36M16,
    LSP14,
    PENN13,
    Skeleton,
    convert,
    in_skeleton,
    skeleton_named,
)

ALL = [COCO17, COCO17_FEET, PENN13, BBC7, H36M16, LSP14]


@pytest.mark.parametrize("skeleton", ALL, ids=lambda skeleton: skeleton.name)
def test_every_set_is_consistent(skeleton: Skeleton) -> None:
    assert skeleton_named(skeleton.name) is skeleton
    assert len(set(skeleton.keypoints)) == len(skeleton) == len(skeleton.sigmas)
    flip = skeleton.flip
    assert [flip[flip[k]] for k in range(len(skeleton))] == list(range(len(skeleton)))
    for k, name in enumerate(skeleton.keypoints):
        mirrored = skeleton.keypoints[flip[k]]
        assert (name == mirrored) == (not name.startswith(("left_", "right_")))
        assert skeleton.sigmas[k] == skeleton.sigmas[flip[k]]
    limbs = {frozenset(limb) for limb in skeleton.limbs}
    assert len(limbs) == len(skeleton.limbs)
    assert {frozenset(flip[k] for k in limb) for limb in limbs} == limbs, "limbs are the same on both sides"
    reached = set().union(*skeleton.limbs)
    assert len(reached) == len(skeleton), "every keypoint is the end of a limb"


def test_sizes_that_the_names_promise() -> None:
    assert [len(skeleton) for skeleton in ALL] == [17, 21, 13, 7, 16, 14]


def test_feet_follow_cocos_keypoints() -> None:
    assert COCO17_FEET.keypoints == (*COCO17.keypoints, "left_big_toe", "right_big_toe", "left_heel", "right_heel")
    assert COCO17_FEET.keypoints[17:] == FEET
    assert set(COCO17.limbs) < set(COCO17_FEET.limbs)


def test_keypoints_go_to_another_set_by_name_and_nothing_is_derived() -> None:
    points = person(COCO17_FEET)
    np.testing.assert_array_equal(in_skeleton(points, COCO17_FEET, COCO17), points[:17])
    back = in_skeleton(points[:17], COCO17, COCO17_FEET)
    np.testing.assert_array_equal(back[:17], points[:17])
    assert np.isnan(back[17:, :2]).all() and not back[17:, 2].any()
    assert np.isnan(in_skeleton(points, COCO17_FEET, LSP14)[LSP14.index("neck"), 0])


def test_coco_is_in_its_published_order_with_its_published_sigmas() -> None:
    assert COCO17.keypoints[:5] == ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
    assert COCO17.index("left_ankle") == 15
    published = [26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]
    np.testing.assert_allclose(COCO17.sigmas, np.array(published) / 1000)


def test_unknown_names() -> None:
    with pytest.raises(KeyError):
        skeleton_named("coco18")
    with pytest.raises(ValueError):
        COCO17.index("tail")


def person(skeleton: Skeleton) -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.column_stack([rng.uniform(0, 100, (len(skeleton), 2)), rng.uniform(0.2, 1, len(skeleton))])


@pytest.mark.parametrize("skeleton", ALL, ids=lambda skeleton: skeleton.name)
def test_converting_to_the_same_set_changes_nothing(skeleton: Skeleton) -> None:
    np.testing.assert_array_equal(convert(person(skeleton), skeleton, skeleton), person(skeleton))


def test_shared_names_are_taken_over_and_the_rest_derived() -> None:
    points = person(COCO17)
    penn = convert(points, COCO17, PENN13)
    np.testing.assert_array_equal(penn[PENN13.index("right_knee")], points[COCO17.index("right_knee")])
    ears = points[[COCO17.index("left_ear"), COCO17.index("right_ear")]]
    np.testing.assert_allclose(penn[PENN13.index("head"), :2], ears[:, :2].mean(axis=0))
    assert penn[PENN13.index("head"), 2] == ears[:, 2].min()
    lsp = convert(points, COCO17, LSP14)
    shoulders = points[[COCO17.index("left_shoulder"), COCO17.index("right_shoulder")], :2]
    np.testing.assert_allclose(lsp[LSP14.index("neck"), :2], shoulders.mean(axis=0))


def test_what_cannot_be_derived_is_unknown_with_score_zero() -> None:
    lsp = convert(person(COCO17), COCO17, LSP14)
    assert np.isnan(lsp[LSP14.index("head_top"), :2]).all() and lsp[LSP14.index("head_top"), 2] == 0
    coco = convert(person(PENN13), PENN13, COCO17)
    assert np.isnan(coco[COCO17.index("left_eye"), :2]).all()
    assert np.isfinite(coco[COCO17.index("left_wrist")]).all()


def test_batches_are_converted_like_single_people() -> None:
    batch = np.stack([person(COCO17), person(COCO17) * 0.5])[None]
    out = convert(batch, COCO17, H36M16)
    assert out.shape == (1, 2, 16, 3)
    np.testing.assert_array_equal(out[0, 1], convert(batch[0, 1], COCO17, H36M16))
