from __future__ import annotations

import sys
from pathlib import Path

import pytest

import ttpose
from tests.cli.fake_api import FakeApi


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    fake = FakeApi()
    monkeypatch.setitem(sys.modules, "ttpose.api", fake)
    monkeypatch.setattr(ttpose, "api", fake, raising=False)
    return fake


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a folder `clips` of files that only look like videos and a photo."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (folder / name).write_bytes(b"\0\0\0 ftypisom" + bytes(20))
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff" + bytes(20))
    return folder
