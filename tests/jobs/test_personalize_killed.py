"""A real batch of personalizations, with the shipped base, that is killed and goes on; as small as it can be."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests import sample
from tests.jobs.inputs import events, partials, summary
from ttpose.results import read_json

FILES = {"person.safetensors", "keypoints.json", "angles.csv", "angles.mot", "run.json", "log.txt"}
WORDS = (
    "personalize", "clips", "-o", "out", "--preset", "fast", "--steps", "1", *sample.CPU, "--no-overlay", "--no-report",
)  # fmt: skip


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def learned(folder: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Keypoints of all frames, and what the person file changes."""
    frames = read_json(folder / "keypoints.json").frames
    return np.stack([frame.people[0].keypoints for frame in frames]), load_file(folder / "person.safetensors")


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_batch_killed_while_it_learns_goes_on_with_what_is_left(folder: Path) -> None:
    first = sample.write_part(folder / "clips/a.mp4", range(2))
    for name in ("b", "c"):
        (folder / f"clips/{name}.mp4").write_bytes(first.read_bytes())
    process = subprocess.Popen(
        [*sample.COMMAND, *WORDS, "--json"], cwd=folder, env=sample.environment(), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    heard = events(process)
    assert next(event["input"] for event in heard if event["event"] == "result") == "clips/a.mp4"
    assert next(event["input"] for event in heard if event.get("stage") == "adapt") == "clips/b.mp4"
    process.kill()
    process.communicate(timeout=30)
    assert {name: names(folder / f"out/{name}_ttpose") for name in "abc"} == {"a": FILES, "b": {"log.txt"}, "c": set()}
    assert (summary(folder)["done"], summary(folder)["exit_code"]) == (1, None)
    before = {path.name: path.read_bytes() for path in (folder / "out/a_ttpose").iterdir()}

    again = sample.ttpose(*WORDS, "--json", cwd=folder)
    assert again.returncode == 0, again.stderr
    found: list[dict[str, Any]] = [json.loads(line) for line in again.stdout.splitlines()]
    assert {event["input"]: event["status"] for event in found if event["event"] == "result"} == {
        "clips/a.mp4": "skipped", "clips/b.mp4": "done", "clips/c.mp4": "done",
    }  # fmt: skip
    assert (summary(folder)["exit_code"], summary(folder)["failed"], partials(folder)) == (0, 0, [])
    assert {path.name: path.read_bytes() for path in (folder / "out/a_ttpose").iterdir()} == before
    # The clips are one and the same, and so is what is learned from them, before and after the kill.
    keypoints, changes = learned(folder / "out/a_ttpose")
    for name in "bc":
        assert names(folder / f"out/{name}_ttpose") == FILES
        same, other = learned(folder / f"out/{name}_ttpose")
        np.testing.assert_array_equal(same, keypoints)
        assert {key: value.tobytes() for key, value in other.items()} == {
            key: value.tobytes() for key, value in changes.items()
        }
