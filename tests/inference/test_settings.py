from __future__ import annotations

import pytest

from ttpose.core.errors import UsageError
from ttpose.inference.settings import PHOTO_PRESET, REFINE_PRESETS, SINGLE_VIEW, VIDEO_PRESET, refine_preset


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
