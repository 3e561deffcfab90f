"""Several people in one source: predicted from one decoding, each as if alone, and hidden where another is seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.listed import ListedClip, ListedDetector, track_of
from tests.painted import corrected_box
from tests.small_models import CountedDots, recoloured
from ttpose.core.geometry import Box
from ttpose.inference.crop_store import CropStore
from ttpose.inference.settings import RefineSettings
from ttpose.inference.video import predict_tracks, predict_tracks_again, predict_video
from ttpose.tracking.detector import SharedDetector

FRAMES = 9
SETTINGS = RefineSettings(views=2, rescore=False)


@pytest.fixture
def pair(walk):
    """The walk beside itself a little later, each before a colour of its own, and both people's boxes."""
    keypoints, images, _ = walk
    width = images[0].shape[1]
    red, blue = (np.array(color, np.uint8) for color in ((60, 0, 0), (0, 0, 60)))
    pictures = [np.hstack([np.maximum(images[i], red), np.maximum(images[i + 5], blue)]) for i in range(FRAMES)]
    left = [corrected_box(k) for k in keypoints[:FRAMES]]
    right = [corrected_box(k + np.array([width, 0, 0])) for k in keypoints[5 : 5 + FRAMES]]
    return pictures, left, right


def _predict(pictures, tracks, **more):
    clip = ListedClip(pictures)
    found = predict_tracks(clip, tracks, CountedDots(), ListedDetector(), SETTINGS, lambda n: None, **more)
    return clip, found


def test_each_person_is_predicted_as_if_alone_from_one_decoding(pair):
    pictures, left, right = pair
    tracks = [track_of(left), track_of([None, *right[1:]])]
    clip, (one, two) = _predict(pictures, tracks)
    assert clip.reads == 1
    for track, found in zip(tracks, (one, two), strict=True):
        alone = predict_video(
            ListedClip(pictures), track, CountedDots(), ListedDetector(), SETTINGS, lambda n: None
        )  # fmt: skip
        assert np.allclose(found.prediction.keypoints, alone.prediction.keypoints, atol=1e-4)
        assert [frame.note for frame in found.frames] == [frame.note for frame in alone.frames]
    assert len(two.prediction) == FRAMES - 1 and two.frames[0].note == "the person was not found"


def test_a_second_track_of_the_same_person_is_hidden_by_the_first(pair):
    pictures, left, _ = pair
    beside = [Box(box.x + 25, box.y, box.width, box.height) for box in left]
    _, (one, two) = _predict(pictures, [track_of(left), track_of(beside)])
    assert len(one.prediction) == FRAMES
    assert two.prediction is None
    assert {frame.note for frame in two.frames} == {"hidden by number 1"}
    assert all(frame.crop_box is None for frame in two.frames), "nothing to learn from"


def test_who_is_hidden_for_a_while_is_predicted_in_the_other_frames(pair):
    pictures, left, right = pair
    mixed = [left[i] if i in (3, 4) else right[i] for i in range(FRAMES)]
    stores = [CropStore(100), CropStore(100)]
    _, (one, two) = _predict(
        pictures, [track_of(left), track_of(mixed)],
        keep=[lambda crop, _, store=store: store.offer(crop) for store in stores],
    )  # fmt: skip
    assert len(one.prediction) == FRAMES
    assert [frame.index for frame in two.seen] == [0, 1, 2, 5, 6, 7, 8]
    assert len(two.prediction) == len(two.single_view) == 7
    assert [crop.index for crop in stores[1].crops] == [0, 1, 2, 5, 6, 7, 8]


def test_other_weights_predict_the_same_frames_of_each_person_in_one_more_pass(pair):
    pictures, left, right = pair
    base = recoloured(CountedDots(), 0.15, -0.15, 0.15)
    clip = ListedClip(pictures)
    tracks = [track_of(left), track_of([*right[:4], None, None, *right[6:]])]
    clips = predict_tracks(clip, tracks, base, ListedDetector(), SETTINGS, lambda n: None)
    again = predict_tracks_again(clip, clips, [CountedDots(), base], SETTINGS, lambda n: None)
    assert clip.reads == 2
    assert [len(found) for found in again] == [FRAMES, FRAMES - 2]
    assert np.allclose(again[1].keypoints, clips[1].prediction.keypoints, atol=1e-4)
    assert again[0].keypoints[..., 2].mean() > clips[0].prediction.keypoints[..., 2].mean()
    nobody = replace(clips[1], prediction=None, frames=[])
    assert predict_tracks_again(clip, [nobody], [base], SETTINGS, lambda n: None) == [None]


def test_a_shared_detector_searches_an_image_once():
    detector = ListedDetector(Box(0, 0, 5, 5))
    shared, images = SharedDetector(detector), [np.zeros((9, 9, 3), np.uint8) for _ in range(2)]
    assert shared.find(images[:1]) == shared.find(images[:1])
    assert len(shared.find(images)) == 2 and detector.calls == 2
    shared.find(images, 0.5)
    assert detector.calls == 4, "another question"
