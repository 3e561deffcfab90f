from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from benchmarks import compass
from tests.data.test_rendered import write_people
from tests.small_models import small_model
from ttpose.core import geometry
from ttpose.data.rendered import read_rendered
from ttpose.models.checkpoint import save_model
from ttpose.models.perceptual_features import perceptual_loss


@pytest.fixture
def video(tmp_path):
    return read_rendered(write_people(tmp_path / "people", people=1, clips=1, frames=4), "test")[0]


def test_labels_go_with_the_views(video):
    model = small_model(skeleton="penn13", pair_warp="independent")
    views = compass.draw_views(model, video, 6, seed=0)
    assert views.target.shape == views.source.shape == (6, 3, 64, 64)
    # The length between two joints says how much a view is scaled; mirrored, other joints bear their names.
    lengths = np.linalg.norm(views.joints[:, 1, :2] - views.joints[:, 11, :2], axis=-1)
    assert lengths.std() > 0
    zoom = 64 / (1.1 * 32)
    known = [np.linalg.norm(f.keypoints[5, :2] - f.keypoints[15, :2]) for f in video.frames]
    flipped = [np.linalg.norm(f.keypoints[6, :2] - f.keypoints[16, :2]) for f in video.frames]
    for length in lengths:
        scales = [zoom * reference / length for reference in (*known, *flipped)]
        assert any(0.74 < scale < 1.26 for scale in scales)


def test_a_shared_warp_is_shared(video, monkeypatch):
    seen = []
    monkeypatch.setattr(
        compass, "warped_batch", lambda crops, warps, size: seen.append(warps) or _views(crops, warps, size)
    )
    for kind, same in (("shared", True), ("independent", False)):
        compass.draw_views(small_model(skeleton="penn13", pair_warp=kind), video, 4, seed=1)
        target, source = seen[-2:]
        assert ([w.scale for w in target] == [w.scale for w in source]) is same
        assert [w.flip for w in target] == [w.flip for w in source]


def _views(crops, warps, size):
    return torch.zeros(len(crops), 3, size, size), [geometry.crop_matrix(c.box, size) for c in crops]


def test_gradients_of_a_loss_agree_with_themselves(video, monkeypatch):
    model = small_model(skeleton="penn13", pair_warp="independent")
    views = compass.draw_views(model, video, 2, seed=0)
    perceptual = perceptual_loss(model, "none").train()
    found, _ = compass.cosines(model, perceptual, views)
    assert all(-1 <= value <= 1 for value in found.values())
    assert abs(found["all"]) < 0.99
    monkeypatch.setattr(compass, "pose_loss", lambda maps, joints, config: _again(model, perceptual, views))
    found, ratio = compass.cosines(model, perceptual, views)
    assert found["all"] == pytest.approx(1, abs=1e-3)
    assert ratio == pytest.approx(1 / 3, rel=1e-3)


def _again(model, perceptual, views):
    return 3 * compass.reconstruction_error(model, perceptual, views, model.points(model(views.target).self_supervised))


def test_it_tells(tmp_path, capsys):
    people = write_people(tmp_path / "people", people=2, clips=1, frames=3)
    model = small_model(skeleton="penn13")
    model.config = dataclasses.replace(model.config, pair_warp="independent")
    save_model(model, tmp_path / "m.safetensors", half=False)
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(compass, "perceptual_loss", lambda model: perceptual_loss(model, "none"))
        compass.main([str(tmp_path / "m.safetensors"), "--shards", str(people), "--people", "2", "--views", "2"])
    told = capsys.readouterr().out
    assert "another view's" in told
    assert "all  " in told
