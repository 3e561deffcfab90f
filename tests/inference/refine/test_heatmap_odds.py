from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.painted import stepping
from ttpose.core.skeleton import COCO17
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.refine.clip import fitted_refinement, refine
from ttpose.inference.settings import NO_TREES, RefineSettings
from ttpose.models.config import ModelConfig, mobile_config

FRAMES, WRIST = 12, COCO17.index("left_wrist")


def flicker(height: float) -> tuple[TTAPrediction, np.ndarray]:
    """A walk; in frame 6 the left wrist's highest peak is 80 px away, and the second, so high, is right."""
    truth = np.stack([stepping(300, i / 12) for i in range(FRAMES)])
    found = truth.copy()
    found[..., 2] = 0.8
    peaks = np.zeros((FRAMES, 17, 4, 3))
    peaks[:, :, 0] = found
    found[6, WRIST, :2] += (-80, 0)
    found[6, WRIST, 2] = 0.5
    peaks[6, WRIST, 0] = found[6, WRIST]
    peaks[6, WRIST, 1, :2], peaks[6, WRIST, 1, 2] = truth[6, WRIST, :2], height
    nothing = np.zeros((FRAMES, 17))
    boxes = np.tile([60.0, 20.0, 180.0, 280.0], (FRAMES, 1))
    return TTAPrediction(found, nothing + 3, nothing, found.copy(), peaks, boxes), truth


def refined(prediction, **changes):
    settings = replace(RefineSettings(trees=False), **changes)
    return refine(prediction, np.arange(FRAMES) / 25, COCO17, settings).keypoints


def test_a_joint_that_jumps_for_one_frame_goes_to_the_lower_peak_on_its_path():
    prediction, truth = flicker(0.4)
    found = refined(prediction)
    assert np.allclose(found[6, WRIST, :2], truth[6, WRIST, :2])
    others = np.ones((FRAMES, 17), bool)
    others[6, WRIST] = False
    assert np.array_equal(found[others], prediction.keypoints[others])


def test_where_no_peak_is_on_the_path_the_way_between_neighbours_is_taken_and_is_not_sure():
    prediction, truth = flicker(0.0)
    found = refined(prediction)
    assert np.linalg.norm(found[6, WRIST, :2] - truth[6, WRIST, :2]) < 5
    assert found[6, WRIST, 2] == 0


def test_without_the_path_nothing_moves():
    prediction, _ = flicker(0.4)
    assert np.array_equal(refined(prediction, rescore=False), prediction.keypoints)


def test_the_trees_are_for_the_shipped_encoder_and_others_are_told_so():
    wanted = RefineSettings(views=4, ensemble=True)
    assert fitted_refinement(wanted, mobile_config()) == wanted
    other = fitted_refinement(wanted, ModelConfig(encoder="vitpose", skeleton="coco17", pose_head="encoder"))
    assert (other.trees, other.rescore, other.ensemble, other.note) == (False, True, True, NO_TREES)
    assert wanted.note is None
    upper_body = fitted_refinement(wanted, ModelConfig(skeleton="bbc7"))
    assert (upper_body.rescore, upper_body.ensemble) == (False, False)
