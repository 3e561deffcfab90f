from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from ttpose.core.geometry import Box
from ttpose.tracking.detector import DetectorSettings, PersonDetector, letterbox

DATA = os.environ.get("TTPOSE_DEV_DATA")


class OneSpot(torch.nn.Module):
    """In place of the network: given corner boxes and scores on the letterbox, for every image."""

    def __init__(self, corners, scores):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1))
        self.corners, self.scores = corners, scores
        self.shapes = []

    def forward(self, images):
        self.shapes.append(tuple(images.shape))
        count = len(images)
        return (
            torch.tensor(self.scores)[None].expand(count, -1),
            torch.tensor(self.corners, dtype=torch.float32)[None].expand(count, -1, -1),
        )


def detector(corners, scores, **settings):
    settings = DetectorSettings(**{"sizes": (416,), **settings})
    return PersonDetector(OneSpot(corners, scores), settings=settings)


def test_letterbox_maps_edges_to_edges():
    image = np.zeros((994, 1768, 3), np.uint8)
    board, place = letterbox(image, 416, 32)
    assert board.shape == (256, 416, 3)
    whole = np.array([[-0.5, 11 - 0.5, 415.5, 11 + 234 - 0.5]])
    np.testing.assert_allclose(place.to_image(whole), [[-0.5, -0.5, 1767.5, 993.5]])


def test_letterbox_keeps_the_content_where_it_says():
    image = np.zeros((300, 200, 3), np.uint8)
    image[120:180, 50:100] = 255
    board, place = letterbox(image, 416, 32)
    y, x = np.nonzero(board[..., 0] > 127)
    corners = np.array([[x.min() - 0.5, y.min() - 0.5, x.max() + 0.5, y.max() + 0.5]])
    np.testing.assert_allclose(place.to_image(corners), [[49.5, 119.5, 99.5, 179.5]], atol=1)


def test_boxes_come_back_in_image_pixels_and_inside_the_image():
    found = detector([[-50.0, 99.5, 99.5, 199.5]], [0.9]).find([np.zeros((832, 832, 3), np.uint8)])[0]
    assert [np.round(v, 3) for v in found[0].box.as_list()] == [-0.5, 199.5, 200, 200]


def test_doubles_are_dropped_and_the_rest_sorted():
    corners = [[0, 0, 100, 100], [5, 0, 105, 100], [200, 0, 300, 100], [300, 300, 310, 310]]
    found = detector(corners, [0.5, 0.8, 0.9, 0.1]).find([np.zeros((416, 416, 3), np.uint8)])[0]
    assert [d.score for d in found] == pytest.approx([0.9, 0.8])
    assert found[1].box.x == 5


def test_min_score_of_a_call_wins():
    found = detector([[0, 0, 100, 100]], [0.2]).find([np.zeros((416, 416, 3), np.uint8)], 0.1)[0]
    assert len(found) == 1


def test_images_of_one_size_run_as_one_batch_and_keep_their_order():
    subject = detector([[0, 0, 416, 416]], [0.9])
    tall, wide = np.zeros((400, 100, 3), np.uint8), np.zeros((100, 400, 3), np.uint8)
    found = subject.find([wide, tall, wide])
    assert sorted(shape[0] for shape in subject._model.shapes) == [1, 2]
    assert [round(f[0].box.width) for f in found] == [400, 100, 400]


def test_shipped_finder_takes_any_size():
    subject = PersonDetector.load()
    for shape in ((1, 1, 3), (3, 700, 3), (64, 48, 3)):
        assert isinstance(subject.find([np.full(shape, 90, np.uint8)])[0], list)


@pytest.mark.skipif(DATA is None, reason="needs labelled clips in TTPOSE_DEV_DATA")
def test_labelled_people_are_found():
    from ttpose.media import read_image

    subject, overlaps = PersonDetector.load(), []
    for clip in sorted((Path(str(DATA)) / "real_dev").iterdir()):
        for frame in json.loads((clip / "labels.json").read_text())["frames"][::8]:
            label = Box(*frame["bbox"])
            people = subject.find([read_image(clip / frame["frame"])])[0]
            # The label's box is wider than the body by 0.15 of its joints' extent.
            overlaps.append(max((p.box.iou(label.scaled(0.85)) for p in people), default=0.0))
    assert np.mean(np.array(overlaps) > 0.5) > 0.9
