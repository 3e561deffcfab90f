"""Labelled clips of synthetic people, rendered on the CPU from one asset file (docs/synthetic.md).

The way from seeds to files: `assets` (what there is) -> `person` (body, garments, head) -> `take` (motion) -> `scene`
(camera, light, room, faults) -> `bystander` (somebody else, if wanted) -> `clip` (pictures and labels) -> `shards` and
`generate` (files).
"""

from __future__ import annotations

from ttpose_synth.assets import SyntheticAssets
from ttpose_synth.clip import SyntheticClip, render_clip, render_person
from ttpose_synth.person import Person, sample_person

__all__ = [
    "Person",
    "SyntheticAssets",
    "SyntheticClip",
    "render_clip",
    "render_person",
    "sample_person",
]
