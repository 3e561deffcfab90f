from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.observed import observation
from tests.painted import GROUPS, box_of, dot_color, paint_dots, standing
from tests.small_models import CountedDots, DotModel
from ttpose.core import geometry
from ttpose.core.skeleton import COCO17
from ttpose.inference.crops import cut_crop
from ttpose.inference.prediction import join
from ttpose.inference.tta import TTA_VIEWS, ViewOutput, plain_view, predict_tta, tta_view
from ttpose.models.predictor import Predictor

MIRRORED = tta_view(0, 1.0, True)


def test_the_plain_view_says_what_the_predictor_says(dots, walk):
    _, images, crops = walk
    seen = predict_tta(dots, crops[:3])
    keypoints = walk[0]
    for row, image, true in zip(seen.keypoints, images, keypoints, strict=False):
        direct = Predictor(dots).predict(image, [box_of(true)])[0]
        assert np.abs(row - direct)[:, :2].max() < 0.5


@pytest.mark.parametrize("views", [1, 2, 3, 4, 6])
def test_truth_is_found_through_any_number_of_views(dots, walk, views):
    keypoints, _, crops = walk
    seen = predict_tta(dots, crops[:4], TTA_VIEWS[:views])
    assert seen.keypoints.shape == (4, 17, 3)
    assert np.abs(seen.keypoints[..., :2] - keypoints[:4, :, :2]).max() < 4  # a heatmap's cell is 7 pixels here
    assert ((seen.keypoints[..., 2] > 0.5) & (seen.keypoints[..., 2] <= 1)).all()


@pytest.mark.parametrize("number", range(1, len(TTA_VIEWS)))
def test_every_view_is_brought_back_to_the_plain_one(dots, walk, number):
    _, _, crops = walk
    alone = predict_tta(dots, crops[:2], TTA_VIEWS[:1]).keypoints
    both = predict_tta(dots, crops[:2], (TTA_VIEWS[0], TTA_VIEWS[number]))
    assert np.abs(both.keypoints - alone)[..., :2].max() < 3.0
    # In shares of the crop: views that agree to a third of a cell of 1/32.
    assert both.spread.max() < 0.012


def test_a_mirror_symmetric_model_agrees_with_its_mirror_image(dots):
    keypoints = standing(200) + np.array([40.0, 20.0, 0.0])
    crop = cut_crop(paint_dots(keypoints, (240, 300)), box_of(keypoints), 128)
    alone, both = predict_tta(dots, [crop]), predict_tta(dots, [crop], (TTA_VIEWS[0], MIRRORED))
    assert np.allclose(both.keypoints[..., :2], alone.keypoints[..., :2], atol=3)
    assert alone.spread.max() == 0
    assert both.spread.max() < 0.003


class _OneSided(DotModel):
    """Calls what is on the right of the picture left, and never changes names in a mirrored view."""

    def forward(self, images):
        out = super().forward(images)
        self.looked = getattr(self, "looked", 0) + 1
        if self.looked % 2 == 0:  # the mirrored view
            out.supervised[:] = out.supervised[:, list(COCO17.flip)].clone()
        return out


def test_views_that_disagree_spread(walk):
    seen = predict_tta(_OneSided(), walk[2][:2], (TTA_VIEWS[0], MIRRORED))
    wrist, nose = COCO17.index("left_wrist"), COCO17.index("nose")
    # Half of the distance of the wrists, 76 of 191 pixels.
    assert seen.spread[:, wrist].min() > 0.15
    assert seen.spread[:, nose].max() < 0.01


def test_odds_of_sides(dots, walk):
    seen = predict_tta(dots, walk[2][:2])
    paired = [i for i, name in enumerate(COCO17.keypoints) if "_" in name]
    # The own map is about 0.9 at the keypoint, the mirror's empty: log(0.95 / 0.05).
    assert seen.side_odds.shape == (2, 17)
    assert seen.side_odds[:, paired] == pytest.approx(np.full((2, 16), 2.9), abs=0.5)
    assert np.abs(seen.side_odds[:, 0]).max() < 1e-6
    swapped = predict_tta(_SwappedNames(), walk[2][:2])
    assert swapped.side_odds[:, paired] == pytest.approx(np.zeros((2, 16)), abs=0.1)


class _SwappedNames(DotModel):
    """Cannot tell the sides apart: both maps show both dots."""

    def forward(self, images):
        out = super().forward(images)
        out.supervised[:] = (out.supervised + out.supervised[:, list(COCO17.flip)]).clone()
        return out


def test_batches_are_joined_in_order_and_counted(dots, walk):
    keypoints, _, crops = walk
    told = []
    seen = predict_tta(dots, crops[:19], TTA_VIEWS[:1], told.append)
    assert sum(told) == 19
    assert np.abs(seen.keypoints[..., :2] - keypoints[:19, :, :2]).max() < 3
    parts = [predict_tta(dots, crops[i : i + 1]) for i in range(3)]
    together = join(parts)
    assert np.allclose(together.keypoints, seen.keypoints[:3], atol=1e-3)
    assert together.side_odds.shape == together.spread.shape == (3, 17)


@pytest.mark.parametrize("views", [1, 4])
def test_the_plain_view_alone_is_kept_beside_what_all_say(dots, walk, views):
    plain = predict_tta(dots, walk[2][:5]).keypoints
    seen = predict_tta(dots, walk[2][:5], TTA_VIEWS[:views])
    assert np.allclose(seen.single_view_keypoints, plain)
    assert (np.abs(seen.keypoints - plain).max() > 0.1) == (views > 1)


