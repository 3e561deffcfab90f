from __future__ import annotations

import contextlib
import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.observed import misled, observation, walking
from tests.painted import box_of
from tests.small_models import DotModel
from ttpose.adaptation.boxed_clip import personalize_crops
from ttpose.adaptation.guard import selection as select_weights
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.progress import Progress
from ttpose.core.skeleton import COCO17
from ttpose.inference import pipeline as run
from ttpose.inference.pipeline import personalize_model, predict_clip, predict_crops, refine_prediction
from ttpose.inference.tta import predict_tta

# Colours are in shares of 1, so a hundredth a step is a moderate rate here.
SETTINGS = PersonalizeSettings(steps=8, batch=4, pose_rate=0.01, ema=0.5, rate_warmup=0, views=2, max_crops=30)


def _nearly_blind():
    """Knows the colours roughly, and is unsure for it."""
    model = DotModel()
    with torch.no_grad():
        model.encoder.colors += torch.tensor([0.15, -0.15, 0.15])
    return model


@pytest.fixture(scope="module")
def done(walk):
    return personalize_model(_nearly_blind(), walk[2], SETTINGS, base_sha256="ab")


def test_a_good_change_is_kept_whole(done, walk):
    assert done.guard.decision == "personalized"
    assert done.delta.base_sha256 == "ab"
    assert set(done.delta.changes) <= {"encoder.colors", "encoder.gain"} and done.delta.changes
    base = _nearly_blind()
    before, after = (predict_tta(m, walk[2]).keypoints[..., 2].mean() for m in (base, done.model))
    assert after > before + 0.05
    assert len(done.history) == 8
    assert {"look_s", "adapt_s", "guard_s"} <= set(done.timings)


def test_the_model_is_what_the_person_file_gives(done):
    again = done.delta.apply(_nearly_blind())
    assert all(torch.equal(a, b) for a, b in zip(done.model.parameters(), again.parameters(), strict=True))


def test_the_base_stays_as_it_is(walk):
    base = _nearly_blind()
    before = copy.deepcopy(base.state_dict())
    personalize_model(base, walk[2], replace(SETTINGS, steps=2))
    assert all(torch.equal(before[n], v) for n, v in base.state_dict().items())


def test_a_ruined_model_falls_back_to_the_base(walk):
    base = DotModel()
    done = personalize_model(base, walk[2], replace(SETTINGS, pose_rate=50.0, steps=3))
    assert done.guard.decision == "base"
    assert done.delta.changes == {}
    assert all(torch.equal(a, b) for a, b in zip(done.model.parameters(), base.parameters(), strict=True))


def test_half_of_a_change_is_half_of_it(walk, monkeypatch):
    def half(checks, rule=None):
        return select_weights.GuardReport("interpolated", "for the test", checks)

    whole = personalize_model(_nearly_blind(), walk[2], replace(SETTINGS, guard=False))
    monkeypatch.setattr(select_weights, "decide", half)
    # The same frames to learn from, so that the same change is halved.
    monkeypatch.setattr(run, "held_out", lambda crops: [])
    done = personalize_model(_nearly_blind(), walk[2], SETTINGS)
    assert done.guard.decision == "interpolated"
    for name, change in whole.delta.changes.items():
        assert torch.allclose(done.delta.changes[name], change / 2, atol=1e-6)


def test_the_guard_looks_at_the_base_at_half_and_at_all_of_the_change(walk, monkeypatch):
    looked = []
    original = select_weights.measure

    def spy(model, *rest):
        looked.append(model.encoder.colors.detach().clone())
        return original(model, *rest)

    monkeypatch.setattr(select_weights, "measure", spy)
    done = personalize_model(_nearly_blind(), walk[2], SETTINGS)
    assert done.guard.decision == "personalized"
    base, half, whole = looked
    assert torch.equal(base, _nearly_blind().encoder.colors)
    assert torch.equal(whole, done.model.encoder.colors)
    assert torch.allclose(half, (base + whole) / 2, atol=1e-6)


