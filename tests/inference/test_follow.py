from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.listed import ListedClip, ListedDetector, track_of
from tests.painted import box_of, paint_dots
from tests.small_models import DotModel, small_model
from ttpose.core import geometry
from ttpose.core.geometry import Box
from ttpose.core.skeleton import PENN13
from ttpose.inference.crops import cut_crop
from ttpose.inference.follow import CHUNK, chunks, follow_frames
from ttpose.inference.tta import predict_tta
from ttpose.tracking.box_correction import refine_box


def _follow(source, boxes, model, detector=None, *, margin=True):
    parts = chunks(source.frames(), CHUNK)
    detector, track = detector or ListedDetector(), track_of(boxes)
    return [frame for part in parts for frame in follow_frames(part, track, model, detector, margin=margin)]


def test_every_frame_has_a_record_with_the_subject(dots, walk):
    keypoints, images, _ = walk
    frames = _follow(ListedClip(images), [box_of(k) for k in keypoints], dots)
    assert [f.index for f in frames] == list(range(30))
    assert [f.time_s for f in frames] == [i / 25 for i in range(30)]
    for frame, true in zip(frames, keypoints, strict=True):
        assert frame.note is None and frame.crop.index == frame.index
        assert np.abs(frame.prediction.keypoints[0, :, :2] - true[:, :2]).max() < 4
        # The corrected box leaves room for the crown and about the joints.
        assert frame.box.iou(box_of(true)) > 0.5
        inside = frame.box.iou(box_of(true)) * (frame.box.area + box_of(true).area)
        assert inside / (1 + frame.box.iou(box_of(true))) == pytest.approx(box_of(true).area, rel=0.02)


def test_damaged_frames_and_frames_without_the_person(dots, walk):
    keypoints, images, _ = walk
    pictures, boxes = list(images[:20]), [box_of(k) for k in keypoints[:20]]
    pictures[3] = pictures[8] = None
    boxes[5] = boxes[12] = None
    frames = _follow(ListedClip(pictures, {3: "cannot be decoded", 10: "a late frame"}), boxes, dots)
    assert [f.index for f in frames] == list(range(20))
    without = {f.index: f.note for f in frames if f.crop is None}
    assert without == {
        3: "cannot be decoded", 5: "the person was not found", 8: "the frame is damaged",
        12: "the person was not found",
    }  # fmt: skip
    assert all(f.prediction is None and f.box is None for f in frames if f.crop is None)
    assert frames[10].note == "a late frame" and frames[10].crop is not None
    assert [f.crop.index for f in frames if f.crop] == [i for i in range(20) if i not in without]


def test_frames_after_the_track_ends_and_a_clip_without_frames(dots, walk):
    keypoints, images, _ = walk
    frames = _follow(ListedClip(images[:5]), [box_of(keypoints[0])], dots)
    assert [f.crop is not None for f in frames] == [True] + [False] * 4
    assert _follow(ListedClip([]), [], dots) == []
    assert all(f.crop is None for f in _follow(ListedClip([None] * 9), [box_of(keypoints[0])] * 9, dots))


def test_a_box_that_cuts_the_person_off_is_corrected_and_predicted_again(dots, walk):
    keypoints, images, _ = walk
    good = box_of(keypoints[0])
    narrow = Box(good.center[0] - 10, good.y, 20, good.height)
    (frame,) = _follow(ListedClip(images[:1]), [narrow], dots)
    x, y = keypoints[0, :, 0], keypoints[0, :, 1]
    assert frame.box.x < x.min() and frame.box.x + frame.box.width > x.max()
    assert frame.box.y < y.min() and frame.box.y + frame.box.height > y.max()
    # The crop is of the corrected box, not of the track's.
    width = frame.crop.box.width * np.linalg.norm(frame.crop.to_source[:, 0])
    assert width > 3 * narrow.width


