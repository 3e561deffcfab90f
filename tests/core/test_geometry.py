from __future__ import annotations

import numpy as np
import pytest

from ttpose.core import geometry
from ttpose.core.geometry import Box, apply, crop_matrix, invert, warp

BOX = Box(40.0, 20.0, 30.0, 60.0)


def ramps(width: int, height: int) -> np.ndarray:
    """An image whose red is x and whose green is y."""
    y, x = np.mgrid[:height, :width]
    return np.dstack([x, y, np.zeros_like(x)]).astype(np.uint8)


def test_box_measures() -> None:
    assert BOX.center == (55.0, 50.0) and BOX.area == 1800 and BOX.side == 60
    assert BOX.scaled(2).as_list() == [25.0, -10.0, 60.0, 120.0]
    assert BOX.scaled(2).center == BOX.center
    assert Box(0, 0, -3, 5).area == 0
    assert Box.around(np.array([[3, 9], [1, 4], [2, 7]])).as_list() == [1, 4, 2, 5]


@pytest.mark.parametrize(
    ("other", "expected"),
    [(BOX, 1.0), (Box(55, 20, 30, 60), 1 / 3), (Box(70, 20, 30, 60), 0.0), (Box(200, 0, 1, 1), 0.0)],
)
def test_iou(other: Box, expected: float) -> None:
    assert BOX.iou(other) == pytest.approx(expected) == other.iou(BOX)


def test_iou_of_empty_boxes_is_zero() -> None:
    assert Box(1, 1, 0, 0).iou(Box(1, 1, 0, 0)) == 0.0


def test_clipping_keeps_the_picture_whose_pixels_reach_half_a_pixel_out() -> None:
    assert Box(-10, -10, 500, 500).clipped(64, 48).as_list() == [-0.5, -0.5, 64, 48]
    assert BOX.clipped(100, 100) == BOX
    assert BOX.clipped(50, 40).as_list() == [40, 20, 9.5, 19.5]
    assert Box(200, 200, 10, 10).clipped(100, 100).area == 0


def test_a_crop_centres_the_box_and_pads_its_longer_side() -> None:
    matrix = crop_matrix(BOX, 129, pad=1.5)
    np.testing.assert_allclose(apply(matrix, np.array(BOX.center)), [64, 64])
    # 60 * 1.5 = 90 image pixels fill the 129 of the crop, from edge to edge.
    edges = np.array([[55 - 45.0, 50 - 45.0], [55 + 45.0, 50 + 45.0]])
    np.testing.assert_allclose(apply(matrix, edges), [[-0.5, -0.5], [128.5, 128.5]])


def test_a_crop_turns_counter_clockwise_mirrors_moves_and_scales() -> None:
    center, right = np.array(BOX.center), np.array([BOX.center[0] + 10, BOX.center[1]])
    x, y = apply(crop_matrix(BOX, 101, rotation=90), right) - 50
    assert x == pytest.approx(0) and y < 0  # what was at the right is now up
    x, y = apply(crop_matrix(BOX, 101, flip=True), right) - 50
    assert x < 0 and y == pytest.approx(0)
    x, y = apply(crop_matrix(BOX, 101, shift=(0.25, 0)), center) - 50
    assert x == pytest.approx(-101 / 4) and y == pytest.approx(0)
    zoomed = [np.linalg.det(crop_matrix(BOX, 101, scale=scale)[:, :2]) for scale in (1.0, 2.0)]
    assert zoomed[0] == pytest.approx(4 * zoomed[1])


def test_a_box_without_size_still_gives_a_crop() -> None:
    assert np.isfinite(invert(crop_matrix(Box(5, 5, 0, 0), 64))).all()


def test_inverse_and_composition() -> None:
    one = crop_matrix(BOX, 64, rotation=33, flip=True, shift=(0.1, -0.2))
    other = crop_matrix(Box(3, 4, 50, 20), 96, rotation=-70)
    points = np.random.default_rng(0).uniform(-50, 150, (4, 5, 2))
    np.testing.assert_allclose(apply(invert(one), apply(one, points)), points, atol=1e-9)
    np.testing.assert_allclose(apply(geometry.compose(other, one), points), apply(other, apply(one, points)))


@pytest.mark.parametrize("size", [200, 100, 40, 23, 11])
@pytest.mark.parametrize("change", [{}, {"rotation": 30.0}, {"flip": True, "shift": (0.05, 0.0)}])
def test_warped_pixels_come_from_where_the_matrix_says(size: int, change: dict) -> None:
    image, box = ramps(250, 240), Box(60, 50, 120, 130)
    matrix = crop_matrix(box, size, **change)
    crop = warp(image, matrix, size)
    assert crop.shape == (size, size, 3) and crop.dtype == np.uint8
    inner = np.arange(size // 4, size - size // 4)
    places = np.stack(np.meshgrid(inner, inner), axis=-1)
    expected = apply(invert(matrix), places.astype(float))
    np.testing.assert_allclose(crop[inner[:, None], inner[None], :2], expected, atol=1.0)


def test_a_crop_is_black_outside_the_picture_and_keeps_its_edge() -> None:
    image = np.full((30, 40, 3), 255, np.uint8)
    for box in (Box(-60, -60, 120, 120), Box(20, 15, 300, 300)):
        crop = warp(image, crop_matrix(box, 60), 60)
        share = (crop[..., 0] > 127).sum() * (box.side * 1.1 / 60) ** 2
        inside = box.scaled(1.1).clipped(40, 30).area
        assert share == pytest.approx(inside, rel=0.15)
    assert not warp(image, crop_matrix(Box(500, 500, 20, 20), 60), 60).any()
    assert not warp(image, crop_matrix(Box(5000, 5000, 900, 900), 60), 60).any()


def test_shrinking_averages_instead_of_picking_pixels() -> None:
    checks = (np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)
    crop = warp(np.repeat(checks[..., None], 3, axis=2), crop_matrix(Box(0, 0, 512, 512), 64, pad=1.0), 64)
    assert np.abs(crop[4:-4, 4:-4].astype(int) - 127).max() < 20


def test_heatmap_cells_cover_their_crop_pixels() -> None:
    np.testing.assert_allclose(geometry.heatmap_to_crop(np.array([0.0, 1.0]), 4), [1.5, 5.5])
    points = np.random.default_rng(0).uniform(-5, 260, (7, 2))
    np.testing.assert_allclose(geometry.heatmap_to_crop(geometry.crop_to_heatmap(points, 4), 4), points)
