from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.adaptation.test_transformer import small_vitpose
from tests.data.miniatures import make_clips
from tests.training.train_script import small_plan
from ttpose.core.errors import UsageError
from ttpose.core.skeleton import PENN13
from ttpose.models.checkpoint import load_model, save_model
from ttpose.training.joint import train
from ttpose.training.schedule import training_preset
from ttpose.training.start import adapt_config, build_model


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "vit.safetensors"
    save_model(small_vitpose(), path, half=False)
    return path


def test_the_encoder_starts_as_the_bases_transformer(base: Path) -> None:
    config = adapt_config(training_preset("tiny").config, PENN13, encoder=f"vitpose:{base}")
    model = build_model(config, encoder=f"vitpose:{base}")
    wanted = load_model(base).encoder.trunk.state_dict()
    found = model.encoder.trunk.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    with torch.no_grad():
        output = model.eval()(torch.randn(2, 3, 64, 64))  # square crops, of a network for 64×48
    assert output.supervised.shape == (2, 13, 16, 16)
    assert output.affinity.shape == (2, 13, config.num_self)


def test_the_papers_method_is_trained_on_it(base: Path, tmp_path: Path) -> None:
    data = f"clips:{make_clips(tmp_path / 'clips', clips=1, frames=4)}"
    plan = small_plan(data, tmp_path / "run", epochs=2, encoder=f"vitpose:{base}", perceptual="none")
    train(plan)
    model = load_model(tmp_path / "run" / "model.safetensors")
    assert (model.config.encoder, model.config.pose_head, model.config.self_task) == (
        "vitpose",
        "transformer",
        "reconstruction",
    )
    before = load_model(base).encoder.trunk.blocks[0].qkv.weight
    assert not torch.allclose(model.encoder.trunk.blocks[0].qkv.weight, before, atol=1e-4)


def test_another_base_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no ViTPose base"):
        adapt_config(training_preset("tiny").config, PENN13, encoder="vitpose:mobile")
