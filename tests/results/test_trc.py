from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ttpose.core.errors import InputError, UsageError
from ttpose.core.geometry import Box
from ttpose.core.skeleton import BBC7, COCO17, COCO17_FEET, Skeleton
from ttpose.results import FrameRecord, KeypointResult, PersonRecord, write_trc
from ttpose.results.scale import height_in_pixels

# Heights of a body of 1000 pixels by Winter's table.
_LEVELS = {"ankle": 39, "knee": 285, "hip": 530, "shoulder": 818, "elbow": 630, "wrist": 485}
_LEVELS |= {"nose": 910, "eye": 935, "ear": 930}


def body(x: float, ground: float, height: float = 1000.0) -> np.ndarray:
    """A standing person [17, 3] with the feet at the picture's row `ground`."""
    points = np.ones((17, 3))
    for k, name in enumerate(COCO17.keypoints):
        side = 0.05 * height * (name.startswith("left") - name.startswith("right"))
        points[k, :2] = x + side, ground - _LEVELS[name.split("_")[-1]] * height / 1000
    return points


def clip(
    times: list[float], bodies: list[np.ndarray | None], *, skeleton: Skeleton = COCO17, name: str = "walk one.mp4"
) -> KeypointResult:
    frames = []
    for t, (time_s, points) in enumerate(zip(times, bodies, strict=True)):
        people = () if points is None else (PersonRecord(1, Box(0, 0, 100, 100), points),)
        frames.append(FrameRecord(t, time_s, people))
    source = {"path": name, "kind": "video", "width": 1920, "height": 1200, "frames": len(times), "duration_s": 1.0}
    model = {"base": "mobile", "base_sha256": "ab" * 32, "person": None, "person_sha256": None, "guard": None}
    return KeypointResult(source, model, skeleton, frames)


def read(path: Path) -> tuple[dict[str, str], list[str], np.ndarray, np.ndarray]:
    """Header, markers, times [T] and points [T, M, 3] by the rules of OpenSim's TRCFileAdapter::extendRead."""
    lines = path.read_text(encoding="utf-8").split("\n")
    first = lines[0].split()
    assert first[0] == "PathFileType" and len(first) == 4
    keys, values = (line.split("\t") for line in lines[1:3])
    assert keys == [
        "DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame",
        "OrigNumFrames",
    ]  # fmt: skip
    assert len(values) == len(keys)
    header = dict(zip(keys, values, strict=True))
    markers = [cell for cell in lines[3].split("\t") if cell]
    assert markers[:2] == ["Frame#", "Time"]
    assert len(markers) == int(header["NumMarkers"]) + 2
    axes = [cell for cell in lines[4].split("\t") if cell]
    assert axes == [f"{axis}{i}" for i in range(1, len(markers) - 1) for axis in "XYZ"]
    assert lines[5] == ""
    assert lines[-1] == ""  # the file ends with a whole line
    rows = [line.split("\t") for line in lines[6:-1]]
    rows = [row[:-1] if row[-1] == "" else row for row in rows]  # the reader drops one empty cell at the end
    assert len(rows) == int(header["NumFrames"]) == int(header["OrigNumFrames"])
    assert {len(row) for row in rows} <= {3 * (len(markers) - 2) + 2}
    assert [row[0] for row in rows] == [str(i) for i in range(1, len(rows) + 1)]
    numbers = np.array([[float(cell) if cell else np.nan for cell in row] for row in rows])
    return header, markers[2:], numbers[:, 1], numbers[:, 2:].reshape(len(rows), -1, 3)


def test_pixels_with_y_up_and_empty_cells_where_not_seen(tmp_path: Path) -> None:
    times = [t / 25 for t in range(5)]
    bodies: list[np.ndarray | None] = [body(300 + 10 * t, 1100) for t in range(5)]
    bodies[2] = None
    bodies[3][COCO17.index("left_wrist"), 2] = 0.1  # type: ignore[index]
    assert write_trc(clip(times, bodies), tmp_path / "walk one.trc") == []
    header, markers, shown, points = read(tmp_path / "walk one.trc")
    assert (header["DataRate"], header["Units"], header["NumMarkers"]) == ("25", "px", "17")
    assert tuple(markers) == COCO17.keypoints
    np.testing.assert_allclose(shown, times, atol=1e-6)
    nose = COCO17.index("nose")
    assert points[1, nose].tolist() == [310.0, 1199 - (1100 - 910), 0.0]
    assert np.isnan(points[2]).all()
    assert np.isnan(points[3, COCO17.index("left_wrist")]).all()
    assert np.isfinite(np.delete(points[3], COCO17.index("left_wrist"), 0)).all()


