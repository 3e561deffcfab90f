from __future__ import annotations

import csv
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.data.miniatures import make_bbc, make_clips, make_coco, make_penn
from tests.data.test_rendered import write_people
from tests.training.train_script import small_plan
from ttpose.core.errors import InputError, UsageError, WeightsError
from ttpose.core.progress import Progress
from ttpose.core.skeleton import PENN13
from ttpose.models.checkpoint import load_model
from ttpose.models.encoders.movenet import MoveNetPyramid
from ttpose.training.joint import train
from ttpose.training.plan import TrainingPlan
from ttpose.training.schedule import JointSettings, TrainingPreset, training_preset
from ttpose.training.start import parameter_groups

SCRIPT = Path(__file__).with_name("train_script.py")
ROOT = Path(__file__).parents[2]


class Notes(Progress):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"clips:{make_clips(tmp_path_factory.mktemp('clips'), clips=2, frames=6)}"


def _weights(folder: Path) -> torch.Tensor:
    tensors = load_file(folder / "model.safetensors")
    return torch.cat([tensors[name].flatten().float() for name in sorted(tensors)])


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle))


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def test_the_loss_goes_down(tmp_path: Path) -> None:
    data = f"clips:{make_clips(tmp_path / 'clips', clips=1, frames=4)}"
    plan = small_plan(data, tmp_path / "run", epochs=30, milestones=(25,), validation=data, validate_every=10,
                      learning_rate=5e-3, log_every=1, flip_share=0.0, rotation_share=0.0, scale=0.05)  # fmt: skip
    notes = Notes()
    result = train(plan, notes)
    losses = _rows(tmp_path / "run/losses.csv")
    for part in ("pose", "self"):
        values = [float(row[part]) for row in losses]
        assert sum(values[-5:]) < 0.8 * sum(values[:5]), part
    assert [row["epoch"] for row in _rows(tmp_path / "run/validation.csv")] == ["10", "20", "30"]
    assert float(losses[-1]["learning_rate"]) == pytest.approx(5e-4)
    assert (result.steps, result.weights) == (30, tmp_path / "run/model.safetensors")
    assert notes.texts[-1].startswith("epoch 30 of 30: loss ")
    model = load_model(tmp_path / "run/model.safetensors")
    assert model.config.skeleton == PENN13.name
    assert (tmp_path / "run/best.safetensors").is_file()


def test_it_learns_where_the_joints_are(tmp_path: Path) -> None:
    data = f"clips:{make_clips(tmp_path / 'clips', clips=1, frames=4)}"
    plan = small_plan(data, tmp_path / "run", method="supervised", epochs=120, milestones=(100,), learning_rate=1e-2,
                      flip_share=0.0, rotation_share=0.0, scale=0.05, validation=data, validate_every=120)  # fmt: skip
    # The whole tiny preset: crops, targets, decoding and the way back to the picture must agree to find every joint.
    plan = dataclasses.replace(plan, preset=dataclasses.replace(plan.preset, config=training_preset("tiny").config))
    assert (train(plan).pck or 0) > 0.95


