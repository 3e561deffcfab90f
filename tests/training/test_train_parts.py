from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.miniatures import make_clips
from ttpose.core import geometry
from ttpose.core.errors import UsageError, WeightsError
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17, PENN13
from ttpose.data.datasets import Video, open_dataset
from ttpose.data.labelled_clip import LabelledFrame
from ttpose.models.config import ModelConfig
from ttpose.models.other_heads import turned
from ttpose.models.perceptual_features import perceptual_loss
from ttpose.models.pose_model import PoseModel
from ttpose.training.augment import Warp, draw_warp, warp_matrix
from ttpose.training.losses import joints_in_cells, pose_loss
from ttpose.training.methods import METHODS, training_method
from ttpose.training.samples import BatchOrder, FramePairs
from ttpose.training.schedule import REFERENCE_CROP_DOWN, JointSettings, training_preset
from ttpose.training.start import build_model, set_dropout
from ttpose.training.validation import thinned

TINY = training_preset("tiny").config


def test_the_paper_preset_has_the_papers_numbers() -> None:
    preset = training_preset("paper")
    settings, config = preset.settings, preset.config
    rates = [settings.learning_rate_at(epoch) for epoch in (0, 89, 90, 119, 120, 139)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5])
    assert (settings.epochs, settings.batch, settings.self_weight, settings.crop_pad) == (140, 32, 1e-3, 1.25)
    assert (config.encoder, config.num_self, config.input_size) == ("resnet50", 30, 128)
    with pytest.raises(UsageError, match="no training preset"):
        training_preset("huge")


def test_warps_are_drawn_as_the_paper_says() -> None:
    settings = JointSettings()
    rng = np.random.default_rng(0)
    warps = [draw_warp(rng, settings) for _ in range(4000)]
    scales, rotations = np.array([w.scale for w in warps]), np.array([w.rotation for w in warps])
    assert (scales.min(), scales.max()) == (0.75, 1.25)
    assert np.mean((scales == 0.75) | (scales == 1.25)) == pytest.approx(0.317, abs=0.03)  # beyond one sigma
    assert np.abs(rotations).max() == 60
    assert np.mean(rotations != 0) == pytest.approx(0.6, abs=0.03)
    assert np.std(rotations[(rotations != 0) & (np.abs(rotations) < 60)]) == pytest.approx(26.4, abs=1.5)
    assert np.mean([w.flip for w in warps]) == pytest.approx(0.5, abs=0.03)


def test_crops_follow_the_papers_rule() -> None:
    box, settings = Box(10, 20, 40, 80), JointSettings()
    matrix = warp_matrix(box, 128, settings, Warp())
    corners = geometry.apply(geometry.invert(matrix), np.array([[-0.5, -0.5], [127.5, 127.5]]))
    np.testing.assert_allclose(corners, [[30 - 50, 60 - 50], [30 + 50, 60 + 50]])
    reference = dataclasses.replace(settings, crop_down=REFERENCE_CROP_DOWN)
    for scale in (1.0, 0.8):  # 0.075 of the box's side lower, however much is shown
        moved = warp_matrix(box, 128, reference, Warp(scale=scale))
        middle = geometry.apply(geometry.invert(moved), np.array([63.5, 63.5]))
        np.testing.assert_allclose(middle, [30, 60 + 0.075 * 80])


@pytest.fixture
def walker(tmp_path: Path) -> Video:
    """A bright square that walks right, with a joint in its middle and boxes about it."""
    import cv2

    frames = []
    for index in range(3):
        image, x = np.zeros((120, 240, 3), np.uint8), 40 + 70 * index
        image[50:71, x - 10 : x + 11] = 255
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
        keypoints = np.zeros((13, 3))
        keypoints[PENN13.index("left_wrist")] = (x, 60, 2)
        keypoints[PENN13.index("head")] = (x, 50, 1)
        frames.append(LabelledFrame(tmp_path / f"{index}.png", keypoints, Box(x - 20, 40, 40, 40)))
    return Video("walker", "walker", tuple(frames), PENN13)


def test_each_frame_is_cropped_with_its_own_box(walker: Video) -> None:
    settings = JointSettings(scale=0, rotation_share=0, flip_share=0)
    own = FramePairs([walker], PENN13, 64, settings)
    reference = FramePairs([walker], PENN13, 64, dataclasses.replace(settings, source_box="target"))
    for index in range(3):
        sample = own[0, index]
        np.testing.assert_array_equal(sample["target"], sample["source"])
        assert sample["target"][32, 32].min() == 255
        assert reference[0, index]["source"].max() == 0  # the walker has left the target's box


