from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.small_models import small_model
from ttpose.adaptation.adapter import Adapter
from ttpose.adaptation.augment import Augmentation, draw_warp
from ttpose.adaptation.losses import Clip, Step, reconstruction
from ttpose.adaptation.losses.anchor import Anchor
from ttpose.adaptation.losses.distillation import Distillation
from ttpose.adaptation.losses.keypoints import SelfTraining, offset_error
from ttpose.adaptation.losses.reconstruction import Reconstruction, person_weight
from ttpose.adaptation.pseudo_labels import distillation_targets, pseudo_labels
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.core import geometry
from ttpose.inference.tta import TTA_VIEWS, predict_tta
from ttpose.inference.warps import PLAIN, warped_batch
from ttpose.models.decode import decode
from ttpose.models.perceptual_features import perceptual_loss

STILL = Augmentation(rotation_share=0, scale=(1, 1), shift_sd=0, flip=False, contrast=0, tint=0, brightness=0)


def _step(model, crops, warps=None, *, base=None, average=None, sources=None):
    warps = warps or [PLAIN] * len(crops)
    images, matrices = warped_batch(crops, warps, model.config.input_size)
    normalised = model.normalise(images)
    return Step(
        model, average or model, base or model, crops, warps, normalised, matrices, sources or crops,
        model(normalised), np.random.default_rng(0),
    )  # fmt: skip


def _true_clip(walk, count=8, trust=1.0):
    keypoints, _, crops = walk
    labels = keypoints[:count].copy()
    for row, crop in zip(labels, crops, strict=False):
        row[:, :2] = geometry.apply(geometry.invert(crop.to_source), row[:, :2])
    labels[..., 2] = trust
    return Clip(crops[:count], labels)


def _lower(model, make_step, loss_term, rate, steps, prefix=""):
    """The loss before and after some steps of Adam on it alone."""
    learning = copy.deepcopy(model)
    optimizer = torch.optim.Adam([p for n, p in learning.named_parameters() if n.startswith(prefix)], rate)
    values = []
    for _ in range(steps):
        loss = loss_term.loss(make_step(learning))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(float(loss.detach()))
    return values[0], min(values[-2:])


def test_self_training_learns_the_labels(dots, walk):
    wrong = copy.deepcopy(dots)
    with torch.no_grad():
        wrong.encoder.colors += torch.tensor([0.25, -0.25, 0.25])
    loss_term = SelfTraining(_true_clip(walk), 1.0)
    first, last = _lower(wrong, lambda m: _step(m, walk[2][:8]), loss_term, 0.02, 15)
    assert last < 0.7 * first
    assert loss_term.loss(_step(dots, walk[2][:8])).item() < first


def test_self_training_follows_views(dots, walk):
    loss_term, crops = SelfTraining(_true_clip(walk), 1.0), walk[2][:8]
    rng = np.random.default_rng(0)
    warps = [draw_warp(rng, Augmentation(rotation_sd=8, contrast=0, tint=0, brightness=0)) for _ in crops]
    assert any(w.flip for w in warps) and not all(w.flip for w in warps)
    right = loss_term.loss(_step(dots, crops, warps)).item()
    assert right < 1.4 * loss_term.loss(_step(dots, crops)).item()
    # Labels carried by another view than the picture's fit much worse.
    astray = replace(_step(dots, crops, warps), matrices=[crop.matrix(128) for crop in crops])
    assert loss_term.loss(astray).item() > 1.5 * right
    unnamed = replace(_step(dots, crops, warps), warps=[replace(w, flip=False) for w in warps])
    assert loss_term.loss(unnamed).item() > 1.3 * right


def test_what_is_not_trusted_does_not_teach(dots, walk):
    clip = _true_clip(walk, 4)
    labels = clip.labels.copy()
    labels[:, 9] = [1.0, 1.0, 0.0]  # far off, not trusted
    step = _step(copy.deepcopy(dots), walk[2][:4])
    trusted = SelfTraining(replace(clip, labels=labels), 1.0).loss(step)
    without = clip.labels.copy()
    without[:, 9, 2] = 0.0
    assert trusted.item() == pytest.approx(SelfTraining(replace(clip, labels=without), 1.0).loss(step).item())
    nothing = SelfTraining(replace(clip, labels=labels * np.array([1, 1, 0])), 1.0).loss(step)
    assert nothing.item() == 0.0
    nothing.backward()


def test_labels_outside_the_view_do_not_teach(dots, walk):
    clip = _true_clip(walk, 2)
    labels = clip.labels.copy()
    labels[:, 9, :2] = 5000.0
    step = _step(dots, walk[2][:2])
    trusted = SelfTraining(replace(clip, labels=labels), 1.0).loss(step)
    without = clip.labels.copy()
    without[:, 9, 2] = 0.0
    assert trusted.item() == pytest.approx(SelfTraining(replace(clip, labels=without), 1.0).loss(step).item())


