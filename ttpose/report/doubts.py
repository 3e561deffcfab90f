"""Where not to trust a result: stretches of frames with a reason, to jump to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ttpose.results import KeypointResult
from ttpose.results.series import off_straight

# The score below which the overlay leaves a keypoint out.
_LOW = 0.2
# A frame counts as unsure when this share of the keypoints is below that.
_UNSURE_SHARE = 1 / 3
# Mean distance of before and after, in torsos, that a viewer should look at.
_MOVED = 0.2
# A keypoint jumps when it leaves the straight way between the frames before and after by this many torsos; fast golf
# swings and kicks at 30 frames a second stay below.
_JUMP = 0.25
# Frames of one kind that are no further apart than this make one stretch.
_GAP = 3
_MOST = 30  # stretches of one kind in the list

#: Kinds of doubt in the order shown, with their headings.
KINDS = {
    "damaged": "Damaged frames",
    "nobody": "Person not found",
    "swapped": "Left and right swapped",
    "unsure": "Low confidence",
    "jumps": "Keypoints that jump",
    "moved": "Before and after far apart",
    "odd": "Other remarks",
}


@dataclass(frozen=True)
class Doubt:
    """A stretch of frames.

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
class Doubts:
    """All doubts of one kind.

    Attributes:
        heading: In plain words.
        frames: The frames that it concerns.
        stretches: The longest stretches, in order of time.
        left_out: How many shorter stretches are not in the list.
    """

    heading: str
    frames: frozenset[int]
    stretches: tuple[Doubt, ...]
    left_out: int


def find_doubts(
    result: KeypointResult, after: np.ndarray, before: np.ndarray, times: np.ndarray, torso: float
) -> list[Doubts]:
    """Look through a result.

    Args:
        result: The frames and their notes.
        after: Its keypoints [N, K, 3].
        before: The base's [N, K, 3].
        times: Seconds [N].
        torso: In the keypoints' pixels.
    """
    reasons: dict[str, dict[int, str]] = {kind: {} for kind in KINDS}
    names = [name.replace("_", " ") for name in result.skeleton.keypoints]
    apart, jumps = _apart(after, before, torso), off_straight(after, times) / torso > _JUMP
    for position, frame in enumerate(result.frames):
        note = frame.note or ""
        if all(person.filled for person in frame.people):
            kind = "damaged" if "damage" in note else "nobody"
            reasons[kind][position] = note or "nobody was found"
            continue
        if "swapped" in note:
            reasons["swapped"][position] = note
        elif note:
            reasons["odd"][position] = note
        low = np.flatnonzero(after[position, :, 2] < _LOW)
        if len(low) >= _UNSURE_SHARE * len(result.skeleton):
            reasons["unsure"][position] = ", ".join(names[k] for k in low)
        jumping = np.flatnonzero(jumps[position] & (after[position, :, 2] >= _LOW))
        if len(jumping):
            reasons["jumps"][position] = ", ".join(names[k] for k in jumping)
        if apart[position] > _MOVED:
            reasons["moved"][position] = f"{apart[position]:.2f}"
    return [_listed(kind, where) for kind, where in reasons.items() if where]


def _apart(after: np.ndarray, before: np.ndarray, torso: float) -> np.ndarray:
    """Mean distance of before and after [N] in torsos, each keypoint's up to one torso; 0 where nobody is."""
    distance = np.linalg.norm(after[..., :2] - before[..., :2], axis=-1) / torso
    return np.nan_to_num(np.minimum(distance, 1.0)).mean(axis=1)


def _listed(kind: str, where: dict[int, str]) -> Doubts:
    stretches = [_doubt(kind, part, where) for part in _stretches(sorted(where))]
    longest = sorted(stretches, key=lambda d: d.first - d.last)[:_MOST]
    shown = tuple(sorted(longest, key=lambda d: d.first))
    return Doubts(KINDS[kind], frozenset(where), shown, len(stretches) - len(shown))


def _stretches(positions: Sequence[int]) -> list[list[int]]:
    parts: list[list[int]] = []
    for position in positions:
        if parts and position - parts[-1][-1] <= _GAP:
            parts[-1].append(position)
        else:
            parts.append([position])
    return parts


def _doubt(kind: str, positions: list[int], where: dict[int, str]) -> Doubt:
    texts = [where[position] for position in positions]
    if kind == "unsure":
        count = Counter(name for text in texts for name in text.split(", "))
        names = [name for name, frames in count.most_common() if frames * 2 >= len(texts)]
        text = ", ".join(names) + f" below {_LOW}"
    elif kind == "jumps":
        text = ", ".join(dict.fromkeys(name for text in texts for name in text.split(", ")))
    elif kind == "moved":
        text = f"keypoints moved by up to {max(texts, key=float)} torso lengths on average"
    else:
        text = Counter(texts).most_common(1)[0][0]
    return Doubt(kind, positions[0], positions[-1], text)
