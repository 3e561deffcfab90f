"""Frames and parts of the body as commands name them: `162-163`, `40,44-48`; `legs`, `arms`, `head`, `all`."""

from __future__ import annotations

import re

from ttpose.core.errors import UsageError
from ttpose.corrections.model import PARTS


def frames_named(text: str) -> list[int]:
    """Frame numbers of a list such as `162-163` or `40,44-48`; raises UsageError."""
    found: list[int] = []
    for part in text.replace(" ", "").split(","):
        span = re.fullmatch(r"(\d{1,9})(?:[-–](\d{1,9}))?", part, re.ASCII)
        if span is None:
            raise UsageError(
                f"{text!r} names no frames", "use a number such as 162, a span such as 162-170, or several"
            )
        first, last = int(span[1]), int(span[2] or span[1])
        if last < first:
            raise UsageError(f"the span {part} ends before it begins", f"write {last}-{first}")
        if last - first > 1_000_000:  # a slip of the finger, before it fills the memory
            raise UsageError(f"the span {part} is longer than any clip")
        found += range(first, last + 1)
    return list(dict.fromkeys(found))


def parts_named(text: str) -> tuple[str, ...]:
    """Parts of the body that a word means; raises UsageError."""
    if text == "all":
        return PARTS
    if text not in PARTS:
        raise UsageError(f"left and right of {text!r} cannot be swapped", f"use {', '.join(PARTS)} or all")
    return (text,)