def test_16_bit_floats_train(tmp_path: Path, clips: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ttpose.training.joint._half_type", lambda device: torch.bfloat16)
    half = train(small_plan(clips, tmp_path / "half")).losses
    full = train(small_plan(clips, tmp_path / "full", mixed_precision=False)).losses
    assert half["loss"] == pytest.approx(full["loss"], rel=0.05)
    assert half["loss"] != full["loss"]


def test_losses_go_to_tensorboard(tmp_path: Path, clips: str) -> None:
    plan = small_plan(clips, tmp_path, epochs=1, tensorboard=True)
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        with pytest.raises(UsageError, match="TensorBoard is not installed"):
            train(plan)
    else:
        train(plan)
        assert list((tmp_path / "tensorboard").glob("events.out.*"))


def test_the_seed_decides_and_workers_do_not(tmp_path: Path, clips: str) -> None:
    for name, changes in {"a": {}, "b": {"workers": 2}, "c": {"seed": 1}}.items():
        train(small_plan(clips, tmp_path / name, **changes))
    first, workers, seed = (_weights(tmp_path / name) for name in "abc")
    assert torch.equal(first, workers)
    assert not torch.equal(first, seed)


def test_stopping_and_going_on_changes_nothing(tmp_path: Path, clips: str) -> None:
    train(small_plan(clips, tmp_path / "whole", log_every=1))
    plan = small_plan(clips, tmp_path / "parts", log_every=1)
    for stop in (1, 4):
        result = train(dataclasses.replace(plan, max_steps=stop))
        assert (result.steps, result.weights) == (stop, None)
        assert load_model(tmp_path / "parts/stopped.safetensors").config.preset == plan.preset.config.preset
    assert train(plan).steps == 6
    assert not (tmp_path / "parts/stopped.safetensors").exists()
    assert torch.equal(_weights(tmp_path / "whole"), _weights(tmp_path / "parts"))
    assert (tmp_path / "whole/losses.csv").read_text() == (tmp_path / "parts/losses.csv").read_text()
    assert train(plan).steps == 6  # finished: nothing is left to do


def test_a_kill_in_the_middle_loses_nothing(tmp_path: Path, clips: str) -> None:
    changes = {"epochs": 12, "save_minutes": 0, "log_every": 1}
    train_alone = [sys.executable, str(SCRIPT), clips]
    subprocess.run([*train_alone, str(tmp_path / "whole"), json.dumps(changes)], env=_environment(), check=True)
    killed = tmp_path / "killed"
    for wanted in (3, 15):  # steps, of 36
        process = subprocess.Popen([*train_alone, str(killed), json.dumps(changes)], env=_environment())
        while not (killed / "state.pt").exists() or len((killed / "losses.csv").read_text().splitlines()) <= wanted:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert not (killed / "model.safetensors").exists()
    (killed / ".state.12345678.partial.pt").write_bytes(b"half-written")
    subprocess.run([*train_alone, str(killed), json.dumps(changes)], env=_environment(), check=True)
    assert torch.equal(_weights(tmp_path / "whole"), _weights(killed))
    assert [row["step"] for row in _rows(killed / "losses.csv")] == [str(step) for step in range(1, 37)]
    assert sorted(path.name for path in killed.iterdir()) == ["losses.csv", "model.safetensors", "state.pt"]


def test_two_processes_equal_one_with_the_doubled_batch(tmp_path: Path, clips: str) -> None:
    # Batch norms of processes on CPUs see their own half batch, so their statistics are kept as they are; dropout
    # would draw other numbers.
    common = {"freeze_norms": True, "dropout": 0.0, "learning_rate": 1e-3}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port)]
    arguments = [clips, str(tmp_path / "two"), json.dumps({**common, "batch": 2})]
    subprocess.run([sys.executable, *launcher, str(SCRIPT), *arguments], env=_environment(), check=True, timeout=120)
    train(small_plan(clips, tmp_path / "one", **common, batch=4))
    train(small_plan(clips, tmp_path / "other", **common, batch=2))
    one, two, other = (_weights(tmp_path / name) for name in ("one", "two", "other"))
    moved = (one - other).norm()
    assert (one - two).norm() < 1e-3 * moved
    rows_one, rows_two = _rows(tmp_path / "one/losses.csv"), _rows(tmp_path / "two/losses.csv")
    assert float(rows_two[-1]["self"]) == pytest.approx(float(rows_one[-1]["self"]), rel=1e-4)


@pytest.mark.parametrize(
    ("method", "pose_head", "self_task"),
    [
        ("supervised", "separate", "none"),
        ("separate", "separate", "reconstruction"),
        ("rotation", "separate", "rotation"),
        ("imm", "linear", "reconstruction"),
    ],
)
def test_baselines_train_and_load(tmp_path: Path, clips: str, method: str, pose_head: str, self_task: str) -> None:
    plan = small_plan(clips, tmp_path, method=method, epochs=4, log_every=1)
    train(plan)
    model = load_model(tmp_path / "model.safetensors")
    assert (model.config.pose_head, model.config.self_task) == (pose_head, self_task)
    supervised, own = model.heatmaps(torch.zeros(2, 32, 32, 3, dtype=torch.uint8))
    assert supervised.shape == (2, 13, 8, 8)
    assert own.shape == (2, 14, 8, 8)
    assert ("self" in _rows(tmp_path / "losses.csv")[0]) == (self_task != "none")


