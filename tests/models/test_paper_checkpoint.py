from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
import torch

from ttpose.core.errors import WeightsError
from ttpose.models.bottleneck import draw_gaussians
from ttpose.models.paper_checkpoint import import_reference
from ttpose.models.torch_file import read_state_dict


@pytest.fixture(scope="module")
def model(paper_checkpoint):
    return import_reference(paper_checkpoint)


def _save(tmp_path, content):
    torch.save(content, tmp_path / "checkpoint.pth")
    return tmp_path / "checkpoint.pth"


def _assert_equal(found, wanted, tolerance=1e-4):
    error = np.abs(found.numpy() - wanted.astype(np.float32)).max() / wanted.astype(np.float32).std()
    assert error < tolerance


def test_heatmaps_equal_the_reference(model, paper_numbers):
    supervised, self_supervised = model.heatmaps(torch.from_numpy(paper_numbers["image_rgb"][None]))
    assert supervised.shape == (1, 7, 32, 32)
    assert self_supervised.shape == (1, 30, 32, 32)
    _assert_equal(supervised[0], paper_numbers["supervised"])
    _assert_equal(self_supervised[0, paper_numbers["maps"]], paper_numbers["self_supervised"])


def test_bottleneck_and_reconstruction_equal_the_reference(model, paper_numbers):
    image, source = (torch.from_numpy(paper_numbers[name][None]) for name in ("image_rgb", "source_rgb"))
    with torch.no_grad():
        points = model.points(model.heatmaps(image)[1])
        gaussians = draw_gaussians(points, model.config.heatmap_size, model.config.bottleneck_sigma)
        picture = model.reconstruct(model.normalise(source.permute(0, 3, 1, 2)), points, points)
    # These numbers are stored in half precision, which rounds 1 by up to 2.5e-4.
    _assert_equal(gaussians[0, paper_numbers["maps"]], paper_numbers["gaussians"], tolerance=5e-3)
    _assert_equal(picture[0].flip(0)[:, ::4, ::4], paper_numbers["reconstruction_bgr"])


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_wrapped_parallel_training_checkpoint_is_the_same(tmp_path, model, paper_weights, wrapper):
    parallel = {f"module.{name}": tensor for name, tensor in paper_weights.items()}
    content = {"epoch": 3, "best": np.float64(0.5), "optimizer": {"state": {}}, wrapper: parallel}
    if wrapper == "state_dict":
        content["model"] = "a name, as some trainers store it"
    loaded = import_reference(_save(tmp_path, content)).state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in model.state_dict().items())


def test_resnet50_with_penn_keypoints_has_the_paper_size(tmp_path, model, paper_weights, paper_value):
    state = _deep_state(paper_weights, paper_value, joints=13)
    deep = import_reference(_save(tmp_path, state))
    assert (deep.config.encoder, deep.config.skeleton, deep.config.num_self) == ("resnet50", "penn13", 30)
    # The paper: 39.82 M parameters.
    assert sum(p.numel() for p in deep.parameters()) == pytest.approx(39.82e6, abs=0.005e6)
    assert (model.config.encoder, model.config.skeleton) == ("resnet18", "bbc7")


def test_resnet50_heatmaps_carry_no_rounding_error(tmp_path, paper_weights, paper_value, paper_numbers):
    """With 32-bit floats throughout the supervised maps would be 4e-5 to 1e-4 of their standard deviation off."""
    deep = import_reference(_save(tmp_path, _deep_state(paper_weights, paper_value, joints=16)))
    image = torch.from_numpy(paper_numbers["image_rgb"][None])
    with torch.no_grad():
        wide = deep.double()
        exact = wide((image.permute(0, 3, 1, 2).double() - wide.mean) / wide.std)
    for found, wanted in zip(deep.float().heatmaps(image), (exact.supervised, exact.self_supervised), strict=True):
        assert found.dtype == torch.float32
        _assert_equal(found, wanted.numpy(), tolerance=1e-6)


