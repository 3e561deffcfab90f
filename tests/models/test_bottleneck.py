from __future__ import annotations

import math

import pytest
import torch

from ttpose.models.bottleneck import draw_gaussians, expected_positions


def test_position_is_the_softmax_of_sums():
    # Columns sum to (0, log 3): shares 1/4 and 3/4. Rows sum to (log 3, 0): the first has 3/4.
    maps = torch.tensor([[[[0.0, math.log(3)], [0.0, 0.0]]]])
    assert expected_positions(maps)[0, 0].tolist() == pytest.approx([0.75, 0.25])
    # Twice as sharp: shares 1/10 and 9/10.
    assert expected_positions(maps, sharpness=2.0)[0, 0].tolist() == pytest.approx([0.9, 0.1])


def test_x_is_across_and_y_is_down_in_maps_that_are_not_square():
    maps = torch.zeros(1, 2, 6, 10)
    maps[0, 0, 4, 7] = maps[0, 1, 1, 2] = 100.0
    assert expected_positions(maps)[0].flatten().tolist() == pytest.approx([7.0, 4.0, 2.0, 1.0], abs=1e-3)


def test_an_empty_map_is_in_the_middle():
    assert expected_positions(torch.zeros(1, 1, 8, 8)).flatten().tolist() == pytest.approx([3.5, 3.5])


def test_gradient_pulls_the_map_towards_where_the_point_should_be():
    maps = torch.zeros(1, 1, 9, 9, requires_grad=True)
    wanted = torch.tensor([6.0, 1.0])
    before = (expected_positions(maps)[0, 0] - wanted).square().sum()
    before.backward()
    moved = expected_positions((maps - 0.1 * maps.grad).detach())[0, 0]
    assert (moved - wanted).square().sum() < before
    # Descent fills the upper right and empties the lower left.
    assert maps.grad[0, 0, 1, 7] < 0 < maps.grad[0, 0, 7, 1]


def test_gaussian_heights():
    drawn = draw_gaussians(torch.tensor([[[3.0, 5.0]]]), 8, 2.0)[0, 0]
    assert drawn.shape == (8, 8)
    assert float(drawn[5, 3]) == 1.0
    assert float(drawn[5, 5]) == pytest.approx(math.exp(-0.5))  # one standard deviation to the right
    assert float(drawn[3, 5]) == pytest.approx(math.exp(-1.0))  # and one up


def test_drawn_points_are_found_again():
    points = torch.tensor([[[10.0, 14.5], [16.0, 9.0]]])
    assert torch.allclose(expected_positions(draw_gaussians(points, 26, 1.5), sharpness=10.0), points, atol=1e-3)
    # The paper's own sharpness of 1 spreads the weight over the map, and the middle pulls.
    pulled = expected_positions(draw_gaussians(points, 26, 1.5))
    assert ((pulled - 12.5).abs() <= (points - 12.5).abs()).all() and (pulled - points).abs().max() > 0.1


def test_gaussian_gradient_moves_the_point():
    point = torch.tensor([[[3.0, 3.0]]], requires_grad=True)
    target = draw_gaussians(torch.tensor([[[4.0, 2.0]]]), 8, 1.5)
    (draw_gaussians(point, 8, 1.5) - target).square().sum().backward()
    assert point.grad[0, 0, 0] < 0 < point.grad[0, 0, 1]


def test_far_from_a_gaussian_is_nothing_and_no_denormal_number():
    drawn = draw_gaussians(torch.tensor([[[2.0, 3.0], [40.0, 40.0]]]), 64, sigma=2.0)
    values = drawn[drawn > 0]
    assert values.min() > 1e-17
    assert (drawn == 0).float().mean() > 0.5
    grid = torch.arange(64.0)
    exact = torch.exp(-((grid[:, None] - 3) ** 2 + (grid - 2) ** 2) / 8)
    assert (drawn[0, 0] - exact).abs().max() < 2e-8