def test_only_what_was_taught_last_is_known(dots, walk):
    clip, crops = _true_clip(walk), walk[2]
    loss_term = SelfTraining(Clip([], np.zeros((0, 17, 3))), 1.0)
    for position in (2, 3):
        loss_term.set_targets(clip.part([position]))
    whole = SelfTraining(clip, 1.0)
    step = _step(dots, [crops[3], crops[3]])
    assert loss_term.loss(step).item() == pytest.approx(whole.loss(step).item())
    with pytest.raises(KeyError):
        loss_term.loss(_step(dots, [crops[2]]))


def _taught(model, crops):
    """What a model's own four views teach."""
    seen = predict_tta(model, crops, TTA_VIEWS[:4], keep_maps=True)
    labels = pseudo_labels(seen, crops, model.skeleton, PersonalizeSettings())
    return distillation_targets(seen, crops, *labels, model.skeleton)


def test_distillation_asks_nothing_of_a_model_that_agrees(dots, walk):
    crops = walk[2][:2]
    clip = _taught(dots, crops)
    agreeing, other = (Distillation(replace(clip, maps=maps), 1.0) for maps in (clip.maps, clip.maps.flip(1)))
    loss = agreeing.loss(_step(dots, crops))
    assert 0 <= loss.item() < 0.1 * other.loss(_step(dots, crops)).item()


@pytest.mark.parametrize("flip", [False, True])
def test_distilled_maps_follow_the_view(dots, walk, flip):
    crops = walk[2][:2]
    clip, warp = _taught(dots, crops), replace(PLAIN, rotation=20.0, scale=0.9, flip=flip)
    turned = Distillation(clip, 1.0).loss(_step(dots, crops, [warp] * 2)).item()
    unnamed = replace(clip, maps=clip.maps[:, list(dots.skeleton.flip)])
    wrong = Distillation(unnamed, 1.0).loss(_step(dots, crops, [warp] * 2)).item()
    assert turned < 0.1 * wrong


@pytest.mark.parametrize("flip", [False, True])
def test_an_empty_map_teaches_nothing(dots, walk, flip):
    crops = walk[2][:2]
    clip, step = _taught(dots, crops), _step(dots, crops, [replace(PLAIN, flip=flip)] * 2)
    wrong, empty = clip.maps.clone(), clip.maps.clone()
    wrong[:, 9], empty[:, 9] = clip.maps[:, 16], 0.0
    loss, ignored, right = (Distillation(replace(clip, maps=m), 1.0).loss(step) for m in (wrong, empty, clip.maps))
    assert ignored < right < 0.5 * loss


def test_distillation_teaches(dots, walk):
    crops = walk[2][:2]
    clip, wrong = _taught(dots, crops), copy.deepcopy(dots)
    with torch.no_grad():
        wrong.encoder.colors.add_(0.1)
    before, after = _lower(wrong, lambda m: _step(m, crops), Distillation(clip, 1.0), 0.01, 20)
    assert after < 0.8 * before


def test_distillation_knows_only_what_was_taught_last(dots, walk):
    clip = _taught(dots, walk[2][:2])
    loss_term = Distillation(clip, 1.0)
    loss_term.set_targets(clip.part([1]))
    assert loss_term.loss(_step(dots, [walk[2][1]])).item() >= 0
    with pytest.raises(KeyError):
        loss_term.loss(_step(dots, [walk[2][0]]))


def test_offset_heads_are_taught_too(tiny, painted_crops):
    labels = np.full((2, 17, 3), 40.0)
    labels[..., 2] = 1.0
    loss_term = SelfTraining(Clip(painted_crops[:2], labels), 1.0)
    learning = copy.deepcopy(tiny)
    loss_term.loss(_step(learning, painted_crops[:2])).backward()
    assert learning.encoder.trunk.offset.out.conv.bias.grad.abs().sum() > 0
    assert learning.encoder.trunk.stem.conv.weight.grad.abs().sum() > 0


def test_offsets_are_taught_as_they_are_read():
    points = torch.tensor([[[5.2, 7.9]]])
    offsets = torch.full((1, 1, 2, 12, 12), 9.0)
    offsets[0, 0, :, 8, 5] = torch.tensor([0.575, 0.275])
    assert float(offset_error(offsets, points)) == pytest.approx(0.0, abs=1e-5)
    # Decoding takes half of the centre of mass, here the cell (5, 8), and half of what the offsets say.
    maps = torch.zeros(1, 1, 12, 12)
    maps[0, 0, 8, 5] = 1.0
    read = 2 * decode(maps, points, offsets)[0, 0, :2] - torch.tensor([5.0, 8.0])
    assert read.tolist() == pytest.approx(points.flatten().tolist(), abs=1e-5)
    offsets[0, 0, 0, 8, 5] += 0.25
    assert float(offset_error(offsets, points)) == pytest.approx(0.25, abs=1e-5)


def test_anchor_is_zero_at_the_base_and_pulls_back_to_it(dots, walk):
    loss_term, crops = Anchor(1.0), walk[2][:4]
    assert loss_term.loss(_step(dots, crops, base=dots)).item() == 0.0
    strayed = copy.deepcopy(dots)
    with torch.no_grad():
        strayed.encoder.colors += 0.1
    first, last = _lower(strayed, lambda m: _step(m, crops, base=dots), loss_term, 0.02, 8)
    assert first > 0 and last < 0.5 * first


