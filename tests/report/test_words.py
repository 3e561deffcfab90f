from __future__ import annotations

from dataclasses import replace

import pytest

from ttpose.adaptation.guard.metrics import GuardMetrics, GuardReport
from ttpose.adaptation.guard.rule import decide
from ttpose.adaptation.guard.selection import NOT_HELD_OUT
from ttpose.report.effect import Effect
from ttpose.report.words import decision_words, guard_words, metric_rows, number, setting_rows, stage_rows

BASE = GuardMetrics(disagreement=0.0196, jumps=0.05, limb_spread=0.1, score=0.8, moved=0.0, reconstruction=None)
BETTER = replace(BASE, disagreement=0.0183, moved=0.1)
MOVED = Effect(0.021, "balanced", 5.2)
STAYED = Effect(0.004, "balanced", 5.2)


def judged(half: GuardMetrics = BETTER, whole: GuardMetrics = BETTER) -> GuardReport:
    return decide({"base": BASE, "interpolated": half, "personalized": whole})


def test_personalized_weights_that_moved_the_keypoints() -> None:
    assert decision_words(judged(), MOVED) == (
        "The personalized weights are used",
        "Personalizing moved the keypoints by 2.1 % of the torso on average. "
        "No guard metric spoke against the change on frames that were kept out of learning.",
    )
    assert MOVED.words() == "personalizing moved the keypoints by 2.1 % of the torso"


def test_weights_that_changed_almost_nothing() -> None:
    assert decision_words(judged(), STAYED) == (
        "Personalizing changed almost nothing",
        "The keypoints moved by 0.4 % of the torso on average: `ttpose predict --preset balanced` gives the same in a "
        "fifth of the time.",
    )
    assert STAYED.words() == (
        "personalizing changed almost nothing; `ttpose predict --preset balanced` gives the same in a fifth of the time"
    )


def test_half_of_the_change() -> None:
    report = judged(half=replace(BETTER, disagreement=0.012), whole=BETTER)
    assert report.decision == "interpolated"
    assert decision_words(report, MOVED) == (
        "The interpolated weights (half of the change) are used",
        "Personalizing moved the keypoints by 2.1 % of the torso on average. "
        "Half of the change is kept: the weights are half-way between base and personalized.",
    )
    assert guard_words(report).startswith("interpolated weights (half of the change) used: half of it makes ")


def test_a_change_that_is_dropped_changed_nothing() -> None:
    worse = replace(BASE, disagreement=0.2, moved=0.1)
    report = judged(worse, worse)
    assert report.decision == "base"
    assert decision_words(report, Effect(0.0, "fast", 2.3)) == (
        "Personalizing changed almost nothing",
        "The keypoints are the refined ones: `ttpose predict --preset fast` gives the same in half the time.",
    )
    said = "views of one frame disagree more (0.020 before, 0.200 after)"
    assert guard_words(report) == f"base weights used: {said}"
    assert guard_words(report, continued=True) == f"earlier weights used: {said}"


@pytest.mark.parametrize(
    ("whole", "reason"),
    [
        (BETTER, "test-time views agree better on held-out frames, 0.0196 → 0.0183"),
        (replace(BASE, jumps=0.04), "keypoints jump less between frames on held-out frames, 0.05 → 0.04"),
        (replace(BASE, limb_spread=0.09), "limb lengths vary less on held-out frames, 0.1 → 0.09"),
        (replace(BASE, disagreement=0.01961), "no guard metric got clearly worse on held-out frames"),
        (replace(BASE, disagreement=0.0199), "no guard metric got clearly worse on held-out frames"),
    ],
)
def test_one_reason_for_the_personalized_weights(whole: GuardMetrics, reason: str) -> None:
    assert guard_words(judged(half=whole, whole=whole)) == f"personalized weights used: {reason}"


def test_frames_learned_from_are_not_called_held_out() -> None:
    report = judged()
    said = guard_words(replace(report, reason=f"{report.reason}; {NOT_HELD_OUT}"))
    assert said == (
        "personalized weights used: test-time views agree better on the frames learned from, 0.0196 → 0.0183"
    )


def test_without_a_guard_nothing_is_claimed() -> None:
    report = GuardReport("personalized", "the guard was off", {})
    assert guard_words(report) == "personalized weights used: the guard was off"
    assert decision_words(report, Effect(None))[1] == (
        "No guard metric was measured, so nothing speaks for or against the change."
    )


def test_metrics_become_rows_and_unmeasured_ones_are_left_out() -> None:
    checks = {kind: GuardMetrics(0.0279, 0.01, 0.1, 0.7, 0.0, None) for kind in ("base", "personalized")}
    rows = {row.name: row.values for row in metric_rows(GuardReport("base", "", checks))}
    assert rows["TTA disagreement"] == ("0.0279", "0.0279")
    assert rows["Movement"] == ("0", "0")
    assert "Reconstruction error" not in rows


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.0, "0"), (0.12345, "0.123"), (1e-5, "1.0e-05")])
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert number(value) == text


def test_settings_and_stages_in_words() -> None:
    notes = {
        "settings": '{"steps": 3, "guard": true, "ema": null, "preset": "fast", "augmentation": {"scale": [1, 2]}}'
    }
    assert setting_rows(notes) == [
        ("preset", "fast"), ("steps", "3"), ("ema", "none"), ("guard", "yes"), ("augmentation: scale", "1, 2"),
    ]  # fmt: skip
    assert setting_rows({"settings": "{"}) == setting_rows({}) == []
    assert stage_rows({"adapt_s": 1.5, "write_more_s": 2.0}) == [("Learn", 1.5), ("Write more", 2.0)]