def test_a_pair_may_have_two_warps(walker: Video) -> None:
    settings = JointSettings(rotation_share=1.0)
    shared = FramePairs([walker], PENN13, 64, settings)
    own = FramePairs([walker], PENN13, 64, settings, independent=True)
    for epoch in range(3):
        one, other = shared[epoch, 0], own[epoch, 0]
        np.testing.assert_array_equal(one["target"], other["target"])
        np.testing.assert_array_equal(one["joints"], other["joints"])
        assert (one["source"] != other["source"]).any()


def test_the_pair_shares_its_warp_and_labels_follow(walker: Video) -> None:
    wrists = {PENN13.index("left_wrist"), PENN13.index("right_wrist")}
    pairs = FramePairs([walker], PENN13, 64, JointSettings())
    flips = set()
    for epoch in range(12):
        sample = pairs[epoch, 1]
        assert np.abs(sample["target"].astype(int) - sample["source"]).mean() < 2  # the same figure, the same warp
        (joint,) = np.nonzero(sample["joints"][:, 2])[0]
        assert joint in wrists
        flips.add(int(joint))
        x, y = sample["joints"][joint, :2].round().astype(int)
        assert sample["target"][y, x].min() == 255
    assert flips == wrists  # a mirrored left wrist is a right wrist


def test_hidden_joints_count_only_when_asked(walker: Video) -> None:
    settings = JointSettings(flip_share=0)
    head = PENN13.index("head")
    assert FramePairs([walker], PENN13, 64, settings)[0, 0]["joints"][head, 2] == 0
    asked = FramePairs([walker], PENN13, 64, dataclasses.replace(settings, visible_only=False))
    assert asked[0, 0]["joints"][head, 2] == 1


def test_labels_are_taken_to_another_set_by_name(walker: Video) -> None:
    joints = FramePairs([walker], COCO17, 64, JointSettings(flip_share=0))[0, 0]["joints"]
    assert np.nonzero(joints[:, 2])[0].tolist() == [COCO17.index("left_wrist")]
    assert np.isfinite(joints).all()


def test_every_epoch_sees_every_sample_in_another_order() -> None:
    settings = JointSettings(batch=4, epochs=2)
    batches = list(BatchOrder(10, settings))
    assert len(batches) == len(BatchOrder(10, settings)) == 6
    assert {len(batch) for batch in batches} == {4}
    first, second = ([key for batch in batches[part : part + 3] for key in batch] for part in (0, 3))
    assert {index for _, index in first} == {index for _, index in second} == set(range(10))
    assert [index for _, index in first] != [index for _, index in second]
    assert list(BatchOrder(10, settings, start=4)) == batches[4:]


def test_processes_share_one_order() -> None:
    settings = JointSettings(batch=2, epochs=3)
    whole = list(BatchOrder(11, dataclasses.replace(settings, batch=4)))
    halves = [list(BatchOrder(11, settings, rank=rank, processes=2)) for rank in (0, 1)]
    assert [a + b for a, b in zip(*halves, strict=True)] == whole


def test_a_training_set_smaller_than_a_batch_is_repeated() -> None:
    (batch,) = list(BatchOrder(3, JointSettings(batch=8, epochs=1)))
    assert len(batch) == 8
    assert {index for _, index in batch} == {0, 1, 2}


def test_the_pose_loss_by_hand() -> None:
    config = ModelConfig(input_size=32, target_sigma=1.0)
    # Crop pixel 13.5 is the middle of heatmap cell 3.
    joints = torch.tensor([[[13.5, 13.5, 1.0], [13.5, 13.5, 0.0], [400.0, 13.5, 1.0]]])
    assert joints_in_cells(joints)[0, 0].tolist() == [3.0, 3.0]
    row = np.exp(-((np.arange(8) - 3.0) ** 2) / 2)
    wanted = 0.5 * (np.outer(row, row) ** 2).mean() / 3  # one of three joints counts, the third is far outside
    assert float(pose_loss(torch.zeros(1, 3, 8, 8), joints, config)) == pytest.approx(wanted, rel=1e-5)
    exact = torch.from_numpy(np.outer(row, row)).float().expand(1, 3, 8, 8)
    assert float(pose_loss(exact, joints, config)) == pytest.approx(0, abs=1e-12)


def test_quarter_turns() -> None:
    images = torch.arange(8.0).view(2, 1, 2, 2)
    assert turned(images, torch.tensor([0, 1])).flatten().tolist() == [0, 1, 2, 3, 5, 7, 4, 6]


