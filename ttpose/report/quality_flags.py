"""Quality flags: stretches of frames where not to trust a result, each with a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ttpose.results import KeypointResult
from ttpose.results.angles import JOINTS, BodyAngles
from ttpose.results.series import off_straight

# The score below which the overlay leaves a keypoint out.
_LOW = 0.2
# A frame has low confidence when this share of the keypoints is below that.
_LOW_SHARE = 1 / 3
# Mean distance from the base's single-view keypoints, in torsos, that a viewer should check.
_MOVED = 0.2
# A keypoint jumps when it leaves the straight way between the frames before and after by this many torsos; fast golf
# swings and kicks at 30 frames a second stay below.
_JUMP = 0.25
# Frames of one kind that are no further apart than this make one stretch.
_GAP = 3
_MOST = 30  # stretches of one kind in the list

#: Kinds of flags in the order shown, with their headings.
KINDS = {
    "damaged": "Damaged frames",
    "nobody": "Person not found",
    "swapped": "Left and right swapped",
    "low": "Low confidence",
    "jumps": "Keypoints that jump",
    "gaps": "Angles with gaps",
    "moved": "Far from the base's keypoints",
    "other": "Other remarks",
}


@dataclass(frozen=True)
class QualityFlag:
    """A stretch of frames to check.

    Attributes:
        kind: A key of `KINDS`.
        first, last: Frame numbers, both included.
        text: Why, in plain words.
    """

    kind: str
    first: int
    last: int
    text: str


@dataclass(frozen=True)
class FlagGroup:
    """All quality flags of one kind.

    Attributes:
        heading: In plain words.
        frames: The frames that it concerns.
        stretches: The longest stretches, in order of time.
        left_out: How many shorter stretches are not in the list.
    """

    heading: str
    frames: frozenset[int]
    stretches: tuple[QualityFlag, ...]
    left_out: int


def find_flags(
    result: KeypointResult,
    keypoints: np.ndarray,
    base: np.ndarray,
    times: np.ndarray,
    torso: float,
    angles: BodyAngles | None = None,
) -> list[FlagGroup]:
    """Flag frames of a result, by kind.

    Args:
        result: The frames and their notes.
        keypoints: Its keypoints [N, K, 3].
        base: The base's single-view keypoints [N, K, 3]; NaN for those that it does not know.
        times: Seconds [N].
        torso: In the keypoints' pixels.
        angles: Of the keypoints; each joint's gaps are listed on their own.
    """
    reasons: dict[str, dict[int, str]] = {kind: {} for kind in KINDS}
    names = [name.replace("_", " ") for name in result.skeleton.keypoints]
    apart, jumps = _apart(keypoints, base, torso), off_straight(keypoints, times) / torso > _JUMP
    for position, frame in enumerate(result.frames):
        note = frame.note or ""
        if all(person.filled for person in frame.people):
            kind = "damaged" if "damage" in note else "nobody"
            reasons[kind][position] = note or "nobody was found"
            continue
        if "swapped" in note:
            reasons["swapped"][position] = note
        elif note:
            reasons["other"][position] = note
        low = np.flatnonzero(keypoints[position, :, 2] < _LOW)
        if len(low) >= _LOW_SHARE * len(result.skeleton):
            reasons["low"][position] = ", ".join(names[k] for k in low)
        jumping = np.flatnonzero(jumps[position] & (keypoints[position, :, 2] >= _LOW))
        if len(jumping):
            reasons["jumps"][position] = ", ".join(names[k] for k in jumping)
        if apart[position] > _MOVED:
            reasons["moved"][position] = f"{apart[position]:.2f}"
    there = [any(not person.filled for person in frame.people) for frame in result.frames]
    groups = {kind: _listed(kind, where) for kind, where in reasons.items() if where}
    if angles is not None and (gaps := _gaps(angles, np.array(there, dtype=bool))):
        groups["gaps"] = _shown("gaps", gaps)
    return [groups[kind] for kind in KINDS if kind in groups]


def _gaps(angles: BodyAngles, there: np.ndarray) -> list[QualityFlag]:
    """The stretches in which a joint's angle is not known though the person is there [N]."""
    flags = []
    for name in angles.names:
        side, _, part = name.partition("_")
        if part in JOINTS:
            gaps = there & ~np.isfinite(angles.column(name))
            never = bool(there.any()) and bool((gaps == there).all())
            parts = _stretches(np.flatnonzero(gaps).tolist())
            why = "is never known" if never else "is not known"
            flags += [QualityFlag("gaps", p[0], p[-1], f"the {side} {part} angle {why}") for p in parts]
    return flags


def _apart(keypoints: np.ndarray, base: np.ndarray, torso: float) -> np.ndarray:
    """Mean distance from the base's keypoints [N] in torsos, each keypoint's up to one torso; 0 where nobody is.

    Keypoints that the base has in no frame, such as those of the feet, do not count.
    """
    distance = np.linalg.norm(keypoints[..., :2] - base[..., :2], axis=-1) / torso
    known = np.isfinite(base[..., 0]).any(axis=0)
    if not known.any():
        return np.zeros(len(base))
    return np.nan_to_num(np.minimum(np.compress(known, distance, axis=1), 1.0)).mean(axis=1)


def _listed(kind: str, where: dict[int, str]) -> FlagGroup:
    return _shown(kind, [_flag(kind, part, where) for part in _stretches(sorted(where))], frozenset(where))


def _shown(kind: str, stretches: Sequence[QualityFlag], frames: frozenset[int] | None = None) -> FlagGroup:
    """The longest stretches of a kind; their frames are all from first to last unless they are given."""
    if frames is None:
        frames = frozenset(frame for flag in stretches for frame in range(flag.first, flag.last + 1))
    longest = sorted(stretches, key=lambda flag: flag.first - flag.last)[:_MOST]
    shown = tuple(sorted(longest, key=lambda flag: flag.first))
    return FlagGroup(KINDS[kind], frames, shown, len(stretches) - len(shown))


def _stretches(positions: Sequence[int]) -> list[list[int]]:
    parts: list[list[int]] = []
    for position in positions:
        if parts and position - parts[-1][-1] <= _GAP:
            parts[-1].append(position)
        else:
            parts.append([position])
    return parts


def _flag(kind: str, positions: list[int], where: dict[int, str]) -> QualityFlag:
    texts = [where[position] for position in positions]
    if kind == "low":
        count = Counter(name for text in texts for name in text.split(", "))
        names = [name for name, frames in count.most_common() if frames * 2 >= len(texts)]
        text = ", ".join(names) + f" below {_LOW}"
    elif kind == "jumps":
        text = ", ".join(dict.fromkeys(name for text in texts for name in text.split(", ")))
    elif kind == "moved":
        text = f"keypoints moved by up to {max(texts, key=float)} torso lengths on average"
    else:
        text = Counter(texts).most_common(1)[0][0]
    return QualityFlag(kind, positions[0], positions[-1], text)
