"""Whether a change of the code changed any keypoint: capture before and after, then compare.

    python benchmarks/same_keypoints.py capture OUT.npz CLIPS      (in each of two checkouts)
    python benchmarks/same_keypoints.py compare BEFORE.npz AFTER.npz

Captures what `predict` and `personalize` give for the sample clip, and what a short personalization gives for the first
frames of each labelled clip in CLIPS; compares pixels and scores. Run both with the same number of threads:
floating-point sums depend on it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import ttpose
from ttpose.adaptation.boxed_clip import personalize_crops
from ttpose.adaptation.settings import preset_named
from ttpose.data.labelled_clip import find_clips, read_clip
from ttpose.evaluation.prediction import picture_reader
from ttpose.results import KeypointResult

_FRAMES = 24  # of each clip: enough for every step of the work


def main() -> None:
    match sys.argv[1:]:
        case ["capture", out, clips]:
            np.savez(out, **captured(Path(clips)))
        case ["compare", before, after]:
            compare(dict(np.load(before)), dict(np.load(after)))
        case _:
            sys.exit(__doc__)


def captured(clips: Path) -> dict[str, np.ndarray]:
    sample = Path(ttpose.__file__).parent / "sample" / "dance.mp4"
    made = ttpose.personalize(sample, preset="balanced", steps=4)
    found = {
        "predict": subject(ttpose.predict(sample)),
        "personalize": subject(made.keypoints),
        "personalize, base": subject(made.base_keypoints),
    }
    model, settings = ttpose.load_model(device="cpu").loaded.model, preset_named("balanced", steps=2)
    for folder in find_clips(clips):
        frames = read_clip(folder).frames[:_FRAMES]
        done = personalize_crops(model, picture_reader(frames), [frame.box for frame in frames], settings=settings)
        found[folder.name] = done.keypoints
    return found


def subject(result: KeypointResult) -> np.ndarray:
    nobody = np.full((len(result.skeleton), 3), np.nan)
    return np.stack([frame.people[0].keypoints if frame.people else nobody for frame in result.frames])


def compare(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> None:
    for name in before:
        print(
            f"{name}: {len(before[name])} frames, largest difference {np.nanmax(np.abs(before[name] - after[name])):g}"
        )


if __name__ == "__main__":
    main()
