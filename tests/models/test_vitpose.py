from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from ttpose.core.errors import WeightsError
from ttpose.models.checkpoint import load_model, save_model
from ttpose.models.foreign import import_checkpoint

pytest.importorskip("transformers")

from tests.models.vitpose_files import authors_state, hub_folder, hub_model

KINDS = [(simple, experts) for simple in (True, False) for experts in (1, 3)]


def their_maps(model, images):
    with torch.no_grad():
        # Data set 0 is COCO.
        index = torch.zeros(len(images), dtype=torch.long) if model.config.backbone_config.num_experts > 1 else None
        return model(images, dataset_index=index).heatmaps


def assert_same_maps(ours, theirs, images):
    with torch.no_grad():
        found, wanted = ours(images).supervised, their_maps(theirs, images)
    assert found.shape == wanted.shape
    assert float((found - wanted).abs().max()) < 1e-4 * float(wanted.std())


@pytest.mark.parametrize(("simple", "experts"), KINDS)
def test_heatmaps_of_a_hub_folder_equal_the_public_implementation(tmp_path, simple, experts):
    theirs = hub_model(simple=simple, experts=experts)
    ours = import_checkpoint(hub_folder(tmp_path, theirs))
    assert ours.config.crop.size == (64, 48)
    assert_same_maps(ours, theirs, torch.randn(2, 3, 64, 48))


@pytest.mark.parametrize(("simple", "experts"), KINDS)
def test_heatmaps_of_an_authors_file_equal_the_public_implementation(tmp_path, simple, experts):
    # The authors' smallest width: their files do not tell the number of heads, their sizes do.
    theirs = hub_model(simple=simple, experts=experts, width=384, heads=12, depth=1)
    theirs.config.backbone_config.layer_norm_eps = 1e-6
    for module in theirs.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-6  # of the authors' code
    path = tmp_path / "vitpose.pth"
    torch.save(
        {"state_dict": authors_state(theirs) | {"associate_keypoint_heads.0.final_layer.bias": torch.zeros(3)}}, path
    )
    assert_same_maps(import_checkpoint(path), theirs, torch.randn(1, 3, 64, 48))


def test_layers_that_were_completed_before_are_left_alone(tmp_path):
    theirs = hub_model(experts=3, width=384, heads=12, depth=1)
    state = authors_state(theirs)
    for kind in ("weight", "bias"):  # as the authors' tool for splitting such files does it
        state[f"backbone.blocks.0.mlp.fc2.{kind}"] = torch.cat(
            [state[f"backbone.blocks.0.mlp.{part}.{kind}"] for part in ("fc2", "experts.0")]
        )
    torch.save(state, tmp_path / "coco.pth")
    assert_same_maps(import_checkpoint(tmp_path / "coco.pth"), theirs, torch.randn(1, 3, 64, 48))


def test_a_saved_base_is_the_imported_model_bit_for_bit(tmp_path):
    ours = import_checkpoint(hub_folder(tmp_path / "hub", hub_model(simple=False)))
    again = import_checkpoint(tmp_path / "hub")
    save_model(ours, tmp_path / "a.safetensors", half=False)
    save_model(again, tmp_path / "b.safetensors", half=False)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    loaded, images = load_model(tmp_path / "a.safetensors"), torch.randn(1, 3, 64, 48)
    assert loaded.config == ours.config
    with torch.no_grad():
        assert torch.equal(loaded(images).supervised, ours(images).supervised)


def test_normalisation_comes_from_the_folder_where_it_says(tmp_path):
    folder = hub_folder(tmp_path, hub_model())
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2] * 3})
    )
    config = import_checkpoint(folder).config
    assert config.mean == pytest.approx((127.5, 102.0, 76.5))
    assert config.std == pytest.approx((51.0, 51.0, 51.0))


def test_a_full_size_b_equals_the_public_implementation(tmp_path):
    theirs = hub_model(simple=False, width=768, depth=12, heads=12, image=(256, 192))
    ours = import_checkpoint(hub_folder(tmp_path, theirs))
    assert ours.config.preset == "vitpose-b"
    assert_same_maps(ours, theirs, torch.randn(1, 3, 256, 192))


def _other_architecture(folder):
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps({**values, "architectures": ["ViTForImageClassification"], "model_type": "vit"})
    )
    return folder


def _truncated(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    return folder


def _without_weights(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    return folder


def _without_a_tensor(folder):
    state = load_file(folder / "model.safetensors")
    state.pop("head.conv.bias")
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    return folder


def _hands(folder):
    state = load_file(folder / "model.safetensors")
    for kind in ("weight", "bias"):
        state[f"head.conv.{kind}"] = state[f"head.conv.{kind}"].repeat(2, *[1] * (state[f"head.conv.{kind}"].ndim - 1))[
            :21
        ]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    return folder


def _the_file_inside(folder):
    return folder / "model.safetensors"


def _foreign_pth(folder):
    torch.save({"conv1.weight": torch.zeros(3, 3), "fc.bias": torch.zeros(3)}, folder / "resnet.pth")
    return folder / "resnet.pth"


def _damaged_pth(folder):
    torch.save(authors_state(hub_model(width=384, heads=12, depth=1)), folder / "v.pth")
    (folder / "cut.pth").write_bytes((folder / "v.pth").read_bytes()[:5000])
    return folder / "cut.pth"


def _onnx(folder):
    onnx = pytest.importorskip("onnx")
    graph = onnx.helper.make_graph([], "empty", [], [])
    onnx.save(onnx.helper.make_model(graph), str(folder / "pose.safetensors"))  # whatever it is called
    return folder / "pose.safetensors"


def _text(folder):
    (folder / "weights.pth").write_text("<html>not found</html>")
    return folder / "weights.pth"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_other_architecture, r"holds ViTForImageClassification, not VitPoseForPoseEstimation"),
        (_truncated, r"model.safetensors is not a readable weights file"),
        (_without_weights, r"has no model.safetensors \(it has config.json.*pytorch_model.bin\)"),
        (_without_a_tensor, r"lacks head.conv.bias"),
        (_hands, r"has 21 keypoints"),
        (_the_file_inside, r"is one file of a Hugging Face folder; give the folder"),
        (_foreign_pth, r"holds another network \(2 tensors: conv1.weight, fc.bias"),
        (_damaged_pth, r"cannot read .*cut.pth"),
        (_onnx, r"is an ONNX file"),
        (_text, r"is no weights file, or a damaged one"),
        (lambda folder: folder / "nothing.pth", r"there is nothing at"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_cannot_be_read_ends_in_one_line(tmp_path, spoil, message):
    given = spoil(hub_folder(tmp_path / "hub", hub_model()))
    with pytest.raises(WeightsError, match=message) as caught:
        import_checkpoint(given)
    assert "\n" not in str(caught.value)
