from __future__ import annotations

import pytest

from ttpose.adaptation.guard.metrics import INTERPOLATION, GuardMetrics, GuardReport
from ttpose.report.words import decision_words, metric_rows, number, setting_rows, stage_rows


@pytest.mark.parametrize("decision", INTERPOLATION)
def test_each_verdict_has_its_words(decision: str) -> None:
    headline, meaning = decision_words(GuardReport(decision, "", {}))  # type: ignore[arg-type]
    assert headline.endswith("is used") and meaning


def test_a_run_without_checks_claims_none() -> None:
    assert "no check spoke against" not in decision_words(GuardReport("personalized", "the guard was off", {}))[1]


def test_checks_become_rows_and_unmeasured_ones_are_left_out() -> None:
    checks = {kind: GuardMetrics(0.0279, 0.01, 0.1, 0.7, 0.0, None) for kind in ("base", "personalized")}
    rows = {row.name: row.values for row in metric_rows(GuardReport("base", "", checks))}  # type: ignore[arg-type]
    assert rows["Disagreement of views"] == ("0.0279", "0.0279")
    assert rows["Movement"] == ("0", "0")
    assert "Repainting error" not in rows


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.0, "0"), (0.12345, "0.123"), (1e-5, "1.0e-05")])
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert number(value) == text


def test_settings_and_stages_in_words() -> None:
    notes = {
        "settings": '{"steps": 3, "guard": true, "ema": null, "preset": "fast", "augmentation": {"scale": [1, 2]}}'
    }
    assert setting_rows(notes) == [
        ("preset", "fast"), ("steps", "3"), ("ema", "none"), ("guard", "yes"), ("views: scale", "1, 2"),
    ]  # fmt: skip
    assert setting_rows({"settings": "{"}) == setting_rows({}) == []
    assert stage_rows({"adapt_s": 1.5, "write_more_s": 2.0}) == [("Learn", 1.5), ("Write more", 2.0)]
