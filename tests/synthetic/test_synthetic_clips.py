"""Rendering with the real asset file; its path is given by the environment variable TTPOSE_SYNTH_ASSETS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba", reason="numba comes with ttpose[training]")

from ttpose_synth import (
    SyntheticAssets,
    SyntheticClip,
    render_clip,
    render_person,
    sample_person,
)
from ttpose_synth.faults import FaultRanges
from ttpose_synth.generate import RenderSettings, generate
from ttpose_synth.scene import BystanderRanges, ClipRanges

from ttpose.core.errors import UsageError
from ttpose.core.skeleton import COCO17_FEET
from ttpose.data.labelled_clip import find_clips, read_clip
from ttpose.data.shards import read_shard
from ttpose.media.images import read_image

PATH = os.environ.get("TTPOSE_SYNTH_ASSETS", "")
pytestmark = pytest.mark.skipif(not PATH, reason="TTPOSE_SYNTH_ASSETS is not set: no asset file to render from")
SMALL = RenderSettings(clips=2, frames=2, size=64, masks=True)


@pytest.fixture(scope="module")
def assets() -> SyntheticAssets:
    return SyntheticAssets.load(PATH)


def same(a: SyntheticClip, b: SyntheticClip) -> bool:
    names = ("images", "keypoints", "masks", "head_points", "foot_points")
    return all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in names) and a.boxes == b.boxes


def test_same_seeds_same_bytes_in_any_order(assets: SyntheticAssets) -> None:
    first = render_clip(assets, 3, 1, frames=3, size=96)
    other = render_clip(assets, 4, 1, frames=3, size=96)
    person = sample_person(assets, 3)
    render_person(assets, person, 0, 3, 96)
    again = render_person(SyntheticAssets.load(PATH), person, 1, 3, 96)
    assert same(first, again)
    assert not same(first, other)


def test_shapes_and_ranges(assets: SyntheticAssets) -> None:
    clip = render_clip(assets, 11, 0, frames=2, size=64)
    assert (clip.images.shape, clip.images.dtype) == ((2, 64, 64, 3), np.uint8)
    assert (clip.keypoints.shape, clip.keypoints.dtype) == ((2, 17, 3), np.float32)
    assert (clip.masks.shape, clip.masks.dtype) == ((2, 64, 64), np.uint8)
    assert clip.head_points.shape == (2, 2, 3)
    assert (clip.foot_points.shape, clip.foot_points.dtype) == ((2, 4, 3), np.float32)
    assert set(np.unique(clip.keypoints[..., 2])) <= {0, 1, 2}
    outside = ((clip.keypoints[..., :2] < -0.5) | (clip.keypoints[..., :2] >= 63.5)).any(-1)
    np.testing.assert_array_equal(clip.keypoints[..., 2] == 0, outside)


def test_labels_fit_the_pictures(assets: SyntheticAssets) -> None:
    """Visible points lie on the person, in the box, and the body is upright and not mirrored."""
    clear = ClipRanges(faults=FaultRanges.none())
    on_person, in_box, count = 0, 0, 0
    for seed in range(20, 32):
        clip = render_clip(assets, seed, 0, frames=1, size=128, ranges=clear)
        box = clip.boxes[0]
        for x, y, v in clip.keypoints[0]:
            if v == 2:
                on_person += clip.masks[0, int(y + 0.5), int(x + 0.5)] > 0
                in_box += box.x <= x <= box.x + box.width and box.y <= y <= box.y + box.height
                count += 1
    assert count > 100
    assert on_person / count > 0.96
    assert in_box / count > 0.97


def test_left_is_the_persons_left(assets: SyntheticAssets) -> None:
    """In the rest pose, facing the camera at +z, the left eye lies at +x of the right one."""
    person = sample_person(assets, 5)
    assert person.face_points["left_eye"][0] > 0 > person.face_points["right_eye"][0]
    left = person.bones.head[assets.rig.number["upperarm01.L"]]
    assert left[0] > 0
    assert person.face_points["head_top"][1] > person.face_points["nose"][1]
    assert person.face_points["nose"][2] > person.face_points["left_ear"][2]


def test_feet_are_where_feet_are(assets: SyntheticAssets) -> None:
    """In the rest pose toes are before the ankle, heels behind it, both below; in pictures they lie on the person."""
    person = sample_person(assets, 5)
    for side, suffix in (("left", ".L"), ("right", ".R")):
        ankle = person.bones.head[assets.rig.number["foot" + suffix]]
        heel, toe = (person.foot_points[f"{side}_{part}"] for part in ("heel", "big_toe"))
        assert toe[2] > ankle[2] + 0.08 and heel[2] < ankle[2] and max(toe[1], heel[1]) < ankle[1]
        assert abs(np.linalg.norm(toe - heel) / person.bones.leg_length - 0.3) < 0.08
    on_person = count = 0
    for seed in range(20, 28):
        clip = render_clip(assets, seed, 0, frames=1, size=128, ranges=ClipRanges(faults=FaultRanges.none()))
        for x, y, v in clip.foot_points[0]:
            if v == 2:
                around = clip.masks[0, max(int(y) - 1, 0) : int(y) + 3, max(int(x) - 1, 0) : int(x) + 3]
                on_person, count = on_person + bool((around > 0).any()), count + 1
    assert count > 10 and on_person / count > 0.9


def test_clips_of_one_person_share_the_person_only(assets: SyntheticAssets) -> None:
    person = sample_person(assets, 8)
    a, b = (render_person(assets, person, number, 1, 64) for number in (0, 1))
    assert a.description == b.description
    assert not np.array_equal(a.images, b.images)


def test_somebody_else_changes_only_what_they_cover(assets: SyntheticAssets) -> None:
    clear = ClipRanges(faults=FaultRanges.none())
    before = BystanderRanges(share=1.0, beside=(0.0, 0.1), behind=(-0.9, -0.7))
    changed = hidden = 0
    for seed in range(60, 64):
        alone = render_clip(assets, seed, 0, frames=2, size=96, ranges=clear)
        nobody = render_clip(
            assets, seed, 0, frames=2, size=96, ranges=replace(clear, bystanders=BystanderRanges(share=0.0))
        )
        both = render_clip(assets, seed, 0, frames=2, size=96, ranges=replace(clear, bystanders=before))
        assert same(alone, nobody)
        np.testing.assert_array_equal(both.keypoints[..., :2], alone.keypoints[..., :2])
        assert (both.keypoints[..., 2] <= alone.keypoints[..., 2]).all()
        np.testing.assert_array_equal(both.keypoints[..., 2] == 0, alone.keypoints[..., 2] == 0)
        assert (both.masks <= alone.masks).all()
        assert both.boxes == alone.boxes
        changed += (both.images != alone.images).any(-1).sum()
        hidden += (both.masks < alone.masks).sum()
    assert changed > hidden > 500


def test_somebody_behind_hides_nothing(assets: SyntheticAssets) -> None:
    clear = ClipRanges(faults=FaultRanges.none())
    behind = BystanderRanges(share=1.0, beside=(0.3, 0.4), behind=(2.5, 2.6))
    alone = render_clip(assets, 60, 0, frames=2, size=96, ranges=clear)
    both = render_clip(assets, 60, 0, frames=2, size=96, ranges=replace(clear, bystanders=behind))
    np.testing.assert_array_equal(both.keypoints, alone.keypoints)
    assert (both.images != alone.images).any(-1).sum() > 50


def test_share_alike_backgrounds_can_be_left_out(assets: SyntheticAssets) -> None:
    free = SyntheticAssets.load(PATH, share_alike=False).backgrounds
    assert 0 < len(free.photos) < len(assets.backgrounds.photos)
    assert set(free.walls) < set(assets.backgrounds.walls)


@pytest.mark.parametrize("shards", [False, True])
def test_a_run_can_be_resumed_and_jobs_do_not_matter(tmp_path: Path, shards: bool) -> None:
    settings = RenderSettings(clips=2, frames=2, size=64, masks=True, shards=shards)
    once, twice = tmp_path / "once", tmp_path / "twice"
    assert generate(once, PATH, identities=3, settings=settings, seed=40, jobs=2).rendered == 3
    assert generate(twice, PATH, identities=1, settings=settings, seed=41).rendered == 1
    resumed = generate(twice, PATH, identities=3, settings=settings, seed=40)
    assert (resumed.rendered, resumed.kept) == (2, 1)
    files = sorted(path.relative_to(once) for path in once.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(twice) for path in twice.rglob("*") if path.is_file())
    assert len(files) == (4 if shards else 1 + 3 * 2 * 5)
    for name in files:
        assert (once / name).read_bytes() == (twice / name).read_bytes(), name


def test_folders_and_shards_hold_the_same_people(tmp_path: Path, assets: SyntheticAssets) -> None:
    generate(tmp_path / "f", PATH, identities=1, settings=SMALL, seed=9)
    generate(tmp_path / "s", PATH, identities=1, settings=RenderSettings(2, 2, 64, True, True), seed=9)
    clip = read_clip(find_clips(tmp_path / "f")[1])
    shard = read_shard(tmp_path / "s" / "identity_0000009.npz")
    rendered = render_clip(assets, 9, 1, 2, 64)
    assert (clip.person, clip.name) == ("identity_0000009", "identity_0000009_clip_01")
    assert clip.joints == COCO17_FEET.keypoints
    everything = np.concatenate([rendered.keypoints, rendered.foot_points], axis=1)
    np.testing.assert_allclose(clip.keypoints, everything, atol=0.0051)
    np.testing.assert_array_equal(shard.keypoints[1], rendered.keypoints)
    assert shard.foot_points is not None
    np.testing.assert_array_equal(shard.foot_points[1], rendered.foot_points)
    np.testing.assert_array_equal(read_image(clip.frames[1].mask)[..., 0], rendered.masks[1])
    np.testing.assert_array_equal(clip.frames[1].read(), shard.image(1, 1))
    assert np.abs(clip.frames[1].read().astype(int) - rendered.images[1]).mean() < 8


def test_other_settings_are_refused_unless_overwriting(tmp_path: Path) -> None:
    out = tmp_path / "out"
    generate(out, PATH, identities=2, settings=SMALL)
    (out / "notes.txt").write_text("mine")
    smaller = RenderSettings(clips=1, frames=1, size=48)
    with pytest.raises(UsageError, match="clips, frames, size, masks"):
        generate(out, PATH, identities=1, settings=smaller)
    assert generate(out, PATH, identities=1, settings=smaller, overwrite=True).rendered == 1
    assert sorted(path.name for path in out.iterdir()) == ["identity_0000000", "notes.txt", "synth.json"]


def test_a_folder_of_a_version_without_bystanders_goes_on(tmp_path: Path) -> None:
    generate(tmp_path, PATH, identities=1, settings=SMALL)
    noted = json.loads((tmp_path / "synth.json").read_text())
    assert noted.pop("bystanders") == 0
    (tmp_path / "synth.json").write_text(json.dumps(noted))
    assert generate(tmp_path, PATH, identities=1, settings=SMALL).kept == 1
    with pytest.raises(UsageError, match="bystanders"):
        generate(tmp_path, PATH, identities=1, settings=replace(SMALL, bystanders=0.5))
    with pytest.raises(UsageError, match="0 to 1, not 2"):
        generate(tmp_path, PATH, identities=1, settings=replace(SMALL, bystanders=2))


def test_the_command_renders_and_fails_in_one_line(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = "from ttpose.cli import main; main()"
        return subprocess.run([sys.executable, "-c", code, "synth", *arguments], capture_output=True, text=True)

    out = str(tmp_path / "out")
    numbers = ("--identities", "1", "--clips", "1", "--frames", "1", "--size", "48")
    done = run(out, *numbers, "--assets", PATH, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(find_clips(out)) == 1
    failed = run(out, *numbers, "--assets", str(tmp_path / "none.npz"), "--quiet")
    assert failed.returncode == 1
    assert "not found" in failed.stderr
    assert "Traceback" not in failed.stderr
