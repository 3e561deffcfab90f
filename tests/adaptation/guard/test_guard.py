from __future__ import annotations

import copy
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from tests.painted import box_of
from ttpose.adaptation.guard.held_out import hold_out
from ttpose.adaptation.guard.metrics import INTERPOLATION, GuardMetrics, GuardReport, measure
from ttpose.adaptation.guard.rule import GuardRule, decide
from ttpose.inference.tta import TTA_VIEWS, predict_tta
from ttpose.models.predictor import CROP_PAD

BASE = GuardMetrics(disagreement=0.10, jumps=0.05, limb_spread=0.04, score=0.5, moved=0.0, reconstruction=None)
LIKE = replace(BASE, moved=0.1)


@pytest.mark.parametrize("count", [0, 1, 14, 15, 29, 30, 31, 77, 120, 128, 500, 1000])
def test_hold_out(count):
    held = hold_out(count)
    assert held == sorted(set(held))
    assert len(held) <= min(24, count / 5)
    assert all(0 <= position < count for position in held)
    assert len(held) % 3 == 0
    runs = [held[i : i + 3] for i in range(0, len(held), 3)]
    assert all(run == list(range(run[0], run[0] + 3)) for run in runs)
    if count >= 15:
        assert len(held) == 3 * min(count // 15, 8)
        # Spread over the clip, with frames to learn from around every run.
        edges = [-1, *(r for run in runs for r in (run[0], run[-1])), count]
        gaps = [b - a - 1 for a, b in zip(edges[::2], edges[1::2], strict=True)]
        assert min(gaps) >= 3
        assert max(gaps) <= 2 * min(gaps) + 3


def test_hold_out_can_be_kept_small():
    assert len(hold_out(1000, most=6)) == 6


def _decide(personalized=LIKE, interpolated=LIKE, base=BASE, rule=None):
    return decide({"base": base, "personalized": personalized, "interpolated": interpolated}, rule)


WORSE = [
    ("disagreement", replace(LIKE, disagreement=0.121)),
    ("jumps", replace(LIKE, jumps=0.0626)),
    ("limb_spread", replace(LIKE, limb_spread=0.0511)),
    ("moved", replace(LIKE, moved=0.36)),
    ("nan", replace(LIKE, moved=math.nan)),
    ("infinite", replace(LIKE, jumps=math.inf)),
]


def test_what_passes_everywhere_is_personalized():
    report = _decide()
    assert report.decision == "personalized"
    assert report.reason == "every check passed"


@pytest.mark.parametrize(("name", "bad"), WORSE)
def test_any_one_bad_check_speaks_against(name, bad):
    half = _decide(personalized=bad)
    assert half.decision == "interpolated"
    assert half.reason.startswith("half of the change is kept")
    none = _decide(personalized=bad, interpolated=bad)
    assert none.decision == "base"
    assert none.reason.startswith("kept the base")


@pytest.mark.parametrize(
    "found",
    [
        replace(LIKE, disagreement=0.106),
        replace(LIKE, jumps=0.0624),
        replace(LIKE, limb_spread=0.0509),
        replace(LIKE, moved=0.34),
        replace(LIKE, disagreement=0.0, jumps=0.0, limb_spread=0.0),
    ],
)
def test_a_little_worse_and_any_better_pass(found):
    assert _decide(personalized=found).decision == "personalized"


def test_half_of_a_change_is_not_chosen_because_all_of_it_is_good():
    bad = replace(LIKE, moved=0.9)
    assert _decide(interpolated=bad).decision == "personalized"


def test_the_rules_limits_can_be_set():
    assert _decide(personalized=replace(LIKE, moved=0.36), rule=GuardRule(most_moved=0.4)).decision == "personalized"
    worse = replace(LIKE, jumps=0.09)
    assert _decide(personalized=worse, rule=GuardRule(most_worse=2.0)).decision == "personalized"


def test_the_reason_names_figures():
    report = _decide(WORSE[0][1], WORSE[0][1])
    assert "0.100 before" in report.reason and "0.121 after" in report.reason


def test_report_for_files():
    report = _decide()
    assert report.metrics["moved"] == {"base": 0.0, "personalized": 0.1, "interpolated": 0.1}
    assert set(report.metrics) == set(asdict(BASE))
    assert report.to_dict() == {"decision": "personalized", "reason": report.reason, "metrics": report.metrics}
    assert GuardReport("base", "off", {}).to_dict()["metrics"]["jumps"] == {}


def test_strengths():
    assert INTERPOLATION == {"personalized": 1.0, "interpolated": 0.5, "base": 0.0}


@pytest.fixture(scope="module")
def held(walk):
    crops = walk[2]
    return [crops[i] for i in hold_out(30)]


@pytest.fixture(scope="module")
def base_checks(dots, held):
    return measure(dots, None, held, None)


def _harmed(model, colors=0.0, gain=1.0):
    out = copy.deepcopy(model)
    with torch.no_grad():
        out.encoder.colors += colors
        out.encoder.gain *= gain
    return out


def test_checks_of_a_good_model(dots, held, walk, base_checks):
    checks, keypoints = base_checks
    assert all(math.isfinite(v) for v in asdict(checks).values() if v is not None)
    true = np.stack([walk[0][crop.index] for crop in held])
    assert np.abs(keypoints[..., :2] - true[..., :2]).max() < 4
    assert checks.moved == 0 and checks.reconstruction is None
    # Three views of a picture with cells of 6 pixels and a torso of 54.
    assert checks.disagreement < 0.03
    assert checks.jumps < 0.03
    assert checks.score == pytest.approx(keypoints[..., 2].mean())


def test_the_same_weights_move_nothing_and_pass(dots, held, base_checks):
    base, keypoints = base_checks
    again, _ = measure(copy.deepcopy(dots), keypoints, held, None)
    assert again == base
    assert decide({"base": base, "personalized": again, "interpolated": again}).decision == "personalized"


@pytest.mark.parametrize("harm", [{"colors": 3.0}, {"gain": 0.0}, {"gain": float("nan")}, {"colors": float("inf")}])
def test_destroyed_weights_never_pass(dots, held, base_checks, harm):
    base, keypoints = base_checks
    ruined, _ = measure(_harmed(dots, **harm), keypoints, held, None)
    report = decide({"base": base, "personalized": ruined, "interpolated": ruined})
    assert report.decision == "base", report.metrics


class _Shifted(torch.nn.Module):
    """The dot model with every map moved by cells, by another amount in each forward where `jitter` is set."""

    def __init__(self, inner, cells, jitter=False):
        super().__init__()
        self.inner, self.cells, self.jitter = inner, cells, jitter
        self.config, self.skeleton, self.device, self.normalise = (
            inner.config, inner.skeleton, inner.device, inner.normalise,
        )  # fmt: skip

    def forward(self, images):
        out = self.inner(images)
        shifts = [(-1) ** i if self.jitter else 1 for i in range(len(images))]
        out.supervised[:] = torch.stack([
            m.roll(self.cells * s, dims=1) for m, s in zip(out.supervised, shifts, strict=True)
        ])  # fmt: skip
        return out


def test_moved_is_in_torsos(dots, held, base_checks):
    _, keypoints = base_checks
    checks, found = measure(_Shifted(dots, 1), keypoints, held, None)
    torso = 0.27 * 200
    wanted = np.linalg.norm(found[..., :2] - keypoints[..., :2], axis=-1).mean() / torso
    assert checks.moved == pytest.approx(wanted, rel=0.1)
    assert checks.moved > 0.05


def test_jumps_see_a_point_that_goes_to_and_fro(dots, held, base_checks):
    base, keypoints = base_checks
    checks, _ = measure(_Shifted(dots, 2, jitter=True), keypoints, held, None)
    assert checks.jumps > 5 * base.jumps + 0.1


def test_disagreement_sees_a_model_that_follows_the_crop_not_the_person(dots, held, base_checks):
    base, keypoints = base_checks
    # Moved down in every view, turned ones too, so the views brought back differ.
    checks, _ = measure(_Shifted(dots, 6), keypoints, held, None)
    assert checks.disagreement > 1.5 * base.disagreement


def test_disagreement_is_in_torsos_whatever_the_pictures_size(dots, held, walk, base_checks):
    base, _ = base_checks
    spread = predict_tta(dots, held, TTA_VIEWS[:3]).spread
    sides = np.array([box_of(walk[0][crop.index]).side * CROP_PAD for crop in held])
    assert base.disagreement == pytest.approx((spread * sides[:, None]).mean() / 54, rel=0.05)


def test_limb_spread_sees_a_limb_of_changing_length(dots, held, walk, base_checks):
    from ttpose.adaptation.guard.metrics import _limb_spread

    _, keypoints = base_checks
    torso = 54.0
    still = np.repeat(keypoints[:1], len(keypoints), 0)
    assert _limb_spread(still, dots.skeleton, torso) == 0
    wild = still.copy()
    wild[::2, 9, 0] += 54
    assert _limb_spread(wild, dots.skeleton, torso) > 0.02


def test_repainting_starts_from_another_frame(tiny, painted_crops, monkeypatch):
    pairs = []
    original = tiny.reconstruct

    def spy(source, source_points, target_points):
        pairs.append((source_points, target_points))
        return original(source, source_points, target_points)

    monkeypatch.setattr(tiny, "reconstruct", spy)
    measure(tiny, None, painted_crops[:6], tiny)
    source, target = (torch.cat(points) for points in zip(*pairs, strict=True))
    assert torch.equal(source, target.roll(3, dims=0)) and not torch.equal(source, target)


def test_repainting_is_measured_with_the_painter(tiny, painted_crops):
    plain, _ = measure(tiny, None, painted_crops[:6], None)
    painted, keypoints = measure(tiny, None, painted_crops[:6], tiny)
    assert plain.reconstruction is None and math.isfinite(painted.reconstruction)
    blank = copy.deepcopy(tiny)
    with torch.no_grad():
        blank.reconstructor.leave[-1].bias += 2.0  # reconstructs everything too bright
    worse, _ = measure(tiny, keypoints, painted_crops[:6], blank)
    assert worse.reconstruction > painted.reconstruction + 0.2


def test_half_is_kept_when_its_views_agree_better():
    half, whole = replace(LIKE, disagreement=0.08), replace(LIKE, disagreement=0.095)
    report = _decide(personalized=whole, interpolated=half)
    assert report.decision == "interpolated"
    assert "half of it makes views agree better" in report.reason
    assert _decide(personalized=half, interpolated=whole).decision == "personalized"


def test_worse_repainting_speaks_against():
    base = replace(BASE, reconstruction=-3.0)
    report = _decide(
        base=base,
        personalized=replace(LIKE, reconstruction=-2.8),
        interpolated=replace(LIKE, reconstruction=-2.99),
    )
    assert report.decision == "interpolated"
    assert "reconstructed" in report.reason
