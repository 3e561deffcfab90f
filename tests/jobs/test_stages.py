"""How long each stage took: in run.json always, in a table where it is asked for."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest
from rich.console import Console

from ttpose.cli.terminal import TerminalReporter
from ttpose.core.progress import Progress
from ttpose.jobs.log import FileLog
from ttpose.jobs.outcome import Outcome
from ttpose.jobs.task import Product, Task, execute


class _Work:
    settings = {"command": "test"}  # noqa: RUF012

    def file_names(self, source):
        return ("words.txt",)

    def make(self, source, progress):
        with progress.stage("think"):
            time.sleep(0.05)
        with progress.stage("think"):  # once more
            time.sleep(0.05)

        def write(path):
            with progress.stage("write"):
                path.write_text("done")

        return Product({"words.txt": write}, "said", {"words": 1})


def test_a_log_adds_up_the_times_of_stages(tmp_path):
    log = FileLog(tmp_path / "log.txt", Progress())
    for _ in range(2):
        with log.stage("look"):
            time.sleep(0.02)
    assert list(log.stages) == ["look"]
    assert 0.04 <= log.stages["look"] < 5


def test_the_record_keeps_the_stages(tmp_path):
    source = tmp_path / "clip.mp4"
    source.write_bytes(b"x")
    outcome = execute(Task(_Work(), source, tmp_path / "out"), Progress())
    stages = json.loads((tmp_path / "out" / "run.json").read_text())["details"]["stages"]
    assert list(stages) == ["think", "write"]
    assert 0.1 <= stages["think"] <= outcome.seconds
    assert outcome.details == {"words": 1, "stages": stages}


@pytest.mark.parametrize("timings", [True, False])
def test_the_table_shows_shares_that_add_up(timings):
    reporter = TerminalReporter(timings=timings)
    reporter._out = Console(file=(text := io.StringIO()), width=100)
    stages = {"find the person": 3.0, "predict": 6.0}
    reporter.end(Outcome(Path("a.mp4"), "done", Path("a_ttpose"), (), 12.0, "fine", None, {"stages": stages}))
    shown = text.getvalue()
    assert ("find the person" in shown) is timings
    if timings:
        for share in ("25%", "50%", "100%"):
            assert share in shown
        assert shown.count("25%") == 2  # the stage, and what is left between the stages
