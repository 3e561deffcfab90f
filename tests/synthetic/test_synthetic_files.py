from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba", reason="numba comes with ttpose[training]")

from ttpose_synth import SyntheticAssets, SyntheticClip
from ttpose_synth.generate import RenderSettings, generate

from ttpose.core.errors import InputError, UsageError
from ttpose.core.geometry import Box
from ttpose.data.shards import read_shard, write_shard


def make_clip(number: int) -> SyntheticClip:
    rng = np.random.default_rng(number)
    masks = np.zeros((3, 33, 33), np.uint8)
    masks[:, 4:9, 5 + number : 20] = 255
    images = np.zeros((3, 33, 33, 3), np.uint8)
    images[..., 2] = 220
    return SyntheticClip(
        images=images,
        keypoints=rng.normal(size=(3, 17, 3)).astype(np.float32),
        boxes=(Box(1, 2, 3, 4),) * 3,
        masks=masks,
        head_points=rng.normal(size=(3, 2, 3)).astype(np.float32),
        foot_points=rng.normal(size=(3, 4, 3)).astype(np.float32),
        identity_seed=7,
        clip_seed=number,
        motion=f"walk/{number}",
        frame_step=1.0,
        description=("female",),
    )


def test_a_shard_gives_back_what_was_written(tmp_path: Path) -> None:
    clips = [make_clip(0), make_clip(1)]
    write_shard(tmp_path / "a.npz", clips, masks=True)
    shard = read_shard(tmp_path / "a.npz")
    assert (shard.identity_seed, shard.size, shard.motion) == (7, 33, ("walk/0", "walk/1"))
    np.testing.assert_array_equal(shard.keypoints[1], clips[1].keypoints)
    np.testing.assert_array_equal(shard.head_points[0], clips[0].head_points)
    assert shard.foot_points is not None
    np.testing.assert_array_equal(shard.foot_points[1], clips[1].foot_points)
    np.testing.assert_array_equal(shard.boxes[1, 2], [1, 2, 3, 4])
    masks = shard.masks()
    assert masks is not None
    np.testing.assert_array_equal(masks[1], clips[1].masks > 127)
    images = shard.images()
    assert images.shape == (2, 3, 33, 33, 3)
    assert images[..., 2].mean() > 200 > 20 > images[..., 0].mean()
    np.testing.assert_array_equal(images[1, 2], shard.image(1, 2))


def test_shards_of_before_have_no_feet(tmp_path: Path) -> None:
    write_shard(tmp_path / "new.npz", [make_clip(0)])
    with np.load(tmp_path / "new.npz") as arrays:
        np.savez(tmp_path / "old.npz", **{name: value for name, value in arrays.items() if name != "foot_points"})
    shard = read_shard(tmp_path / "old.npz")
    assert shard.foot_points is None and shard.keypoints.shape == (1, 3, 17, 3)


def test_masks_are_optional(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.npz", [make_clip(0)])
    assert read_shard(tmp_path / "a.npz").masks() is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"no archive at all"])
def test_damaged_files_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    for read in (read_shard, SyntheticAssets.load):
        with pytest.raises(InputError, match=r"broken\.npz"):
            read(path)


def test_archives_of_something_else_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="not a shard"):
        read_shard(tmp_path / "other.npz")
    with pytest.raises(InputError, match="not an asset file"):
        SyntheticAssets.load(tmp_path / "other.npz")


def test_missing_assets_leave_nothing_behind(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match="not found"):
        generate(out, tmp_path / "none.npz", identities=1, settings=RenderSettings())
    assert not out.exists()


def test_senseless_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        generate(tmp_path, tmp_path / "none.npz", identities=0, settings=RenderSettings())
