from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("numba", reason="numba comes with ttpose[training]")

from ttpose_synth import SyntheticClip

from tests.observed import misled, observation, walking
from tests.painted import box_of, paint, stepping
from tests.small_models import shipped_at
from ttpose.core.errors import InputError
from ttpose.core.skeleton import COCO17
from ttpose.data.shards import write_shard
from ttpose.inference.crops import cut_crop
from ttpose.inference.ensemble import ensemble_member
from ttpose.inference.refine.candidates import candidates, limb_joints
from ttpose.inference.refine.rescoring import rescore
from ttpose.inference.tta import TTA_VIEWS, predict_tta
from ttpose.models.boosted_trees import Forest
from ttpose.models.checkpoint import read_metadata
from ttpose.training import observed_clips, rescorer
from ttpose.training.conventions import fit_convention, in_convention, scored_lengths
from ttpose.training.observed_clips import VIEW_COUNTS, ObservedClip, observe_shard, read_clip, write_clip
from ttpose.training.rescorer import RescorerSettings, fit_rescorer, loosened, part_of, rows_of

FLIP = np.array(COCO17.flip)
NOTHING = np.zeros((17, 17), complex)
RNG = np.random.default_rng(0)
AS_DRAWN = RescorerSettings(box_out=(0.0, 0.0), box_shake=0.0)
QUICK = RescorerSettings(trees=30, leaves=8, smallest=20)
PARTS = ("keypoints", "side_odds", "spread", "single_view_keypoints", "peaks", "boxes")


def _points(keypoints: np.ndarray) -> np.ndarray:
    return keypoints[..., 0] + 1j * keypoints[..., 1]


def _poses(frames: int, seed: int) -> np.ndarray:
    """Labels [frames, 17, 3] of upright people of changing poses and sizes, all visible."""
    rng = np.random.default_rng(seed)
    clip = walking(frames, 200) * [1, 1, 0] + [0, 0, 2]
    clip[:, limb_joints(COCO17), :2] += rng.normal(0, 8, (frames, 12, 2))
    clip[..., :2] *= rng.uniform(0.9, 1.1, (frames, 1, 1))
    return clip


@pytest.fixture(scope="module")
def known():
    """A convention that is the same in a mirror."""
    rng = np.random.default_rng(3)
    any_map = rng.normal(0, 0.015, (17, 17)) + 1j * rng.normal(0, 0.015, (17, 17))
    return (any_map + any_map[FLIP][:, FLIP].conj()) / 2


def _named(truth: np.ndarray, convention: np.ndarray) -> np.ndarray:
    """Keypoints of a base that names points by a convention, and is sure of them."""
    return in_convention(truth, convention, COCO17) * [1, 1, 0] + [0, 0, 0.9]


def test_torsos_by_hand():
    truth = np.zeros((4, 17, 3))
    for frame, length in enumerate((100, 100, 100, 20)):
        truth[frame, [COCO17.index(f"{side}_hip") for side in ("left", "right")], :2] = [[10, length], [-10, length]]
    assert scored_lengths(truth, COCO17).tolist() == pytest.approx([100, 100, 100, 70])


def test_a_convention_by_hand():
    truth = walking(1)
    ankle, shoulder = COCO17.index("left_ankle"), COCO17.index("left_shoulder")
    convention = NOTHING.copy()
    convention[ankle, shoulder] = 0.1j  # a tenth of the way from the hips to the left shoulder, a quarter turn further
    found = in_convention(truth, convention, COCO17)
    hips = truth[0, [11, 12], :2].mean(0)
    x, y = truth[0, shoulder, :2] - hips
    assert found[0, ankle].tolist() == pytest.approx([truth[0, ankle, 0] - 0.1 * y, truth[0, ankle, 1] + 0.1 * x, 0.8])
    others = np.arange(17) != ankle
    assert np.array_equal(found[:, others], truth[:, others])


