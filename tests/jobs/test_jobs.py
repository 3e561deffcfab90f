"""`--jobs`: worker processes that share the inputs, die, are stopped and are resumed."""

from __future__ import annotations

import csv
import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.jobs.inputs import add, calls, environment, events, partials, run, start, summary

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


def wait_until_gone(pids: set[int]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and any(Path(f"/proc/{pid}/cmdline").exists() and alive(pid) for pid in pids):
        time.sleep(0.1)
    assert not [pid for pid in pids if alive(pid)]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")  # a dead process that nobody has waited for is not alive
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_two_workers_share_the_inputs_and_the_cores(folder: Path) -> None:
    add(folder, *(f"c{i}.mp4" for i in range(6)), "e_empty.mp4", "e_crash.mp4")
    done = run(folder, "--jobs", "2", "--json")
    assert done.returncode == 1, done.stderr
    assert len({pid for _, pid, _ in calls(folder)}) == 2
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    assert {threads for _, _, threads in calls(folder)} == {str(max(cores // 2, 1))}
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found[0]["jobs"] == 2
    last: dict[str, str] = {}
    for event in found[1:-1]:  # every event names its input, and those of one input are in order
        assert event["input"].startswith("clips/")
        assert (event["event"] == "input") == (event["input"] not in last)
        assert last.get(event["input"]) not in ("result", "error")
        last[event["input"]] = event["event"]
    assert Counter(last.values()) == {"result": 6, "error": 2}
    stages = [e for e in found if e["event"] == "stage" and e["input"] == "clips/c3.mp4" and e["stage"] == "predict"]
    assert [(e["done"], e["total"], e["finished"]) for e in stages] == [(0, 2, False), (2, 2, True)]
    assert sum(e["event"] == "note" for e in found) == 8
    (crash,) = [e for e in found if e["event"] == "error" and "crash" in e["input"]]
    assert crash["message"] == "unexpected ZeroDivisionError: division by zero"
    assert not list((folder / "out").glob("e_*"))
    log = (folder / "out/summary.log").read_text()
    assert "e_crash.mp4" in log and "e_empty.mp4" in log
    assert "Traceback" in log
    assert "predict: 2 in " in log
    assert (folder / "out/c3_ttpose/log.txt").read_text().rstrip().endswith("1 person in 1 of 2 frames")
    rows = list(csv.DictReader((folder / "out/summary.csv").open(newline="", encoding="utf-8")))
    assert [(Path(row["input"]).stem, row["status"]) for row in rows] == [
        *((f"c{i}", "done") for i in range(6)), ("e_crash", "failed"), ("e_empty", "failed"),
    ]  # fmt: skip
    assert rows[0]["frames"] == "2"
    assert rows[-1]["hint"] == "try another clip"
    assert (summary(folder)["exit_code"], summary(folder)["failed"]) == (1, 2)


@posix
def test_a_worker_that_dies_fails_its_file_alone(folder: Path) -> None:
    add(folder, "a_die.mp4", "b_die.mp4", *(f"c{i}.mp4" for i in range(4)))
    done = run(folder, "--jobs", "2")
    assert done.returncode == 1
    assert done.stderr.count("the worker process was killed by signal 9") == 2
    assert "fewer --jobs" in done.stderr
    assert "Traceback" not in done.stderr
    assert [row["status"] for row in summary(folder)["files"]] == ["failed"] * 2 + ["done"] * 4


def test_what_fails_for_all_ends_the_batch(folder: Path) -> None:
    add(folder, "a_weights.mp4", *(f"b{i}_slow.mp4" for i in range(9)))
    begin = time.monotonic()
    done = run(folder, "--jobs", "2")
    assert done.returncode == 1
    assert done.stderr.count("base.safetensors is damaged") == 1
    assert "hint: reinstall" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - begin < 30


@posix
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_ends_the_workers_and_leaves_nothing_half_written(
    folder: Path, number: signal.Signals, code: int
) -> None:
    add(folder, "a_halfway.mp4", "b_halfway.mp4", *(f"c{i}.mp4" for i in range(4)))
    process = start(folder, "--jobs", "2", "--json")
    drawing = (e for e in events(process) if e["event"] == "stage" and e["stage"] == "draw the overlay")
    assert {next(drawing)["input"], next(drawing)["input"]} == {"clips/a_halfway.mp4", "clips/b_halfway.mp4"}
    while len(partials(folder)) < 2:
        time.sleep(0.05)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert partials(folder) == []
    assert sorted(path.name for path in (folder / "out/a_halfway_ttpose").iterdir()) == [
        "angles.csv", "angles.mot", "keypoints.json", "log.txt",
    ]  # fmt: skip
    assert "stopped after" in (folder / "out/a_halfway_ttpose/log.txt").read_text()
    wait_until_gone({int(pid) for _, pid, _ in calls(folder)})


@posix
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_batch_of_twenty_killed_midway_resumes_and_ends_complete(folder: Path, jobs: str) -> None:
    names = [f"c{i:02d}.mp4" for i in range(20)]
    add(folder, *names)
    process = start(folder, "--jobs", jobs, "--json")
    results = (event for event in events(process) if event["event"] == "result")
    for _ in range(7):
        next(results)
    process.kill()
    process.communicate(timeout=30)
    wait_until_gone({int(pid) for _, pid, _ in calls(folder)})
    before = summary(folder)
    assert (before["inputs"], before["exit_code"]) == (20, None)
    assert 6 <= before["done"] <= 8
    finished = {path.parent.name for path in folder.glob("out/*/run.json")}
    assert 7 <= len(finished) < 15

    again = run(folder, "--jobs", jobs)
    assert again.returncode == 0, again.stderr
    assert partials(folder) == []
    after = summary(folder)
    assert (after["done"], after["skipped"], after["failed"]) == (20 - len(finished), len(finished), 0)
    assert all(row["details"]["frames"] == 2 for row in after["files"])  # of those finished before too
    for name in names:
        made = folder / "out" / f"{Path(name).stem}_ttpose"
        assert {path.name for path in made.iterdir()} == {
            "keypoints.json", "angles.csv", "angles.mot", "overlay.mp4", "run.json", "log.txt",
        }  # fmt: skip
        assert (made / "overlay.mp4").read_text() == f"overlay of {name}"
    often = Counter(name for name, _, _ in calls(folder))
    assert all(often[name] == 1 for name in names if f"{Path(name).stem}_ttpose" in finished)
    assert sum(often.values()) <= 20 + int(jobs)


def test_the_environment_may_ask_for_fewer_threads(folder: Path) -> None:
    add(folder, "a.mp4", "b.mp4")
    done = run(folder, "--jobs", "2", env=environment(OMP_NUM_THREADS="1"))
    assert done.returncode == 0, done.stderr
    assert {threads for _, _, threads in calls(folder)} == {"1"}


def test_a_part_that_a_kill_left_is_swept_away(folder: Path) -> None:
    add(folder, "a.mp4")
    left = folder / "out/a_ttpose/.overlay.0123abcd.partial.mp4"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    (left.parent / ".mine").write_text("kept")
    assert run(folder).returncode == 0
    assert not left.exists()
    assert (left.parent / ".mine").exists()
    assert not (folder / "out/summary.csv").exists()  # of one input there is nothing to sum up


@pytest.mark.parametrize(
    "more", [("--jobs", "0"), ("--scheduler", "nowhere"), ("--jobs", "2", "--scheduler", "tcp://h:1")]
)
def test_wrong_use(folder: Path, more: tuple[str, ...]) -> None:
    add(folder, "a.mp4")
    assert run(folder, *more).returncode == 2
