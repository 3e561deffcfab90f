from __future__ import annotations

import pytest
import torch
import typer
from typer.testing import CliRunner

from ttpose.cli.import_checkpoint import import_checkpoint
from ttpose.models.checkpoint import import_reference, load_model


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(import_checkpoint)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_written_file_holds_the_imported_model_bit_for_bit(run, paper_checkpoint, tmp_path):
    out = tmp_path / "paper.safetensors"
    result = run(paper_checkpoint, "-o", out)
    assert result.exit_code == 0, result.output
    assert "resnet18, 21.2 M parameters, crops of 128x128, 7 keypoints (bbc7)" in result.output
    imported, loaded = import_reference(paper_checkpoint), load_model(out)
    assert loaded.config == imported.config
    images = torch.randint(0, 256, (1, 128, 128, 3), dtype=torch.uint8)
    for ours, wanted in zip(loaded.heatmaps(images), imported.heatmaps(images), strict=True):
        assert torch.equal(ours, wanted)


def test_an_existing_file_is_kept_unless_told_otherwise(run, paper_checkpoint, tmp_path):
    out = tmp_path / "paper.safetensors"
    out.write_text("mine")
    assert run(paper_checkpoint, "-o", out).exit_code == 2
    assert out.read_text() == "mine"
    assert run(paper_checkpoint, "-o", out, "--overwrite").exit_code == 0
    assert load_model(out).config.skeleton == "bbc7"


def test_bad_checkpoint_ends_in_one_line_and_no_file(run, tmp_path):
    bad = tmp_path / "bad.pth"
    bad.write_bytes(b"no weights")
    result = run(bad, "-o", tmp_path / "out.safetensors")
    assert result.exit_code == 1
    assert f"{bad} is no weights file, or a damaged one" in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["bad.pth"]


def test_output_must_be_named_as_weights(run, paper_checkpoint, tmp_path):
    result = run(paper_checkpoint, "-o", tmp_path / "out.pth")
    assert result.exit_code == 2
    assert "does not end in .safetensors" in result.output
