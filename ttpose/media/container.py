"""Opening a video file: which of its tracks is the picture, and what is said of files that hold none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttpose.core.errors import InputError

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

# FFmpeg's demuxer that paints any text file as a terminal would.
_NOT_VIDEO = frozenset({"tty"})
# In MP4 and MOV the flag means "enabled", and every writer sets it on the first track where nobody asked for another.
_FLAGS_THE_FIRST = frozenset({"mov"})


def file_url(path: Path) -> str:
    """What FFmpeg takes for this very file; names such as "concat:a" or "take:2.mp4" look like protocols otherwise."""
    return f"file:{path.absolute()}"


@contextmanager
def open_container(path: Path, number: int | None = None) -> Iterator[tuple[InputContainer, av.VideoStream]]:
    """Open a video file and choose its picture track; closes on leaving.

    Args:
        path: The file.
        number: The track to take, counted over all tracks of the file from 0; None takes the main one.

    Raises:
        InputError: The file is no video, has no such track, or is damaged beyond opening.
    """
    import av

    try:
        container = av.open(file_url(path), metadata_errors="replace")
    except (av.FFmpegError, ValueError) as error:
        raise _cannot_open(path) from error
    with container:
        if container.format.name in _NOT_VIDEO:
            raise _cannot_open(path)
        tracks = video_tracks(container)
        if not tracks:
            raise InputError(f"{path} has no video track", _what_else(container))
        if number is None:
            yield container, main_track(tracks, container.format.name)
            return
        chosen = [track for track in tracks if track.index == number]
        if not chosen:
            raise InputError(f"{path} has no video track {number}", f"it has {' and '.join(map(_named, tracks))}")
        yield container, chosen[0]


def video_tracks(container: InputContainer) -> list[Any]:
    """The tracks that show moving pictures and can be decoded; covers and thumbnails are none."""
    from av.stream import Disposition

    stills = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    return [t for t in container.streams.video if t.codec_context is not None and not t.disposition & stills]


def main_track(tracks: Sequence[Any], format_name: str) -> Any:
    """The track that the file flags as the default one, else the largest; of several the first.

    A flag that all tracks have, or that a writer sets by itself, does not tell one from the others.
    """
    from av.stream import Disposition

    flagged = [track for track in tracks if track.disposition & Disposition.default]
    if flagged == [tracks[0]] and _FLAGS_THE_FIRST & set(format_name.split(",")):
        flagged = []
    return max(flagged or tracks, key=lambda track: track.width * track.height)


def other_tracks(container: InputContainer, chosen: Any) -> str:
    """One line that names the tracks that were not chosen; empty where there is but one."""
    others = [_named(track) for track in video_tracks(container) if track.index != chosen.index]
    if not others:
        return ""
    return f"video track {_named(chosen)} is used, not {' or '.join(others)}; --stream N takes another"


def _named(track: Any) -> str:
    return f"{track.index} ({track.width}×{track.height})"


def _what_else(container: InputContainer) -> str:
    kinds = [kind for kind in ("audio", "subtitles") if getattr(container.streams, kind)]
    names = {"audio": "sound", "subtitles": "subtitles"}
    held = f"it holds only {' and '.join(names[kind] for kind in kinds)}; " if kinds else ""
    return f"{held}choose a video or an image"


def _cannot_open(path: Path) -> InputError:
    with open(path, "rb") as handle:
        head = handle.read(12)
    if head[4:8] == b"ftyp":
        return InputError(
            f"{path} is an MP4 or MOV without a readable index; it was cut off while recording or copying",
            "copy it again from the camera, or repair it with a tool such as untrunc",
        )
    return InputError(f"{path} is not a video or image that can be read", "check that it plays, or convert it to MP4")


def others_start(container: InputContainer, chosen: Any) -> Fraction | None:
    """When the first of the file's other tracks of picture or sound begins, in seconds; None without any that says.

    Sound that begins before 0 is what its decoder needs to warm up, and is not played.
    """
    tracks = [track for track in (*video_tracks(container), *container.streams.audio) if track.index != chosen.index]
    starts = [Fraction(track.start_time) * track.time_base for track in tracks if track.start_time is not None]
    return max(min(starts), Fraction(0)) if starts else None