def test_a_lost_pose_asks_the_finder_for_the_subject_near_by(walk):
    keypoints, images, _ = walk
    unsure = DotModel()
    with torch.no_grad():
        unsure.encoder.gain *= 0.2
    good = box_of(keypoints[0])
    astray = Box(good.x, good.y + 0.4 * good.height, good.width, good.height)
    bystander = Box(good.x + 250, good.y, good.width, good.height)
    detector = ListedDetector(bystander, good)
    (frame,) = _follow(ListedClip(images[:1]), [astray], unsure, detector)
    assert detector.calls == 1
    assert frame.box.iou(good) > 0.9
    assert np.abs(frame.prediction.keypoints[0, :, :2] - keypoints[0, :, :2]).max() < 4
    # Somebody far from where the track expects the subject is somebody else.
    alone = ListedDetector(bystander)
    (lost,) = _follow(ListedClip(images[:1]), [astray], unsure, alone)
    assert alone.calls == 1
    assert lost.box == astray


def test_a_sure_pose_does_not_ask_the_finder(dots, walk):
    keypoints, images, _ = walk
    detector = ListedDetector()
    _follow(ListedClip(images[:9]), [box_of(k) for k in keypoints], dots, detector)
    assert detector.calls == 0


def test_boxes_are_corrected_by_the_models_own_skeleton(walk):
    keypoints, images, _ = walk
    model = small_model(skeleton="penn13", num_self=15)
    with torch.no_grad():
        model.self_head.bias += 0.9  # sure of everything
    frames = _follow(ListedClip(images[:2]), [box_of(k) for k in keypoints[:2]], model)
    for frame in frames:
        found = frame.prediction.keypoints[0]
        assert found.shape == (13, 3) and found[:, 2].min() > 0.3
        corners = np.array([[frame.crop.box.x, frame.crop.box.y], [0, 0]])
        corners[1] = corners[0] + [frame.crop.box.width, frame.crop.box.height]
        looked_at = Box.around(geometry.apply(frame.crop.to_source, corners))
        wanted = refine_box(looked_at, found, skeleton=PENN13)
        assert frame.box.as_list() == pytest.approx(wanted.as_list(), abs=1e-6)


def test_frames_are_read_a_few_at_a_time(walk):
    images = walk[1]
    read = []

    class Counted(ListedClip):
        def frames(self, step=1):
            for frame in super().frames(step):
                read.append(frame.index)
                yield frame

    parts = chunks(Counted(images).frames(), CHUNK)
    assert [frame.index for frame in next(parts)] == read == list(range(CHUNK))


def test_pixels_of_whole_frames_are_let_go(dots, walk):
    keypoints, images, _ = walk
    frames = _follow(ListedClip(images[:3]), [box_of(k) for k in keypoints], dots)
    for frame in frames:
        assert frame.crop.image.base is None or frame.crop.image.base.shape != images[0].shape
        assert frame.crop.image.shape == (192, 192, 3)


def test_a_picture_of_dots_is_what_the_walk_shows(walk):
    assert np.array_equal(walk[1][4], paint_dots(walk[0][4], (240, 300)))


def test_without_a_margin_the_same_is_found(walk):
    keypoints, images, _ = walk
    found = []
    for margin in (True, False):
        frames = _follow(ListedClip(images), [box_of(k) for k in keypoints], DotModel(), margin=margin)
        assert {frame.crop.image.shape[0] for frame in frames} == {192 if margin else 128}
        found.append(np.concatenate([frame.prediction.keypoints for frame in frames]))
    assert np.abs(found[0] - found[1])[..., :2].max() < 1.5  # one interpolation less


def test_the_networks_output_is_kept_with_what_was_decoded_from_it(dots, walk):
    keypoints, images, _ = walk
    for frame in _follow(ListedClip(images[:9]), [box_of(k) for k in keypoints], dots):
        again = predict_tta(dots, [frame.crop], plain=frame.plain)
        assert np.array_equal(again.keypoints, frame.prediction.keypoints)
        assert np.allclose(predict_tta(dots, [frame.crop]).keypoints, frame.prediction.keypoints, atol=1e-4)


def test_a_crop_is_of_the_box_that_is_told(walk):
    keypoints, images, _ = walk
    narrow = Box(box_of(keypoints[0]).center[0] - 10, box_of(keypoints[0]).y, 20, box_of(keypoints[0]).height)
    (frame,) = _follow(ListedClip(images[:1]), [narrow], DotModel())
    again = cut_crop(images[0], frame.crop_box, 128)
    assert frame.crop_box != narrow and np.array_equal(again.image, frame.crop.image)
