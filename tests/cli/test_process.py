"""The command as a process: start-up, exit codes, pipes and signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ttpose import __version__

TTPOSE = (sys.executable, "-m", "ttpose")
ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160"}


def ttpose(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TTPOSE, *map(str, words)], capture_output=True, text=True, env=ENVIRONMENT, cwd=cwd, timeout=60, check=False
    )


def test_help_and_version() -> None:
    shown = ttpose("--help")
    assert shown.returncode == 0
    for command in ("personalize", "predict", "evaluate", "info"):
        assert command in shown.stdout
        assert ttpose(command, "--help").returncode == 0
    version = ttpose("--version")
    assert (version.returncode, version.stdout) == (0, f"ttpose {__version__}\n")


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['ttpose', '--help']; import ttpose.cli\ntry:\n ttpose.cli.main()\nfinally:\n "
    heavy = "[name for name in ('torch', 'cv2', 'av', 'decord', 'numpy', 'safetensors') if name in sys.modules]"
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}print({heavy}, file=sys.stderr)"],
        capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=False,
    )  # fmt: skip
    assert (shown.returncode, shown.stderr.strip()) == (0, "[]")
    seconds = []  # of processor time, which does not count what else the machine does
    for _ in range(5):
        before = os.times()
        ttpose("--help")
        after = os.times()
        seconds.append(sum(after[2:4]) - sum(before[2:4]))
    assert min(seconds) < 0.3


@pytest.mark.parametrize("words", [("dance",), ("predict",), ("personalize", "--nonsense"), ("predict", "none.mp4")])
def test_wrong_use_is_2_without_a_traceback(words: tuple[str, ...], tmp_path: Path) -> None:
    shown = ttpose(*words, cwd=tmp_path)
    assert shown.returncode == 2, shown.stderr
    assert shown.stderr
    assert "Traceback" not in shown.stderr


def test_a_reader_that_leaves_causes_no_traceback(tmp_path: Path) -> None:
    # The pipe's reading end is closed before anything is written, which `| head` only sometimes manages.
    for words in (("--help",), ("info", "--json"), ("predict", "none.mp4", "--json")):
        reading, writing = os.pipe()
        os.close(reading)
        shown = subprocess.run(
            [*TTPOSE, *words], stdout=writing, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=tmp_path,
            timeout=60, check=False,
        )  # fmt: skip
        os.close(writing)
        assert "Traceback" not in shown.stderr, words
        assert "Exception ignored" not in shown.stderr, words
        assert shown.returncode in (1, 2)


# Runs the real command on the stand-in for ttpose.api, whose overlay writer waits half-way to be stopped.
SLOW = """
import sys, time
import ttpose
from tests.cli.fake_api import FakeApi
from ttpose.core.files import atomic_path
api = FakeApi()
def slow(source, result, path):
    with atomic_path(path) as partial:
        partial.write_text("half")
        print("writing", file=sys.stderr, flush=True)
        time.sleep(30)
api.write_overlay = slow
sys.modules["ttpose.api"] = ttpose.api = api
from ttpose.cli import main
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_leaves_no_partial_file(tmp_path: Path, number: signal.Signals, code: int) -> None:
    (tmp_path / "walk.mp4").write_bytes(b"x")
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, "predict", "walk.mp4", "--device", "cpu", "--quiet"],
        cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True,
        # A shell's background job ignores Ctrl-C, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.readline() == "writing\n"
    process.send_signal(number)
    rest = process.stderr.read()
    assert process.wait(timeout=20) == code
    assert "Traceback" not in rest
    if number == signal.SIGINT:
        assert rest.splitlines() == ["ttpose: interrupted; nothing half-written was left, finished results are kept"]
    assert sorted(path.name for path in (tmp_path / "walk_ttpose").iterdir()) == [
        "angles.csv", "angles.mot", "keypoints.json", "log.txt",
    ]  # fmt: skip


def test_info_on_a_file_needs_no_torch(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"w": np.zeros((2, 3), np.float16)}, tmp_path / "w.safetensors", {"config": '{"size": 256}'})
    code = "import sys; sys.argv = ['ttpose', 'info', 'w.safetensors', '--json']; import ttpose.cli\ntry:\n "
    code += "ttpose.cli.main()\nfinally:\n print('torch' in sys.modules, file=sys.stderr)"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, cwd=tmp_path, timeout=60,
        check=False,
    )  # fmt: skip
    assert (shown.returncode, shown.stderr.strip()) == (0, "False")
    values = json.loads(shown.stdout)
    assert (values["holds"], values["parameters"], values["metadata"]) == (
        "weights",
        {"F16": 6},
        {"config": {"size": 256}},
    )
