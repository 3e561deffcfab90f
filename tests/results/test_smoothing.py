from __future__ import annotations

import math
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from scipy.signal import savgol_filter

from ttpose.core.errors import UsageError
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17
from ttpose.results import FrameRecord, KeypointResult, PersonRecord, json_schema, read_json, smooth, write_json
from ttpose.results.filters import OneEuro, SavitzkyGolay
from ttpose.results.smoothing import frame_times, only_smoothed, without_smoothing

NOSE, WRIST = COCO17.index("nose"), COCO17.index("left_wrist")


def clip(times: np.ndarray, points: np.ndarray, missing: tuple[int, ...] = ()) -> KeypointResult:
    """One person of 100 pixels whose keypoints all follow `points` [T, 2]; no record in the frames `missing`."""
    frames = []
    for t, (time_s, point) in enumerate(zip(times, points, strict=True)):
        rows = np.column_stack([np.tile(point, (17, 1)), np.full(17, 0.9)])
        person = PersonRecord(3, Box(point[0] - 30, point[1] - 50, 60, 100), rows)
        gone = t in missing
        frames.append(FrameRecord(t, float(time_s), () if gone else (person,), "nobody found" if gone else None))
    source = {"path": "a.mp4", "kind": "video", "width": 500, "height": 500, "frames": len(frames), "duration_s": 1}
    model = {"base": "mobile", "base_sha256": "ab" * 32, "person": None, "person_sha256": None, "guard": None}
    return KeypointResult(source, model, COCO17, frames)


def noisy(count: int = 60, fps: float = 30.0, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    times = np.arange(count) / fps
    truth = np.column_stack([200 + 30 * np.sin(2 * np.pi * times), 250 + 20 * np.cos(2 * np.pi * times)])
    return times, truth, truth + np.random.default_rng(0).normal(0, noise, truth.shape)


def smoothed(result: KeypointResult) -> np.ndarray:
    nothing = np.full((17, 3), np.nan)
    rows = [frame.people[0].smoothed if frame.people else nothing for frame in result.frames]
    return np.stack([nothing if row is None else row for row in rows])


@pytest.mark.parametrize(("method", "share"), [("one-euro", 0.9), ("savgol", 0.5)])
def test_jitter_falls_and_raw_keypoints_stay(method: str, share: float) -> None:
    times, _, points = noisy()
    raw = clip(times, points)
    result = smooth(raw, method)
    assert result.smoothing is not None
    figures = result.smoothing["jitter"]["3"]
    assert figures["after"] < share * figures["before"]
    for before, after in zip(raw.frames, result.frames, strict=True):
        np.testing.assert_array_equal(before.people[0].keypoints, after.people[0].keypoints)
    assert raw.smoothing is None and raw.frames[0].people[0].smoothed is None
    assert without_smoothing(result).to_dict() == raw.to_dict()


def test_savgol_comes_nearer_to_the_truth_and_one_euro_lags_little() -> None:
    times, truth, points = noisy()
    error = {m: np.abs(smoothed(smooth(clip(times, points), m))[:, NOSE, :2] - truth).mean() for m in _METHODS}
    assert error["savgol"] < 0.65 * np.abs(points - truth).mean()
    assert error["one-euro"] < 2.5  # of a person of 100, at 2 body lengths a second


_METHODS = ("savgol", "one-euro")


def test_savgol_is_scipys_at_an_even_rate() -> None:
    times, _, points = noisy(40)
    expected = savgol_filter(points, 9, 2, axis=0, mode="interp")
    np.testing.assert_allclose(SavitzkyGolay(window_s=8 / 30)(times, points[:, None])[:, 0], expected, atol=1e-9)


def test_savgol_keeps_a_parabola_at_uneven_times() -> None:
    times = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.08, 50))
    points = np.column_stack([3 + 2 * times - 5 * times**2, times])
    np.testing.assert_allclose(SavitzkyGolay()(times, points[:, None])[:, 0], points, atol=1e-9)
    even = SavitzkyGolay()(np.linspace(times[0], times[-1], 50), points[:, None])[
        :, 0
    ]  # the same without the true times
    assert np.abs(even - points).max() > 0.05


def test_one_euro_is_the_papers_formula() -> None:
    """Against the pseudo-code of Casiez et al. 2012 for one number, with a step of its own before each frame."""
    times = np.cumsum(np.random.default_rng(2).uniform(0.02, 0.06, 30))
    values = np.random.default_rng(3).normal(0, 1, 30)
    expected, derivative = [values[0]], 0.0
    for t in range(1, 30):
        rate = 1 / (times[t] - times[t - 1])

        def alpha(cutoff: float, rate: float = rate) -> float:
            return 1 / (1 + (1 / (2 * math.pi * cutoff)) * rate)

        change = (values[t] - values[t - 1]) * rate
        derivative = alpha(1.0) * change + (1 - alpha(1.0)) * derivative
        share = alpha(1.2 + 0.5 * abs(derivative))
        expected.append(share * values[t] + (1 - share) * expected[-1])
    beside = np.stack([np.column_stack([values, np.zeros(30)]), np.full((30, 2), 7.0)], 1)  # another point, at rest
    out = OneEuro(1.2, 0.5)(times, beside)
    np.testing.assert_allclose(out[:, 0, 0], expected, atol=1e-12)
    assert (out[:, 1] == 7).all()


