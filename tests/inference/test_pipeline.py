"""Inference from frames to records, with a model that finds coloured dots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.feet import feet_of, said_of, second_network
from tests.listed import ListedClip, ListedDetector, track_of
from tests.painted import corrected_box
from tests.recorded import Recorded
from tests.small_models import CountedDots, recoloured
from ttpose.core.skeleton import COCO17, torso_lengths
from ttpose.inference.crop_store import CropStore
from ttpose.inference.ensemble import EnsembleMember
from ttpose.inference.pipeline import predict_clip, predict_crops
from ttpose.inference.refine.clip import refine
from ttpose.inference.settings import REFINE_PRESETS, SINGLE_VIEW, RefineSettings
from ttpose.inference.tta import TTA_VIEWS, predict_tta
from ttpose.inference.video import predict_video, predict_video_again

FRAMES = 20
VIEWS = RefineSettings(views=4)
ALL = REFINE_PRESETS["balanced"]
PARTS = ("keypoints", "side_odds", "spread", "single_view_keypoints", "peaks", "boxes")


@pytest.fixture
def clip(walk):
    """The walk's first frames and the boxes of the person in them."""
    keypoints, images, _ = walk
    return ListedClip(images[:FRAMES]), track_of([corrected_box(k) for k in keypoints[:FRAMES]])


@pytest.fixture
def shown(monkeypatch):
    """The crops' numbers and the poses that the ensemble's second network was shown; it says all joints 6 px right."""
    asked = []

    def predict(self, crops, keypoints):
        asked.append(([crop.index for crop in crops], keypoints.copy()))
        said = second_network(self, crops, keypoints)
        said[..., 0] += 6
        said[..., 2] = 0.9
        return said

    monkeypatch.setattr(EnsembleMember, "predict", predict)
    return asked


def _advance(counted):
    return lambda n: counted.append(n)


def _video(clip, settings, base=None, **more):
    source, track = clip
    return predict_video(source, track, base or CountedDots(), ListedDetector(), settings, lambda n: None, **more)


def _same(one, other, tolerance=1e-4):
    for name in PARTS:
        assert np.allclose(getattr(one, name), getattr(other, name), atol=tolerance), name


def test_crops_are_predicted_by_the_settings_views(walk):
    model = CountedDots()
    found = predict_crops(model, walk[2][:5], VIEWS)
    assert model.predicted == 4 * 5
    _same(found, predict_tta(model, walk[2][:5], TTA_VIEWS[:4]))
    assert found.ensemble is None and found.maps is None
    assert predict_crops(model, walk[2][:5], VIEWS, keep_maps=True).maps.shape[:2] == (5, 17)


def test_the_ensemble_is_shown_the_pose_that_was_found(walk, shown):
    model, crops = CountedDots(), walk[2][:5]
    found = predict_crops(model, crops, ALL)
    assert [row for rows, _ in shown for row in rows] == [0, 1, 2, 3, 4], "each crop once"
    assert np.array_equal(np.concatenate([pose for _, pose in shown]), found.keypoints)
    assert np.allclose(found.ensemble[..., :2], found.keypoints[..., :2] + [6, 0])


def test_a_known_ensemble_is_not_predicted_again(walk, shown):
    known = np.arange(5 * 17 * 4.0).reshape(5, 17, 4)
    assert np.array_equal(predict_crops(CountedDots(), walk[2][:5], ALL, ensemble=known).ensemble, known)
    assert shown == []


def test_feet_are_predicted_where_they_are_asked_for(walk, shown):
    found = predict_crops(CountedDots(), walk[2][:5], ALL)
    assert found.ensemble.shape == (5, 17, 4) and found.feet.shape == (5, 4, 4)
    assert np.allclose(found.feet[..., :2], said_of(feet_of(found.keypoints))[..., :2] + [6, 0])
    without = predict_crops(CountedDots(), walk[2][:5], replace(ALL, feet=False))
    assert without.feet is None and np.array_equal(without.ensemble, found.ensemble)
    assert predict_crops(CountedDots(), walk[2][:5], VIEWS).feet is None


def test_records_have_feet_behind_a_body_that_stays_as_it_is(clip, shown):
    found = _video(clip, ALL)
    assert found.prediction.feet.shape == (FRAMES, 4, 4)
    records, before = (found.records(COCO17, replace(ALL, feet=feet)) for feet in (True, False))
    for record, other in zip(records, before, strict=True):
        (person,), (body,) = record.people, other.people
        assert len(person.keypoints) == 21 and np.array_equal(person.keypoints[:17], body.keypoints)
        assert person.box == body.box and record.note == other.note
        torso = torso_lengths(body.keypoints[None], COCO17)[0]
        off = person.keypoints[17:, :2] - feet_of(body.keypoints)[:, :2]
        assert np.linalg.norm(off, axis=-1).max() < 0.15 * torso


