from __future__ import annotations

import pytest
import torch

from ttpose.models.bottleneck import draw_gaussians
from ttpose.models.decode import decode, peaks


def _map(**cells):
    """An 8×8 map [1, 1, 8, 8] with values at `x_y` cells."""
    maps = torch.zeros(1, 1, 8, 8)
    for name, value in cells.items():
        x, y = name[1:].split("_")
        maps[0, 0, int(y), int(x)] = value
    return maps


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        ({"c3_5": 0.9}, [3.0, 5.0, 0.9]),  # neighbours alike: the cell's middle
        ({"c3_5": 0.9, "c4_5": 0.2}, [3.25, 5.0, 0.9]),
        ({"c3_5": 0.9, "c2_5": 0.2, "c3_4": 0.1}, [2.75, 4.75, 0.9]),
        ({"c3_5": 0.9, "c3_6": 0.3, "c3_4": 0.2}, [3.0, 5.25, 0.9]),
        ({"c0_5": 0.9, "c1_5": 0.3}, [0.0, 5.0, 0.9]),  # at an edge only the other axis is refined
        ({"c0_5": 0.9, "c0_6": 0.3}, [0.0, 5.25, 0.9]),
        ({"c7_7": 0.9, "c6_7": 0.3, "c7_6": 0.3}, [7.0, 7.0, 0.9]),
    ],
)
def test_quarter_rule(cells, wanted):
    assert decode(_map(**cells))[0, 0].tolist() == pytest.approx(wanted)


def test_the_papers_rule_takes_the_highest_cell_of_an_unbounded_map():
    maps = -_map(c1_1=5.0) - 1.0
    maps[0, 0, 6, 2] = -0.5
    assert decode(maps)[0, 0].tolist() == pytest.approx([2.0, 6.0, -0.5])


@pytest.mark.parametrize(("sigma", "most"), [(1.0, 0.1), (1.5, 0.15)])
def test_positions_between_cells(sigma, most):
    points = 8 + 48 * torch.rand(20, 17, 2, generator=torch.Generator().manual_seed(0))
    found = decode(0.8 * draw_gaussians(points, 64, sigma), points)
    assert (found[..., :2] - points).abs().max() < most
    # The score is the value at the peak's cell, at most 0.7 cells from the point.
    assert ((found[..., 2] > 0.8 * 0.75) & (found[..., 2] <= 0.8)).all()


def test_the_anchor_chooses_between_two_people():
    left, right = torch.tensor([[[12.0, 30.0]]]), torch.tensor([[[50.0, 34.0]]])
    maps = draw_gaussians(left, 64, 1.5) * 0.7 + draw_gaussians(right, 64, 1.5) * 0.8
    assert decode(maps, left)[0, 0].tolist() == pytest.approx([12.0, 30.0, 0.7], abs=0.01)
    assert decode(maps, right)[0, 0].tolist() == pytest.approx([50.0, 34.0, 0.8], abs=0.01)
    assert decode(maps)[0, 0].tolist() == pytest.approx([50.0, 34.0, 0.8], abs=0.01)


def test_a_far_but_sure_peak_beats_a_faint_near_one():
    near, far = torch.tensor([[[12.0, 30.0]]]), torch.tensor([[[20.0, 34.0]]])
    maps = draw_gaussians(near, 64, 1.5) * 0.1 + draw_gaussians(far, 64, 1.5) * 0.9
    assert decode(maps, near)[0, 0].tolist() == pytest.approx([20.0, 34.0, 0.9], abs=0.01)


def test_a_bump_beside_the_peak_does_not_pull():
    maps = draw_gaussians(torch.tensor([[[20.0, 20.0]]]), 64, 1.0)
    maps[0, 0, 20, 27] = 0.9  # out of the window
    maps[0, 0, 22, 22] = 0.15  # within it, but weak
    found = decode(maps, torch.tensor([[[20.0, 20.0]]]))
    assert found[0, 0, :2].tolist() == pytest.approx([20.0, 20.0], abs=0.01)


def test_offsets_share_in_the_position():
    maps = _map(c3_5=0.9)
    offsets = torch.zeros(1, 1, 2, 8, 8)
    offsets[0, 0, :, 5, 3] = torch.tensor([0.875, 0.175])  # (x, y) in the peak's cell; elsewhere nothing
    found = decode(maps, torch.tensor([[[3.0, 5.0]]]), offsets)
    # Centre of mass (3, 5); offset head (3 + 0.875 - 0.375, 5 + 0.175 - 0.375) = (3.5, 4.8); half-way.
    assert found[0, 0].tolist() == pytest.approx([3.25, 4.9, 0.9])