def test_held_out_frames_do_not_teach(walk, monkeypatch):
    seen, checked = {}, []
    original_adapt, original_checks = run.adapt_offline, select_weights.measure

    def adapt(base, clip, settings, progress):
        seen["learn"] = [crop.index for crop in clip.crops]
        seen["labels"] = clip.labels
        return original_adapt(base, clip, settings, progress)

    def checks(model, base_keypoints, crops, reconstructor, perceptual=None):
        checked.append([crop.index for crop in crops])
        return original_checks(model, base_keypoints, crops, reconstructor)

    monkeypatch.setattr(run, "adapt_offline", adapt)
    monkeypatch.setattr(select_weights, "measure", checks)
    personalize_model(DotModel(), walk[2], replace(SETTINGS, steps=1))
    assert len(checked) == 3 and checked[0] == checked[1] == checked[2] != []
    assert sorted(seen["learn"] + checked[0]) == list(range(30))
    assert len(seen["labels"]) == len(seen["learn"])


def test_a_long_clip_is_thinned(walk, monkeypatch):
    looked = []
    original = run.predict_tta

    def spy(model, crops, *rest, **more):
        looked.append([crop.index for crop in crops])
        return original(model, crops, *rest, **more)

    monkeypatch.setattr(run, "observe", spy)
    personalize_model(DotModel(), walk[2], replace(SETTINGS, steps=1, max_crops=10, guard=False))
    assert looked == [[0, 3, 6, 10, 13, 16, 19, 23, 26, 29]]


def test_too_few_frames_to_hold_any_out_are_said_so_and_checked(walk):
    done = personalize_model(DotModel(), walk[2][:5], replace(SETTINGS, steps=2))
    assert "no frames could be held out" in done.guard.reason
    assert set(done.guard.checks) == {"base", "interpolated", "personalized"}


def test_strength_keeps_a_share_of_the_change(walk):
    settings = replace(SETTINGS, steps=2, guard=False)
    whole = personalize_model(DotModel(), walk[2][:5], settings).delta
    half = personalize_model(DotModel(), walk[2][:5], replace(settings, interpolation=0.5)).delta
    for name, change in whole.changes.items():
        bound = float(change.abs().max()) / 100  # both are rounded to 8-bit steps
        torch.testing.assert_close(half.changes[name], change / 2, atol=bound, rtol=0)


def test_one_single_frame(walk):
    done = personalize_model(DotModel(), walk[2][:1], replace(SETTINGS, steps=2))
    assert np.isfinite(predict_clip(done.model, walk[2][:1], SETTINGS)).all()


def test_without_a_guard_everything_is_kept(walk):
    done = personalize_model(_nearly_blind(), walk[2], replace(SETTINGS, guard=False, steps=2))
    assert done.guard.decision == "personalized" and "off" in done.guard.reason
    assert done.delta.changes


def test_predictions_are_settled_over_time(dots, walk, monkeypatch):
    legs = [COCO17.index(f"{s}_{p}") for p in ("hip", "knee", "ankle") for s in ("left", "right")]
    original = run.predict_tta

    def confused(*args, **more):
        seen = original(*args, **more)
        broken = seen.keypoints.copy()
        broken[10, legs] = seen.keypoints[10, np.array(COCO17.flip)[legs]]
        return replace(seen, keypoints=broken)

    monkeypatch.setattr(run, "observe", confused)
    keypoints, _, crops = walk
    found = predict_clip(dots, crops, SETTINGS)
    assert np.abs(found[10, legs, :2] - keypoints[10, legs, :2]).max() < 4
    raw = predict_clip(dots, crops, replace(SETTINGS, correct_swaps=False))
    assert np.abs(raw[10, legs, :2] - keypoints[10, legs, :2]).max() > 15


def test_settled_says_what_was_exchanged(dots, walk):
    seen = predict_tta(dots, walk[2][:10])
    _, swapped = refine_prediction(seen, [c.time_s for c in walk[2][:10]], COCO17, SETTINGS)
    assert swapped.shape == (10, 2) and not swapped.any()


@pytest.fixture
def confused():
    """20 frames of a walk: true keypoints; a wrist is thrown in frame 10, and the legs are swapped in frame 5."""
    true = walking(20)
    seen = misled(observation(true), 10, "left_wrist", (90, 60), score=0.3, spare=0.2)
    legs = [COCO17.index(f"{s}_{p}") for p in ("hip", "knee", "ankle") for s in ("left", "right")]
    for part in (seen.keypoints, seen.peaks):
        part[5, legs] = part[5, np.array(COCO17.flip)[legs]]
    seen.side_odds[5, legs] *= -0.2
    return true, seen