def test_metres_put_the_feet_on_the_ground_and_the_hips_over_zero(tmp_path: Path) -> None:
    bodies = [body(600, 1100, 800) for _ in range(10)]
    write_trc(clip([t / 30 for t in range(10)], bodies), tmp_path / "a.trc", height_m=1.8)
    header, _, _, points = read(tmp_path / "a.trc")
    assert header["Units"] == "m"
    for name, level in _LEVELS.items():
        k = COCO17.index(name if name == "nose" else f"left_{name}")
        assert points[0, k, 1] == pytest.approx(1.8 * level / 1000, abs=2e-5), name
    assert points[0, COCO17.index("left_hip"), 0] == pytest.approx(0.05 * 1.8, abs=2e-5)
    assert (points[..., 2] == 0).all()


def test_feet_come_with_derived_markers_and_change_nothing_else(tmp_path: Path) -> None:
    bodies = [body(600 + 5 * t, 1100, 800) for t in range(10)]
    bodies[4][COCO17.index("left_ear"), 2] = 0.0
    feet = [
        np.concatenate([points, [[x, 1100, s] for x, s in ((1, 0.9), (2, 0.9), (3, 0.9), (4, 0.1))]])
        for points in bodies
    ]
    times = [t / 30 for t in range(10)]
    for height_m in (None, 1.8):
        write_trc(clip(times, bodies), tmp_path / "body.trc", height_m=height_m)
        write_trc(clip(times, feet, skeleton=COCO17_FEET), tmp_path / "feet.trc", height_m=height_m)
        *_, before = read(tmp_path / "body.trc")
        _, markers, _, after = read(tmp_path / "feet.trc")
        assert markers == [*COCO17_FEET.keypoints, "neck", "mid_hip", "head_top"]
        np.testing.assert_array_equal(after[:, :17], before)
        assert np.isfinite(after[:, 17:20]).all() and np.isnan(after[:, 20]).all(), "the right heel is not seen"
        hips = after[:, [COCO17.index("left_hip"), COCO17.index("right_hip")]].mean(1)
        np.testing.assert_allclose(after[:, markers.index("mid_hip")], hips, atol=0.011)
        assert np.isnan(after[4, -1]).all() and np.isfinite(np.delete(after[:, -1], 4, 0)).all()
    assert after[0, -1, 1] == pytest.approx(1.8, abs=0.01), "the top of the head is as high as the person"
    write_trc(clip(times, feet, skeleton=COCO17_FEET), tmp_path / "named.trc", height_m=1.8, opensim=True)
    _, named, _, same = read(tmp_path / "named.trc")
    assert named[-7:] == ["LBigToe", "RBigToe", "LHeel", "RHeel", "Neck", "Hip", "Head"]
    np.testing.assert_array_equal(same, after)


def test_the_height_of_a_person_who_crouches() -> None:
    crouched = body(500, 1000)
    for side in ("left", "right"):
        knee, hip = (crouched[COCO17.index(f"{side}_{part}"), :2] for part in ("knee", "hip"))
        change = knee - hip + np.array([245, 0])  # the thigh level with the ground
        for k, name in enumerate(COCO17.keypoints):
            if name.startswith(side) and name.split("_")[1] not in ("knee", "ankle"):
                crouched[k, :2] += change
    clip_points = np.stack([crouched[:, :2]] * 9 + [body(500, 1000)[:, :2]])
    assert height_in_pixels(clip_points, COCO17) == pytest.approx(1000, rel=1e-3)


def test_an_uneven_rate_is_resampled_with_a_note(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.2, 0.3, 0.35, 0.6, 0.7]
    bodies: list[np.ndarray | None] = [body(1000 * t, 1100) for t in times]
    notes = write_trc(clip(times, bodies), tmp_path / "a.trc")
    assert len(notes) == 1 and "7 frames were resampled to 8 at 10.000 a second" in notes[0]
    header, _, shown, points = read(tmp_path / "a.trc")
    assert header["DataRate"] == "10"
    np.testing.assert_allclose(shown, np.arange(8) / 10, atol=1e-6)
    np.testing.assert_allclose(points[:, COCO17.index("nose"), 0], 1000 * shown, atol=0.02)


def test_resampling_makes_nothing_up_beside_a_gap(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.2, 0.35, 0.4]
    bodies: list[np.ndarray | None] = [body(500, 1100) for _ in times]
    bodies[3] = None
    write_trc(clip(times, bodies), tmp_path / "a.trc")
    *_, points = read(tmp_path / "a.trc")
    assert np.isnan(points[:, 0, 0]).tolist() == [False, False, False, True, False]


def test_times_rounded_to_milliseconds_are_even(tmp_path: Path) -> None:
    times = [round(t / 30, 3) for t in range(40)]
    assert write_trc(clip(times, [body(500, 1100)] * 40), tmp_path / "a.trc") == []
    header, _, shown, _ = read(tmp_path / "a.trc")
    assert float(header["DataRate"]) == pytest.approx(30, abs=0.01)
    np.testing.assert_allclose(np.diff(shown), 1 / 30, atol=1e-4)