def test_a_known_convention_is_recovered(known):
    truths = [_poses(60, seed) for seed in range(3)]
    fitted = fit_convention(truths, [_named(truth, known) for truth in truths], COCO17)
    new = _poses(20, 9)
    wanted, found = in_convention(new, known, COCO17), in_convention(new, fitted, COCO17)
    moved = np.abs(_points(wanted) - _points(new))
    assert moved.max() > 5
    assert np.abs(_points(found) - _points(wanted)).max() < 0.05 * moved.max()


def test_errors_and_hidden_joints_say_nothing_of_a_convention(known):
    truths = [_poses(60, seed) for seed in range(3)]
    founds = [_named(truth, known) for truth in truths]
    clean = fit_convention(truths, founds, COCO17)
    founds[0][10:30, 9, :2] += 60.0  # a torso is 54 pixels long
    founds[1][10:20, 7] += [8, 8, -0.6]
    truths[2][:20, 13, 2] = 1
    founds[2][:20, 13, :2] += 8
    fitted, new = fit_convention(truths, founds, COCO17), _poses(20, 9)
    apart = _points(in_convention(new, fitted, COCO17)) - _points(in_convention(new, clean, COCO17))
    assert np.abs(apart).max() < 0.3


def test_a_joint_never_seen_is_left_where_it_is(known):
    truth = _poses(60, 0)
    truth[:, [9, 10], 2] = 1
    fitted = fit_convention([truth], [_named(truth, known)], COCO17)
    assert not fitted[[9, 10]].any() and fitted[7].any()


def test_conventions_turn_and_grow_with_the_pose(known):
    truth = _poses(5, 1)
    turn = 2.5 * np.exp(0.7j)
    turned = truth.copy()
    carried = _points(truth) * turn + (30 - 200j)
    turned[..., 0], turned[..., 1] = carried.real, carried.imag
    found = in_convention(turned, known, COCO17)
    assert np.allclose(_points(found), _points(in_convention(truth, known, COCO17)) * turn + (30 - 200j))
    assert np.array_equal(found[..., 2], truth[..., 2])


def test_conventions_are_the_same_in_a_mirror(known):
    truth = _poses(5, 1)
    fitted = fit_convention([_poses(60, 0)], [_named(_poses(60, 0), known)], COCO17)
    for convention in (known, fitted):
        mirrored = in_convention((truth * [-1, 1, 1])[:, FLIP], convention, COCO17)
        assert np.allclose(mirrored, (in_convention(truth, convention, COCO17) * [-1, 1, 1])[:, FLIP])


def _observed(seed: int, motion: str = "walk/0", frames: int = 14) -> tuple[ObservedClip, np.ndarray]:
    """A walk of which some wrists and ankles are at a wrong highest peak, and which these are, bool [frames, 17].

    How high the peaks are says nothing of which one is right; the frames around do.
    """
    rng = np.random.default_rng(seed)
    phases = rng.uniform(0, 6) + rng.uniform(0.15, 0.35) * np.arange(frames)
    true = np.stack([stepping(300, phase) for phase in phases])
    true[..., 2] = 0.8
    seen, thrown = observation(true), np.zeros((frames, 17), bool)
    for name in ("left_wrist", "right_wrist", "left_ankle", "right_ankle"):
        for frame in np.flatnonzero(rng.random(frames) < 0.25):
            angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(60, 150)
            scores = np.sort(rng.uniform(0.3, 0.5, 2))
            shift = length * np.cos(angle), length * np.sin(angle)
            seen = misled(seen, frame, name, shift, score=scores[1], spare=scores[0])
            thrown[frame, COCO17.index(name)] = True
    each = (seen,) * len(VIEW_COUNTS)
    return ObservedClip(true * [1, 1, 0] + [0, 0, 2], np.arange(frames) / 25, each, motion), thrown


@pytest.fixture(scope="module")
def clips():
    return [_observed(seed)[0] for seed in range(6)]


