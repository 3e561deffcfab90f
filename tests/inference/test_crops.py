from __future__ import annotations

import numpy as np
import pytest

from tests.painted import box_of, paint_dots, standing
from ttpose.core import geometry
from ttpose.core.geometry import Box
from ttpose.inference.crops import cut_crop, evenly_spaced
from ttpose.models.predictor import CROP_PAD


def test_the_plain_view_of_a_cut_out_is_the_networks_crop():
    keypoints = standing(200) + np.array([60, 30, 0.0])
    image, box = paint_dots(keypoints, (260, 330)), box_of(keypoints)
    crop = cut_crop(image, box, 128, index=7, time_s=0.5)
    assert (crop.index, crop.time_s) == (7, 0.5)
    view = crop.view(crop.matrix(128), 128).astype(int)
    direct = geometry.warp(image, geometry.crop_matrix(box, 128, pad=CROP_PAD), 128).astype(int)
    # Resampled twice: edges soften, nothing moves.
    assert np.abs(view - direct).mean() < 2
    shifted = np.abs(np.roll(view, 1, axis=1) - direct).mean()
    assert np.abs(view - direct).mean() < shifted / 3


def test_maps_lead_from_the_view_back_to_the_picture():
    box = Box(100, 40, 60, 150)
    crop = cut_crop(np.zeros((300, 300, 3), np.uint8), box, 128)
    in_view = geometry.apply(crop.matrix(128), geometry.apply(geometry.invert(crop.to_source), np.array([box.center])))
    assert in_view[0].tolist() == pytest.approx([63.5, 63.5])
    to_picture = geometry.compose(crop.to_source, geometry.invert(crop.matrix(128)))
    direct = geometry.invert(geometry.crop_matrix(box, 128, pad=CROP_PAD))
    assert np.allclose(to_picture, direct)


def test_a_cut_out_holds_half_as_much_again():
    crop = cut_crop(np.full((300, 300, 3), 200, np.uint8), Box(100, 100, 80, 100), 128)
    assert crop.image.shape == (192, 192, 3)
    corners = np.array([[0.0, 0.0], [191.0, 191.0]])
    span = np.ptp(geometry.apply(crop.to_source, corners), axis=0)
    assert span.tolist() == pytest.approx([100 * CROP_PAD * 1.5 * 191 / 192] * 2)
    # A turned and shrunk view still finds picture in its corners, where the plain margin would be empty.
    turned = crop.view(crop.matrix(128, rotation=12.0, scale=1.05), 128)
    assert turned.min() == 200


def test_beyond_the_pictures_edge_is_black():
    crop = cut_crop(np.full((100, 100, 3), 200, np.uint8), Box(60, 20, 60, 60), 64)
    view = crop.view(crop.matrix(64), 64)
    assert view[32, 5].tolist() == [200] * 3 and view[32, 60].tolist() == [0] * 3


@pytest.mark.parametrize(("count", "most"), [(0, 5), (1, 5), (5, 5), (6, 5), (100, 7), (1000, 128), (9, 1)])
def test_spread_is_even(count, most):
    found = evenly_spaced(count, most)
    assert len(found) == min(count, most)
    assert found == sorted(set(found))
    if 1 < most < count:
        assert (found[0], found[-1]) == (0, count - 1)
        assert np.ptp(np.diff(found)) <= 1
