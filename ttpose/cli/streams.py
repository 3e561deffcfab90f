"""What to do when the reader of our output, such as `head`, has left."""

from __future__ import annotations

import os
import sys


def drop_stdout() -> None:
    """Point stdout at nothing, so that flushing it while the interpreter shuts down does not complain again."""
    if sys.__stdout__ is not None:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.__stdout__.fileno())
        os.close(nothing)
