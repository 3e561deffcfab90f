from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests import sample
from tests.small_models import small_model
from ttpose.cli.app import app
from ttpose.cli.export import sample_crop
from ttpose.core.errors import OutputError, UsageError
from ttpose.core.files import sha256_of
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17
from ttpose.media import write_image
from ttpose.models import export
from ttpose.models.export import DESCRIPTION, PortableModel, export_model
from ttpose.models.person import PersonDelta
from ttpose.models.predictor import Predictor
from ttpose.models.shipped import load

EXAMPLE = Path(__file__).parents[2] / "benchmarks" / "examples" / "onnx_example.py"


def run(*words: str | Path):
    return CliRunner().invoke(app, ["export", *[str(word) for word in words]], env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def person(tmp_path_factory) -> Path:
    """A person file with changes large enough to be seen in the keypoints."""
    base, random = load(), torch.Generator().manual_seed(0)
    changes = {
        name: 0.02 * weight.abs().mean() * torch.randn(weight.shape, generator=random)
        for name, weight in base.model.named_parameters()
        if weight.dim() == 4 and not name.startswith("reconstructor.")
    }
    path = tmp_path_factory.mktemp("person") / "anna.safetensors"
    PersonDelta(base.base_sha256, changes).save(path)
    return path


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    first = sample_crop(256)
    return np.stack([first, first[:, ::-1], 255 - first, np.roll(first, 30, 0)])


@pytest.fixture(scope="module")
def onnx_file(person: Path) -> Path:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    result = run(person, "--to", "onnx")
    assert result.exit_code == 0, result.output
    assert "keypoints are within" in result.stdout
    assert (result.stdout.count("\n"), result.stderr) == (1, "")  # the exporter's own talk stays away
    return person.with_suffix(".onnx")


def test_onnxruntime_gives_our_keypoints_and_heatmaps(onnx_file: Path, person: Path, crops: np.ndarray) -> None:
    import onnxruntime

    ours = load(person)
    session = onnxruntime.InferenceSession(str(onnx_file))
    base = Predictor(load().model)
    for crop in crops:
        heatmaps, keypoints = session.run(None, {"images": np.moveaxis(crop, 2, 0)[None]})
        expected = Predictor(ours.model).predict_crops(crop[None])
        assert (keypoints.shape, heatmaps.shape) == ((1, 17, 3), (1, 17, 64, 64))
        np.testing.assert_allclose(keypoints, expected, atol=1e-4)
        np.testing.assert_allclose(heatmaps, ours.model.heatmaps(crop[None])[0].numpy(), atol=1e-4)
        assert np.abs(expected - base.predict_crops(crop[None])).max() > 0.1  # it is the person's, not the base


def test_the_onnx_file_is_whole_and_describes_itself(onnx_file: Path, person: Path) -> None:
    import onnx

    model = onnx.load(str(onnx_file), load_external_data=False)
    onnx.checker.check_model(model)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(about["keypoints"]) == list(COCO17.keypoints)
    assert (about["person"], about["person_sha256"]) == ("anna.safetensors", sha256_of(person))
    assert about["base_sha256"] == load().base_sha256
    assert not any("reconstructor" in tensor.name for tensor in model.graph.initializer)


def test_the_example_needs_no_ttpose(onnx_file: Path, person: Path, tmp_path: Path) -> None:
    image, box = sample.images()[40], Box(80, 60, 220, 400)
    write_image(tmp_path / "photo.png", image)
    code = f"import sys, runpy; sys.modules['ttpose'] = None; runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')"
    words = [str(onnx_file), str(tmp_path / "photo.png"), *map(str, box.as_list())]
    shown = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in shown.splitlines()]
    assert [row[0] for row in rows] == list(COCO17.keypoints)
    expected = Predictor(load(person).model).predict(image, [box])[0]
    np.testing.assert_allclose(np.array([row[1:] for row in rows], float), expected, atol=0.02)
    lines = [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith(("import", '"""'))]
    assert len(lines) <= 15


def test_torchscript_gives_our_keypoints_and_describes_itself(person: Path, crops: np.ndarray, tmp_path: Path) -> None:
    target = tmp_path / "anna.pt"
    result = run(person, "--to", "torchscript", "-o", target, "--input", "float32")
    assert result.exit_code == 0, result.output
    extra = {DESCRIPTION: ""}
    loaded = torch.jit.load(str(target), _extra_files=extra)
    expected = Predictor(load(person).model).predict_crops(crops)
    with torch.inference_mode():
        for crop, points in zip(crops, expected, strict=True):
            heatmaps, keypoints = loaded(torch.from_numpy(crop.copy()).permute(2, 0, 1)[None].float())
            np.testing.assert_allclose(keypoints[0].numpy(), points, atol=1e-4)
            assert heatmaps.shape == (1, 17, 64, 64)
    assert json.loads(extra[DESCRIPTION])["person"] == "anna.safetensors"


def test_a_model_of_the_papers_kind_too(tmp_path: Path) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    model, crop = small_model(), sample_crop(64)
    difference = export_model(model, tmp_path / "a.onnx", "onnx", input_type="float32", check=crop)
    assert difference is not None and difference < 1e-4


def test_an_export_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(PortableModel):
        def forward(self, images):
            heatmaps, keypoints = super().forward(images)
            return heatmaps, keypoints + 1

    monkeypatch.setattr(export, "PortableModel", Wrong)
    with pytest.raises(OutputError, match="1 pixels from the model's"):
        export_model(small_model(), tmp_path / "a.pt", "torchscript", check=sample_crop(64))
    assert list(tmp_path.iterdir()) == []


def test_the_model_itself_is_left_as_it_was() -> None:
    model = small_model()
    nets = model.reconstructor
    PortableModel(model)
    assert model.reconstructor is nets
    assert all(weight.requires_grad for weight in model.parameters())


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="onnx and onnxscript") as caught:
        export_model(small_model(), tmp_path / "a.onnx", "onnx")
    assert caught.value.hint == "pip install 'ttpose[export]'"
    assert list(tmp_path.iterdir()) == []


def test_wrong_use(person: Path, tmp_path: Path) -> None:
    assert run(person, "--to", "coreml").exit_code == 2
    (tmp_path / "taken.pt").write_text("mine")
    taken = run(person, "--to", "torchscript", "-o", tmp_path / "taken.pt")
    assert taken.exit_code == 2 and "is there already" in taken.stderr
    assert (tmp_path / "taken.pt").read_text() == "mine"
    missing = run(tmp_path / "none.safetensors", "--to", "onnx")
    assert missing.exit_code == 1 and "none.safetensors" in missing.stderr
