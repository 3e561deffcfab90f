from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.listed import ListedClip
from tests.live.dot_stream import DotDetector
from tests.painted import corrected_box
from tests.recorded import Recorded
from tests.small_models import CountedDots, recoloured
from ttpose.adaptation.observed_clip import FEWEST_KEPT, MOST_KEPT, crops_of, observe_clip, shares, teacher_of
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core.errors import NoPersonError
from ttpose.core.progress import Progress
from ttpose.inference.prediction import join
from ttpose.inference.settings import RefineSettings
from ttpose.inference.tta import TTA_VIEWS, predict_tta
from ttpose.tracking.detector import Detection
from ttpose.tracking.settings import TrackSettings

FRAMES = 20
SETTINGS = PersonalizeSettings(
    teacher_views=2, distillation=1.0, self_training=0.0, refine=RefineSettings(views=2, rescore=False)
)  # fmt: skip


class _Detector(DotDetector):
    """Finds the figure in a box that, with the track's margin, is the one its pose will confirm."""

    def __init__(self, keypoints):
        super().__init__()
        self._keypoints = keypoints

    def _people(self, image):
        margin = TrackSettings().margin_share
        tight = corrected_box(self._keypoints).with_margin(-margin / (1 + 2 * margin))
        return [Detection(tight, 0.9)] if image.any() else []


def _observe(walk, settings=SETTINGS, *, base=None, start=None, most=100, frames=FRAMES, told=None):
    """A clip of the walk's first picture, again and again: its boxes need no correction."""
    base = base or CountedDots()
    media = ListedClip([walk[1][0]] * frames)
    seen = observe_clip(
        media, base, start or base, _Detector(walk[0][0]), settings, subject="auto", most=most,
        progress=told or Progress(),
    )  # fmt: skip
    return media, seen


def test_every_frame_is_predicted_once_and_crops_are_kept(walk):
    base, told = CountedDots(), Recorded()
    _, seen = _observe(walk, base=base, told=told)
    assert base.predicted == 2 * FRAMES, "no view twice"
    assert told.stages["predict with nothing learned"] == [FRAMES, FRAMES]
    assert len(seen.clip.frames) == len(seen.clip.prediction) == FRAMES
    assert [crop.index for crop in seen.store.crops] == list(range(FRAMES)) and seen.store.complete
    assert seen.find_s > 0 and seen.predict_s > 0 and seen.ensemble is None


def test_the_refinements_views_are_the_teachers_as_well(walk):
    base = CountedDots()
    _, seen = _observe(walk, base=base)
    teacher = join(teacher_of([seen]))
    anew = predict_tta(base, seen.store.crops, TTA_VIEWS[:2], keep_maps=True)
    assert np.allclose(teacher.keypoints, anew.keypoints, atol=1e-3)
    assert torch.allclose(teacher.maps.float(), anew.maps.float(), atol=2e-3)


@pytest.mark.parametrize(
    ("changes", "teaches", "maps"),
    [
        ({}, True, True),
        ({"distillation": 0.0, "self_training": 1.0}, True, False),
        ({"teacher_views": 4}, False, False),
        ({"distillation": 0.0, "reconstruction": 1.0}, False, False),
    ],
)
def test_predictions_are_kept_where_they_teach(walk, changes, teaches, maps):
    _, seen = _observe(walk, replace(SETTINGS, **changes), frames=10)
    assert bool(seen.store.predictions) == teaches
    assert teaches is False or (seen.store.predictions[0].maps is not None) == maps
    assert (teacher_of([seen]) is not None) == teaches


def test_of_a_long_clip_an_even_part_is_kept(walk):
    _, seen = _observe(walk, most=8)
    assert [crop.index for crop in seen.store.crops] == [0, 4, 8, 12, 16] and not seen.store.complete
    assert len(seen.store.predictions) == 5 and len(seen.clip.prediction) == FRAMES


@pytest.mark.parametrize(("most", "reads"), [(100, 0), (8, 1)])
def test_other_weights_predict_the_same_crops_from_memory_or_from_the_file(walk, most, reads):
    media, seen = _observe(walk, most=most)
    other, told, before = recoloured(CountedDots()), Recorded(), media.reads
    found = seen.predict_again(other, SETTINGS.refine, told)
    assert media.reads == before + reads
    assert told.stages == {"predict": [FRAMES, FRAMES]}
    assert other.predicted == 2 * FRAMES
    everything = _observe(walk, most=100)[1].store.crops
    assert np.allclose(found.keypoints, predict_tta(other, everything, TTA_VIEWS[:2]).keypoints, atol=1e-3)


def test_an_earlier_person_predicts_and_the_base_follows(walk):
    base, start = CountedDots(), recoloured(CountedDots())
    _, seen = _observe(walk, base=base, start=start)
    assert (base.predicted, start.predicted) == (2 * FRAMES, 2 * FRAMES)
    by_start = predict_tta(start, seen.store.crops, TTA_VIEWS[:2])
    assert np.allclose(seen.clip.prediction.keypoints, by_start.keypoints, atol=1e-3)
    assert np.allclose(seen.clip.single_view.keypoints, predict_tta(base, seen.store.crops).keypoints, atol=1e-3)
    assert np.allclose(join(teacher_of([seen])).keypoints, by_start.keypoints, atol=1e-3)


def test_nobody_is_an_error(walk):
    black = ListedClip([np.zeros((240, 300, 3), np.uint8)] * 5)
    base = CountedDots()
    with pytest.raises(NoPersonError, match=r"clip\.mp4"):
        observe_clip(
            black, base, base, DotDetector(), SETTINGS, subject="auto", most=10, progress=Progress()
        )  # fmt: skip


def test_crops_of_several_clips_have_numbers_of_their_own(walk):
    clips = [_observe(walk, frames=count, most=most)[1] for count, most in ((10, 100), (12, 6))]
    crops = crops_of(clips)
    assert [crop.clip for crop in crops] == [0] * 10 + [1] * len(clips[1].store.crops)
    assert [crop.index for crop in crops] == [*range(10), *(10 + crop.index for crop in clips[1].store.crops)]
    assert len(teacher_of(clips)) == len(crops)
    without = _observe(walk, replace(SETTINGS, teacher_views=4), frames=4)[1]
    assert teacher_of([*clips, without]) is None


def test_clips_share_what_is_kept():
    assert shares(["video"]) == MOST_KEPT
    assert shares(["video", "image", "image", "video"]) == (MOST_KEPT - 2) // 2
    assert shares(["video"] * 500) == FEWEST_KEPT
    assert shares(["image"] * 500) == FEWEST_KEPT
