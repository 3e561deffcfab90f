"""Pictures whose samples use a part of their 16 bits only, as laboratory cameras write them, made visible."""

from __future__ import annotations

import numpy as np

#: Frames whose brightest sample tells how many bits a video uses.
LOOK_AT = 16
# Fewer are never taken for the range: a picture that is as dark as that is dark, not recorded in 7 bits.
_FEWEST_BITS = 8


def bits_in_use(brightest: int) -> int:
    """How many bits the samples use, from the brightest of them, 8 to 16."""
    return max(int(brightest).bit_length(), _FEWEST_BITS)


def to_uint8(samples: np.ndarray, bits: int) -> np.ndarray:
    """Samples of any shape in `bits` bits as uint8 of the same shape; brighter ones become white."""
    white = (1 << bits) - 1
    return ((np.minimum(samples, white).astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)


def stretched(bits: int) -> str:
    """What was done, in one line."""
    return f"samples use {bits} of 16 bits; 0 to {(1 << bits) - 1} was stretched to the whole range"
