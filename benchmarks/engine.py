"""Compare what can run the frozen pose network: torch, ONNX Runtime and OpenVINO; and 16 bits with 32.

    python benchmarks/engine.py speed                      # milliseconds a crop, start-up, difference of keypoints
    python benchmarks/engine.py speed --beside 2           # the same while two other threads compute
    python benchmarks/engine.py accuracy CLIPS [CLIPS ...] # PCK of the base, one prediction a crop, in 32 and 16 bits

Each engine runs in a process of its own; rounds alternate between them, and the median counts. Beside other work the
processor time says more than the clock. CLIPS are folders of labelled clips (docs/synthetic.md).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

# MediaPipe is another network (Pose Landmark Full, 33 landmarks), which only some of its wheels hold (0.10.14 does).
ENGINES = ("torch", "onnxruntime", "openvino", "openvino bfloat16", "mediapipe")
CROPS = 16  # a round: four batches, as inference runs them
THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
Run = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Measure what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    speed = kinds.add_parser("speed")
    speed.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    speed.add_argument("--beside", type=int, default=0, metavar="N", help="threads of other work")
    speed.add_argument("--rounds", type=int, default=7)
    accuracy = kinds.add_parser("accuracy")
    accuracy.add_argument("clips", type=Path, nargs="+")
    worker = kinds.add_parser("worker")
    worker.add_argument("engine", choices=ENGINES)
    worker.add_argument("folder", type=Path)
    chosen = parser.parse_args()
    if chosen.kind == "worker":
        serve(chosen.engine, chosen.folder)
    elif chosen.kind == "accuracy":
        compare_accuracy(chosen.clips)
    else:
        compare_speed(chosen.threads, chosen.beside, chosen.rounds)


def compare_speed(threads: list[int], beside: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder, busy(beside):
        write_onnx(Path(folder, "base.onnx"))
        np.save(Path(folder, "crops.npy"), sample_crops(CROPS))
        print(f"Beside {beside} busy threads. " if beside else "Nothing else started. ", f"Load {os.getloadavg()}.\n")
        print("| engine | threads | ms a crop | processor ms | import, s | build, s | keypoints from torch's, px |")
        print("|---|---|---|---|---|---|---|")
        reference = None
        engines = [name for name in ENGINES if name != "mediapipe" or importlib.util.find_spec("mediapipe")]
        for count in threads:
            workers = {name: started(name, Path(folder), count) for name in engines}
            ready = {name: json.loads(answer(worker)) for name, worker in workers.items()}
            timed: dict[str, list[list[float]]] = {name: [] for name in engines}
            for _ in range(rounds):
                for name, worker in workers.items():
                    timed[name].append(json.loads(ask(worker, "run")))
            for name, worker in workers.items():
                found = np.array(json.loads(ask(worker, "keypoints")))
                reference = found if reference is None else reference
                apart = np.linalg.norm(found - reference, axis=-1).max() if found.size else np.nan
                wall, cpu = (statistics.median(row[i] for row in timed[name]) for i in range(2))
                ask(worker, "end")
                load, build = ready[name]["import_s"], ready[name]["build_s"]
                cells = (name, count, f"{wall:.1f}", f"{cpu:.1f}", f"{load:.2f}", f"{build:.2f}", f"{apart:.1e}")
                print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def started(name: str, folder: Path, threads: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    line = [sys.executable, __file__, "worker", name, str(folder)]
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def answer(worker: subprocess.Popen[str]) -> str:
    assert worker.stdout is not None
    line = worker.stdout.readline()
    if not line:
        sys.exit("a worker ended before its time")
    return line


def ask(worker: subprocess.Popen[str], what: str) -> str:
    assert worker.stdin is not None
    worker.stdin.write(what + "\n")
    worker.stdin.flush()
    return "" if what == "end" else answer(worker)


def serve(name: str, folder: Path) -> None:
    """One engine in this process: build it, then do what the lines of stdin say."""
    import torch  # all of ttpose needs it; only what an engine needs beside it counts as its own

    from ttpose.models.shipped import load

    model = load().model
    crops, threads = np.load(folder / "crops.npy"), torch.get_num_threads()
    clock = time.process_time()
    others = {"torch": torch_engine, "onnxruntime": onnx_engine, "mediapipe": mediapipe_engine}
    build = others.get(name, openvino_engine)
    imported: Any = build(None, folder, threads, False)
    import_s, clock = time.process_time() - clock, time.process_time()
    run: Run = build(model, folder, threads, name.endswith("bfloat16"))
    run(crops[:1])
    print(json.dumps({"import_s": import_s, "build_s": time.process_time() - clock, "is": str(imported)}), flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            return
        if line.strip() == "run":
            wall, cpu = time.perf_counter(), time.process_time()
            for start in range(0, len(crops), 4):
                run(crops[start : start + 4])
            times = [(time.perf_counter() - wall) / len(crops) * 1e3, (time.process_time() - cpu) / len(crops) * 1e3]
            print(json.dumps(times), flush=True)
        else:
            found = [run(crops[start : start + 4]) for start in range(0, len(crops), 4)]
            print(json.dumps(np.concatenate(found).tolist()), flush=True)


def torch_engine(model: Any, folder: Path, threads: int, bfloat16: bool) -> Any:
    return None if model is None else lambda crops: decoded(model, crops)


def openvino_engine(model: Any, folder: Path, threads: int, bfloat16: bool) -> Any:
    from ttpose.models.engine import CompiledPose
    from ttpose.models.engine.runtime import openvino

    if model is None:
        return openvino.__version__
    fast = CompiledPose(model, bfloat16=bfloat16)
    return lambda crops: decoded(fast, crops)


def onnx_engine(model: Any, folder: Path, threads: int, bfloat16: bool) -> Any:
    import onnxruntime

    if model is None:
        return onnxruntime.__version__
    import torch

    from ttpose.models.decode import decode

    how = onnxruntime.SessionOptions()
    how.intra_op_num_threads, how.inter_op_num_threads = threads, 1
    how.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(folder / "base.onnx"), how, providers=["CPUExecutionProvider"])

    def run(crops: np.ndarray) -> np.ndarray:
        pixels = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)
        rows = [session.run(None, {"images": pixels[i : i + 1]}) for i in range(len(pixels))]
        maps, anchors, offsets = (torch.from_numpy(np.concatenate(values)) for values in zip(*rows, strict=True))
        return 4 * decode(maps, anchors, offsets)[..., :2].numpy()

    return run


def mediapipe_engine(model: Any, folder: Path, threads: int, bfloat16: bool) -> Any:
    import mediapipe

    if model is None:
        return mediapipe.__version__
    # As a video, so that after the first crop the detector rests; its threads cannot be chosen.
    pose = mediapipe.solutions.pose.Pose(model_complexity=1, smooth_landmarks=False)

    def run(crops: np.ndarray) -> np.ndarray:
        for crop in crops:
            pose.process(crop)
        return np.zeros((0, 2))  # other keypoints: there is nothing to compare

    return run


def decoded(network: Any, crops: np.ndarray) -> np.ndarray:
    """Keypoints [B, K, 2] in pixels of crops uint8 [B, S, S, 3]."""
    import torch

    from ttpose.models.decode import decode

    with torch.inference_mode():
        out = network(network.normalise(torch.from_numpy(crops).permute(0, 3, 1, 2)))
        return 4 * decode(out.supervised, out.encoded.anchors, out.encoded.offsets)[..., :2].numpy()


def write_onnx(path: Path) -> None:
    """The base's heads that keypoints are decoded from, for one crop of floats, by torch's own exporter."""
    import torch

    from ttpose.models.shipped import load

    class Heads(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = load().model
            self.model.reconstructor = torch.nn.Identity()

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
            out = self.model(self.model.normalise(images))
            return out.supervised, out.encoded.anchors, out.encoded.offsets

    from torch.export import default_decompositions, export

    simpler = default_decompositions()
    simpler[torch.ops.aten.hypot.default] = lambda a, b: (a * a + b * b).sqrt()  # ONNX has no operator for it
    graph = export(Heads().eval(), (torch.zeros(1, 3, 256, 256),)).run_decompositions(simpler)
    program = torch.onnx.export(graph, dynamo=True, input_names=["images"], verbose=False, optimize=True)
    assert program is not None
    program.save(str(path), external_data=False)


def sample_crops(count: int) -> np.ndarray:
    """Frames of the sample clip, cut about the person: uint8 [N, 256, 256, 3]."""
    from ttpose.core import geometry
    from ttpose.core.geometry import Box
    from ttpose.media import open_source
    from ttpose.models.predictor import CROP_PAD
    from ttpose.sample import sample_clip
    from ttpose.tracking.detector import PersonDetector

    detector, crops = PersonDetector.load(), []
    for frame in open_source(sample_clip()).frames():
        if frame.image is not None and frame.index % 6 == 0 and len(crops) < count:
            box = max((found.box for found in detector.find([frame.image])[0]), key=lambda b: b.area, default=None)
            matrix = geometry.crop_matrix(box or Box(0, 0, 384, 512), 256, pad=CROP_PAD)
            crops.append(geometry.warp(frame.image, matrix, 256))
    return np.stack(crops)


@contextmanager
def busy(threads: int) -> Iterator[None]:
    """Other work on so many threads for as long as it takes."""
    others = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(threads)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.kill()


def _spin() -> None:
    values = np.ones((256, 256), np.float32)
    while True:
        values = values * 0.5 + 0.5


def compare_accuracy(folders: list[Path]) -> None:
    from ttpose.data.labelled_clip import find_clips, read_clip
    from ttpose.metrics.pck import CLIP_RULE, by_name, measure
    from ttpose.models.engine import CompiledPose
    from ttpose.models.predictor import Predictor
    from ttpose.models.shipped import load

    model = load().model
    networks = {
        "torch, float32": model,
        "OpenVINO, float32": CompiledPose(model),
        "OpenVINO, bfloat16": CompiledPose(model, bfloat16=True),
    }
    print("| clips | frames | engine | " + " | ".join(f"PCK@{t}" for t in THRESHOLDS) + " |")
    print("|---" * (3 + len(THRESHOLDS)) + "|")
    for folder in folders:
        clips = [read_clip(path) for path in find_clips(folder)]
        for name, network in networks.items():
            predictor, right, counted = Predictor(network), np.zeros(len(THRESHOLDS)), np.zeros(len(THRESHOLDS))
            for clip in clips:
                known = np.array([joint in predictor.skeleton.keypoints for joint in clip.joints])
                found = np.stack([predictor.predict(frame.read(), [frame.box])[0] for frame in clip.frames])
                ours = by_name(found, predictor.skeleton.keypoints, clip.joints)
                measured = measure(ours, clip.keypoints, clip.joints, CLIP_RULE, clip.scored & known)
                for i, threshold in enumerate(THRESHOLDS):
                    tally = measured.tally(threshold)
                    right[i] += tally.right.sum()
                    counted[i] += tally.counted.sum()
            cells = " | ".join(f"{value:.2%}" for value in right / counted)
            print(f"| {folder.name} | {sum(map(len, clips))} | {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