def test_a_known_output_for_the_plain_view_is_not_computed_again(walk):
    crops = walk[2][:7]
    model = CountedDots()
    plain = plain_view(model, crops)
    assert model.predicted == 7
    for views in (1, 4):
        model.predicted = 0
        known = predict_tta(model, crops, TTA_VIEWS[:views], plain=plain)
        assert model.predicted == (views - 1) * 7
        anew = predict_tta(model, crops, TTA_VIEWS[:views])
        for name in ("keypoints", "side_odds", "spread", "single_view_keypoints", "peaks"):
            assert np.allclose(getattr(known, name), getattr(anew, name), atol=1e-4), name


def test_rows_of_an_output(walk):
    plain = plain_view(CountedDots(), walk[2][:5])
    some = plain.rows([3, 1])
    assert torch.equal(some.heatmaps, plain.heatmaps[[3, 1]]) and torch.equal(some.anchors, plain.anchors[[3, 1]])
    assert some.offsets is None
    again = ViewOutput.cat([plain.rows([0, 1]), plain.rows([2, 3, 4])])
    assert torch.equal(again.heatmaps, plain.heatmaps) and again.offsets is None


@pytest.mark.parametrize("views", [1, 3])
def test_maps_are_kept_where_they_are_asked_for(dots, walk, views):
    assert predict_tta(dots, walk[2][:5], TTA_VIEWS[:views]).maps is None
    seen = predict_tta(dots, walk[2][:5], TTA_VIEWS[:views], keep_maps=True)
    assert seen.maps.dtype == torch.float16 and seen.maps.shape[:2] == (5, 17)
    assert torch.equal(seen.part([1, 4]).maps, seen.maps[[1, 4]])
    highest = seen.maps.flatten(2).max(2).values.numpy()
    assert np.allclose(highest, seen.peaks[:, :, 0, 2], atol=0.2), "the maps that were decoded"


class _TwoDots(DotModel):
    """Sees a fainter nose besides: two cells from the crop's left edge, halfway down."""

    def forward(self, images):
        out = super().forward(images)
        out.supervised[:, 0] *= 0.7
        out.supervised[:, 0, out.supervised.shape[2] // 2, 2] = 0.2
        return out


@pytest.mark.parametrize("views", [(TTA_VIEWS[0],), (TTA_VIEWS[0], tta_view(0, 1.0, False))])
def test_other_peaks_are_kept_in_original_pixels(walk, views):
    keypoints, _, crops = walk
    seen = predict_tta(_TwoDots(), crops[:5], views)
    assert seen.peaks.shape == (5, 17, 4, 3)
    assert (np.diff(seen.peaks[..., 2], axis=2) <= 0).all() and seen.peaks.min() >= 0
    # Cell (2, 16); cells are 4 of the crop's 128 pixels.
    back = [geometry.compose(crop.to_source, geometry.invert(crop.matrix(128))) for crop in crops[:5]]
    edge = [geometry.apply(matrix, np.array([9.5, 65.5])[None])[0] for matrix in back]
    nose = seen.peaks[:, 0]
    assert np.abs(nose[:, 0, :2] - keypoints[:5, 0, :2]).max() < 4
    assert np.abs(nose[:, 1, :2] - edge).max() < 1
    assert (nose[:, 0, 2] > 0.5).all() and nose[:, 1, 2] == pytest.approx(0.2, abs=0.11)
    assert nose[:, 2:, 2].max() < 0.02


def test_parts_of_an_observation():
    seen = observation(np.random.default_rng(0).random((6, 17, 3)))
    seen.side_odds[:], seen.spread[:] = np.random.default_rng(1).random((2, 6, 17))
    part = seen.part(slice(1, None, 2))
    for name in ("keypoints", "side_odds", "spread", "single_view_keypoints", "peaks"):
        assert np.array_equal(getattr(part, name), getattr(seen, name)[[1, 3, 5]]), name
    assert part.maps is None
    again = join([seen.part(slice(0, 2)), seen.part(slice(2, 6))])
    for name in ("keypoints", "side_odds", "spread", "single_view_keypoints", "peaks"):
        assert np.array_equal(getattr(again, name), getattr(seen, name)), name


def test_predicting_leaves_no_gradients(walk):
    model = DotModel()
    predict_tta(model, walk[2][:1], TTA_VIEWS[:2])
    assert all(p.grad is None for p in model.parameters())


def test_the_first_view_is_plain_and_the_next_ones_are_closer():
    plain = TTA_VIEWS[0]
    assert (plain.flip, plain.rotation, plain.scale, plain.shift, plain.offset) == (False, 0, 1.0, (0.0, 0.0), 0.0)
    assert all(view.scale < 1 for view in TTA_VIEWS[1:4])
    turned = tta_view(15, 1.1, True)
    assert turned.spatial == {"rotation": 15, "scale": 1.1, "shift": (0.0, 0.0), "flip": True}
    assert torch.equal(torch.from_numpy(turned.gain), torch.ones(3).double())
    assert len({dot_color(g) for g in range(len(GROUPS))}) == len(GROUPS)


def test_closer_views_choose_the_person_in_the_middle_too(dots, walk):
    # The common place of the regressed keypoints: a view's own place would choose another peak where it is closer up.
    keypoints, _, crops = walk
    seen = predict_tta(dots, crops[:2], (TTA_VIEWS[0], tta_view(0, 0.6, True)))
    assert np.abs(seen.keypoints[..., :2] - keypoints[:2, :, :2]).max() < 4