def test_a_file_gives_back_what_was_observed(tmp_path):
    clip, _ = _observed(0)
    clip = replace(clip, seen=(clip.seen[0], observation(walking(14, 100))), motion="cmu/dance/03")
    write_clip(clip, tmp_path / "identity_0.npz")
    again = read_clip(tmp_path / "identity_0.npz")
    assert again.motion == "cmu/dance/03"
    assert np.array_equal(again.truth, clip.truth) and np.array_equal(again.times, clip.times)
    for read, written in zip(again.seen, clip.seen, strict=True):
        for name in PARTS:
            assert np.allclose(getattr(read, name), getattr(written, name), rtol=1e-6), name


def _with_second(clip: ObservedClip) -> ObservedClip:
    """The clip, and a second network that is never misled."""
    second = clip.truth * [1, 1, 0] + [0, 0, 0.9]
    second = np.concatenate([second, np.full((*second.shape[:2], 1), 1.0)], -1)
    return replace(clip, seen=tuple(replace(seen, ensemble=second) for seen in clip.seen))


def test_a_file_gives_back_the_ensemble_if_there_was_one(tmp_path):
    clip, _ = _observed(0)
    for name, written in (("with", _with_second(clip)), ("without", clip)):
        write_clip(written, tmp_path / name)
        for seen, wanted in zip(read_clip(tmp_path / name).seen, written.seen, strict=True):
            assert (seen.ensemble is None) == (name == "without")
            assert seen.ensemble is None or np.allclose(seen.ensemble, wanted.ensemble, rtol=1e-6)
    assert read_clip(tmp_path / "with").without_ensemble().seen[1].ensemble is None


def _without_part(path):
    with np.load(path) as archive:
        kept = {name: archive[name] for name in archive.files if name != f"peaks_{VIEW_COUNTS[1]}"}
    np.savez(path, **kept)


def _scratched(path):
    """Spoils the packed numbers of the first array, whose name and lengths stay."""
    content = bytearray(path.read_bytes())
    content[200:400] = bytes(range(200))
    path.write_bytes(content)


def _another_array(path):
    with open(path, "wb") as handle:
        np.save(handle, np.zeros(3))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no archive at all"),
        lambda path: path.write_bytes(path.read_bytes()[:-300]),
        lambda path: path.unlink(),
        _scratched,
        _without_part,
        _another_array,
    ],
    ids=["empty", "text", "cut", "missing", "scratched", "incomplete", "one array"],
)
def test_damaged_files_are_named(tmp_path, damage):
    path = tmp_path / "identity_0.npz"
    write_clip(_observed(0)[0], path)
    damage(path)
    with pytest.raises(InputError, match=r"identity_0\.npz is not an observed clip"):
        read_clip(path)


def test_rows_by_hand():
    clip, thrown = _observed(0)
    wrist, hidden, unknown = (COCO17.index(name) for name in ("left_wrist", "right_knee", "left_knee"))
    frame = int(np.flatnonzero(thrown[:, wrist])[0])
    clip.truth[:, hidden, 2], clip.truth[:, unknown, 2] = 1, 0
    (features, right), *others = rows_of(clip, NOTHING, AS_DRAWN, RNG)
    given = candidates(clip.seen[0], clip.times, COCO17)
    position = given.joints.tolist().index
    usable = given.worth.copy()
    usable[:, position(unknown)] = False
    assert np.array_equal(features, given.features[usable], equal_nan=True)
    told = np.zeros(usable.shape, bool)
    told[usable] = right
    # The keypoint is wrong here, and so is the plain view; the second peak is right.
    assert told[frame, position(wrist)][[0, 3, 4]].tolist() == [False, False, True]
    assert told[:, position(hidden), 0].all()
    # The whole clip, and half of the frames, through one view and through four.
    assert [len(part) for part, _ in others] == pytest.approx([len(right) / 2, len(right), len(right) / 2], rel=0.2)