def test_another_run_in_the_folder_is_refused(tmp_path: Path, clips: str) -> None:
    plan = small_plan(clips, tmp_path, max_steps=1)
    train(plan)
    with pytest.raises(UsageError, match="another batch: 4, now 2"):
        train(small_plan(clips, tmp_path, batch=2))
    with pytest.raises(UsageError, match="another method"):
        train(dataclasses.replace(plan, method="supervised"))
    (tmp_path / "state.pt").write_bytes(b"broken")
    with pytest.raises(WeightsError, match=r"cannot read .*state\.pt"):
        train(plan)


def test_pairs_need_two_frames(tmp_path: Path) -> None:
    stills = make_clips(tmp_path / "stills", clips=3, frames=1)
    with pytest.raises(InputError, match="reconstruction needs two"):
        train(small_plan(f"clips:{stills}", tmp_path / "run"))
    make_clips(stills / "more", clips=1, frames=3)
    notes = Notes()
    train(small_plan(f"clips:{stills}", tmp_path / "run", max_steps=1), notes)
    assert "left out 3 videos of one frame: they give no pair" in notes.texts
    assert train(small_plan(f"clips:{stills}", tmp_path / "labels", method="supervised", max_steps=1)).steps == 1


def test_a_damaged_picture_does_not_end_a_training(tmp_path: Path) -> None:
    folder = make_clips(tmp_path / "clips", clips=2, frames=4)
    (folder / "clip0/0001.jpg").write_bytes(b"no picture")
    notes = Notes()
    train(small_plan(f"clips:{folder}", tmp_path / "run"), notes)
    assert any("cannot be read; another sample" in text for text in notes.texts)
    for path in folder.rglob("*.jpg"):
        path.write_bytes(b"no picture")
    for workers in (0, 1):
        with pytest.raises(InputError, match="many pictures in a row") as caught:
            train(small_plan(f"clips:{folder}", tmp_path / "none", workers=workers))
        assert "\n" not in caught.value.message


@pytest.mark.parametrize("make", [make_penn, make_bbc])
def test_validation_uses_the_datasets_own_test_videos(tmp_path: Path, make) -> None:
    kind = make.__name__.removeprefix("make_")
    train(small_plan(f"{kind}:{make(tmp_path / 'data')}", tmp_path / "run", epochs=1, validate_every=1))
    (row,) = _rows(tmp_path / "run/validation.csv")
    assert 0 <= float(row["pck"]) <= 1


def test_a_model_can_go_on_from_another(tmp_path: Path, clips: str) -> None:
    train(small_plan(clips, tmp_path / "a", epochs=1))
    first = tmp_path / "a/model.safetensors"
    train(small_plan(clips, tmp_path / "b", weights=first, max_steps=0))
    train(small_plan(clips, tmp_path / "c", weights=first, learning_rate=1e-12, freeze_norms=True))
    assert torch.allclose(_weights(tmp_path / "a"), _weights(tmp_path / "c"), atol=1e-6)
    with pytest.raises(WeightsError, match="another structure"):
        train(small_plan(clips, tmp_path / "d", weights=first, method="supervised"))


def test_the_coco_set_of_a_file_is_learned(tmp_path: Path) -> None:
    path = make_coco(tmp_path / "people")
    train(small_plan(f"coco:{path}", tmp_path / "run", epochs=1))
    assert load_model(tmp_path / "run/model.safetensors").config.skeleton == "coco17"
    train(small_plan(f"coco:{path}", tmp_path / "penn", epochs=1, skeleton="penn13"))
    assert load_model(tmp_path / "penn/model.safetensors").config.skeleton == "penn13"


