"""Measure speed and peak memory of the commands on a clip of yours, each as a whole process.

    python benchmarks/speed.py walk.mp4 --output benchmarks/speed.md

`long` rows run on the same clip shown ten times in a row (copied, not encoded again): memory must not grow with length.
Run it on a machine that does nothing else. POSIX only, for the peak memory of a finished process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av

COMMANDS = {
    "personalize balanced": ("personalize", "--preset", "balanced"),
    "personalize fast": ("personalize", "--preset", "fast"),
    "predict": ("predict",),
    "predict balanced": ("predict", "--preset", "balanced"),
}
REPEATS = 10  # of the clip in the long one


@dataclass(frozen=True)
class Measured:
    """One run: frames, seconds of the whole process and of the work in it (without start-up), peak memory in bytes."""

    name: str
    frames: int
    wall_s: float
    work_s: float
    peak_bytes: int

    @property
    def row(self) -> str:
        """The run as a row of the table."""
        per_second = self.frames / self.work_s
        return f"| {self.name} | {self.frames} | {self.wall_s:.1f} | {per_second:.1f} | {self.peak_bytes / 1e9:.2f} |"


def main() -> None:
    """Measure what was asked for and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--only", choices=[*COMMANDS], action="append", help="may be given several times")
    parser.add_argument("--no-long", action="store_true", help="leave out the clip ten times as long")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--against-torch", action="store_true", help="also run each with torch alone, and give ratios")
    parser.add_argument("--beside", type=int, default=0, metavar="N", help="also run each beside N busy threads")
    parser.add_argument("--output", type=Path, metavar="FILE.md")
    chosen = parser.parse_args()
    names = chosen.only or [*COMMANDS]
    with tempfile.TemporaryDirectory() as folder:
        clips = {"": chosen.clip.resolve()}
        if not chosen.no_long:
            clips[", long"] = looped(chosen.clip, Path(folder, "long" + chosen.clip.suffix), REPEATS)
        runs = []
        for kind, clip in clips.items():
            for name in names:
                words = [*COMMANDS[name], "--device", chosen.device]
                runs.append(measure(name + kind, clip, words))
                print(runs[-1].row, flush=True)
                if chosen.against_torch and not kind:
                    runs.append(measure(f"{name}, torch alone", clip, words, {"TTPOSE_ENGINE": "torch"}))
                    print(runs[-1].row, flush=True)
                if chosen.beside and not kind:
                    with busy(chosen.beside):
                        runs.append(measure(f"{name}, beside {chosen.beside} busy threads", clip, words))
                    print(runs[-1].row, flush=True)
    text = report(chosen.clip, runs) + ratios(runs)
    if chosen.output is not None:
        chosen.output.write_text(text, encoding="utf-8")
    print(f"\n{text}", end="")


def looped(clip: Path, target: Path, times: int) -> Path:
    """Write a clip `times` times in a row into one file by copying its packets."""
    with av.open(str(target), "w") as out:
        track, shift = None, 0
        for _ in range(times):
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                track = track or out.add_stream_from_template(video)
                packets = [packet for packet in source.demux(video) if packet.dts is not None]
                first = min(packet.dts for packet in packets)
                end = max(packet.dts + (packet.duration or 1) for packet in packets)
                for packet in packets:
                    packet.pts, packet.dts = packet.pts + shift - first, packet.dts + shift - first
                    packet.stream = track
                    out.mux(packet)
                shift += end - first
    return target


@contextmanager
def busy(threads: int) -> Iterator[None]:
    """Other work on so many threads for as long as it takes."""
    line = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(line) for _ in range(threads)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def ratios(runs: list[Measured]) -> str:
    """How long each command takes in another way over how long it takes as it is."""
    plain = {run.name: run.wall_s for run in runs}
    rows = [
        f"| {command} | {how} | {run.wall_s / plain[command]:.2f} |"
        for run in runs
        for command, _, how in [run.name.partition(", ")]
        if how.startswith(("torch", "beside")) and command in plain
    ]
    return "\n".join(["", "| command | how | times as long |", "|---|---|---|", *rows]) + "\n" if rows else ""


def measure(name: str, clip: Path, words: list[str], environment: dict[str, str] | None = None) -> Measured:
    """Run `ttpose WORDS CLIP --no-overlay` as a process of its own."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as events:
        begin = time.perf_counter()
        line = [sys.executable, "-m", "ttpose", *words, str(clip), "--no-overlay", "--json", "-o", folder]
        process = subprocess.Popen(line, stdout=events, env={**os.environ, **(environment or {})})
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - begin
        if status != 0:
            sys.exit(f"{name} failed: {' '.join(line)}")
        events.seek(0)
        (result,) = (e for e in map(json.loads, events) if e["event"] == "result")
        (keypoints,) = Path(folder).glob("*_ttpose/keypoints.json")
        frames = json.loads(keypoints.read_text(encoding="utf-8"))["source"]["frames"]
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes on macOS, KiB elsewhere
    return Measured(name, frames, wall_s, result["seconds"], usage.ru_maxrss * unit)


def report(clip: Path, runs: list[Measured]) -> str:
    """The machine, the clip and the table as Markdown."""
    import torch

    import ttpose

    with av.open(str(clip)) as source:
        video = source.streams.video[0]
        size = f"{video.width} × {video.height}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    head = [
        f"ttpose {ttpose.__version__}, torch {torch.__version__} with {torch.get_num_threads()} threads, "
        f"Python {platform.python_version()}, {processor()}, {cores} cores; {clip.name}, {size}.",
        "",
        "| run | frames | whole process, s | frames a second without start-up | peak memory, GB |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*head, *(run.row for run in runs)]) + "\n"


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
