from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.report.examples import figure, made_for, result_of
from ttpose.adaptation.session import Personalization
from ttpose.models.person import PersonDelta
from ttpose.report.effect import Effect, movement

TORSO = 30  # pixels, of `figure`


def made(moved: float, **changes: object) -> Personalization:
    """A personalization that moved every keypoint by so many pixels in the last of three frames."""
    clip = [figure(), figure(), figure()]
    before = [figure(), figure(), figure(moved)]
    found = replace(made_for(Path("x"), clip), refined_keypoints=result_of(Path("x"), before))
    return replace(found, **changes)  # type: ignore[arg-type]


def test_movement_is_a_mean_over_frames_in_torsos() -> None:
    assert movement(made(3.0)) == pytest.approx(3.0 / 3 / TORSO)
    assert movement(made(0.0)) == 0.0


def test_frames_without_the_person_do_not_count() -> None:
    clip = made(3.0)
    gone = result_of(Path("x"), [None, figure(), figure(3.0)])
    assert movement(replace(clip, refined_keypoints=gone)) == pytest.approx(3.0 / 2 / TORSO)
    nobody = result_of(Path("x"), [None, None, None])
    assert movement(replace(clip, refined_keypoints=nobody, keypoints=nobody)) is None
    assert Effect(None).words() is None


def test_a_hundredth_of_the_torso_is_the_limit() -> None:
    assert Effect.of(made(0.85)).almost_nothing
    assert not Effect.of(made(0.95)).almost_nothing


def test_one_unplaced_keypoint_leaves_the_others() -> None:
    clip = made(3.0)
    frames = result_of(Path("x"), [figure(), figure(), figure()])
    frames.frames[2].people[0].keypoints[3, :2] = np.nan
    assert movement(replace(clip, keypoints=frames)) == pytest.approx(3.0 / 3 / TORSO)


@pytest.mark.parametrize(
    ("adapt_s", "said"),
    [(0.9, ""), (1.5, " in half the time"), (6.0, " in a fifth of the time"), (12.0, " in a tenth of the time"),
     (60.0, " in a fraction of the time")],
)  # fmt: skip
def test_the_time_is_the_measured_one(adapt_s: float, said: str) -> None:
    clip = made(0.0, timings={"find_s": 0.5, "refine_s": 1.0, "adapt_s": adapt_s})
    if adapt_s < 1:
        clip = replace(clip, timings={"find_s": 2.0, "refine_s": 1.0, "adapt_s": adapt_s})
    assert Effect.of(clip).instead == f"`ttpose predict --preset fast` gives the same{said}"


def test_a_person_that_was_learned_before_has_no_time_to_compare() -> None:
    clip = made(0.0, timings={"predict_s": 2.0})
    assert Effect.of(clip).words() == (
        "personalizing changed almost nothing; `ttpose predict --preset fast` gives the same"
    )


def test_a_method_without_a_preset_of_inference_names_none() -> None:
    for settings in ('{"preset": "paper"}', '{"preset": "tent"}', "{", "[]"):
        clip = made(0.0, person=PersonDelta("ab" * 32, {}, {"settings": settings}))
        assert Effect.of(clip).words() == "personalizing changed almost nothing"


def test_an_earlier_person_is_part_of_the_command() -> None:
    notes = {"settings": '{"preset": "balanced"}', "continues": "cd" * 32}
    effect = Effect.of(made(0.0, person=PersonDelta("ab" * 32, {}, notes)))
    assert effect.continued
    assert str(effect.instead).startswith("`ttpose predict --preset balanced --weights EARLIER` gives the same")
