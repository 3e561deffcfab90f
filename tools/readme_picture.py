"""Draw docs/images/sample.jpg: frames of the sample clip with the base's keypoints above and the personalized below.

python tools/readme_picture.py [--preset balanced]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import ttpose
from ttpose.media import open_source, write_image
from ttpose.report.drawing import draw_skeleton
from ttpose.results import KeypointResult
from ttpose.sample import sample_clip

_FRAMES = (10, 30, 50, 70, 90)
_PICTURE = Path(__file__).parents[1] / "docs" / "images" / "sample.jpg"


def main() -> None:
    """Personalize on the sample and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="balanced")
    made = ttpose.personalize(sample_clip(), preset=parser.parse_args().preset)
    rows = [_row(result) for result in (made.base_keypoints, made.keypoints)]
    _PICTURE.parent.mkdir(parents=True, exist_ok=True)
    write_image(_PICTURE, np.concatenate(rows)[::2, ::2])
    print(f"{_PICTURE}: {made.guard.decision}, {made.guard.reason}")


def _row(result: KeypointResult) -> np.ndarray:
    drawn = []
    for frame in open_source(sample_clip()).frames():
        if frame.index in _FRAMES and frame.image is not None:
            image = frame.image
            for person in result.frames[frame.index].people:
                image = draw_skeleton(image, person.keypoints, result.skeleton)
            drawn.append(image)
    return np.concatenate(drawn, axis=1)


if __name__ == "__main__":
    main()