def test_boxes_of_a_clip_are_loosened_alike_in_all_frames():
    boxes = np.array([[10.0, 20, 40, 100], [12, 20, 40, 50]])
    steady = replace(QUICK, box_shake=0.0)
    loose = loosened(boxes, np.random.default_rng(1), steady)
    corners, before = (np.hstack([b[:, :2], b[:, :2] + b[:, 2:]]) for b in (loose, boxes))
    share = (corners - before) * [-1, -1, 1, 1] / [[100], [50]]
    assert np.allclose(share[0], share[1]) and len(set(share[0])) == 4
    assert (share >= -0.05).all() and (share <= 0.12).all()
    shaken = loosened(boxes, np.random.default_rng(1), QUICK)
    assert 0 < np.abs(shaken - loose).max() < 20
    assert np.array_equal(shaken, loosened(boxes, np.random.default_rng(1), QUICK))


def test_right_is_what_is_near_the_label_on_the_side_that_the_base_finds():
    clip, _ = _observed(1)
    torso = scored_lengths(clip.truth, COCO17)[0]
    elbow = COCO17.index("left_elbow")
    position = limb_joints(COCO17).index(elbow)
    for away, wanted in ((0.14, True), (0.16, False)):
        moved = clip.truth.copy()
        moved[:, elbow, 0] += away * torso
        _, right = next(rows_of(replace(clip, truth=moved), NOTHING, RescorerSettings(), RNG))
        worth = candidates(clip.seen[0], clip.times, COCO17).worth
        told = np.zeros(worth.shape, bool)
        told[worth] = right
        assert (told[:, position, 0] == wanted).all()
        # What the label lacks, the convention may give.
        convention = NOTHING.copy()
        points = _points(moved)
        offset = np.mean(-away * torso / (points[:, elbow] - points[:, [11, 12]].mean(1)))
        convention[elbow, elbow] = offset
        _, right = next(rows_of(replace(clip, truth=moved), convention, RescorerSettings(), RNG))
        told[worth] = right
        assert told[:, position, 0].all()


def test_left_and_right_are_corrected_before_anything_is_learned():
    clip, _ = _observed(2)
    legs = [COCO17.index(f"{side}_{part}") for part in ("hip", "knee", "ankle") for side in ("left", "right")]
    confused = observation(clip.truth * [1, 1, 0] + [0, 0, 0.8])
    plain = replace(clip, seen=(confused,))
    wanted = [right for _, right in rows_of(plain, NOTHING, RescorerSettings(steps=(1,)), RNG)]
    keypoints, peaks, sides = confused.keypoints.copy(), confused.peaks.copy(), confused.side_odds.copy()
    for part in (keypoints, peaks):
        part[6, legs] = part[6, FLIP[legs]]
    sides[6, legs] *= -1
    confused = replace(confused, keypoints=keypoints, peaks=peaks, side_odds=sides)
    found = [right for _, right in rows_of(replace(clip, seen=(confused,)), NOTHING, RescorerSettings(steps=(1,)), RNG)]
    assert np.array_equal(found[0], wanted[0])


@pytest.fixture(scope="module")
def learned(clips):
    pytest.importorskip("sklearn", reason="scikit-learn comes with ttpose[training]")
    return fit_rescorer(clips, QUICK)


def test_what_was_learned_brings_joints_of_other_clips_back(learned):
    for seed in (20, 21):
        clip, thrown = _observed(seed)
        assert thrown.sum() > 6
        found, moved = rescore(clip.seen[0], clip.times, COCO17, learned)
        away = np.linalg.norm((found - clip.truth)[..., :2], axis=-1)
        assert (away[thrown] < 15).mean() > 0.8
        assert moved[~thrown].mean() < 0.02