def test_short_gaps_are_filled_and_flagged_and_long_ones_are_not() -> None:
    times, truth, _ = noisy(60)
    result = smooth(clip(times, truth, missing=(10, 11, *range(30, 40))), "savgol", max_gap_s=0.2)
    for t in (10, 11):
        (person,) = result.frames[t].people
        assert person.filled and person.id == 3
        assert person.filled_keypoints == tuple(range(17))
        assert np.isnan(person.keypoints[:, :2]).all() and (person.keypoints[:, 2] == 0).all()
        assert person.smoothed is not None
        assert np.abs(person.smoothed[NOSE, :2] - truth[t]).max() < 2
        assert result.frames[t].note == "nobody found"
        assert abs(person.box.x + 30 - truth[t, 0]) < 2
    assert all(result.frames[t].people == () for t in range(30, 40))
    assert not any(result.frames[t].people[0].filled for t in (9, 12, 29, 40))
    assert result.smoothing is not None
    assert (result.smoothing["filled_people"], result.smoothing["filled_keypoints"]) == (2, 34)
    assert result.smoothing["max_gap_s"] == 0.2


def test_the_two_sides_of_a_long_gap_do_not_touch() -> None:
    times = np.arange(40) / 30
    points = np.zeros((40, 2))
    points[20:] = 100.0
    result = smooth(clip(times, points, missing=tuple(range(10, 30))), "savgol")
    out = smoothed(result)[:, NOSE, :2]
    assert np.abs(out[:10]).max() < 1e-9
    assert np.abs(out[30:] - 100).max() < 1e-9


def test_an_unsure_keypoint_is_a_gap_of_its_own() -> None:
    times, truth, _ = noisy(30)
    result = clip(times, truth)
    result.frames[7].people[0].keypoints[WRIST] = [0.0, 0.0, 0.05]  # far off and unsure
    result.frames[29].people[0].keypoints[WRIST, 2] = 0.05  # at an end nothing is made up
    after = smooth(result, "savgol")
    person = after.frames[7].people[0]
    assert (person.filled, person.filled_keypoints) == (False, (WRIST,))
    assert person.smoothed is not None
    assert np.abs(person.smoothed[WRIST, :2] - truth[7]).max() < 2
    assert person.smoothed[WRIST, 2] == pytest.approx(0.9)
    assert person.keypoints[WRIST].tolist() == [0.0, 0.0, 0.05]
    last = after.frames[29].people[0]
    assert last.smoothed is not None and np.isnan(last.smoothed[WRIST, 0]) and last.smoothed[WRIST, 2] == 0


def test_frames_that_follow_each_other_are_no_gap_however_far_apart() -> None:
    times = np.array([0.0, 0.5, 1.0, 6.0, 6.5, 7.0])
    result = smooth(clip(times, np.zeros((6, 2))), "one-euro", max_gap_s=0.1)
    assert np.isfinite(smoothed(result)[..., 0]).all()


def test_unknown_and_repeated_times() -> None:
    times = np.array([np.nan, 0.1, 0.2, np.nan, 0.4, 0.4, 0.3, np.nan])
    rising = frame_times(clip(times, np.zeros((8, 2))))
    assert (np.diff(rising) > 0).all()
    np.testing.assert_allclose(rising[[0, 1, 2, 3, 4]], [0.0, 0.1, 0.2, 0.3, 0.4], atol=1e-9)
    assert (np.diff(frame_times(clip(np.full(4, np.nan), np.zeros((4, 2))))) > 0).all()
    assert np.isfinite(smoothed(smooth(clip(times, np.zeros((8, 2))), "one-euro"))[..., :2]).all()


def test_the_json_has_both_and_keeps_to_the_schema(tmp_path) -> None:
    times, _, points = noisy(30)
    result = smooth(clip(times, points, missing=(5,)), "one-euro")
    write_json(result, tmp_path / "k.json")
    again = read_json(tmp_path / "k.json")
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.validate(again.to_dict())
    assert again.to_dict() == result.to_dict()
    record = again.to_dict()["frames"][5]["people"][0]
    assert record["filled"] is True and record["keypoints"][0] == [None, None, 0.0]
    assert again.smoothing is not None and again.smoothing["method"] == "one-euro"
    assert "smoothed" not in without_smoothing(again).to_dict()["frames"][0]["people"][0]
    assert not validator.is_valid({**result.to_dict(), "smoothing": {"method": "magic"}})


def test_only_smoothed_takes_the_place_of_raw() -> None:
    times, truth, _ = noisy(30)
    series = only_smoothed(smooth(clip(times, truth, missing=(5,)), "savgol"))
    assert np.isfinite(series.frames[5].people[0].keypoints).all()


def test_two_people_are_smoothed_apart() -> None:
    times, _, points = noisy(30)
    one, two = clip(times, points), clip(times, 400 - points)
    frames = [
        replace(frame, people=(frame.people[0], replace(other.people[0], id=8)))
        for frame, other in zip(one.frames, two.frames, strict=True)
    ]
    both = smooth(replace(one, frames=frames), "savgol")
    alone = smooth(one, "savgol")
    np.testing.assert_array_equal(smoothed(both), smoothed(alone))
    assert both.smoothing is not None and set(both.smoothing["jitter"]) == {"3", "8"}


def test_photos_none_and_unknown_methods() -> None:
    photo = clip(np.zeros(1), np.zeros((1, 2)))
    assert smooth(photo, "savgol") is photo
    times, _, points = noisy(10)
    result = clip(times, points)
    assert smooth(smooth(result, "savgol"), "none").to_dict() == result.to_dict()
    with pytest.raises(UsageError, match="magic"):
        smooth(result, "magic")
