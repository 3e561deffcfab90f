"""Fill a folder with synthetic people: many identities, several processes, resumable.

OUT/synth.json                                 settings that all people of the folder share
OUT/identity_0000007/clip_00/                  a labelled clip (ttpose.data.labelled_clip), or
OUT/identity_0000007.npz                       all clips of a person (ttpose.data.shards)
"""

from __future__ import annotations

import json
import multiprocessing
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from ttpose.core.errors import InputError, OutputError, TTPoseError, UsageError
from ttpose.core.files import sha256_of, write_text
from ttpose.core.progress import Progress
from ttpose.core.skeleton import COCO17_FEET
from ttpose.core.stopping import end_now
from ttpose.data.labelled_clip import LABELS_NAME, write_clip
from ttpose.data.shards import write_shard
from ttpose_synth.assets import SyntheticAssets
from ttpose_synth.clip import SyntheticClip, render_person
from ttpose_synth.person import sample_person
from ttpose_synth.scene import BystanderRanges, ClipRanges

SETTINGS_NAME = "synth.json"
_FORMAT = "ttpose.synthetic/1"
_SOURCE = "rendered by ttpose synth"
_OWN_NAME = re.compile(r"identity_\d{7,}(\.npz)?")


@dataclass(frozen=True)
class RenderSettings:
    """What all people of a folder share.

    Attributes:
        clips: Per person; their seeds are 0, 1, ...
        frames: Per clip.
        size: Side of the pictures in pixels.
        masks: Whether to write the person's masks.
        shards: One `.npz` per person, else one folder per clip.
        share_alike: Whether to use backgrounds under CC BY-SA.
        quality: JPEG quality.
        bystanders: Share of clips with somebody else in the picture, 0..1.
    """

    clips: int = 2
    frames: int = 16
    size: int = 256
    masks: bool = False
    shards: bool = False
    share_alike: bool = True
    quality: int = 92
    bystanders: float = 0.0


@dataclass(frozen=True)
class Generated:
    """How many people were rendered, and how many had been finished before."""

    rendered: int
    kept: int


