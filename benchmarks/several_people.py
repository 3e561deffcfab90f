"""Do two people keep their numbers? `python benchmarks/several_people.py ASSETS [--clips 12] [--video FILE]`.

Clips of two rendered people with true keypoints of both: `beside` (somebody dances beside, behind or before the other,
as in `ttpose synth --bystanders 1`), `crossing` (one walks past the other, behind or before) and `back` (one walks past
and returns after a second outside the picture). Each clip is predicted with `--people all`. For each true person, in
the frames where at least half of the person is to be seen:

- found: share of the frames in which some predicted person is nearest to this true one, within half a torso,
- kept: share of these frames in which that predicted person has the number that this true person has most often,
- exchanged: frames in which that number is on the other true person,
- PCK@0.2 (of the torso) of the keypoints with that number, against all these frames.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ttpose_synth.assets import SyntheticAssets
from ttpose_synth.camera import CameraRanges
from ttpose_synth.faults import FaultRanges
from ttpose_synth.labels import POINTS
from ttpose_synth.person import sample_person
from ttpose_synth.raster import SUPERSAMPLE
from ttpose_synth.scene import BystanderRanges, ClipRanges, Studio, sample_scene
from ttpose_synth.take import act

import ttpose
from ttpose.core.geometry import crop_to_heatmap
from ttpose.core.skeleton import COCO17, torso_lengths
from ttpose.media import OverlayWriter
from ttpose.results import KeypointResult

KINDS = ("beside", "crossing", "back")
#: Two people fit into such a picture.
RANGES = ClipRanges(
    camera=replace(CameraRanges(), distance=(3.5, 7.0), fill=(0.42, 0.6), close_up_share=0.0, track_share=0.0),
    faults=replace(FaultRanges(), occluder_share=0.0),
)
SIZE, FPS = 448, 30
_HALF_WAY_M = 1.5  # from the middle to beyond the picture's edge
_TORSO = 0.5  # a predicted person farther away than this many torsos is nobody's
_BODY = len(COCO17)


@dataclass(frozen=True)
class Truth:
    """Two people: keypoints [2, T, 17, 2] and how much of each is to be seen [2, T], 0..1."""

    keypoints: np.ndarray
    seen: np.ndarray


def render(assets: SyntheticAssets, seed: int, kind: str, frames: int) -> tuple[list[np.ndarray], Truth]:
    """Pictures and truth of one clip."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    people = [sample_person(assets, int(rng.integers(2**31))) for _ in range(2)]
    takes = [act(assets, person, rng, frames, RANGES.motion, 0.0) for person in people]
    scene = sample_scene(assets, rng, takes[0], SIZE, RANGES)
    way = _way(rng, kind, scene.camera, frames)
    takes[1] = replace(
        takes[1],
        vertices=tuple(v + way[t] for t, v in enumerate(takes[1].vertices)),
        points=takes[1].points + way[:, None],
    )
    studios = [Studio(person, take, scene) for person, take in zip(people, takes, strict=True)]
    images, points, seen = [], np.empty((2, frames, _BODY, 2)), np.empty((2, frames))
    for t in range(frames):
        moments = [studio.render(t) for studio in studios]
        nearer = moments[1].depth_buffer > moments[0].depth_buffer
        cover = nearer.reshape(SIZE, SUPERSAMPLE, SIZE, SUPERSAMPLE).mean((1, 3))[..., None]
        light = moments[0].image * (1 - cover) + moments[1].image * cover
        picture = np.sqrt(np.minimum(light, 1)) * 255
        images.append(scene.faults.apply(rng, picture.astype(np.float32)))
        for n, (take, moment) in enumerate(zip(takes, moments, strict=True)):
            samples, _ = scene.camera.project(take.points[t], t)
            points[n, t] = crop_to_heatmap(samples, SUPERSAMPLE)[: len(POINTS)][:_BODY]
            body = moment.depth_buffer > 0
            own = body & (nearer if n else ~nearer)
            inside = ((points[n, t] > 0) & (points[n, t] < SIZE - 1)).all(1).mean()
            seen[n, t] = own.sum() / max(body.sum(), 1) * inside
    return images, Truth(points, seen)


