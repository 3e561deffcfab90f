"""Render the sample clip of `ttpose demo` and its true keypoints from the asset file of docs/synthetic.md.

    python tools/render_sample.py assets.npz

Clothes and backgrounds are restricted to those under CC0 or in the public domain; what remains to be credited is the
recorded motion (NOTICE).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
from ttpose_synth import SyntheticAssets, SyntheticClip, render_person, sample_person
from ttpose_synth.assets import Backgrounds
from ttpose_synth.camera import CameraRanges
from ttpose_synth.faults import FaultRanges
from ttpose_synth.motion import MotionRanges
from ttpose_synth.outfit import Collection
from ttpose_synth.person import PersonRanges
from ttpose_synth.room import RoomRanges
from ttpose_synth.scene import ClipRanges

from ttpose.core.files import write_text
from ttpose.core.skeleton import COCO17
from ttpose.media import OverlayWriter
from ttpose.sample import sample_clip

# Chosen by eye: a dance with turns, seen whole, in clothes that stand out from the room.
_PERSON, _CLIP = 25, 0
_FRAMES, _FPS, _SIDE = 100, 30.0, 512
# The columns kept, because phones are held upright; the dancer stays between 105 and 416.
_COLUMNS = slice(64, 448)
_FREE = ("CC0-1.0", "public domain")
_TRUTH = Path(__file__).parents[1] / "tests" / "sample_truth.json"

_SUITS = PersonRanges(
    collection=Collection(
        suit_share=1.0,  # the suits, shoes and hair of this list are CC0
        coat_share=0.0,
        shoes=("shoes01", "shoes02", "shoes03", "shoes04"),
        shoes_share=1.0,
        hat_share=0.0,
        glasses_share=0.0,
        bald_share=0.0,
    )
)
_PHONE = ClipRanges(
    motion=MotionRanges(group_shares=(("cmu", 1.0),), steps=(1.0,), mirror_share=0.0, jitter_share=0.0),
    camera=CameraRanges(
        distance=(3.2, 4.5),
        roll=1.5,
        track_share=0.3,
        shake=((0.01, 1.0),),
        orbit_share=0.0,
        fill=(0.8, 0.85),
        close_up_share=0.0,
        off_centre=0.01,
    ),
    room=RoomRanges(outdoor_share=0.2, hue_share=0.0, blur_share=1.0, blur=(1.0, 2.5)),
    faults=dataclasses.replace(FaultRanges.none(), noise_share=1.0, noise=2.0),
    luminance=(0.18, 0.3),
    room_ratio=(0.8, 1.0),
)


def main() -> None:
    """Write the clip into the package and its truth beside the tests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("assets", type=Path)
    assets = _free_assets(parser.parse_args().assets)
    clip = render_person(assets, sample_person(assets, _PERSON, _SUITS), _CLIP, _FRAMES, _SIDE, ranges=_PHONE)
    images = clip.images[:, :, _COLUMNS]
    height, width = images.shape[1:3]
    with OverlayWriter(sample_clip(), width, height, fps=_FPS) as writer:
        for number, image in enumerate(images):
            writer.write(image, number / _FPS)
    write_text(_TRUTH, _truth(clip))
    print(f"{sample_clip()}: {sample_clip().stat().st_size} bytes, {clip.motion}, {', '.join(clip.description)}")


def _free_assets(path: Path) -> SyntheticAssets:
    assets, meta = SyntheticAssets.load(path, share_alike=False), json.loads(str(np.load(path)["meta_json"]))
    free = {number for number, info in enumerate(meta["backgrounds"]) if info["licence"] in _FREE}
    there = assets.backgrounds

    def kept(numbers: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(number for number in numbers if number in free)

    chosen = Backgrounds(there.bank, kept(there.photos), kept(there.floors), kept(there.walls))
    return dataclasses.replace(assets, backgrounds=chosen)


def _truth(clip: SyntheticClip) -> str:
    """Keypoints [T, 17, 3] (x, y in the clip's pixels; 2 seen, 1 hidden, 0 outside), a frame a line."""
    points = clip.keypoints.astype(np.float64) - [_COLUMNS.start, 0, 0]
    lines = (json.dumps([[round(x, 1), round(y, 1), int(v)] for x, y, v in frame]) for frame in points.tolist())
    return f'{{"joints": {json.dumps(list(COCO17.keypoints))},\n "frames": [\n  ' + ",\n  ".join(lines) + "\n ]}\n"


if __name__ == "__main__":
    main()