def test_trees_learn_to_trust_the_ensemble(clips):
    pytest.importorskip("sklearn", reason="scikit-learn comes with ttpose[training]")
    trusting = fit_rescorer([_with_second(clip) for clip in clips], QUICK)
    clip, _ = _observed(20)
    # Thrown in all frames, so that only the second network knows better.
    wrist = COCO17.index("left_wrist")
    seen = observation(clip.truth * [1, 1, 0] + [0, 0, 0.8])
    for part in (seen.keypoints[:, wrist], seen.single_view_keypoints[:, wrist], seen.peaks[:, wrist, 0]):
        part += [90, 60, -0.4]
    seen.peaks[:, wrist, 1:] = seen.peaks[:, wrist, :1] * [1, 1, 0]
    away = []
    for part in (seen, replace(seen, ensemble=_with_second(clip).seen[0].ensemble)):
        trees = trusting if part.ensemble is not None else fit_rescorer(clips, QUICK)
        found, _ = rescore(part, clip.times, COCO17, trees)
        away.append(np.linalg.norm((found - clip.truth)[:, wrist, :2], axis=-1))
    assert (away[0] < 15).mean() < 0.1 < 0.9 < (away[1] < 15).mean()


def test_the_same_seed_gives_the_same_bytes(clips, learned, tmp_path, capsys):
    again = fit_rescorer(clips, QUICK)
    assert capsys.readouterr().out.startswith("6 clips, ")
    for name, forest in (("a", learned), ("b", again)):
        forest.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert len(learned.roots) == QUICK.trees
    assert np.diff(learned.roots).max() == 2 * QUICK.leaves - 1


def _run(monkeypatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["rescorer", *map(str, arguments)])
    rescorer.main()


def test_fitting_leaves_out_motions_kept_for_measuring(clips, tmp_path, monkeypatch):
    pytest.importorskip("sklearn", reason="scikit-learn comes with ttpose[training]")
    monkeypatch.setattr(rescorer, "RescorerSettings", partial(RescorerSettings, trees=3, leaves=4, smallest=20))
    kept_out = RescorerSettings().left_out[0]
    for number, motion in enumerate(("walk/0", kept_out, "walk/1")):
        write_clip(replace(clips[number], motion=motion), tmp_path / f"identity_{number}.npz")
    (tmp_path / "notes.npz").write_bytes(b"not of the folder's people")
    _run(monkeypatch, "fit", tmp_path, "-o", tmp_path / "trees.safetensors", "--seed", 4)
    notes = read_metadata(tmp_path / "trees.safetensors")
    assert notes["clips"] == "2" and '"seed": 4' in notes["settings"]
    (tmp_path / "identity_1.npz").unlink()
    _run(monkeypatch, "fit", tmp_path, "-o", tmp_path / "without.safetensors", "--seed", 4)
    assert (tmp_path / "without.safetensors").read_bytes() == (tmp_path / "trees.safetensors").read_bytes()
    assert len(Forest.load(tmp_path / "trees.safetensors").roots) == 3


