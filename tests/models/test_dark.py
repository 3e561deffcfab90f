from __future__ import annotations

import numpy as np
import pytest
import torch

from ttpose.core.geometry import Box, CropGrid, apply, invert
from ttpose.models.dark import dark_decode


def gaussian_maps(rng, count=6, height=64, width=48, sigma=2.0, noise=0.01):
    """Maps with a peak at a known place each, some at the edges, and noise."""
    middle = np.stack([rng.uniform(0, width - 1, count), rng.uniform(0, height - 1, count)], -1)
    ys, xs = np.mgrid[:height, :width]
    maps = np.exp(-((xs - middle[:, 0, None, None]) ** 2 + (ys - middle[:, 1, None, None]) ** 2) / (2 * sigma**2))
    return (maps + rng.normal(0, noise, maps.shape)).astype(np.float32), middle


def test_a_clean_gaussian_is_found_to_a_fiftieth_of_a_cell():
    maps, middle = gaussian_maps(np.random.default_rng(0), count=200, noise=0.0)
    inside = ((middle > 3) & (middle < np.array([44, 60]))).all(1)
    found = dark_decode(torch.from_numpy(maps)[None])[0].numpy()
    assert inside.sum() > 100
    assert np.abs(found[inside, :2] - middle[inside]).max() < 0.02


def test_keypoints_equal_the_public_post_processing_within_a_tenth_of_a_pixel():
    processing = pytest.importorskip("transformers.models.vitpose.image_processing_pil_vitpose", exc_type=ImportError)
    rng = np.random.default_rng(1)
    grid = CropGrid(256, 192, pad=1.25, corners=True)
    boxes = [Box(100.0, 40.0, 180.0, 420.0), Box(-20.0, 300.0, 260.0, 120.0), Box(5.5, 7.25, 60.0, 80.0)]
    maps = np.stack([gaussian_maps(rng, count=17)[0] for _ in boxes])
    outputs = type("Outputs", (), {"heatmaps": torch.from_numpy(maps)})
    wanted = processing.VitPoseImageProcessorPil().post_process_pose_estimation(
        outputs, [[b.as_list() for b in boxes]]
    )[0]
    found = dark_decode(torch.from_numpy(maps)).double().numpy()
    for box, ours, theirs in zip(boxes, found, wanted, strict=True):
        crop = grid.points_from(grid.resized(64, 48), ours[:, :2])
        image = apply(invert(grid.matrix(box)), crop)
        assert np.abs(image - theirs["keypoints"].numpy()).max() < 0.1
        assert np.allclose(ours[:, 2], theirs["scores"].numpy())


def test_a_flat_map_gives_a_cell_and_no_number_that_is_none():
    found = dark_decode(torch.zeros(1, 2, 16, 12))
    assert torch.isfinite(found).all()
    assert ((found[..., :2] >= 0) & (found[..., :2] < 16)).all()
