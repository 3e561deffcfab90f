"""The command as a process in odd surroundings: names, streams, special files, signals, places that are not there."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'synthetic'}", "COLUMNS": "160"}
# The real command on the stand-in for `ttpose.api`, which needs no model; its workers have it, too.
STAND_IN = (sys.executable, str(ROOT / "tests" / "jobs" / "stand_in.py"))
PREDICT = ("predict", "--device", "cpu", "--no-overlay")
BAD = b"b_bad\xff.mp4"
ODD_NAMES = (
    BAD,
    "走る.mp4".encode(),
    b"take:2.mp4",
    b"x" * 250 + b".mp4",
    "鹿".encode() * 80 + b".mp4",
    b"[b]a\nb.mp4",
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX names, streams and signals")


def ttpose(
    *words: str | Path, cwd: Path, shell: str = "", timeout: float = 120, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the command; `shell` is put after it in a shell's line, such as `>&-`."""
    line = [*STAND_IN, *map(str, words)]
    if shell:
        line = ["bash", "-c", f'"$@" {shell}', "bash", *line]
    return subprocess.run(
        line, cwd=cwd, env={**ENVIRONMENT, **environment}, capture_output=True, timeout=timeout, check=False
    )


def one_line(done: subprocess.CompletedProcess[bytes]) -> str:
    """The line of a run that must fail by one line and a hint."""
    assert done.returncode in (1, 2), done.stderr
    lines = done.stderr.decode().splitlines()
    (line,) = [line for line in lines if line.startswith("ttpose: ")]
    assert "Traceback" not in done.stderr.decode() and "unexpected" not in line
    return line


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ODD_NAMES:
        Path(os.fsdecode(os.path.join(os.fsencode(folder), name))).write_bytes(b"x")
    return folder


def test_odd_names_are_worked_on_and_written_escaped(clips: Path, tmp_path: Path) -> None:
    done = ttpose(*PREDICT, clips, "--format", "json,openpose,coco,csv", "-o", "out:1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = done.stdout.decode() + done.stderr.decode()  # all of it is text
    assert r"b_bad\xff.mp4" in shown and r"[b]a\nb.mp4" in shown
    summary = json.loads((tmp_path / "out:1/summary.json").read_text(encoding="utf-8"))
    assert (summary["done"], summary["exit_code"]) == (len(ODD_NAMES), 0)
    assert sum(entry["input"].endswith(r"b_bad\xff.mp4") for entry in summary["files"]) == 1
    rows = list(csv.DictReader((tmp_path / "out:1/summary.csv").open(newline="", encoding="utf-8")))
    assert any(row["input"].endswith(r"b_bad\xff.mp4") for row in rows)
    folders = [path for path in (tmp_path / "out:1").iterdir() if path.is_dir()]
    assert len(folders) == len(ODD_NAMES)
    assert max(len(os.fsencode(path.name)) for path in folders) <= 255
    bad = Path(os.fsdecode(os.fsencode(tmp_path / "out:1") + b"/b_bad\xff_ttpose"))
    for name in ("keypoints.json", "run.json", "keypoints.coco.json"):
        content = json.loads((bad / name).read_text(encoding="utf-8"))
        assert r"b_bad\xff.mp4" in json.dumps(content).replace("\\\\", "\\")
    assert r"b_bad\xff.mp4" in (bad / "log.txt").read_text(encoding="utf-8")
    again = ttpose(*PREDICT, clips, "--format", "json,openpose,coco,csv", "-o", "out:1", cwd=tmp_path)
    assert again.stdout.decode().count("finished before") >= len(ODD_NAMES)  # known by its escaped name


def test_a_failed_input_of_an_odd_name_fails_alone(tmp_path: Path) -> None:
    for name in (b"a_crash\xff.mp4", b"b.mp4"):
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(b"x")
    done = ttpose(*PREDICT, tmp_path, "-o", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert rb"a_crash\xff.mp4: unexpected ZeroDivisionError" in done.stderr
    assert json.loads((tmp_path / "out/summary.json").read_text(encoding="utf-8"))["done"] == 1
    log = (tmp_path / "out/summary.log").read_text(encoding="utf-8")
    assert r"a_crash\xff.mp4" in log and "Traceback" in log and "predict: 2 in" in log
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir()) == ["b_ttpose"]


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
     {"PYTHONIOENCODING": "cp437"}],
    ids=lambda environment: " ".join(f"{k}={v}" for k, v in environment.items()),
)  # fmt: skip
def test_a_terminal_without_unicode_gets_what_it_can_show(
    environment: dict[str, str], clips: Path, tmp_path: Path
) -> None:
    for more in (("--jobs", "2"), ("--json",)):
        done = ttpose(*PREDICT, clips, "-o", f"out{len(more)}", *more, cwd=tmp_path, **environment)
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr
        if more == ("--json",):
            text = done.stdout.decode(environment.get("PYTHONIOENCODING", "utf-8"))
            events = [json.loads(line) for line in text.splitlines()]
            assert sum(event["event"] == "result" for event in events) == len(ODD_NAMES)


