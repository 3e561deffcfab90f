from __future__ import annotations

import json

import pytest

from tests.small_models import small_config
from ttpose.core.errors import WeightsError
from ttpose.models.config import ModelConfig, mobile_config
from ttpose.models.pose_model import PoseModel


@pytest.mark.parametrize("config", [ModelConfig(), mobile_config(), small_config(mean=(1.0, 2.0, 3.0))])
def test_text_gives_the_same_config_back(config):
    again = ModelConfig.from_json(config.to_json())
    assert again == config
    assert hash(again) == hash(config)  # tuples stay tuples


def test_defaults_are_the_papers():
    config = ModelConfig()
    assert (config.encoder, config.input_size, config.heatmap_size) == ("resnet50", 128, 32)
    assert (config.skeleton, config.num_self) == ("penn13", 30)
    assert (config.transformer_width, config.transformer_heads, config.transformer_hidden) == (256, 4, 1024)
    assert (config.token_pool, config.token_positions, config.affinity_identity) == (1, False, 0.0)
    assert (config.target_sigma, config.bottleneck_sigma, config.bottleneck_sharpness) == (2.0, 2.0, 1.0)
    assert (config.reconstructor, config.reconstruction_size) == ("imm", 128)


def test_paper_sizes():
    model = PoseModel(ModelConfig())
    rebuilt = {name: sum(p.numel() for p in part.parameters()) / 1e6 for name, part in model.named_children()}
    assert sum(rebuilt.values()) == pytest.approx(39.82, abs=0.01)
    assert sum(rebuilt.values()) - rebuilt["reconstructor"] == pytest.approx(35.07, abs=0.01)


def _without(name):
    values = json.loads(small_config().to_json())
    del values[name]
    return json.dumps(values)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1, 2]", "null", '{"mean": 3, "std": 4}', _without("mean"), small_config().to_json()[:-1] + ', "x": 1}'],
)
def test_text_that_describes_no_model_is_one_clear_error(text):
    with pytest.raises(WeightsError) as caught:
        ModelConfig.from_json(text)
    assert "\n" not in caught.value.message