def test_reconstruction_learns_to_repaint(tiny, painted_crops):
    loss_term = Reconstruction(1.0, perceptual_loss(tiny), 4)
    targets, sources = painted_crops[:4], painted_crops[4:8]
    first, last = _lower(
        tiny, lambda m: _step(m, targets, sources=sources), loss_term, 5e-4, 8, prefix="reconstructor."
    )
    assert last < 0.9 * first


def test_reconstruction_reaches_the_pose_and_stops_at_the_source(tiny, painted_crops):
    learning = copy.deepcopy(tiny)
    loss_term = Reconstruction(1.0, perceptual_loss(tiny), 2)
    loss_term.loss(_step(learning, painted_crops[:4], sources=painted_crops[4:8])).backward()
    assert learning.encoder.trunk.heatmap.out.conv.weight.grad.abs().sum() > 0
    assert learning.reconstructor.enter[0].weight.grad.abs().sum() > 0
    assert learning.affinity.weight.weight.grad is None  # nothing supervised is in it


def test_only_the_asked_number_of_views_is_reconstructed(tiny, painted_crops, monkeypatch):
    seen = []
    original = tiny.reconstruct
    monkeypatch.setattr(tiny, "reconstruct", lambda *a: seen.append(len(a[0])) or original(*a))
    with torch.no_grad():
        Reconstruction(1.0, perceptual_loss(tiny), 3).loss(_step(tiny, painted_crops[:4]))
        Reconstruction(1.0, perceptual_loss(tiny), 9).loss(_step(tiny, painted_crops[:4]))
    assert seen == [3, 4]


def test_both_frames_of_a_pair_share_the_view(tiny, painted_crops, monkeypatch):
    """With the target as its own source, any view repaints from exactly the picture it must repaint."""
    pairs = []
    original = tiny.reconstruct

    def look(source, source_points, target_points):
        pairs.append((source, source_points, target_points))
        return original(source, source_points, target_points)

    monkeypatch.setattr(tiny, "reconstruct", look)
    rng = np.random.default_rng(2)
    warps = [draw_warp(rng, Augmentation()) for _ in range(3)]
    with torch.no_grad():
        step = _step(tiny, painted_crops[:3], warps)
        Reconstruction(1.0, perceptual_loss(tiny), 3).loss(step)
    ((source, source_points, target_points),) = pairs
    assert torch.allclose(source, torch.nn.functional.adaptive_avg_pool2d(step.images, 32), atol=1e-5)
    assert torch.allclose(source_points, target_points, atol=1e-4)


def test_a_source_may_have_a_warp_of_its_own_and_is_mirrored_with_its_target(painted_crops, monkeypatch):
    model = small_model(input_size=128, reconstruction_size=128, pair_warp="independent")
    how, seen = Augmentation(), []
    warps = [draw_warp(np.random.default_rng(seed), how) for seed in range(4)]
    monkeypatch.setattr(
        reconstruction, "warped_batch", lambda crops, w, size: seen.append(w) or warped_batch(crops, w, size)
    )
    step = _step(model, painted_crops[:4], warps)
    for augmentation, same in ((how, False), (None, True)):
        Reconstruction(1.0, perceptual_loss(model, "none"), 4, augmentation).loss(step)
        sources = seen.pop()
        assert ([w.rotation for w in sources] == [w.rotation for w in warps]) is same
        assert ([w.scale for w in sources] == [w.scale for w in warps]) is same
        assert [w.flip for w in sources] == [w.flip for w in warps]
        assert [w.offset for w in sources] == [w.offset for w in warps]


def test_the_running_means_start_afresh(tiny):
    first, second = perceptual_loss(tiny), perceptual_loss(tiny)
    first.train()(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))
    assert first.means is not None and second.means is None


def test_the_person_counts_and_the_wall_hardly(tiny):
    points = torch.full((1, 32, 2), 4.0)
    points[0, :17] = torch.tensor([8.0, 8.0]) + torch.randn(17, 2, generator=torch.Generator().manual_seed(0))
    weight = person_weight(tiny, points, 32)
    assert weight.shape == (1, 1, 32, 32)
    assert float(weight[0, 0, 16, 16]) > 0.9
    assert float(weight[0, 0, 0, 31]) == pytest.approx(0.05, abs=0.01)


def test_an_adapters_terms_are_weighted_into_the_total(dots, walk):
    settings = PersonalizeSettings(batch=4, augmentation=STILL)
    clip = _true_clip(walk)
    losses = [SelfTraining(clip, 2.0), Anchor(3.0)]
    adapter = Adapter(dots, losses, settings)
    terms = adapter.step(clip.crops[:4], clip.crops[4:8])
    assert set(terms) == {"self_training", "anchor", "total"}
    assert terms["total"] == pytest.approx(2 * terms["self_training"] + 3 * terms["anchor"], rel=1e-5)