@pytest.mark.parametrize("shell", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_silent(shell: str, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "b.mp4").write_bytes(b"x")
    for number, more in enumerate((("--jobs", "2"), ("--json",))):
        done = ttpose(*PREDICT, "a.mp4", "b.mp4", "-o", f"out{number}", *more, cwd=tmp_path, shell=shell)
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr
        assert (tmp_path / f"out{number}/a_ttpose/keypoints.json").read_bytes().startswith(b"{")
        assert (tmp_path / f"out{number}/a_ttpose/log.txt").read_text().count("\n") > 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full")
def test_a_full_disk_behind_stdout_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    for words in ((*PREDICT, "a.mp4"), ("info",), ("--help",)):
        assert "No space left" in one_line(ttpose(*words, cwd=tmp_path, shell=">/dev/full"))


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket.mp4"))
        for name, kind in (("pipe.mp4", "a pipe"), ("socket.mp4", "a socket"), ("/dev/null", "a device")):
            for command in (PREDICT, ("personalize", "--device", "cpu"), ("live", "--no-display", "--source")):
                line = one_line(ttpose(*command, name, cwd=tmp_path))
                assert f"{name} is {kind}, not a regular file" in line
    done = ttpose(*PREDICT, cwd=tmp_path, shell="<(cat /dev/zero)")
    assert "not a regular file" in one_line(done)
    assert not list(tmp_path.glob("*_ttpose"))


# A library that waits or computes for long does not let Python look at signals; this one stands for it.
STUCK = """
import hashlib, os, sys
from pathlib import Path
from ttpose.cli.session import session
from ttpose.core.files import atomic_path
def run():
    with session(quiet=True), atomic_path(Path("out.bin")) as partial:
        partial.write_bytes(b"half")
        print("stuck", flush=True)
        hashlib.pbkdf2_hmac("sha256", b"", b"", 400_000_000)
from ttpose.cli import app, main
app.app = lambda **_: run()
main()
"""


def test_sigterm_ends_what_is_stuck_in_a_library_and_leaves_no_part(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK], cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"stuck\n"
    assert len(list(tmp_path.iterdir())) == 1
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    assert time.monotonic() - begin < 2 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert list(tmp_path.iterdir()) == []


def test_output_that_cannot_be_written_is_refused_before_work_begins(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "b.mp4").write_bytes(b"x")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/b_ttpose").write_text("mine")
    (tmp_path / "inside/b_ttpose/keypoints.json").mkdir(parents=True)
    for command in (PREDICT, ("personalize", "--device", "cpu"), ("personalize", "--device", "cpu", "--same-person")):
        for place in ("dangling", "file/sub", "taken", "inside") if command == PREDICT else ("dangling", "taken"):
            done = ttpose(*command, "a.mp4", "b.mp4", "-o", place, cwd=tmp_path)
            assert place in one_line(done)
            assert b"look" not in done.stderr, (command, place)
    assert ttpose(*PREDICT, "a.mp4", "-o", "file", cwd=tmp_path).returncode == 2
    assert not (tmp_path / "taken/a_ttpose").exists()
    assert (tmp_path / "file").read_text() == "mine"


def test_a_device_is_never_replaced(tmp_path: Path) -> None:
    from ttpose.core.errors import OutputError
    from ttpose.core.files import atomic_path

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="not a regular file"), atomic_path(tmp_path / "pipe"):
        raise AssertionError("the work was begun")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


GONE = (
    ("predict", "../a.mp4"), ("personalize", "../a.mp4"), ("info",), ("convert", "../a.json", "--to", "csv"),
    ("people", "list"), ("demo",), ("live", "--no-display"), ("export", "anna", "--to", "onnx"),
    ("train", "--data", "clips:x", "-o", "y"), ("evaluate", "--data", "clips:x"), ("synth", "x", "--assets", "y"),
    ("import-checkpoint", "a.pth", "-o", "b.safetensors"),
)  # fmt: skip


@pytest.mark.parametrize("words", GONE, ids=lambda words: words[0])
def test_a_working_directory_that_was_deleted_is_one_line(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    line = ["bash", "-c", 'rmdir "$PWD" && exec "$@"', "bash", *STAND_IN, *words]
    done = subprocess.run(line, cwd=tmp_path / "gone", env=ENVIRONMENT, capture_output=True, timeout=120, check=False)
    assert "the working directory is not there" in one_line(done)
