"""The engine gives what torch gives: keypoints, boxes and landmarks within a hundredth of a pixel in 32 bits."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests import sample
from ttpose.core import geometry
from ttpose.core.geometry import Box
from ttpose.data.labelled_clip import find_clips, read_clip
from ttpose.models import engine
from ttpose.models.blazepose import load_blazepose
from ttpose.models.config import ModelConfig
from ttpose.models.decode import decode
from ttpose.models.nanodet import load_nanodet
from ttpose.models.pose_model import PoseModel
from ttpose.models.predictor import CROP_PAD
from ttpose.models.shipped import load
from ttpose.models.store import model_path

REAL = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "real_dev"

pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed")


@pytest.fixture(scope="module", autouse=True)
def with_openvino():
    """The rest of the suite computes with torch in its own processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TTPOSE_ENGINE", raising=False)
        yield


@pytest.fixture(scope="module")
def base():
    return load().model


@pytest.fixture(scope="module")
def crops():
    """Every 12th frame of the sample clip, cut about the person: float [9, 3, 256, 256]."""
    frames = range(0, 100, 12)
    return cut([(sample.images()[i], Box.around(sample.truth()[i, :, :2])) for i in frames])


def cut(pairs):
    views = [geometry.warp(image, geometry.crop_matrix(box, 256, pad=CROP_PAD), 256) for image, box in pairs]
    return torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2).float()


def keypoints(network, images):
    with torch.inference_mode():
        out = network(network.normalise(images))
    return 4 * decode(out.supervised, out.encoded.anchors, out.encoded.offsets)[..., :2]


def is_compiled(network):
    return bool(network._run.graphs)


def test_keypoints_are_torchs_within_a_hundredth_of_a_pixel(base, crops):
    fast = engine.CompiledPose(base)
    apart = (keypoints(fast, crops) - keypoints(base, crops)).abs().max()
    assert is_compiled(fast)
    assert 0 < apart < 0.01  # not the same kernels


def test_keypoints_on_real_clips(base):
    if not REAL.is_dir():
        pytest.skip("the real clips are not here")
    frames = [frame for path in find_clips(REAL) for frame in read_clip(path).frames[::10]]
    images = cut([(frame.read(), frame.box) for frame in frames])
    fast = engine.CompiledPose(base)
    assert (keypoints(fast, images) - keypoints(base, images)).abs().max() < 0.01


def test_16_bits_are_close_and_not_the_same(base, crops):
    fast = engine.CompiledPose(base, bfloat16=True)
    apart = (keypoints(fast, crops) - keypoints(base, crops)).norm(dim=-1)
    assert 0.01 < apart.median() < 1.0


def test_changed_weights_are_compiled_as_they_are(base, crops):
    changed = PoseModel(base.config).eval()
    changed.load_state_dict(base.state_dict())
    with torch.no_grad():
        changed.encoder.trunk.heatmap.out.conv.bias += 1.0
    fast = engine.CompiledPose(changed)
    ours, torchs, bases = (
        n(n.normalise(crops[:1])).supervised.detach() for n in (fast, changed, engine.CompiledPose(base))
    )
    assert (ours - torchs).abs().max() < 1e-4
    assert (ours - bases).abs().max() > 0.01


def test_two_threads_share_one_graph(base, crops):
    fast = engine.CompiledPose(base)
    alone = keypoints(fast, crops)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: keypoints(fast, crops), range(2)))
    assert all(torch.equal(found, alone) for found in both)
    assert len(fast._run.graphs) == 1


def test_only_a_few_shapes_stay_compiled():
    fast = engine.CompiledDetector(load_nanodet(model_path("nanodet_416.safetensors")))
    for side in range(1, engine._MOST_SHAPES + 3):
        fast(torch.zeros(1, 32, 32 * side, 3, dtype=torch.uint8))
    assert len(fast._run.graphs) == engine._MOST_SHAPES


def test_any_number_of_crops_gives_the_same_rows(base, crops):
    fast = engine.CompiledPose(base)
    together = keypoints(fast, crops)
    assert torch.equal(torch.cat([keypoints(fast, crops[i : i + 1]) for i in range(len(crops))]), together)