@pytest.mark.parametrize("settle", [True, False])
@pytest.mark.parametrize("rescored", [True, False])
def test_settling_and_rescoring_are_done_as_the_settings_say(confused, settle, rescored):
    true, seen = confused
    settings = replace(SETTINGS, correct_swaps=settle, rescore=rescored)
    found, swapped = refine_prediction(seen, [i / 25 for i in range(20)], COCO17, settings)
    away = np.linalg.norm(found - true, axis=-1)
    legs, wrist = [COCO17.index("left_ankle"), COCO17.index("right_ankle")], COCO17.index("left_wrist")
    assert (away[10, wrist] < 5) == rescored
    assert np.argwhere(swapped).tolist() == ([[5, 0]] if settle else [])
    if settle:
        assert away[5, legs].max() == 0
    elif not rescored:
        assert np.array_equal(found, seen.keypoints)


def test_rescoring_is_told_the_settled_names_and_the_times(confused, monkeypatch):
    true, seen = confused
    given = []
    monkeypatch.setattr(run, "rescore", lambda *those: given.extend(those) or (those[0].keypoints + 1, None))
    times = [0.1 + i / 25 for i in range(20)]
    found, swapped = refine_prediction(seen, times, COCO17, replace(SETTINGS, rescore=True))
    assert swapped[5, 0] and np.array_equal(given[0].keypoints[5], true[5])
    assert np.array_equal(given[0].peaks[5, :, 0], true[5]) and (given[0].side_odds[5] > 0).all()
    assert given[1].tolist() == times and given[2] == COCO17
    assert np.array_equal(found, given[0].keypoints + 1)


def test_with_a_second_opinion_the_plain_view_counts_half(confused, monkeypatch):
    true, seen = confused
    given = []
    monkeypatch.setattr(run, "rescore", lambda *those: given.append(those[0]) or (those[0].keypoints, None))
    plain = observation(np.add(true, [4, 0, 0]))
    second = np.concatenate([true, np.zeros((*true.shape[:2], 1))], -1)
    settings, times = replace(SETTINGS, rescore=True), [i / 25 for i in range(20)]
    for part in (replace(seen, plain=plain), replace(seen, ensemble=second)):
        found, _ = refine_prediction(part, times, COCO17, settings)
        assert np.array_equal(found, given.pop().keypoints) and not given
    found, swapped = refine_prediction(replace(seen, plain=plain, ensemble=second), times, COCO17, settings)
    assert np.array_equal(given[0].ensemble, second) and np.array_equal(given[1].ensemble, second)
    assert np.array_equal(given[1].keypoints, plain.keypoints)
    assert swapped[5, 0], "of all views"
    limbs = np.arange(5, 17)
    assert np.allclose(found[0, limbs], given[0].keypoints[0, limbs] + [2, 0, 0])
    wrist = COCO17.index("left_wrist")
    assert np.array_equal(found[10, wrist], given[0].keypoints[10, wrist]), "too far apart to be the same place"


def test_predictions_are_rescored(dots, walk, monkeypatch):
    keypoints, crops, wrist = walk[0][:14], walk[2][:14], COCO17.index("left_wrist")
    seen = misled(predict_tta(dots, crops), 8, "left_wrist", (40, 20), score=0.3, spare=0.2)
    monkeypatch.setattr(run, "observe", lambda *_, **__: seen)
    for rescored in (True, False):
        found = predict_clip(dots, crops, replace(SETTINGS, rescore=rescored))
        assert (np.linalg.norm(found[8, wrist, :2] - keypoints[8, wrist, :2]) < 6) == rescored


def test_a_second_opinion_is_asked_where_the_settings_say(dots, walk, monkeypatch):
    keypoints, crops = walk[0][:14], walk[2][:14]
    shift = np.array([6.0, 0])

    class Shifted:
        def look(self, some, found):
            assert np.linalg.norm(found[..., :2] - keypoints[[c.index for c in some], :, :2], axis=-1).mean() < 6
            said = np.concatenate([found[..., :2] + shift, np.full((*found.shape[:2], 1), 0.9)], -1)
            return np.concatenate([said, np.zeros((*found.shape[:2], 1))], -1)

    monkeypatch.setattr(run, "ensemble", lambda skeleton, device: Shifted())
    plain = predict_crops(dots, crops, replace(SETTINGS, rescore=True))
    asked = predict_crops(dots, crops, replace(SETTINGS, rescore=True, ensemble=True))
    assert plain.ensemble is None and np.array_equal(plain.keypoints, asked.keypoints)
    assert np.allclose(asked.ensemble[..., :2], plain.keypoints[..., :2] + shift)
    monkeypatch.setattr(run, "rescore", lambda seen, *_: (seen.ensemble[..., :3], None))
    found = predict_clip(dots, crops, replace(SETTINGS, rescore=True, ensemble=True))
    assert np.allclose(found[..., :2], plain.keypoints[..., :2] + shift)


