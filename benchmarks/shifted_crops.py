"""How much of a difference in PCK is chance: the same clips, each crop shifted by up to a hundredth of its box.

    python benchmarks/shifted_crops.py CLIPS --copies 6 -o shifted.jsonl [--precision bfloat16]

CLIPS holds labelled clips (docs/synthetic.md). Each copy shifts and scales every box at random, by up to a hundredth of
its side, which no user could tell apart; the first copy has the boxes as they are. `base` is one view, `fast` and
`refined` are what `ttpose predict --preset fast` and `balanced` write. Prints the mean over copies and their standard
deviation, and with `--precision bfloat16` the difference to float32 on the same crops, with its standard error. A line
of the file holds a clip of a copy; what is in it is kept, so a run may be cut short.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.core.geometry import Box, CropGrid
from ttpose.core.skeleton import Skeleton
from ttpose.data.labelled_clip import LabelledClip, find_clips, read_clip
from ttpose.evaluation.clips import THRESHOLDS
from ttpose.inference.crops import PersonCrop, cut_crop
from ttpose.inference.pipeline import predict_crops
from ttpose.inference.prediction import TTAPrediction
from ttpose.inference.refine.clip import refine
from ttpose.inference.settings import REFINE_PRESETS, RefineSettings
from ttpose.inference.tta import plain_view
from ttpose.metrics.pck import CLIP_RULE, by_name, measure
from ttpose.models.engine import CompiledPose
from ttpose.models.shipped import load

STAGES = ("base", "fast", "refined")
_MOST = 0.01  # of the box's width or height


def shifted(box: Box, rng: np.random.Generator) -> Box:
    """A box, moved and scaled by up to a hundredth."""
    right, down, wider = rng.uniform(-_MOST, _MOST, 3)
    return Box(
        box.x + box.width * (right - wider / 2),
        box.y + box.height * (down - wider / 2),
        box.width * (1 + wider),
        box.height * (1 + wider),
    )


def main() -> None:
    """Measure what the file does not hold yet, and print the summary."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--copies", type=int, default=6)
    parser.add_argument(
        "--precision", choices=("float32", "bfloat16"), default="float32", help="measured beside 32 bits"
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    model = load().model
    networks = {"float32": CompiledPose(model)}
    if options.precision == "bfloat16":
        networks["bfloat16"] = CompiledPose(model, bfloat16=True)
    clips = [clip for clip in map(read_clip, find_clips(options.clips)) if clip.person is not None]
    lines = [json.loads(line) for line in options.output.read_text().splitlines()] if options.output.exists() else []
    done = {(line["clip"], line["copy"], line["precision"]) for line in lines}
    for copy in range(options.copies):
        for clip in clips:
            name = clip.folder.name
            missing = [precision for precision in networks if (name, copy, precision) not in done]
            crops = _crops(clip, copy, model.config.crop) if missing else []
            for precision in missing:
                found = _stages(networks[precision], crops)
                figures = {stage: _pck(clip, keypoints, model.skeleton) for stage, keypoints in found.items()}
                lines.append({"clip": name, "copy": copy, "precision": precision, **figures})
                with options.output.open("a") as handle:
                    handle.write(json.dumps(lines[-1]) + "\n")
    print(_table(lines))


def _crops(clip: LabelledClip, copy: int, grid: CropGrid) -> list[PersonCrop]:
    rng = np.random.default_rng([copy, sum(map(ord, clip.folder.name))])
    boxes = [shifted(frame.box, rng) if copy else frame.box for frame in clip.frames]
    frames = zip(clip.frames, boxes, strict=True)
    return [cut_crop(frame.read(), box, grid, index=i, time_s=i / 25) for i, (frame, box) in enumerate(frames)]


def _stages(network: CompiledPose, crops: Sequence[PersonCrop]) -> dict[str, np.ndarray]:
    """Keypoints [N, K, 3] of each stage."""
    fast, balanced, times = REFINE_PRESETS["fast"], REFINE_PRESETS["balanced"], [crop.time_s for crop in crops]

    def refined(found: TTAPrediction, settings: RefineSettings) -> np.ndarray:
        return refine(found, times, network.skeleton, settings).keypoints

    plain = plain_view(network, crops)
    one, all_views = (predict_crops(network, crops, settings, plain=plain) for settings in (fast, balanced))
    return {"base": one.keypoints, "fast": refined(one, fast), "refined": refined(all_views, balanced)}


def _pck(clip: LabelledClip, keypoints: np.ndarray, skeleton: Skeleton) -> list[float]:
    """PCK at `THRESHOLDS` in percent."""
    scored = clip.scored & np.array([joint in skeleton.keypoints for joint in clip.joints])
    named = by_name(keypoints, skeleton.keypoints, clip.joints)
    told = measure(named, clip.keypoints, clip.joints, CLIP_RULE, scored)
    return [round(100 * float(told.tally(limit).mean()), 3) for limit in THRESHOLDS]


def _table(lines: Sequence[dict[str, Any]]) -> str:
    """Means and standard deviations by clip and stage in 32 bits; differences of 16 bits where there are any."""
    by_run = {(line["clip"], line["copy"], line["precision"]): line for line in lines}
    clips = list(dict.fromkeys(line["clip"] for line in lines))
    rows = ["| clip | stage | " + " | ".join(f"PCK@{limit}" for limit in THRESHOLDS) + " |", "|---" * 5 + "|"]
    for stage in STAGES:
        means = []
        for clip in clips:
            values = np.array(
                [line[stage] for (name, _, bits), line in by_run.items() if (name, bits) == (clip, "float32")]
            )
            spread = values.std(0, ddof=1) if len(values) > 1 else np.full(len(THRESHOLDS), np.nan)
            means.append(values.mean(0))
            cells = [f"{mean:.1f} ± {sd:.1f}" for mean, sd in zip(means[-1], spread, strict=True)]
            rows.append(f"| {clip} | {stage} | " + " | ".join(cells) + " |")
        rows.append(f"| **mean** | {stage} | " + " | ".join(f"{value:.2f}" for value in np.mean(means, 0)) + " |")
    for stage in STAGES:
        pairs = [
            np.subtract(line[stage], by_run[clip, copy, "float32"][stage])
            for (clip, copy, bits), line in by_run.items()
            if bits == "bfloat16"
        ]
        if len(pairs) > 1:
            error = np.std(pairs, axis=0, ddof=1) / len(pairs) ** 0.5
            cells = [f"{mean:+.2f} ± {one:.2f}" for mean, one in zip(np.mean(pairs, 0), error, strict=True)]
            rows.append(f"| bfloat16 less float32 | {stage} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