def generate(
    out: Path | str,
    assets: Path | str,
    *,
    identities: int,
    settings: RenderSettings,
    seed: int = 0,
    jobs: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Generated:
    """Render people with seeds `seed`, `seed + 1`, ...; those that are there already are kept.

    Args:
        out: The folder; made if it is missing.
        assets: The asset file.
        identities: How many people.
        settings: How to render them.
        seed: Of the first person.
        jobs: Processes; the result does not depend on it.
        overwrite: Remove what an earlier run made and render everything.
        progress: Receives one stage, "people".

    Raises:
        UsageError: A number is too small, or the folder holds people of other settings.
        InputError: The asset file cannot be used.
        OutputError: The folder cannot be written.
    """
    out, assets, progress = Path(out), Path(assets), progress or Progress()
    if min(identities, settings.clips, settings.frames, jobs) < 1 or settings.size < 32 or seed < 0:
        raise UsageError("identities, clips, frames and jobs must be 1 or more, size 32 or more, the seed 0 or more")
    if not 0 <= settings.bystanders <= 1:
        raise UsageError(f"bystanders is the share of clips with somebody else, 0 to 1, not {settings.bystanders}")
    loaded = _loaded(assets, settings.share_alike)
    _prepare(out, assets, settings, overwrite)
    seeds = range(seed, seed + identities)
    missing = [number for number in seeds if not _is_finished(out, settings, number)]
    with progress.stage("people", identities) as advance:
        if kept := identities - len(missing):
            progress.note(f"{kept} of {identities} people were finished before and are kept")
            advance(kept)
        if jobs == 1 or len(missing) < 2:
            for number in missing:
                render_identity(loaded, out, settings, number)
                advance(1)
        else:
            _render_in_processes(out, assets, settings, missing, min(jobs, len(missing)), advance)
    return Generated(len(missing), identities - len(missing))


def render_identity(assets: SyntheticAssets, out: Path, settings: RenderSettings, seed: int) -> None:
    """Render one person's clips into a folder, leaving out finished ones."""
    person = sample_person(assets, seed)

    def clip(number: int) -> SyntheticClip:
        ranges = ClipRanges(bystanders=BystanderRanges(share=settings.bystanders))
        return render_person(assets, person, number, settings.frames, settings.size, ranges=ranges)

    if settings.shards:
        clips = [clip(number) for number in range(settings.clips)]
        write_shard(_shard(out, seed), clips, masks=settings.masks, quality=settings.quality)
        return
    for number, folder in enumerate(_folders(out, settings, seed)):
        if not (folder / LABELS_NAME).exists():
            _write_folder(folder, clip(number), settings)


def _write_folder(folder: Path, clip: SyntheticClip, settings: RenderSettings) -> None:
    identity = folder.parent.name
    write_clip(
        folder,
        clip.images,
        np.concatenate([clip.keypoints, clip.foot_points], axis=1),
        clip.boxes,
        joints=COCO17_FEET.keypoints,
        name=f"{identity}_{folder.name}",
        person=identity,
        source=_SOURCE,
        masks=clip.masks if settings.masks else None,
        quality=settings.quality,
        extra={
            "identity_seed": clip.identity_seed,
            "clip_seed": clip.clip_seed,
            "motion": clip.motion,
            "frame_step": clip.frame_step,
            "description": list(clip.description),
        },
    )


def _shard(out: Path, seed: int) -> Path:
    return out / f"identity_{seed:07d}.npz"


def _folders(out: Path, settings: RenderSettings, seed: int) -> list[Path]:
    return [out / f"identity_{seed:07d}" / f"clip_{number:02d}" for number in range(settings.clips)]


def _is_finished(out: Path, settings: RenderSettings, seed: int) -> bool:
    if settings.shards:
        return _shard(out, seed).exists()
    return all((folder / LABELS_NAME).exists() for folder in _folders(out, settings, seed))


def _prepare(out: Path, assets: Path, settings: RenderSettings, overwrite: bool) -> None:
    """Make the folder and note its settings in it; refuse one of other settings, or empty it to overwrite."""
    wanted = {"format": _FORMAT, "assets_sha256": sha256_of(assets), **asdict(settings)}
    try:
        out.mkdir(parents=True, exist_ok=True)
        if overwrite:
            for path in _own_entries(out):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        elif next(_own_entries(out), None) is not None and (other := _difference(out / SETTINGS_NAME, wanted)):
            raise UsageError(f"{out} holds people with other settings: {other}", "choose another folder or --overwrite")
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror or error}", "check the path and permissions") from error
    write_text(out / SETTINGS_NAME, json.dumps(wanted, indent=1) + "\n")


def _own_entries(out: Path) -> Iterator[Path]:
    return (path for path in sorted(out.iterdir()) if _OWN_NAME.fullmatch(path.name))


def _difference(path: Path, wanted: dict[str, object]) -> str:
    """Which settings of a folder differ from the wanted ones, in words; empty if none."""
    try:
        present = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return f"{path.name} is missing"
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}") from error
    before = asdict(RenderSettings())  # a folder of an earlier version lacks what came later
    names = [k for k in wanted if not isinstance(present, dict) or present.get(k, before.get(k)) != wanted[k]]
    return ", ".join(names)


@lru_cache(maxsize=1)
def _loaded(assets: Path, share_alike: bool) -> SyntheticAssets:
    """The asset file, read once per process."""
    return SyntheticAssets.load(assets, share_alike)


def _render_in_processes(
    out: Path, assets: Path, settings: RenderSettings, seeds: list[int], jobs: int, advance: Callable[[int], None]
) -> None:
    # Fresh processes: forked copies of a parent with threads (numba, OpenCV) may hang.
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _start_worker)
    try:
        for done in as_completed([pool.submit(_render_in_worker, out, assets, settings, seed) for seed in seeds]):
            done.result()
            advance(1)
    except BrokenProcessPool as error:
        raise TTPoseError(
            "a rendering process was killed", "probably memory: each needs about 400 MB, use fewer --jobs"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    cv2.setNumThreads(1)
    # Ctrl-C goes to the whole group; the parent alone decides, so that a person is finished or not begun.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _: end_now(number))


def _render_in_worker(out: Path, assets: Path, settings: RenderSettings, seed: int) -> None:
    render_identity(_loaded(assets, settings.share_alike), out, settings, seed)