def _way(rng: np.random.Generator, kind: str, camera, frames: int) -> np.ndarray:
    """Where the second person is at each moment [T, 3], in metres."""
    middle = camera.target[frames // 2]
    forward = middle - camera.centre[frames // 2]
    distance = float(np.hypot(forward[0], forward[2]))
    forward = np.array([forward[0], 0.0, forward[2]]) / distance
    right = np.array([-forward[2], 0.0, forward[0]])
    side, ranges = rng.choice([-1.0, 1.0]), BystanderRanges()
    if kind == "beside":
        away = max(rng.uniform(*ranges.behind), ranges.nearest - distance)
        along = np.full(frames, side * rng.uniform(*ranges.beside))
    else:
        away = rng.choice([-0.6, 0.6])
        share = np.linspace(-1, 1, frames)
        # Back: past and out of the picture, a second outside, and past again.
        share = share if kind == "crossing" else np.clip(3.2 * (0.62 - np.abs(share)) - 0.6, -1, 1.0)
        along = side * share * _HALF_WAY_M
    along = along * (distance + away) / distance
    place = np.array([middle[0], 0.0, middle[2]]) + away * forward
    return (place + along[:, None] * right).astype(np.float32)


def write(images: list[np.ndarray], path: Path) -> None:
    with OverlayWriter(path, SIZE, SIZE, fps=FPS, sound_from=None) as writer:
        for index, image in enumerate(images):
            writer.write(image, index / FPS)


def judged(result: KeypointResult, truth: Truth) -> Iterator[dict[str, float]]:
    """The figures of both people."""
    frames = truth.keypoints.shape[1]
    torso = np.stack([np.maximum(torso_lengths(points, COCO17), 1.0) for points in truth.keypoints])
    torso = np.maximum(torso, 0.7 * np.median(torso, axis=1, keepdims=True))
    nearest: list[dict[int, int]] = [{}, {}]  # by true person and frame the id
    for t, frame in enumerate(result.frames[:frames]):
        for person in frame.people:
            apart = [np.linalg.norm(person.keypoints[:, :2] - truth.keypoints[n, t], axis=1).mean() for n in (0, 1)]
            n = int(np.argmin(apart))
            if apart[n] < _TORSO * torso[n, t]:
                nearest[n].setdefault(t, person.id)
    most = [Counter(ids.values()).most_common(1)[0][0] if ids else None for ids in nearest]
    for n in (0, 1):
        there = [t for t in range(frames) if truth.seen[n, t] >= 0.5]
        found = [t for t in there if t in nearest[n]]
        kept = [t for t in found if nearest[n][t] == most[n]]
        exchanged = [t for t in range(frames) if most[n] is not None and nearest[1 - n].get(t) == most[n]]
        hits = []
        for t in there:
            own = [p for p in result.frames[t].people if p.id == most[n]]
            apart = (
                np.linalg.norm(own[0].keypoints[:, :2] - truth.keypoints[n, t], axis=1) if own else np.full(_BODY, 9e9)
            )
            hits.append(float((apart <= 0.2 * torso[n, t]).mean()))
        yield {
            "frames": len(there), "found": len(found), "kept": len(kept), "exchanged": len(exchanged),
            "pck": float(np.mean(hits)) if hits else np.nan,
        }  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("assets", type=Path)
    options.add_argument("--clips", type=int, default=12, help="of each kind")
    options.add_argument("--frames", type=int, default=90)
    options.add_argument("--seed", type=int, default=930000)
    options.add_argument("--preset", default="fast")
    options.add_argument("--kinds", default=",".join(KINDS))
    options.add_argument("--keep", type=Path, help="a folder for the clips and their overlays")
    asked = options.parse_args()
    assets = SyntheticAssets.load(asked.assets, share_alike=False)
    for kind in asked.kinds.split(","):
        rows, numbers = [], []
        for seed in range(asked.seed, asked.seed + asked.clips):
            with tempfile.TemporaryDirectory() as folder:
                path = (asked.keep or Path(folder)) / f"{kind}_{seed}.mp4"
                images, truth = render(assets, seed, kind, asked.frames)
                write(images, path)
                result = ttpose.predict(path, people="all", preset=asked.preset)
                if asked.keep:
                    ttpose.write_overlay(path, result, path.with_suffix(".overlay.mp4"))
            numbers.append(max(len(result.people), 1))
            rows += list(judged(result, truth))
            print(f"{kind} {seed}: {numbers[-1]} numbers", *rows[-2:], flush=True)
        total = {name: sum(row[name] for row in rows) for name in ("frames", "found", "kept", "exchanged")}
        found, kept = total["found"] / total["frames"], total["kept"] / max(total["found"], 1)
        print(
            f"{kind}: {len(numbers)} clips, {np.mean(numbers):.2f} numbers each; found {found:.1%}, kept {kept:.1%}, "
            f"exchanged in {total['exchanged']} of {total['frames']} frames, "
            f"PCK@0.2 {np.nanmean([row['pck'] for row in rows]):.3f}"
        )


if __name__ == "__main__":
    main()
