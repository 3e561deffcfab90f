from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.observed import observation, walking
from ttpose.core.geometry import Box
from ttpose.inference.crop_store import CropStore
from ttpose.inference.crops import PersonCrop


def _crop(index):
    return PersonCrop(index, index / 25, np.zeros((1, 1, 3), np.uint8), Box(0, 0, 1, 1), np.eye(2, 3))


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16, 17, 100, 1000])
def test_the_store_keeps_an_even_sample(count):
    store = CropStore(8)
    for index in range(count):
        store.offer(_crop(index))
        assert len(store.crops) <= 8
    kept = [crop.index for crop in store.crops]
    assert store.offered == count
    assert store.complete == (count <= 8)
    assert kept == list(range(0, count, store.stride))
    if count >= 8:
        assert len(kept) > 4, "no more is let go than needed"


def test_predictions_stay_with_their_crops():
    store, seen = CropStore(4), observation(walking(10))
    for index in range(10):
        store.offer(_crop(index), seen.part([index]))
    kept = [crop.index for crop in store.crops]
    assert kept == [0, 4, 8]
    for index, prediction in zip(kept, store.predictions, strict=True):
        assert np.array_equal(prediction.keypoints, seen.keypoints[[index]])


def test_maps_can_be_let_go_and_the_rest_stays():
    store, seen = CropStore(4), replace(observation(walking(3)), maps=torch.ones(3, 17, 4, 4))
    for index in range(3):
        store.offer(_crop(index), seen.part([index]))
    store.keep_maps([1])
    assert [prediction.maps is not None for prediction in store.predictions] == [False, True, False]
    assert [crop.index for crop in store.crops] == [0, 1, 2] and store.complete
    assert np.array_equal(store.predictions[2].keypoints, seen.keypoints[[2]])


def test_without_predictions_there_are_none():
    store = CropStore(4)
    store.offer(_crop(0))
    assert store.predictions == [] and len(store.crops) == 1


def test_the_stores_list_is_a_copy():
    store = CropStore(4)
    store.offer(_crop(0))
    store.crops.clear()
    assert len(store.crops) == 1


def test_corrected_frames_are_kept_whatever_the_stride():
    store = CropStore(4, always={7, 21})
    for crop in map(_crop, range(30)):
        store.offer(crop)
    kept = [crop.index for crop in store.crops]
    assert kept == sorted(kept)
    assert {7, 21} <= set(kept)
    assert len(set(kept) - {7, 21}) <= 4
    assert {i for i in kept if i not in (7, 21)} == {i for i in range(0, 30, store.stride) if i not in (7, 21)}
    assert not store.complete
