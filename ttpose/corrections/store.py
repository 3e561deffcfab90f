"""A clip's corrections file while it is worked on: every change is checked, then on the disk before it counts."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ttpose.core.errors import InputError
from ttpose.core.files import write_text
from ttpose.core.skeleton import Skeleton
from ttpose.corrections.model import PARTS, Corrections, FrameCorrection, swapped
from ttpose.corrections.reading import identity_of, load, read_corrections
from ttpose.corrections.records import (
    SCHEMA,
    ClipIdentity,
    check_index,
    file_text,
    frame_record,
    parse_frames,
    reference_of,
)
from ttpose.media import SourceInfo

#: What the file is called in a clip's result folder.
CORRECTIONS = "corrections.json"


@dataclass(frozen=True)
class Entry:
    """What is known of one frame: a correction, perhaps an empty one, and a remark."""

    frame: FrameCorrection
    note: str | None = None

    @property
    def counts(self) -> bool:
        """Whether anything is corrected."""
        return bool(self.frame.corrected.any() or self.frame.swaps)


class CorrectionsFile:
    """Corrections of one clip, on disk and in memory.

    Args:
        path: The file; it need not exist.
        skeleton: The keypoint set.
        info: Of the clip.

    Raises:
        InputError: A file is there that is damaged or of another clip.
    """

    def __init__(self, path: Path, skeleton: Skeleton, info: SourceInfo) -> None:
        self.path, self.skeleton, self._info = path, skeleton, info
        self._lock = threading.Lock()  # pages ask in several threads
        self._entries: dict[int, Entry] = {}
        self._sha256: str | None = None
        if path.exists():
            self._entries = _entries(path, skeleton, info)

    @property
    def corrections(self) -> Corrections:
        """What is corrected, as learning takes it."""
        with self._lock:
            return Corrections({i: entry.frame for i, entry in sorted(self._entries.items()) if entry.counts})

    def records(self) -> list[dict[str, Any]]:
        """All frames' records, JSON-ready, in order."""
        with self._lock:
            return self._records()

    def put(self, record: Mapping[str, Any]) -> None:
        """Take a frame's record in place of an earlier one and save; one that says nothing takes the frame out.

        Raises:
            InputError: The record is wrong; nothing was changed.
            OutputError: It could not be saved; nothing was changed.
        """
        self._save({record["index"]: self._entry(record)})

    def swap(self, frames: Sequence[int], parts: tuple[str, ...], keypoints: np.ndarray) -> list[int]:
        """Swap left and right of parts in frames, of corrected joints too, and save once.

        Args:
            frames: Numbers.
            parts: Of `PARTS`.
            keypoints: [N, K, 3] the prediction that is wrong; NaN in frames where nobody was found.

        Returns:
            The frames in which all of these parts were swapped before: they stay as they were.

        Raises:
            InputError: A frame is not in the clip, or has nobody in it.
            OutputError: It could not be saved.
        """
        clip = identity_of(self._info)
        changed, before = {}, []
        for index in frames:
            check_index(index, clip)
            if index >= len(keypoints) or not np.isfinite(keypoints[index, :, 0]).any():
                raise InputError(f"frame {index}: nobody was found there, so there is nothing to swap")
            entry = self._entries.get(index, Entry(_nothing(self.skeleton)))
            new = tuple(part for part in parts if part not in entry.frame.swaps)
            if new:
                changed[index] = Entry(swap_parts(entry.frame, new, keypoints[index], self.skeleton), entry.note)
            else:
                before.append(index)
        self._save(changed)
        return before

    def clear(self, frames: Sequence[int]) -> int:
        """Take frames out and save; returns how many there were."""
        gone = [index for index in frames if index in self._entries]
        self._save({index: Entry(_nothing(self.skeleton)) for index in gone})
        return len(gone)

    def take(self, path: Path) -> int:
        """Take the corrections of another file, in place of those of the same frames, and save.

        Returns:
            How many frames it corrects.

        Raises:
            InputError, OutputError: As reading and saving do.
        """
        entries = _entries(path, self.skeleton, self._info)
        self._save(entries)
        return sum(entry.counts for entry in entries.values())

    def _entry(self, record: Mapping[str, Any]) -> Entry:
        frames = parse_frames([record], self.skeleton, identity_of(self._info))
        note = record.get("note")
        return Entry(frames.get(record["index"], _nothing(self.skeleton)), note if isinstance(note, str) else None)

    def _save(self, changes: Mapping[int, Entry]) -> None:
        if not changes:
            return
        with self._lock:
            before = self._entries
            merged = {**before, **changes}
            self._entries = {i: entry for i, entry in sorted(merged.items()) if entry.counts or entry.note}
            try:
                write_text(self.path, file_text(self._clip(), self.skeleton, self._records()))
            except BaseException:
                self._entries = before
                raise

    def _records(self) -> list[dict[str, Any]]:
        return [frame_record(i, e.frame, self.skeleton, e.note) for i, e in self._entries.items()]

    def _clip(self) -> ClipIdentity:
        identity = identity_of(self._info, fingerprint=self._sha256 is None)
        self._sha256 = self._sha256 or identity.sha256
        return ClipIdentity(identity.name, identity.width, identity.height, identity.frames, self._sha256)


def swap_parts(
    frame: FrameCorrection, parts: tuple[str, ...], keypoints: np.ndarray, skeleton: Skeleton
) -> FrameCorrection:
    """A frame with parts swapped that were not before; `keypoints` [K, 3] is the prediction."""
    order = swapped(parts, skeleton)
    fresh = reference_of(keypoints, parts, skeleton)
    reference = np.where(np.isfinite(fresh), fresh, frame.reference)
    swaps = tuple(part for part in PARTS if part in (*frame.swaps, *parts))
    return FrameCorrection(frame.keypoints[order], swaps, reference)


def _entries(path: Path, skeleton: Skeleton, info: SourceInfo) -> dict[int, Entry]:
    found = {index: Entry(frame) for index, frame in read_corrections(path, skeleton, info).frames.items()}
    content = load(path)
    if content.get("schema") == SCHEMA:
        for record in content["frames"]:
            if isinstance(record.get("note"), str):
                entry = found.get(record["index"], Entry(_nothing(skeleton)))
                found[record["index"]] = Entry(entry.frame, record["note"])
    return dict(sorted(found.items()))


def _nothing(skeleton: Skeleton) -> FrameCorrection:
    return FrameCorrection(np.full((len(skeleton), 3), np.nan))