def _deep_state(paper_weights, paper_value, joints):
    """A ResNet-50 checkpoint: the encoder's shapes from He et al. 2016, everything else as for ResNet-18."""
    shapes = {name: t.shape for name, t in paper_weights.items() if not name.startswith("pose_net.layer")}
    shapes["pose_net.sup_query.weight"] = (256, joints)
    shapes["pose_net.deconv_layers.0.weight"] = (2048, 256, 4, 4)

    def convolution(name, norm, out, channels, kernel):
        shapes[f"{name}.weight"] = (out, channels, kernel, kernel)
        shapes.update({f"{norm}.{part}": (out,) for part in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{norm}.num_batches_tracked"] = ()

    channels = 64
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), start=1):
        for block in range(blocks):
            prefix = f"pose_net.layer{stage}.{block}"
            convolution(f"{prefix}.conv1", f"{prefix}.bn1", width, channels, 1)
            convolution(f"{prefix}.conv2", f"{prefix}.bn2", width, width, 3)
            convolution(f"{prefix}.conv3", f"{prefix}.bn3", 4 * width, width, 1)
            if block == 0:
                convolution(f"{prefix}.downsample.0", f"{prefix}.downsample.1", 4 * width, channels, 1)
            channels = 4 * width
    return {name: paper_value(name, tuple(shape)) for name, shape in shapes.items()}


def _without(state):
    del state["image_renderer.layer4.6.bias"]


def _without_transformer(state):
    del state["pose_net.sup_query.weight"]


def _with_more(state):
    state["pose_net.pe.pe"] = torch.zeros(256, 32, 32)


def _misshapen(state):
    state["pose_encoder.layer1.0.weight"] = torch.zeros(32, 29, 7, 7)


def _of_eleven_joints(state):
    state["pose_net.sup_query.weight"] = torch.zeros(256, 11)


def _of_another_depth(state):
    state["pose_net.layer1.2.conv1.weight"] = torch.zeros(64, 64, 3, 3)


def _diverged(state):
    state["pose_net.bn1.weight"] = torch.full((64,), float("nan"))


def _no_tensor(state):
    state["pose_net.bn1.weight"] = "text"


def _scalar_query(state):
    state["pose_net.sup_query.weight"] = torch.tensor(1.0)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_without, r"lacks image_renderer\.layer4\.6\.bias"),
        (_without_transformer, r"lacks pose_net\.sup_query\.weight"),
        (_with_more, r"has an unexpected pose_net\.pe\.pe"),
        (_misshapen, r"pose_encoder\.layer1\.0\.weight has shape \[32, 29, 7, 7\], needed is \[32, 30, 7, 7\]"),
        (_of_eleven_joints, "it has 11 keypoints"),
        (_of_another_depth, r"blocks \(3, 2, 2, 2\)|\(3, 2, 2, 2\) blocks"),
        (_diverged, r"pose_net\.bn1\.weight holds values that are not finite"),
        (_no_tensor, r"pose_net\.bn1\.weight is no plain tensor"),
        (_scalar_query, r"pose_net\.sup_query\.weight has shape \[\]"),
    ],
)
def test_another_architecture_is_refused_in_one_line(tmp_path, paper_weights, spoil, expected):
    state = dict(paper_weights)
    spoil(state)
    path = _save(tmp_path, state)
    with pytest.raises(WeightsError, match=expected) as caught:
        import_reference(path)
    assert str(path) in caught.value.message
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [{}, [], 3, {"state_dict": {}}, {"epoch": 3}, torch.zeros(2)])
def test_a_file_without_weights_is_refused(tmp_path, content):
    with pytest.raises(WeightsError):
        import_reference(_save(tmp_path, content))


class _Attack:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("how", ["torch", "pickle"])
@pytest.mark.filterwarnings("error")
def test_code_in_a_checkpoint_does_not_run(tmp_path, how):
    target, path = tmp_path / "pwned", tmp_path / "checkpoint.pth"
    content = {"pose_net.conv1.weight": _Attack(target)}
    if how == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(WeightsError, match="cannot read") as caught:
        import_reference(path)
    assert not target.exists()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [0, 10, 1000, -1000, -1])
def test_truncated_file_is_refused(tmp_path, keep):
    whole = tmp_path / "whole.pth"
    torch.save({"pose_net.conv1.weight": torch.zeros(64, 3, 7, 7)}, whole)
    path = tmp_path / "cut.pth"
    path.write_bytes(whole.read_bytes()[:keep])
    with pytest.raises(WeightsError, match=r"cannot read .*cut\.pth"):
        import_reference(path)


def test_missing_file_and_folder_are_refused(tmp_path):
    for path in (tmp_path / "nothing.pth", tmp_path):
        with pytest.raises(WeightsError, match="no weights file"):
            import_reference(path)


def test_half_precision_weights_are_widened(tmp_path):
    state = read_state_dict(_save(tmp_path, {"w": torch.ones(2, dtype=torch.float16), "n": torch.tensor(3)}))
    assert state["w"].dtype == torch.float32
    assert state["n"].dtype == torch.int64
