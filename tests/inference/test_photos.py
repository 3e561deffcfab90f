"""People in photos, with a model that finds coloured dots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.feet import feet_of, second_network
from tests.listed import ListedDetector
from tests.painted import box_of, corrected_box, paint_dots, standing
from tests.small_models import CountedDots, recoloured
from ttpose.core.geometry import Box
from ttpose.inference.ensemble import EnsembleMember
from ttpose.inference.photos import find_people, predict_in_box, predict_people
from ttpose.inference.settings import REFINE_PRESETS, SINGLE_VIEW, RefineSettings

VIEWS = RefineSettings(views=4, rescore=False)


def _group(*sizes):
    """People beside each other, each of so many pixels: keypoints and the picture."""
    people, left = [], 20.0
    for size in sizes:
        people.append(standing(size) + np.array([left, 20, 0.0]))
        left += size + 20
    image = np.zeros((int(max(sizes)) + 60, int(left) + 20, 3), np.uint8)
    for person in people:
        image = np.maximum(image, paint_dots(person, image.shape[:2]))
    return people, image


def test_everybody_is_predicted_in_the_boxes_order():
    people, image = _group(200, 160)
    model = CountedDots()
    found = predict_people(image, [corrected_box(p) for p in people[::-1]], model, ListedDetector(), VIEWS)
    assert len(found) == 2 and model.predicted == 2 * 4, "no view twice"
    for person, true in zip(found, people[::-1], strict=True):
        assert np.abs(person.keypoints - true)[:, :2].max() < 4
        assert person.box.iou(box_of(true)) > 0.5
        assert person.box.x < true[:, 0].min() and person.box.y < true[:, 1].min()


def test_nobody_is_an_empty_list():
    assert predict_people(np.zeros((60, 60, 3), np.uint8), [], CountedDots(), ListedDetector(), VIEWS) == []


def test_each_person_is_refined_alone():
    people, image = _group(200, 160)
    boxes = [box_of(p) for p in people]
    settings = REFINE_PRESETS["balanced"]
    both = predict_people(image, boxes, CountedDots(), ListedDetector(), settings)
    (second,) = predict_people(image, boxes[1:], CountedDots(), ListedDetector(), settings)
    assert np.allclose(both[1].keypoints, second.keypoints, atol=1e-3)


def test_people_have_feet_where_the_settings_say_so(monkeypatch):
    monkeypatch.setattr(EnsembleMember, "predict", second_network)
    people, image = _group(200, 160)
    boxes, settings = [box_of(p) for p in people], REFINE_PRESETS["balanced"]
    found = predict_people(image, boxes, CountedDots(), ListedDetector(), settings)
    body = predict_people(image, boxes, CountedDots(), ListedDetector(), replace(settings, feet=False))
    for one, other, true in zip(found, body, people, strict=True):
        assert one.box == other.box and np.array_equal(one.keypoints[:17], other.keypoints)
        assert one.keypoints.shape == (21, 3)
        assert np.abs(one.keypoints[17:] - feet_of(true))[:, :2].max() < 6
    exact = predict_in_box(image, boxes[0], CountedDots(), settings)
    assert exact.shape == (21, 3)


def test_boxes_are_corrected_by_the_base_and_predicted_by_the_model():
    (person,), image = _group(200)
    narrow = Box(box_of(person).center[0] - 10, box_of(person).y, 20, box_of(person).height)
    base = CountedDots()
    model = recoloured(base)
    (found,) = predict_people(image, [narrow], base, ListedDetector(), VIEWS, model)
    assert found.box.width > 3 * narrow.width and model.predicted == 4
    assert base.predicted == 2, "in the narrow box, and in the better one"
    (by_base,) = predict_people(image, [narrow], base, ListedDetector(), VIEWS)
    assert found.keypoints[:, 2].mean() < by_base.keypoints[:, 2].mean()


@pytest.mark.parametrize("size", [36, 120])
@pytest.mark.parametrize("gain", [0.1, 1.0])
def test_tiny_people_that_the_model_is_unsure_of_are_left_out(size, gain):
    people, image = _group(200, size)
    model = CountedDots()
    weak = CountedDots()
    weak.encoder.gain.data *= gain
    found = predict_people(image, [box_of(p) for p in people], model, ListedDetector(), VIEWS, weak)
    assert len(found) == (1 if size == 36 and gain == 0.1 else 2)
    assert found[0].box.iou(box_of(people[0])) > 0.5, "a large person is reported however unsure"


def test_people_are_found_surest_first_with_a_margin():
    image = np.zeros((200, 300, 3), np.uint8)
    boxes = [Box(10, 10, 50, 120), Box(150, 20, 60, 150)]
    found = find_people(image, ListedDetector(*boxes))
    assert len(found) == 2
    for box in found:
        inner = max(boxes, key=box.iou)
        assert box.iou(inner) > 0.6 and box.area > inner.area


@pytest.mark.parametrize("settings", [SINGLE_VIEW, VIEWS])
def test_in_a_box_exactly_that_box_is_predicted(settings):
    (person,), image = _group(200)
    model = CountedDots()
    found = predict_in_box(image, box_of(person), model, settings)
    assert found.shape == (17, 3) and model.predicted == settings.views
    assert np.abs(found - person)[:, :2].max() < 4
    # A box of a part of the person is not corrected.
    upper = box_of(person)
    upper = Box(upper.x, upper.y, upper.width, upper.height / 3)
    assert np.abs(predict_in_box(image, upper, model, settings) - person)[15:, 1].max() > 20