def test_predictions_keep_to_the_names_that_the_teacher_gave(done, dots, walk):
    keypoints, _, crops = walk
    assert sorted(done.reference) == [crop.index for crop in crops]
    assert np.abs(done.reference[crops[4].index] - keypoints[4, :, :2]).max() < 10
    limbs = np.arange(5, 17)
    as_found = predict_clip(dots, crops, SETTINGS)
    renamed = {crop.index: row[list(COCO17.flip), :2] for crop, row in zip(crops, as_found, strict=True)}
    other = predict_clip(dots, crops, SETTINGS, reference=renamed)
    assert np.array_equal(other[:, limbs], as_found[:, np.array(COCO17.flip)[limbs]])


class _Stages(Progress):
    def __init__(self):
        self.seen = {}

    def stage(self, name, total=None):
        self.seen[name] = [total, 0]

        def advance(n=1):
            self.seen[name][1] += n

        return contextlib.nullcontext(advance)


def test_progress_counts_to_its_totals(walk):
    told = _Stages()
    done = personalize_model(DotModel(), walk[2], replace(SETTINGS, steps=2), progress=told)
    predict_clip(done.model, walk[2], SETTINGS, told)
    assert told.seen == {"look": [30, 30], "adapt": [2, 2], "check": [3, 3], "predict": [30, 30]}


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_frames_with_known_boxes_end_to_end(walk, mode):
    keypoints, images, _ = walk
    boxes = [box_of(k) for k in keypoints]
    read = []

    def reader(position):
        read.append(position)
        return images[position]

    done = personalize_crops(
        _nearly_blind(), reader, boxes, settings=replace(SETTINGS, mode=mode, steps=4 if mode == "offline" else 1)
    )
    assert done.keypoints.shape == (30, 17, 3)
    assert np.median(np.abs(done.keypoints[..., :2] - keypoints[..., :2])) < 2
    assert np.abs(done.keypoints[..., :2] - keypoints[..., :2]).max() < 8
    assert read == list(range(30)), "every frame is read once"
    assert done.timings["adapt_s"] > 0
    assert all(torch.isfinite(p).all() for p in done.model.parameters())


def test_frames_may_be_a_list_and_have_times(walk, monkeypatch):
    keypoints, images, _ = walk
    times = []
    original = run.correct_swaps
    monkeypatch.setattr(
        run, "correct_swaps", lambda k, s, when, sk, **_: times.append(when) or original(k, s, when, sk)
    )
    settings = replace(SETTINGS, steps=1, guard=False)
    boxes = [box_of(k) for k in keypoints[:4]]
    personalize_crops(DotModel(), images[:4], boxes, settings=settings, times=[0.0, 1.0, 2.5, 3.0])
    assert times[-1].tolist() == [0.0, 1.0, 2.5, 3.0]
    personalize_crops(DotModel(), images[:4], boxes, settings=settings)
    assert times[-1].tolist() == [0.0, 0.04, 0.08, 0.12]


def test_the_shipped_structure_end_to_end(tiny, painted_crops):
    """Every objective at once on the real network, in both directions of the delta."""
    settings = PersonalizeSettings(
        steps=2, batch=2, decoder_warmup=1, reconstruction=0.1, consistency=0.5, anchor=0.5, reconstruction_batch=1,
        views=2, guard=False,
    )  # fmt: skip
    done = personalize_model(tiny, painted_crops, settings, base_sha256="cd")
    assert len(done.history) == 3
    assert set(done.history[-1]) == {"reconstruction", "self_training", "consistency", "anchor", "total"}
    assert all(math.isfinite(v) for entry in done.history for v in entry.values())
    assert done.delta.changes and not any(n.startswith(("reconstructor.", "affinity.")) for n in done.delta.changes)
