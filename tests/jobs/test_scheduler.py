"""`--scheduler`: the same work on a Dask cluster, here a real scheduler and two worker processes."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs.inputs import add, calls, events, run, start, summary
from ttpose.core.errors import UsageError
from ttpose.jobs import cluster


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    # A task whose worker died fails at once here, where Dask would try it on three more.
    import dask

    with (
        # A worker that dies takes down what waits on it as well: with no failure allowed, nothing may wait there.
        dask.config.set({"distributed.scheduler.allowed-failures": 0, "distributed.scheduler.worker-saturation": 1.0}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1",
            preload="tests.jobs.stand_in",
        ) as running,
    ):  # fmt: skip
        yield running.scheduler_address


def test_two_workers_do_the_inputs(folder: Path, address: str) -> None:
    add(folder, *(f"c{i}.mp4" for i in range(6)), "e_empty.mp4", "e_die.mp4")
    done = run(folder, "--scheduler", address, "--json")
    assert done.returncode == 1, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert (found[0]["device"], found[0]["jobs"]) == (address, None)
    rows = summary(folder)["files"]
    assert [(Path(row["input"]).stem, row["status"]) for row in rows] == [
        *((f"c{i}", "done") for i in range(6)), ("e_die", "failed"), ("e_empty", "failed"),
    ]  # fmt: skip
    died, empty = rows[-2:]
    assert "died" in died["text"]
    assert (empty["text"], empty["hint"]) == (f"nobody was found in {folder / 'clips/e_empty.mp4'}", "try another clip")
    assert rows[0]["folder"] == "out/c0_ttpose"  # as the user said it, though workers get full paths
    for i in range(6):
        assert {path.name for path in (folder / f"out/c{i}_ttpose").iterdir()} == {
            "keypoints.json", "angles.csv", "angles.mot", "overlay.mp4", "run.json", "log.txt",
        }  # fmt: skip
    assert str(os.getpid()) not in {pid for _, pid, _ in calls(folder)}
    assert {threads for _, _, threads in calls(folder)} == {"1"}
    told = {event["event"] for event in found if event.get("input") == "clips/c0.mp4"}
    assert told >= {"input", "stage", "note", "result"}
    assert run(folder, "--scheduler", address, "--json").stdout.count('"status": "skipped"') == 6


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_stops_what_the_workers_do(folder: Path, address: str) -> None:
    add(folder, *(f"c{i}_slow.mp4" for i in range(6)))
    process = start(folder, "--scheduler", address, "--json")
    next(event for event in events(process) if event["event"] == "stage")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    time.sleep(3)  # the longest until work in progress looks whether it is still wanted
    seen = len(calls(folder))
    assert seen <= 4
    time.sleep(1)
    assert len(calls(folder)) == seen
    assert list(folder.rglob("keypoints.json")) == []
    logs = [path.read_text() for path in folder.rglob("log.txt")]
    assert logs
    assert all("stopped after" in log for log in logs)


def test_what_fails_for_all_ends_the_batch(folder: Path, address: str) -> None:
    add(folder, "a_weights.mp4", "b.mp4")
    done = run(folder, "--scheduler", address)
    assert done.returncode == 1
    assert "base.safetensors is damaged" in done.stderr
    assert "Traceback" not in done.stderr


def test_nobody_answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="distributed is not installed")
    monkeypatch.setattr(cluster, "_PATIENCE_S", 1)
    with pytest.raises(UsageError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        next(cluster.run_on_cluster([], lambda _: None, "tcp://127.0.0.1:9"))  # type: ignore[arg-type, return-value]


def test_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError) as error:
        next(cluster.run_on_cluster([], lambda _: None, "tcp://127.0.0.1:9"))  # type: ignore[arg-type, return-value]
    assert error.value.hint == "pip install 'ttpose[cluster]'"