@pytest.mark.parametrize("shape", [(416, 320), (256, 192), (256, 160)])
def test_detector_finds_the_same_boxes(shape):
    network = load_nanodet(model_path("nanodet_416.safetensors"))
    fast = engine.CompiledDetector(network)
    image = torch.from_numpy(sample.images()[10]).permute(2, 0, 1)[None].float()
    images = F.interpolate(image, size=shape, mode="area").permute(0, 2, 3, 1).round().to(torch.uint8)
    (scores, boxes), (theirs, their_boxes) = fast(images), network(images)
    assert is_compiled(fast)
    assert theirs.max() > 0.5
    assert (scores - theirs).abs().max() < 1e-4
    assert (boxes - their_boxes)[theirs > 0.05].abs().max() < 0.01


def test_blazepose_finds_the_same_landmarks(crops):
    network = load_blazepose(model_path("blazepose_heavy.safetensors"))
    fast = engine.CompiledBlazePose(network)
    ours, theirs = fast(crops[:3] / 255), network(crops[:3] / 255)
    assert is_compiled(fast)
    assert (ours - theirs)[..., :2].abs().max() < 0.01
    assert (ours - theirs)[..., 3:].abs().max() < 0.01


@pytest.mark.parametrize("encoder", ["resnet18", "resnet50"])
def test_the_papers_models_are_compiled_too(encoder):
    torch.manual_seed(0)
    model = PoseModel(ModelConfig(encoder=encoder, encoder_width=16)).eval()
    fast = engine.CompiledPose(model)
    images = torch.rand(2, 3, 128, 128) * 255
    ours, theirs = fast(fast.normalise(images)), model(model.normalise(images))
    assert is_compiled(fast)
    assert ours.encoded.anchors is None
    assert (ours.supervised - theirs.supervised).abs().max() < 1e-4 * theirs.supervised.abs().max()


class _Odd(nn.Module):
    """A head that no graph has an operation for."""

    def forward(self, features, self_supervised):
        return torch.fft.fft2(self_supervised).abs()[:, :13]


def test_torch_goes_on_with_a_network_that_cannot_be_compiled():
    model = PoseModel(ModelConfig(encoder="resnet18", encoder_width=16, pose_head="separate")).eval()
    model.pose_head = _Odd()
    fast = engine.CompiledPose(model)
    images = torch.rand(1, 3, 128, 128)
    with torch.inference_mode():
        assert torch.equal(fast(fast.normalise(images)).supervised, model(model.normalise(images)).supervised)
    assert not is_compiled(fast)


def test_without_openvino_the_model_itself_runs(base, monkeypatch):
    assert isinstance(engine.compiled(base), engine.CompiledPose)
    monkeypatch.setattr(engine, "available", lambda: False)
    assert engine.compiled(base) is base


def test_16_bits_are_for_those_who_ask_for_them(base):
    assert not engine.compiled(base)._run._bfloat16
    engine.use_precision("bfloat16")
    try:
        assert engine.compiled(base)._run._bfloat16
    finally:
        engine.use_precision("auto")
    assert not engine.compiled(base)._run._bfloat16


def test_openvino_reports_nothing_to_its_makers():
    """Its model converter does so when it is imported, as `import openvino` does."""
    program = (
        "import sys; calls = []; sys.addaudithook(lambda e, a: calls.append(e) if e.startswith('socket') else None)\n"
        "import ttpose.models.engine.graph\n"
        "print(calls, sorted(m for m in sys.modules if 'telemetry' in m))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=sample.environment(), check=True
    )
    assert done.stdout.strip() == "[] []"


def test_small_depthwise_weights_keep_their_32_bits_in_16(base, crops):
    """Rounded, the first depthwise convolution's weights alone move the offsets four times as far as all the rest."""
    exact = base(base.normalise(crops)).encoded.offsets.detach()

    def apart() -> float:
        fast = engine.CompiledPose(base, bfloat16=True)
        return float((fast(fast.normalise(crops)).encoded.offsets - exact).abs().mean())

    kept = apart()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ttpose.models.engine.graph.keep_depthwise_weights", lambda model: None)
        rounded = apart()
    assert kept < 0.5 * rounded


def test_what_was_compiled_can_be_released_and_is_compiled_again(base, crops):
    fast = engine.CompiledPose(base)
    before = keypoints(fast, crops)
    assert len(fast._run.graphs) == 1
    engine.release(fast, base)  # a network that was not compiled is passed over
    assert fast._run.graphs == []
    assert torch.equal(keypoints(fast, crops), before)
