from __future__ import annotations

import pytest

from ttpose.core.errors import UsageError
from ttpose.core.skeleton import COCO17, COCO17_FEET, LSP14
from ttpose.inference.settings import (
    PHOTO_PRESET,
    REFINE_PRESETS,
    SINGLE_VIEW,
    SKELETONS,
    VIDEO_PRESET,
    refine_preset,
    with_skeleton,
)


def test_presets():
    assert set(REFINE_PRESETS) == {"fast", "balanced", "thorough"}
    fast, balanced = refine_preset("fast"), refine_preset("balanced")
    assert (fast.views, fast.ensemble, fast.correct_swaps, fast.rescore) == (1, False, True, True)
    assert (balanced.views, balanced.ensemble, balanced.correct_swaps, balanced.rescore) == (4, True, True, True)
    assert {VIDEO_PRESET, PHOTO_PRESET} <= set(REFINE_PRESETS)


def test_a_single_view_is_as_the_network_says_it():
    single = (SINGLE_VIEW.views, SINGLE_VIEW.ensemble, SINGLE_VIEW.correct_swaps, SINGLE_VIEW.rescore)
    assert single == (1, False, False, False)


@pytest.mark.parametrize("name", ["best", "", "paper"])
def test_a_preset_that_there_is_none_of(name):
    with pytest.raises(UsageError) as caught:
        refine_preset(name)
    assert repr(name) in str(caught.value) and "balanced" in caught.value.hint


def test_feet_come_with_the_ensemble_and_cocos_keypoints():
    assert [refine_preset(name).output_skeleton(COCO17) for name in ("balanced", "thorough")] == [COCO17_FEET] * 2
    assert refine_preset("fast").output_skeleton(COCO17) == SINGLE_VIEW.output_skeleton(COCO17) == COCO17
    assert refine_preset("balanced").output_skeleton(LSP14) == LSP14


def test_a_keypoint_set_can_be_chosen():
    assert set(SKELETONS) == {"coco17", "coco17_feet"}
    balanced, fast = refine_preset("balanced"), refine_preset("fast")
    assert with_skeleton(balanced, None) == with_skeleton(balanced, "coco17_feet") == balanced
    assert with_skeleton(balanced, "coco17").output_skeleton(COCO17) == COCO17
    assert with_skeleton(fast, "coco17") == fast
    with pytest.raises(UsageError, match="needs the ensemble") as caught:
        with_skeleton(fast, "coco17_feet")
    assert "balanced" in caught.value.hint
    with pytest.raises(UsageError, match="no keypoint set 'coco18'"):
        with_skeleton(balanced, "coco18")