def test_another_prediction_without_feet_takes_the_clips(clip, shown):
    found = _video(clip, ALL)
    (mine, other) = (found.records(COCO17, ALL, p) for p in (None, replace(found.prediction, feet=None)))
    for one, two in zip(mine, other, strict=True):
        assert np.allclose(one.people[0].keypoints[17:], two.people[0].keypoints[17:], atol=1.0)


def test_a_clip_of_crops_is_predicted_and_refined(walk):
    told, model, crops = Recorded(), CountedDots(), walk[2]
    found = predict_clip(model, crops, VIEWS, told)
    assert told.stages == {"predict": [30, 30]}
    assert np.abs(found.keypoints[..., :2] - walk[0][..., :2]).max() < 6
    again = refine(predict_crops(model, crops, VIEWS), [crop.time_s for crop in crops], COCO17, VIEWS)
    assert np.allclose(found.keypoints, again.keypoints, atol=1e-4)


@pytest.mark.parametrize("settings", [SINGLE_VIEW, RefineSettings(), RefineSettings(views=3), VIEWS])
def test_every_frame_is_read_and_predicted_once(clip, walk, settings):
    base, counted = CountedDots(), []
    source, track = clip
    found = predict_video(source, track, base, ListedDetector(), settings, _advance(counted))
    assert source.reads == 1 and sum(counted) == FRAMES
    assert base.predicted == settings.views * FRAMES, "no view twice"
    assert [frame.index for frame in found.frames] == list(range(FRAMES))
    assert len(found.prediction) == FRAMES
    assert np.abs(found.prediction.keypoints[..., :2] - walk[0][:FRAMES, :, :2]).max() < 5
    assert all(frame.crop is None and frame.plain is None for frame in found.frames), "pixels are let go"


def test_the_single_view_is_what_the_boxes_follow(clip):
    found = _video(clip, VIEWS)
    assert np.allclose(found.single_view.keypoints, found.prediction.single_view_keypoints, atol=1e-4)
    plain = _video(clip, SINGLE_VIEW).prediction  # its crops have no margin
    assert np.abs(plain.keypoints - found.single_view.keypoints)[..., :2].max() < 1.5


@pytest.mark.parametrize("keep_maps", [True, False])
def test_crops_are_kept_with_their_predictions(clip, keep_maps):
    base, kept = CountedDots(), []
    found = _video(clip, VIEWS, base, keep=lambda crop, part: kept.append((crop, part)), keep_maps=keep_maps)
    assert [crop.index for crop, _ in kept] == list(range(FRAMES))
    assert found.prediction.maps is None, "the clip's own would fill the memory"
    again = predict_tta(base, [crop for crop, _ in kept], TTA_VIEWS[:4], keep_maps=True)
    for row, (crop, part) in enumerate(kept):
        assert len(part) == 1 and crop.image.shape == (192, 192, 3)
        _same(part, again.part([row]))
        assert (part.maps is not None) == keep_maps
        if keep_maps:
            assert torch.allclose(part.maps.float(), again.maps[[row]].float(), atol=2e-3)
    _same(found.prediction, again)


def test_a_single_view_with_maps_is_computed_once(clip):
    base, kept = CountedDots(), []
    _video(clip, RefineSettings(), base, keep=lambda _, part: kept.append(part), keep_maps=True)
    assert base.predicted == FRAMES and all(part.maps is not None for part in kept)


def test_boxes_follow_the_base_whatever_predicts(clip):
    base, kept, kept_by_base = CountedDots(), [], []
    model = recoloured(base)
    found = _video(clip, VIEWS, base, model=model, keep=lambda crop, _: kept.append(crop))
    assert (base.predicted, model.predicted) == (4 * FRAMES, 4 * FRAMES), "the base tells left from right"
    by_base = _video(clip, VIEWS, keep=lambda crop, _: kept_by_base.append(crop))
    for one, other in zip(kept, kept_by_base, strict=True):
        assert np.array_equal(one.image, other.image) and np.array_equal(one.to_source, other.to_source)
    assert [f.box for f in found.frames] == [f.box for f in by_base.frames]
    assert np.array_equal(found.single_view.keypoints, by_base.single_view.keypoints)
    _same(found.prediction, predict_crops(model, kept, VIEWS))
    assert found.prediction.keypoints[..., 2].mean() < by_base.prediction.keypoints[..., 2].mean() - 0.02


def test_other_weights_keep_to_the_bases_left_and_right(clip, walk):
    by_base = _video(clip, RefineSettings(rescore=False))
    flipped = by_base.prediction.keypoints[:, list(COCO17.flip)]
    other = replace(by_base.prediction, keypoints=flipped, side_odds=np.full((FRAMES, 17), 0.1))
    settings = RefineSettings(rescore=False)
    limbs = np.arange(5, 17)
    kept = np.stack([r.people[0].keypoints for r in by_base.records(COCO17, settings, other)])
    assert np.allclose(kept[:, limbs, :2], by_base.prediction.keypoints[:, limbs, :2])
    alone = np.stack([r.people[0].keypoints for r in replace(by_base, prediction=other).records(COCO17, settings)])
    assert np.allclose(alone[:, limbs], flipped[:, limbs]), "nothing else tells its own prediction"