def test_of_several_people_the_one_in_most_frames(tmp_path: Path) -> None:
    result = clip([0.0, 0.1, 0.2], [body(500, 1100)] * 3)
    other = PersonRecord(7, Box(0, 0, 10, 10), body(900, 1100))
    result.frames[0] = FrameRecord(0, 0.0, (other, *result.frames[0].people))
    notes = write_trc(result, tmp_path / "a.trc")
    assert "of 2 people, number 1 was written" in notes[0]
    assert read(tmp_path / "a.trc")[3][0, 0, 0] == 500


def test_a_clip_without_anybody_still_has_every_frame(tmp_path: Path) -> None:
    write_trc(clip([0.0, 0.1, 0.2], [None] * 3), tmp_path / "a.trc")
    *_, points = read(tmp_path / "a.trc")
    assert points.shape == (3, 17, 3) and np.isnan(points).all()


def test_what_cannot_be_in_metres_is_in_pixels_with_a_note(tmp_path: Path) -> None:
    legless = [np.ones((7, 3))] * 3
    notes = write_trc(clip([0.0, 0.1, 0.2], legless, skeleton=BBC7), tmp_path / "a.trc", height_m=1.8)
    assert "TRC in pixels" in notes[0]
    header, _, _, points = read(tmp_path / "a.trc")
    assert header["Units"] == "px" and points[0, 0].tolist() == [1.0, 1198.0, 0.0]


def test_impossible_heights_and_pictures(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="more than 0"):
        write_trc(clip([0.0], [body(0, 1000)]), tmp_path / "a.trc", height_m=0.0)
    result = clip([0.0], [body(0, 1000)])
    del result.source["height"]
    with pytest.raises(InputError, match="how high"):
        write_trc(result, tmp_path / "a.trc")
    assert list(tmp_path.iterdir()) == []


def some_file(folder: Path, height_m: float | None) -> tuple[Path, np.ndarray]:
    bodies: list[np.ndarray | None] = [body(300 + 10 * t, 1100) for t in range(5)]
    bodies[2] = None
    bodies[3][-1, 2] = 0.0  # type: ignore[index]  # the last cells of a row are empty
    write_trc(clip([t / 25 for t in range(5)], bodies), folder / "walk one.trc", height_m=height_m)
    return folder / "walk one.trc", read(folder / "walk one.trc")[3]


@pytest.mark.parametrize("height_m", [None, 1.75])
def test_trc_data_reader_reads_the_same(tmp_path: Path, height_m: float | None) -> None:
    trc = pytest.importorskip("trc", reason="trc-data-reader is not installed")
    path, points = some_file(tmp_path, height_m)
    data = trc.TRCData()
    data.load(str(path))
    assert (data["NumFrames"], data["NumMarkers"], float(data["DataRate"])) == (5, 17, 25.0)
    assert tuple(data["Markers"]) == COCO17.keypoints
    for k, name in enumerate(COCO17.keypoints):
        found = np.array([[np.nan if v == "" else float(v) for v in row] for row in data[name]])
        np.testing.assert_allclose(found, points[:, k], atol=1e-9)


@pytest.mark.parametrize("height_m", [None, 1.75])
def test_opensim_reads_the_same(tmp_path: Path, height_m: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # it writes a log beside
    opensim = pytest.importorskip("opensim", reason="OpenSim is not installed")
    path, points = some_file(tmp_path, height_m)
    table = opensim.TimeSeriesTableVec3(str(path))
    assert (table.getNumRows(), table.getNumColumns()) == (5, 17)
    assert tuple(table.getColumnLabels()) == COCO17.keypoints
    np.testing.assert_allclose(list(table.getIndependentColumn()), np.arange(5) / 25, atol=1e-6)
    found = np.array([[table.getRowAtIndex(t)[k].to_numpy() for k in range(17)] for t in range(5)])
    np.testing.assert_allclose(found, points, atol=1e-9)
    if height_m is not None:  # its older reader knows lengths only
        assert opensim.MarkerData(str(path)).getNumFrames() == 5


def test_keypoints_without_times_are_spaced_evenly_with_a_note(tmp_path: Path) -> None:
    notes = write_trc(clip([float("nan")] * 4, [body(500, 1100)] * 4), tmp_path / "a.trc")
    assert len(notes) == 1 and "30 frames a second are assumed" in notes[0]
    assert read(tmp_path / "a.trc")[0]["DataRate"] == "30"
    assert write_trc(clip([0.0, float("nan"), 0.2, 0.3], [body(500, 1100)] * 4), tmp_path / "a.trc") == []


def test_a_clip_that_begins_later_on_the_clock_does_so_here(tmp_path: Path) -> None:
    assert write_trc(clip([0.5 + t / 30 for t in range(10)], [body(500, 1100)] * 10), tmp_path / "a.trc") == []
    header, _, shown, _ = read(tmp_path / "a.trc")
    assert header["DataRate"] == "30" and shown[0] == pytest.approx(0.5) and shown[-1] == pytest.approx(0.8)
