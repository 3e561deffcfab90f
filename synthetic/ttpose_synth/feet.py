"""The points of the feet that keypoints name."""

from __future__ import annotations

import numpy as np

from ttpose_synth.body import BodyModel
from ttpose_synth.rig import Rig

_MOST = 0.5  # share of a vertex's weight from where on it belongs to the foot


def foot_points(model: BodyModel, rig: Rig, body: np.ndarray) -> dict[str, np.ndarray]:
    """Heels and big toes of a body [V, 3] in the rest pose, metres, on the bare skin.

    The heel is the hindmost point of the foot, the big toe the foremost one of that toe. Toes do not bend in recorded
    motions, so that both go with the foot's bone.
    """
    points = {}
    for suffix, side in ((".L", "left"), (".R", "right")):

        def skin(*stems: str, suffix: str = suffix) -> np.ndarray:
            bones = [i for i, name in enumerate(rig.names) if name.startswith(stems) and name.endswith(suffix)]
            return body[model.on_surface & (model.bone_share(bones) > _MOST)]

        foot, toe = skin("foot", "toe"), skin("toe1-")
        points[f"{side}_heel"] = foot[foot[:, 2].argmin()]
        points[f"{side}_big_toe"] = toe[toe[:, 2].argmax()]
    return points