@pytest.mark.parametrize("corner", [(0.0, 0.0), (63.0, 0.0), (0.0, 63.0), (63.0, 63.0)])
def test_corners_stay_inside(corner):
    point = torch.tensor([[corner]])
    x, y, score = decode(draw_gaussians(point, 64, 1.5), point)[0, 0].tolist()
    # Half of the peak is cut off, so its mass lies a little inwards, never outside.
    assert abs(x - corner[0]) < 1 and abs(y - corner[1]) < 1 and score == 1
    assert 0 <= x <= 63 and 0 <= y <= 63


def test_each_keypoint_of_each_image_has_its_own_map_and_anchor():
    points = torch.tensor([[[10.0, 20.0], [40.0, 50.0]], [[30.0, 12.0], [22.0, 44.0]]])
    for anchors in (None, points.flip(0)):
        assert torch.allclose(decode(draw_gaussians(points, 64, 1.5), anchors)[..., :2], points, atol=0.01)


def test_half_precision_maps_are_decoded_in_full():
    point = torch.tensor([[[20.3, 30.6]]])
    maps = draw_gaussians(point, 64, 1.5)
    assert torch.allclose(decode(maps.half(), point), decode(maps, point), atol=2e-3)


HILLS = torch.tensor([[20.3, 30.6], [40.0, 10.0], [8.7, 50.4]])


def _hills(heights, size=64):
    """A map [1, 1, size, size] with Gaussians of these heights at `HILLS`, which are in cells of 64."""
    finer = size / 64
    hills = draw_gaussians(HILLS[None] * finer, size, 1.5 * finer)
    return (hills * torch.tensor(heights)[:, None, None]).sum(1, keepdim=True)


@pytest.mark.parametrize("size", [64, 96])
def test_peaks_come_highest_first_and_between_cells(size):
    found = peaks(_hills((0.4, 0.9, 0.6), size), 3)
    assert found.shape == (1, 1, 3, 3)
    assert (found[0, 0, :, :2] / (size / 64) - HILLS[[1, 2, 0]]).abs().max() < 0.15
    # The value is the cell's, at most 0.6 cells from the top.
    assert found[0, 0, :, 2].tolist() == pytest.approx([0.9, 0.6, 0.4], rel=0.07)
    assert torch.equal(peaks(_hills((0.4, 0.9, 0.6), size), 2), found[:, :, :2])


def test_peaks_that_a_map_lacks_have_the_value_zero():
    found = peaks(_hills((0.4, 0.9, 0.0)), 4)[0, 0]
    assert (found[:2, 2] > 0.35).all() and found[2:, 2].tolist() == [0, 0]
    assert (found[:, :2] >= 0).all() and (found[:, :2] <= 63).all()
    assert peaks(torch.zeros(1, 1, 8, 8), 4)[0, 0, :, 2].tolist() == [0, 0, 0, 0]


def test_a_hill_is_one_peak_however_it_is_uneven():
    maps = _map(c3_5=0.9, c4_5=0.8, c4_4=0.85, c2_6=0.7, c6_1=0.3)
    assert peaks(maps, 3)[0, 0, :, 2].tolist() == pytest.approx([0.9, 0.3, 0])


def test_tops_below_zero_are_no_peaks():
    maps = _map(c3_5=0.9) - 0.5
    maps[0, 0, 1, 6] = -0.2
    assert peaks(maps, 2)[0, 0, :, 2].tolist() == pytest.approx([0.4, 0])


def test_the_highest_peak_is_what_is_decoded_where_no_anchor_says_otherwise():
    maps = _hills((0.4, 0.9, 0.6))
    assert torch.allclose(peaks(maps, 1)[:, :, 0], decode(maps, HILLS[None, 1:2]), atol=1e-5)
    assert torch.allclose(peaks(maps.half(), 1), peaks(maps, 1), atol=2e-3)


def test_each_keypoint_of_each_image_has_its_own_peaks():
    points = torch.tensor([[[10.0, 20.0], [40.0, 50.0]], [[30.0, 12.0], [22.0, 44.0]]])
    maps = draw_gaussians(points, 64, 1.5)
    low = 0.5 * maps.flip(0, 1)
    found = peaks(maps + low, 2)
    assert torch.allclose(found[:, :, 0, :2], points, atol=0.01)
    assert torch.allclose(found[:, :, 1, :2], points.flip(0, 1), atol=0.01)
    assert torch.allclose(found[..., 2], torch.tensor([1.0, 0.5]).expand(2, 2, 2), atol=0.01)


@pytest.mark.parametrize("corner", [(0.0, 0.0), (63.0, 63.0)])
def test_peaks_at_the_edges_count(corner):
    x, y, score = peaks(draw_gaussians(torch.tensor([[corner]]), 64, 1.5), 1)[0, 0, 0].tolist()
    assert 0 <= x <= 63 and 0 <= y <= 63 and score == 1
    assert abs(x - corner[0]) < 1 and abs(y - corner[1]) < 1