def test_the_command_trains_a_step_of_the_paper_preset(tmp_path: Path) -> None:
    data = make_penn(tmp_path / "Penn_Action", videos=2)
    command = [sys.executable, "-m", "ttpose", "train", "--preset", "paper", "--data", f"penn:{data}", "-o", "run"]
    options = ["--batch", "2", "--max-steps", "1", "--perceptual", "none", "--workers", "0", "--device", "cpu"]
    done = subprocess.run(
        [*command, *options], env=_environment(), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "1 of 280 steps" in done.stdout
    state = torch.load(tmp_path / "run/state.pt", weights_only=True)
    config = json.loads(state["run"])["config"]
    assert (config["encoder"], config["input_size"], config["num_self"]) == ("resnet50", 128, 30)
    missing = subprocess.run(
        [*command, "--encoder", "resnet18", "--perceptual", f"vgg16={tmp_path / 'vgg.pth'}"],
        env=_environment(), cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert missing.returncode == 1
    assert "needs VGG16 weights" in missing.stderr
    assert "--perceptual encoder or none" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_the_average_follows_the_weights_and_is_what_is_written(tmp_path: Path, clips: str) -> None:
    plan = small_plan(clips, tmp_path / "run", average=0.5, epochs=2)
    train(plan)
    state = torch.load(tmp_path / "run/state.pt", weights_only=True)
    written = load_file(tmp_path / "run/model.safetensors")
    name = "self_head.weight"
    torch.testing.assert_close(written[name], state["average"][name])
    assert not torch.equal(state["average"][name], state["model"][name])
    torch.testing.assert_close(state["average"][name], state["model"][name], atol=0.05, rtol=0)


def test_a_training_with_an_average_that_was_cut_off_ends_with_the_same_bits(tmp_path: Path, clips: str) -> None:
    changes = {"average": 0.9, "warmup": 3, "clip_norm": 0.5}
    train(small_plan(clips, tmp_path / "whole", **changes))
    train(small_plan(clips, tmp_path / "parts", max_steps=2, **changes))
    train(small_plan(clips, tmp_path / "parts", **changes))
    assert torch.equal(_weights(tmp_path / "whole"), _weights(tmp_path / "parts"))


def test_a_small_model_trains_from_movenets_trunk(tmp_path: Path) -> None:
    data = f"shards:{write_people(tmp_path / 'people', people=1, frames=4)}"
    preset = training_preset("small")
    config = dataclasses.replace(preset.config, input_size=64, reconstruction_size=32)
    settings = dataclasses.replace(preset.settings, epochs=2, milestones=(1,), batch=4, warmup=1, average=None)
    plan = TrainingPlan(TrainingPreset(config, settings), data, tmp_path / "run", skeleton="penn13", workers=0,
                        perceptual="encoder", validate_every=1, validation=data, log_every=1)  # fmt: skip
    result = train(plan)
    assert result.steps == result.total == 4
    assert result.pck is not None
    shipped = load_file(ROOT / "models/mobile.safetensors")
    trained = load_file(tmp_path / "run/model.safetensors")
    for block, same in (("stem", True), ("blocks.2.project", True), ("blocks.3.project", False)):
        name = f"encoder.trunk.{block}.conv.weight"
        assert torch.equal(trained[name], shipped[name].float()) is same, block


def test_the_warmup_and_the_trunks_share_set_the_rates() -> None:
    settings = JointSettings(trunk_rate=0.1, trunk_still=3)
    model = torch.nn.ModuleDict(
        {"encoder": torch.nn.ModuleDict({"trunk": MoveNetPyramid()}), "head": torch.nn.Linear(2, 1)}
    )
    groups = {group["share"]: len(group["params"]) for group in parameter_groups(model, settings)}
    still = sum(not parameter.requires_grad for parameter in model.parameters())
    assert groups[1.0] == 2
    assert groups[0.1] == sum(1 for _ in model.parameters()) - 2 - still
    assert still > 0