@pytest.mark.parametrize("name", METHODS)
def test_every_parameter_that_learns_gets_a_gradient(name: str) -> None:
    method_type = training_method(name)
    model = build_model(method_type.configure(TINY))
    reconstructs = model.config.self_task == "reconstruction"
    method = method_type(model, JointSettings(), perceptual_loss(model, "none") if reconstructs else None)
    crops = torch.randint(0, 255, (2, 64, 64, 3), dtype=torch.uint8)
    losses = method(crops, crops.flip(0), torch.rand(2, 13, 3) * 40)
    losses["loss"].backward()
    # Processes that share a training wait for every gradient.
    idle = [name for name, p in method.named_parameters() if p.requires_grad and p.grad is None]
    assert not idle
    assert losses["loss"].isfinite()


def test_labels_do_not_reach_the_keypoints_of_imm() -> None:
    method_type = training_method("imm")
    model = build_model(method_type.configure(TINY))
    method = method_type(model, JointSettings(), perceptual_loss(model, "none"))
    crops = torch.randint(0, 255, (2, 64, 64, 3), dtype=torch.uint8)
    method(crops, crops.flip(0), torch.rand(2, 13, 3) * 40)["pose"].backward()
    assert {n for n, p in model.named_parameters() if p.grad is not None} == {
        "pose_head.map.weight",
        "pose_head.map.bias",
    }


def test_unknown_methods_are_refused() -> None:
    with pytest.raises(UsageError, match="no training method"):
        training_method("magic")


def test_imagenet_weights_bring_the_references_first_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    donor = PoseModel(TINY).encoder
    state = {name: t for name, t in donor.state_dict().items() if not name.startswith("deconv_layers.")}
    torch.save({**state, "fc.weight": torch.zeros(1000, 64), "fc.bias": torch.zeros(1000)}, tmp_path / "r18.pth")
    model = build_model(TINY, imagenet=tmp_path / "r18.pth")
    assert torch.equal(model.encoder.conv1.weight, donor.conv1.weight)
    layer = model.affinity.decoder.layers[0]
    for linear in (layer.linear1, layer.linear2, layer.self_attn.out_proj, layer.multihead_attn.out_proj):
        assert linear.weight.std().item() == pytest.approx(0.001, rel=0.2)
        assert linear.bias.abs().max().item() == 0
    assert model.affinity.weight.weight.std().item() > 0.01
    with pytest.raises(WeightsError, match="no weights file"):
        build_model(TINY, imagenet=tmp_path / "missing.pth")


def test_dropout_is_a_matter_of_training_only() -> None:
    model = build_model(TINY)
    set_dropout(model, 0.5)
    crops = torch.randint(0, 255, (1, 3, 64, 64), dtype=torch.uint8)
    features = model.encoder.train()(model.normalise(crops)).features.detach()
    with torch.no_grad():
        torch.nn.init.normal_(model.affinity.weight.weight)
        trained = [model.affinity.train()(features) for _ in range(2)]
        used = [model.affinity.eval()(features) for _ in range(2)]
    assert not torch.equal(*trained)
    assert torch.equal(*used)


@pytest.mark.parametrize(("form", "terms"), [("none", 1), ("encoder", 5)])
def test_perceptual_losses_without_a_file(form: str, terms: int) -> None:
    loss = perceptual_loss(build_model(TINY), form)
    value, parts = loss(torch.zeros(1, 3, 64, 64), torch.ones(1, 3, 64, 64))
    assert len(parts) == terms
    assert value.isfinite()


def test_unknown_perceptual_losses_are_refused() -> None:
    with pytest.raises(UsageError, match="no perceptual loss vgg19"):
        perceptual_loss(build_model(TINY), "vgg19")


def test_validation_frames_are_spread_over_all_videos(tmp_path: Path) -> None:
    videos = open_dataset(f"clips:{make_clips(tmp_path, clips=3, frames=8)}")
    thin = thinned(videos, 6)
    assert [[frame.path.stem for frame in video.frames] for video in thin] == [["0000", "0007"]] * 3
    assert thinned(videos, 100) == videos


def test_the_researchers_page_uses_options_that_exist() -> None:
    from typer.main import get_command

    from ttpose.cli.app import app

    page = (Path(__file__).parents[2] / "docs/research.md").read_text().replace("\\\n", " ")
    commands = get_command(app).commands
    options = {
        name: {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
        for name, command in commands.items()
    }
    lines = [line.split("ttpose train", 1)[1] for line in page.splitlines() if "ttpose train" in line]
    assert len(lines) >= 6
    used = {word for line in lines for word in line.split() if word.startswith("-")}
    assert used <= options["train"]
    assert set(re.findall(r"`(--[a-z-]+)", page)) <= set().union(*options.values())
