"""People drawn by their joint angles, to measure the angles back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17, Skeleton
from ttpose.results import FrameRecord, KeypointResult, PersonRecord

_FEET = ("left_big_toe", "left_heel", "right_big_toe", "right_heel")
#: COCO's keypoints and two of each foot.
WITH_FEET = Skeleton("with_feet", (*COCO17.keypoints, *_FEET), COCO17.limbs, (*COCO17.sigmas, *[0.09] * 4))

#: Of `duel`.
FRAMES = 12


@dataclass(frozen=True)
class Posture:
    """A person in profile, in degrees as `ttpose.results.angles` measures them.

    Attributes:
        trunk: Forward lean.
        hip, knee, ankle, shoulder, elbow: Flexion of the left and the right one.
        facing: 1 looks to the right, -1 to the left; between is foreshortened, 0 is seen from the front.
        turned: Degrees that the whole picture is turned anticlockwise.
    """

    trunk: float = 0.0
    hip: tuple[float, float] = (0.0, 0.0)
    knee: tuple[float, float] = (0.0, 0.0)
    ankle: tuple[float, float] = (0.0, 0.0)
    shoulder: tuple[float, float] = (0.0, 0.0)
    elbow: tuple[float, float] = (0.0, 0.0)
    facing: float = 1.0
    turned: float = 0.0

    @property
    def expected(self) -> dict[str, float]:
        """All angles by name."""
        found = {"trunk": self.trunk}
        for i, side in enumerate(("left", "right")):
            for joint in ("hip", "knee", "ankle", "shoulder", "elbow"):
                found[f"{side}_{joint}"] = getattr(self, joint)[i]
            thigh = self.hip[i] - self.trunk
            shank = self.knee[i] - thigh
            found |= {f"{side}_thigh": thigh, f"{side}_shank": shank, f"{side}_foot": self.ankle[i] - shank}
        return found


def drawn(posture: Posture, centre: tuple[float, float] = (500.0, 400.0)) -> np.ndarray:
    """Keypoints [K, 3] of `WITH_FEET` in pixels, y down, scores 0.9."""
    place: dict[str, complex] = {}
    angles = posture.expected

    def down(degrees: float, length: float) -> complex:
        """A limb that hangs, its lower end so many degrees in front."""
        return length * -1j * np.exp(1j * np.radians(degrees))

    for side in ("left", "right"):
        place[f"{side}_hip"] = 0j
        place[f"{side}_knee"] = down(angles[f"{side}_thigh"], 100)
        place[f"{side}_ankle"] = place[f"{side}_knee"] + down(-angles[f"{side}_shank"], 100)
        place[f"{side}_heel"] = place[f"{side}_ankle"] + down(-angles[f"{side}_shank"], 15)
        foot = 45 * np.exp(1j * np.radians(angles[f"{side}_foot"]))
        place[f"{side}_big_toe"] = place[f"{side}_heel"] + foot
        neck = -down(-posture.trunk, 120)
        place[f"{side}_shoulder"] = neck
        arm = angles[f"{side}_shoulder"] - posture.trunk
        place[f"{side}_elbow"] = neck + down(arm, 70)
        place[f"{side}_wrist"] = place[f"{side}_elbow"] + down(arm + angles[f"{side}_elbow"], 60)
        head = neck * 1.35
        place[f"{side}_ear"] = head
        forward = 1j * neck / abs(neck) * -1
        place[f"{side}_eye"], place["nose"] = head + 20 * forward + 8j, head + 28 * forward
    points = np.full((len(WITH_FEET), 3), 0.9)
    for k, name in enumerate(WITH_FEET.keypoints):
        # What foreshortening takes from the way ahead shows as width: the person's left is seen on the right.
        width = 25.0 * np.sqrt(max(1 - posture.facing**2, 0.0)) * (name.startswith("left") - name.startswith("right"))
        z = complex(place[name].real * posture.facing + width, place[name].imag) * np.exp(
            1j * np.radians(posture.turned)
        )
        points[k, :2] = centre[0] + z.real, centre[1] - z.imag
    return points


def clip(postures: list[Posture]) -> np.ndarray:
    """Keypoints [T, K, 3]."""
    return np.stack([drawn(posture) for posture in postures])


def bent(t: int, facing: int = 1) -> Posture:
    """Of `duel` in frame `t`."""
    return Posture(trunk=10, hip=(20 + t, 30), knee=(40 + 2 * t, 60), facing=facing)


def duel() -> KeypointResult:
    """Two people who face each other: one hidden in frame 3, nobody in frame 5, a left ankle unsure in frame 1."""
    frames = []
    for t in range(FRAMES):
        people = [PersonRecord(n, Box(0, 0, 9, 9), drawn(bent(t, side))) for n, side in ((1, 1), (2, -1))]
        if t == 1:
            people[0].keypoints[WITH_FEET.index("left_ankle"), 2] = 0.1
        kept = () if t == 5 else tuple(people[: 1 if t == 3 else 2])
        frames.append(FrameRecord(t, t / 25, kept, "nobody found" if t == 5 else None))
    source = {"path": "duel.mp4", "kind": "video", "width": 640, "height": 480, "frames": FRAMES, "duration_s": 0.48}
    model = {"base": "mobile", "base_sha256": "ab" * 32, "person": None, "person_sha256": None, "guard": None}
    return KeypointResult(source, model, WITH_FEET, frames)
