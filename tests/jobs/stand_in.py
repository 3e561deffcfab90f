"""The real command on a stand-in for `ttpose.api` whose work takes a moment; a file's name says what happens to it.

Run as a program it is `ttpose`; worker processes import it, and so work with the same stand-in.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import ttpose
from tests.cli.fake_api import FakeApi
from ttpose.core.errors import WeightsError
from ttpose.core.files import atomic_path
from ttpose.core.progress import Progress


class SlowApi(FakeApi):
    def _predict(self, source: Path, *, progress: Progress, **how: Any) -> Any:
        with open(source.with_name("calls.txt"), "a", encoding="utf-8", errors="backslashreplace") as calls:
            calls.write(f"{source.name} {os.getpid()} {os.environ.get('OMP_NUM_THREADS')}\n")
        if "die" in source.name:
            os.kill(os.getpid(), signal.SIGKILL)
        if "weights" in source.name:
            raise WeightsError("base.safetensors is damaged", "reinstall")
        with progress.stage("wait", 100 if "slow" in source.name else 1) as advance:
            for _ in range(100 if "slow" in source.name else 1):
                time.sleep(0.1)
                advance(1)
        return super()._predict(source, progress=progress, **how)

    def _write_overlay(self, source: Path, result: Any, path: Path) -> None:
        with atomic_path(path) as partial:
            partial.write_text("half")
            if "halfway" in source.name:
                time.sleep(60)
            partial.write_text(f"overlay of {source.name}")


sys.modules["ttpose.api"] = ttpose.api = SlowApi(checked=False)  # type: ignore[attr-defined]

if __name__ == "__main__":
    from ttpose.cli import main

    main()