def test_fitting_with_and_without_the_ensemble(clips, tmp_path, monkeypatch):
    pytest.importorskip("sklearn", reason="scikit-learn comes with ttpose[training]")
    monkeypatch.setattr(rescorer, "RescorerSettings", partial(RescorerSettings, trees=3, leaves=4, smallest=20))
    plain, asked = tmp_path / "plain", tmp_path / "asked"
    for folder in (plain, asked):
        folder.mkdir()
    for number in range(2):
        write_clip(clips[number], plain / f"identity_{number}.npz")
        write_clip(_with_second(clips[number]), asked / f"identity_{number}.npz")
    _run(monkeypatch, "fit", plain, "-o", tmp_path / "a")
    _run(monkeypatch, "fit", asked, "-o", tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    _run(monkeypatch, "fit", asked, "-o", tmp_path / "c", "--second")
    assert Forest.load(tmp_path / "c").feature.max() >= 40 > Forest.load(tmp_path / "a").feature.max()
    with pytest.raises(InputError, match="without the ensemble"):
        _run(monkeypatch, "fit", plain, "-o", tmp_path / "d", "--second")


def test_fitting_on_nothing_is_said(clips, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="holds no observed people"):
        _run(monkeypatch, "fit", tmp_path, "-o", tmp_path / "trees.safetensors")
    write_clip(replace(clips[0], motion=RescorerSettings().left_out[0]), tmp_path / "identity_0.npz")
    with pytest.raises(InputError, match="holds no observed people"):
        _run(monkeypatch, "fit", tmp_path, "-o", tmp_path / "trees.safetensors")
    assert not (tmp_path / "trees.safetensors").exists()


@pytest.fixture(scope="module")
def tiny():
    return shipped_at(64)


def _shard(path: Path, number: int) -> list[np.ndarray]:
    """Three pictures of a painted person in a shard; gives the pictures' keypoints."""
    keypoints = [stepping(96, number + i / 3) * [1, 1, 2] for i in range(3)]
    clip = SyntheticClip(
        images=np.stack([paint(k, 96) for k in keypoints]),
        keypoints=np.stack(keypoints).astype(np.float32),
        boxes=tuple(box_of(k) for k in keypoints),
        masks=np.zeros((3, 96, 96), np.uint8),
        head_points=np.zeros((3, 2, 3), np.float32),
        foot_points=np.zeros((3, 4, 3), np.float32),
        identity_seed=number,
        clip_seed=0,
        motion=f"walk/{number}",
        frame_step=1.0,
        description=(),
    )
    write_shard(path, [clip], quality=100)
    return keypoints


def test_a_rendered_person_is_observed_through_its_labelled_boxes(tiny, tmp_path):
    keypoints = _shard(tmp_path / "identity_0.npz", 5)
    clip = observe_shard(tiny, tmp_path / "identity_0.npz")
    assert clip.motion == "walk/5" and clip.times.tolist() == [0, 0.04, 0.08]
    assert np.allclose(clip.truth, keypoints, atol=1e-4)
    crops = [cut_crop(paint(k, 96), box_of(k), 64, index=i, time_s=i / 25) for i, k in enumerate(keypoints)]
    for views, seen in zip(VIEW_COUNTS, clip.seen, strict=True):
        direct = predict_tta(tiny, crops, TTA_VIEWS[:views])
        assert (
            np.abs(seen.single_view_keypoints[..., :2] - direct.single_view_keypoints[..., :2]).mean() < 2
        )  # JPEG changes little
        assert np.abs(seen.side_odds - direct.side_odds).mean() < 0.1
    assert not clip.seen[0].spread.any() and clip.seen[1].spread.any()
    # Asked of what four views found; the painted person is no person to it, but it views at the right place.
    wanted = ensemble_member(COCO17).predict(
        crops, predict_tta(tiny, crops, TTA_VIEWS[: VIEW_COUNTS[-1]]).single_view_keypoints
    )
    for seen in clip.seen:
        assert seen.ensemble.shape == (3, 17, 4) and np.abs(seen.ensemble - wanted)[..., :2].mean() < 2


def test_observing_goes_on_where_it_ended(tiny, tmp_path, monkeypatch):
    shards, out = tmp_path / "shards", tmp_path / "out"
    shards.mkdir()
    for number in range(3):
        _shard(shards / f"identity_{number}.npz", number)
    looked = []
    original = observed_clips.observe_shard
    monkeypatch.setattr(rescorer, "load", lambda _: SimpleNamespace(model=tiny))
    monkeypatch.setattr(
        rescorer, "observe_shard", lambda model, path: looked.append(path.stem) or original(model, path)
    )
    _run(monkeypatch, "observe", shards, "-o", out, "--part", "1/2")
    assert looked == ["identity_1"] == [path.stem for path in out.iterdir()]
    _run(monkeypatch, "observe", shards, "-o", out)
    assert looked == ["identity_1", "identity_0", "identity_2"]
    assert sorted(read_clip(path).motion for path in out.iterdir()) == ["walk/0", "walk/1", "walk/2"]


@pytest.mark.parametrize("text", ["1", "2/2", "a/2", "0/", "0/0"])
def test_a_part_that_is_none_is_said_in_one_line(text, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stopped:
        _run(monkeypatch, "observe", tmp_path, "--part", text, "-o", tmp_path)
    assert stopped.value.code == 2
    assert "a part is i/n" in capsys.readouterr().err
    assert list(range(7))[part_of("1/3")] == [1, 4]
