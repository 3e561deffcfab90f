"""Labelled clips of our own format (`ttpose.data.labelled_clip`): a folder of pictures with a labels.json each."""

from __future__ import annotations

from pathlib import Path

from ttpose.core.errors import InputError
from ttpose.core.progress import Progress
from ttpose.data.labelled_clip import LabelledClip, distinct_names, find_clips, read_clip
from ttpose.data.video import Skips, Split, Video, keep_usable, skeleton_of


def read_clips(folder: Path, split: Split, progress: Progress | None = None) -> list[Video]:
    """The clips of a split: those below `train/` or `test/` if the folder has such a folder, else all.

    Raises:
        InputError: No clip there, or malformed labels.
    """
    part = folder / split
    skips = Skips("clips")
    clips = [read_clip(path) for path in find_clips(part if part.is_dir() else folder)]
    named = zip(clips, distinct_names(clips, folder), strict=True)
    videos = keep_usable([video for clip, name in named for video in _videos(clip, name)], skips)
    skips.tell(progress)
    if not videos:
        raise InputError(f"no clip in {folder} has a labelled joint")
    return videos


def _videos(clip: LabelledClip, name: str) -> list[Video]:
    skeleton = skeleton_of(clip.joints, "clip")
    if clip.person is not None:
        return [Video(name, clip.person, clip.frames, skeleton, clip.scored_joints)]
    # Stills of different people: each is a video of one frame.
    names = [f"{name}/{frame.path.stem}" for frame in clip.frames]
    return [
        Video(name, name, (frame,), skeleton, clip.scored_joints)
        for name, frame in zip(names, clip.frames, strict=True)
    ]
