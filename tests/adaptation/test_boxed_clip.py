from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.painted import box_of
from tests.recorded import Recorded
from tests.small_models import CountedDots, DotModel, recoloured
from ttpose.adaptation import boxed_clip
from ttpose.adaptation.boxed_clip import personalize_crops
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.inference.ensemble import EnsembleMember
from ttpose.inference.pipeline import predict_clip
from ttpose.inference.settings import RefineSettings

TWO_VIEWS = RefineSettings(views=2, rescore=False)
SETTINGS = PersonalizeSettings(
    steps=4, batch=4, pose_rate=0.01, ema=0.5, rate_warmup=0, teacher_views=2, max_crops=30, refine=TWO_VIEWS
)  # fmt: skip


def _boxes(walk, count=30):
    return [box_of(k) for k in walk[0][:count]]


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_frames_with_known_boxes_end_to_end(walk, mode):
    keypoints, images, crops = walk
    base, read = recoloured(DotModel(), 0.15, -0.15, 0.15), []

    def reader(position):
        read.append(position)
        return images[position]

    done = personalize_crops(base, reader, _boxes(walk), settings=replace(SETTINGS, mode=mode))
    assert read == list(range(30)), "every frame is read once"
    for found in (done.keypoints, done.refined):
        assert found.shape == (30, 17, 3)
        assert np.median(np.abs(found[..., :2] - keypoints[..., :2])) < 2
        assert np.abs(found[..., :2] - keypoints[..., :2]).max() < 8
    assert {"refine_s", "adapt_s", "guard_s", "predict_s"} <= set(done.timings)
    assert all(torch.isfinite(p).all() for p in done.model.parameters())
    assert np.allclose(done.refined, predict_clip(base, crops, TWO_VIEWS).keypoints, atol=1e-3)
    if mode == "offline":
        assert np.allclose(done.keypoints, predict_clip(done.model, crops, TWO_VIEWS).keypoints, atol=1e-3)
    assert done.keypoints[..., 2].mean() > done.refined[..., 2].mean() + 0.02


def test_no_view_is_predicted_twice(walk):
    base, told = CountedDots(), Recorded()
    settings = replace(SETTINGS, guard=False, distillation=1.0)
    done = personalize_crops(base, walk[1], _boxes(walk), settings=settings, progress=told)
    assert base.predicted == 2 * 30, "the refinement's views teach as well"
    assert done.model.predicted == (2 + 2) * 30, "a copy of the base, which counts on"
    assert told.stages == {"predict with nothing learned": [30, 30], "adapt": [4, 4], "predict": [30, 30]}


def test_a_teacher_of_other_views_predicts_for_itself(walk):
    base, told = CountedDots(), Recorded()
    settings = replace(SETTINGS, guard=False, teacher_views=3)
    personalize_crops(base, walk[1], _boxes(walk), settings=settings, progress=told)
    assert base.predicted == (2 + 3) * 30 and "predict pseudo-labels" in told.stages


def test_where_the_base_is_kept_nothing_is_predicted_again(walk):
    base, told = CountedDots(), Recorded()
    settings = replace(SETTINGS, pose_rate=50.0)
    done = personalize_crops(base, walk[1], _boxes(walk), settings=settings, progress=told)
    assert done.guard.decision == "base" and "predict" not in told.stages
    assert np.array_equal(done.keypoints, done.refined)
    assert "predict_s" not in done.timings


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_the_ensemble_predicts_once_for_all_weights(walk, mode, monkeypatch):
    asked = []

    def predict(self, crops, keypoints):
        asked.extend(crop.index for crop in crops)
        return np.concatenate([keypoints, np.zeros((*keypoints.shape[:2], 1))], -1)

    monkeypatch.setattr(EnsembleMember, "predict", predict)
    settings = replace(SETTINGS, mode=mode, refine=replace(TWO_VIEWS, ensemble=True, rescore=True), guard=False)
    personalize_crops(DotModel(), walk[1][:10], _boxes(walk, 10), settings=settings)
    assert asked == list(range(10))


def test_frames_may_be_a_list_and_have_times(walk, monkeypatch):
    given, original = [], boxed_clip.refine
    monkeypatch.setattr(
        boxed_clip, "refine", lambda seen, when, *rest: given.append(list(when)) or original(seen, when, *rest)
    )
    settings = replace(SETTINGS, steps=1, guard=False)
    times = [0.0, 1.0, 2.5, 3.0]
    personalize_crops(DotModel(), walk[1][:4], _boxes(walk, 4), settings=settings, times=times)
    assert given == [times, times], "after and before"
    personalize_crops(DotModel(), walk[1][:4], _boxes(walk, 4), settings=settings)
    assert given[2:] == [[0.0, 0.04, 0.08, 0.12]] * 2
