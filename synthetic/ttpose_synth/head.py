"""Hair colour, skin tone, and the points of the face that keypoints name."""

from __future__ import annotations

import numpy as np

from ttpose_synth.body import BodyModel, BodyShape
from ttpose_synth.image_bank import ImageBank, texture_sized, with_alpha
from ttpose_synth.rig import Rig

# RGB of black, dark brown, brown, dark blond, blond, grey, red hair, and how often they are drawn.
_HAIR_COLOURS = (
    (16, 18, 20), (50, 35, 25), (75, 45, 30), (150, 100, 60), (200, 160, 110), (140, 140, 140), (110, 40, 30),
)  # fmt: skip
_HAIR_SHARES = (0.32, 0.22, 0.16, 0.12, 0.07, 0.07, 0.04)
# Vertices of the base mesh: tip of the nose, entrance of the left ear.
_NOSE_VERTEX, _LEFT_EAR_VERTEX = 5134, 12038


def hair_texture(rng: np.random.Generator, texture: np.ndarray) -> np.ndarray:
    """Dye a hair texture RGBA uint8 [H, W, 4] in a random natural colour, keeping its strands."""
    hair = texture.astype(np.float32)
    opaque = hair[..., 3] > 60
    mean = hair[..., :3][opaque].mean() if opaque.any() else 90.0
    colour = np.array(_HAIR_COLOURS[rng.choice(len(_HAIR_COLOURS), p=_HAIR_SHARES)], np.float32)
    shade = 0.45 + 0.7 * hair[..., :3].mean(2, keepdims=True) / mean
    hair[..., :3] = np.clip(colour * rng.uniform(0.8, 1.2) * shade, 0, 255)
    return hair.astype(np.uint8)


def skin_texture(skins: ImageBank, rng: np.random.Generator, shape: BodyShape) -> np.ndarray:
    """Draw a skin that fits the body, and its tone: RGBA uint8 [256, 256, 4]."""
    dark = shape.ethnicity == "african"
    names = [n for n in skins.names if n.split("_")[2] == shape.gender and ("darkskinned" in n) == dark]
    skin = texture_sized(with_alpha(skins.named(str(rng.choice(names))))).astype(np.float32)
    brightness, blue, green = rng.uniform(0.75, 1.15), rng.uniform(0.9, 1.08), rng.uniform(0.95, 1.04)
    skin[..., :3] = np.clip(skin[..., :3] * (brightness * np.array([1.0, green, blue], np.float32)), 0, 255)
    return skin.astype(np.uint8)


def face_points(model: BodyModel, rig: Rig, body: np.ndarray) -> dict[str, np.ndarray]:
    """Nose, eyes, ears, top of the head and middle of the head of a body [V, 3] in the rest pose, metres."""
    head, tail = rig.heads(body), rig.tails(body)
    left_ear = body[_LEFT_EAR_VERTEX]
    points = {
        "nose": body[_NOSE_VERTEX],
        "left_ear": left_ear,
        "right_ear": left_ear * np.array([-1, 1, 1], np.float32),
    }
    for suffix, name in ((".L", "left_eye"), (".R", "right_eye")):
        bone = rig.number["eye" + suffix]  # runs from the eyeball's centre through the pupil
        points[name] = head[bone] + (tail[bone] - head[bone]) * 0.45
    skull = body[model.on_surface & (model.bone_share([rig.number["head"]]) > 0.5)]
    points["head_top"] = np.array([0, skull[:, 1].max(), skull[:, 2].mean()], np.float32)
    points["head"] = (points["left_ear"] + points["right_ear"]) / 4 + points["head_top"] / 2
    return points