def test_the_ensemble_is_shown_the_bases_pose_whatever_weights_predict(clip, shown):
    base = CountedDots()
    found = _video(clip, ALL, base, model=recoloured(base))
    assert [row for rows, _ in shown for row in rows] == list(range(FRAMES)), "each frame once"
    poses = np.concatenate([pose for _, pose in shown])
    assert np.array_equal(poses, found.base_prediction.keypoints)
    assert not np.allclose(poses, found.prediction.keypoints, atol=1e-3)
    assert np.array_equal(found.prediction.ensemble, found.base_prediction.ensemble)


def test_other_weights_predict_the_crops_that_were_cut_before(clip, shown):
    base, store, counted = CountedDots(), CropStore(100), []
    first = _video(clip, ALL, base, keep=lambda crop, _: store.offer(crop))
    assert sum(len(rows) for rows, _ in shown) == FRAMES
    shown.clear()
    other = recoloured(CountedDots())
    source, _ = clip
    again = predict_video_again(source, first, other, ALL, _advance(counted))
    assert source.reads == 2 and sum(counted) == FRAMES
    assert shown == [], "the ensemble's network has not learned"
    assert (base.predicted, other.predicted) == (4 * FRAMES, 4 * FRAMES)
    assert np.array_equal(again.ensemble, first.prediction.ensemble)
    _same(again, predict_crops(other, store.crops, ALL, ensemble=first.prediction.ensemble))
    assert not np.allclose(again.keypoints, first.prediction.keypoints, atol=1e-3)


def test_gaps_stay_gaps_when_predicted_again(walk):
    keypoints, images, _ = walk
    pictures, boxes = list(images[:FRAMES]), [corrected_box(k) for k in keypoints[:FRAMES]]
    pictures[3] = pictures[8] = boxes[5] = None
    source, base, store = ListedClip(pictures, {3: "cannot be decoded"}), CountedDots(), CropStore(100)
    first = _video((source, track_of(boxes)), VIEWS, base, keep=lambda crop, _: store.offer(crop))
    known = [i for i in range(FRAMES) if i not in (3, 5, 8)]
    assert [frame.index for frame in first.seen] == known == [crop.index for crop in store.crops]
    again = predict_video_again(source, first, recoloured(base), VIEWS, lambda n: None)
    _same(again, predict_crops(recoloured(base), store.crops, VIEWS))
    records = first.records(COCO17, VIEWS)
    assert [bool(record.people) for record in records] == [i in known for i in range(FRAMES)]
    assert (records[3].note, records[5].note) == ("cannot be decoded", "the person was not found")
    assert records[8].note == "the frame is damaged"


def test_nobody_in_any_frame(walk):
    source = ListedClip(walk[1][:3])
    found = _video((source, track_of([None] * 3)), ALL)
    assert found.prediction is None and found.single_view is None and found.seen == []
    assert predict_video_again(source, found, CountedDots(), ALL, lambda n: None) is None
    assert [record.people for record in found.records(COCO17, ALL)] == [()] * 3


def test_records_hold_the_refined_keypoints(clip):
    found = _video(clip, VIEWS)
    wanted = refine(found.prediction, [frame.time_s for frame in found.frames], COCO17, VIEWS)
    records = found.records(COCO17, VIEWS)
    assert np.array_equal(np.stack([record.people[0].keypoints for record in records]), wanted.keypoints)
    assert [record.index for record in records] == list(range(FRAMES))
    assert [record.time_s for record in records] == [i / 25 for i in range(FRAMES)]
    for record in records:
        joints = record.people[0].keypoints
        box = record.people[0].box
        assert box.x < joints[:, 0].min() and joints[:, 0].max() < box.x + box.width
    # Another prediction of the same frames, as they are.
    moved = replace(found.prediction, keypoints=np.add(found.prediction.keypoints, [5, 0, 0]))
    other = found.records(COCO17, SINGLE_VIEW, moved)
    assert np.array_equal(np.stack([record.people[0].keypoints for record in other]), moved.keypoints)


def test_swapped_limbs_are_told_in_the_records(clip):
    found = _video(clip, VIEWS)
    legs = [COCO17.index(f"{s}_{p}") for p in ("hip", "knee", "ankle") for s in ("left", "right")]
    confused = found.prediction.keypoints.copy()
    confused[10, legs] = found.prediction.keypoints[10, np.array(COCO17.flip)[legs]]
    records = found.records(COCO17, RefineSettings(rescore=False), replace(found.prediction, keypoints=confused))
    assert [record.index for record in records if record.note] == [10]
    assert records[10].note == "left and right legs swapped to agree with the frames around"
    assert np.allclose(records[10].people[0].keypoints, found.prediction.keypoints[10])
