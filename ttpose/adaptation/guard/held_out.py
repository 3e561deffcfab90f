"""Which crops are kept out of learning, for the guard."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ttpose.inference.crops import PersonCrop, by_clip

RUN = 3  #: Held-out frames come in runs of three neighbours, so that movement can be measured.


def hold_out(count: int, most: int = 24) -> list[int]:
    """Positions of held-out crops: runs of three neighbours, at most a fifth of all and at most `most`."""
    runs = min(count // (5 * RUN), most // RUN)
    starts = np.linspace(0, count - RUN, runs + 2)[1:-1].astype(int) if runs else np.zeros(0, int)
    return sorted({int(s) + k for s in starts for k in range(RUN)})


def held_out(crops: Sequence[PersonCrop], most: int = 24) -> list[int]:
    """Positions of held-out crops of one or several clips: `hold_out` in each, and every fifth of the short ones."""
    parts = by_clip(crops)
    long = [part for part in parts if part.stop - part.start >= 5 * RUN]
    each = max(most // max(len(long), 1), RUN)
    found = [part.start + i for part in long[: most // RUN] for i in hold_out(part.stop - part.start, each)]
    if len(parts) > 1:
        # Of photos and short clips none can be spared within; whole ones are, which nothing learned from is like.
        short = [part for part in parts if part.stop - part.start < 5 * RUN][2::5]
        found += [i for part in short for i in range(part.start, part.stop)][:most]
    return sorted(found)
