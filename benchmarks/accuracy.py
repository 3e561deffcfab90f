"""Accuracy of ways to personalize on labelled clips: `python benchmarks/accuracy.py CLIPS [--methods a,b] …`.

CLIPS holds clips in the package's labelled format (docs/synthetic.md). Every method starts from the shipped base anew
for each clip and never sees a label. Prints a Markdown table, and writes all figures as JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.adaptation.boxed_clip import PersonalizedClip
from ttpose.adaptation.guard.metrics import GuardReport
from ttpose.adaptation.settings import PRESETS, PersonalizeSettings, preset_named
from ttpose.core.geometry import Box
from ttpose.evaluation.clips import evaluate_clips
from ttpose.inference.crops import cut_crop
from ttpose.inference.pipeline import predict_crops
from ttpose.inference.refine.clip import refine
from ttpose.models.engine import PRECISIONS, compiled, use_precision

_BALANCED = PRESETS["balanced"]
_ALONE = replace(_BALANCED, guard=False)


def _refined(**changes: Any) -> PersonalizeSettings:
    """The preset balanced with another refinement."""
    return replace(_BALANCED, refine=replace(_BALANCED.refine, **changes))


_NO_ENSEMBLE = _refined(ensemble=False)
_SWAPS_ONLY = _refined(ensemble=False, rescore=False)

#: Settings by method; those in `_UNTRAINED` only predict, correct left/right and, where the name says so, rescore,
#: perhaps with the ensemble.
METHODS: dict[str, PersonalizeSettings] = {
    "sides": _refined(ensemble=False, rescore=False, views=1),
    "views+sides": _SWAPS_ONLY,
    "6 views+sides": _refined(ensemble=False, rescore=False, views=6),
    "sides+rescoring": _refined(ensemble=False, views=1),
    "views+sides+rescoring": _NO_ENSEMBLE,
    "sides+rescoring+ensemble": _refined(views=1),
    "2 views+sides+rescoring+ensemble": _refined(views=2),
    "views+sides+rescoring+ensemble": _BALANCED,
    "fast": PRESETS["fast"],
    "balanced": _BALANCED,
    "balanced without ensemble": _NO_ENSEMBLE,
    "balanced without guard": _ALONE,
    "balanced without rescoring": _SWAPS_ONLY,
    "balanced with all of the change": replace(_ALONE, interpolation=1.0),
    "labels": replace(_ALONE, distillation=0.0, self_training=1.0),
    "distillation+reconstruction": replace(_ALONE, reconstruction=0.001, decoder_warmup=15),
    "reconstruction+anchor": replace(
        _ALONE, distillation=0.0, reconstruction=1.0, decoder_warmup=10, anchor=1.0, pose_rate=1e-5, interpolation=1.0
    ),
    "reconstruction": replace(_ALONE, distillation=0.0, reconstruction=1.0, pose_rate=1e-4, interpolation=1.0),
    "thorough": PRESETS["thorough"],
    "online": preset_named("balanced", mode="online"),
}  # fmt: skip
_UNTRAINED = {name for name in METHODS if "sides" in name}


def predict_only(
    model: Any,
    images: Sequence[np.ndarray] | Callable[[int], np.ndarray],
    boxes: Sequence[Box],
    *,
    settings: PersonalizeSettings,
    progress: Any,
) -> PersonalizedClip:
    """The base's prediction, refined as the settings say; nothing learns."""
    read = images if callable(images) else images.__getitem__
    size = model.config.input_size
    crops = [cut_crop(read(i), box, size, index=i, time_s=i / 25) for i, box in enumerate(boxes)]
    network = compiled(model)
    with progress.stage("predict", len(crops)) as advance:
        before = predict_crops(network, crops, settings.refine, advance)
    keypoints = refine(before, [crop.time_s for crop in crops], model.skeleton, settings.refine).keypoints
    guard = GuardReport("base", "nothing was learned", {})
    return PersonalizedClip(keypoints, keypoints, guard, {}, model, before)


def main() -> None:
    """Run the methods and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--methods", default="sides,views+sides,balanced")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help="of networks that do not learn")
    parser.add_argument("-o", "--output", type=Path, default=Path("accuracy.json"))
    options = parser.parse_args()
    use_precision(options.precision)
    reports = {}
    for name in options.methods.split(","):
        report = evaluate_clips(
            options.clips,
            personalize=True,
            settings=replace(METHODS[name], seed=options.seed),
            personalizer=predict_only if name in _UNTRAINED else None,
        ).to_dict()
        reports[name] = report
        options.output.write_text(json.dumps(reports, indent=1))
        if len(reports) == 1:
            names = [clip["clip"] for clip in report["clips"]]
            print("| method | " + " | ".join(names) + " | mean |\n" + "|---" * (len(names) + 2) + "|")
            print(_row("base", report, "base"), flush=True)
        print(_row(name, report, "personalized"), flush=True)


def _row(name: str, report: dict[str, Any], when: str) -> str:
    cells = [_cell(clip[when], clip["guard"] if when == "personalized" else None) for clip in report["clips"]]
    return f"| {name} | " + " | ".join([*cells, _cell(report["mean"][when], None)]) + " |"


def _cell(scores: dict[str, float] | None, guard: str | None) -> str:
    if not scores:
        return "–"
    text = " / ".join(f"{scores[f'pck@{limit}']:.3f}" for limit in (0.05, 0.1, 0.2))
    return f"{text} ({guard[0]})" if guard else text


if __name__ == "__main__":
    main()
