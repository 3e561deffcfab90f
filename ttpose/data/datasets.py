"""Datasets behind one small interface: a list of videos of one person each. Nothing is ever downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from ttpose.core.errors import InputError, UsageError
from ttpose.core.progress import Progress
from ttpose.data.labelled_clip import LabelledFrame
from ttpose.data.video import Split, Video

__all__ = ["KINDS", "LabelledFrame", "Split", "Video", "open_dataset"]

#: The kinds of dataset and what follows the colon.
KINDS = {
    "penn": "DIR",
    "bbc": "DIR",
    "h36m": "DIR",
    "coco": "FILE.json[:IMAGES]",
    "clips": "DIR",
    "shards": "DIR",
}
#: The kinds that bring their own division into training and test videos.
SPLIT_KINDS = ("penn", "bbc", "h36m")


def open_dataset(spec: str, split: Split = "train", progress: Progress | None = None) -> list[Video]:
    """Read the labels of a dataset; pictures are read on demand, but those that are missing are left out.

    Args:
        spec: `penn:DIR`, `bbc:DIR`, `h36m:DIR`, `coco:FILE.json[:IMAGES]`, `clips:DIR` or `shards:DIR`.
        split: Which part; a COCO file has only one, and clips and shards are divided only where DIR has `train/` or
            `test/`.
        progress: Told how many frames and videos are left out, and why.

    Returns:
        At least one video, each with at least one frame.

    Raises:
        UsageError: The description is of another form.
        InputError: A path is missing or a file malformed.
    """
    if split not in get_args(Split):
        raise UsageError(f"there is no split {split}", "use train or test")
    kind, place = kind_of(spec), spec.partition(":")[2]
    if kind == "coco":
        from ttpose.data.coco import read_coco

        file, pictures = _file_and_pictures(place)
        return read_coco(file, pictures, progress)
    folder = Path(place)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", f"{kind}:DIR needs the unpacked dataset; nothing is downloaded")
    if kind == "penn":
        from ttpose.data.penn import read_penn

        return read_penn(folder, split, progress)
    if kind == "bbc":
        from ttpose.data.bbc import read_bbc

        return read_bbc(folder, split, progress)
    if kind == "h36m":
        from ttpose.data.h36m import read_h36m

        return read_h36m(folder, split, progress)
    if kind == "shards":
        from ttpose.data.rendered import read_rendered

        return read_rendered(folder, split, progress)
    from ttpose.data.clips import read_clips

    return read_clips(folder, split, progress)


def kind_of(spec: str) -> str:
    """The kind that a description names; raises UsageError for one of another form."""
    kind, colon, place = spec.partition(":")
    if kind not in KINDS or not colon or not place:
        forms = ", ".join(f"{name}:{place}" for name, place in KINDS.items())
        raise UsageError(f"{spec} names no dataset", f"use {forms}")
    return kind


def _file_and_pictures(place: str) -> tuple[Path, Path | None]:
    """Divide `FILE.json[:IMAGES]`; the colon of a Windows drive is none of ours."""
    head, colon, tail = place.partition(".json:")
    return (Path(f"{head}.json"), Path(tail)) if colon else (Path(place), None)
