"""Metres in tables and marker files, by the person's height or by a scale."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.results.test_trc import body, clip, read
from ttpose.core.errors import UsageError
from ttpose.core.skeleton import BBC7, COCO17
from ttpose.results import Scale, smooth, write_csv, write_trc, write_wide_csv


def read_table(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("scale", [Scale(height_m=2.0), Scale(px_per_m=500)])
def test_tables_and_markers_agree_on_metres(tmp_path: Path, scale: Scale) -> None:
    """A body of 1000 pixels that is 2 m tall: 500 pixels a metre, whichever of the two is said."""
    result = clip([t / 25 for t in range(4)], [body(300 + 10 * t, 1100) for t in range(4)])
    assert write_csv(result, tmp_path / "tidy.csv", scale) == write_wide_csv(result, tmp_path / "w.csv", scale) == []
    write_trc(result, tmp_path / "a.trc", height_m=scale.height_m, px_per_m=scale.px_per_m)
    header, markers, _, points = read(tmp_path / "a.trc")
    assert header["Units"] == "m"
    tidy, wide = read_table(tmp_path / "tidy.csv"), read_table(tmp_path / "w.csv")
    for t in range(4):
        for k, name in enumerate(markers):
            row = tidy[t * 17 + k]
            shown = [float(row["x_m"]), float(row["y_m"])]
            assert shown == pytest.approx(points[t, k, :2], abs=1e-4)
            assert [float(wide[t][f"{name}_{axis}_m"]) for axis in "xy"] == shown
    nose = COCO17.index("nose")
    assert points[0, nose, 1] == pytest.approx(910 / 500, abs=0.01)  # its height over the ground
    assert points[3, nose, 0] - points[0, nose, 0] == pytest.approx(30 / 500, abs=1e-4)
    assert (tidy[0]["x"], tidy[0]["y"]) == ("300.0", "190.0")  # pixels stay


def test_smoothed_keypoints_have_metres_too(tmp_path: Path) -> None:
    result = smooth(clip([t / 25 for t in range(9)], [body(300, 1100)] * 9), "savgol")
    write_csv(result, tmp_path / "tidy.csv", Scale(px_per_m=500))
    row = read_table(tmp_path / "tidy.csv")[0]
    assert float(row["y_smoothed_m"]) == pytest.approx(float(row["y_m"]), abs=1e-3)


def test_without_a_scale_tables_are_as_before(tmp_path: Path) -> None:
    result = clip([0.0, 0.04], [body(300, 1100)] * 2)
    write_csv(result, tmp_path / "a.csv")
    assert list(read_table(tmp_path / "a.csv")[0])[4:] == ["x", "y", "score", "note"]


def test_metres_that_cannot_be_measured_stay_empty_and_it_is_said(tmp_path: Path) -> None:
    points = np.column_stack([np.full(7, 100.0), np.linspace(10, 90, 7), np.ones(7)])
    result = clip([0.0, 0.04], [points] * 2, skeleton=BBC7)
    (note,) = write_csv(result, tmp_path / "a.csv", Scale(height_m=1.8))
    assert note.startswith("no metres in the table: shank, thigh and trunk are not all seen")
    assert read_table(tmp_path / "a.csv")[0]["x_m"] == ""
    # A scale needs no legs: then the lowest keypoint stands for the ground.
    assert write_csv(result, tmp_path / "a.csv", Scale(px_per_m=100)) == []
    assert [float(row["y_m"]) for row in read_table(tmp_path / "a.csv")[:7]][-1] == 0


@pytest.mark.parametrize("values", [(0, None), (-1.7, None), (None, 0), (1.7, 300), (float("nan"), None)])
def test_what_is_no_scale_is_refused(values: tuple[float | None, float | None]) -> None:
    with pytest.raises(UsageError):
        Scale(*values)


def test_opensim_s_markers_have_its_names_and_the_middles(tmp_path: Path) -> None:
    result = clip([t / 25 for t in range(3)], [body(300, 1100)] * 3)
    write_trc(result, tmp_path / "a.trc", height_m=1.8, opensim=True)
    _, markers, _, points = read(tmp_path / "a.trc")
    # The markers of Pose2Sim's Markers_Coco17.xml.
    wanted = {
        "Nose",
        "Neck",
        *(f"{s}{p}" for s in "LR" for p in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle")),
    }
    assert wanted <= set(markers) and len(markers) == len(set(markers)) == 19
    both = points[:, [markers.index("LHip"), markers.index("RHip")]].mean(1)
    np.testing.assert_allclose(points[:, markers.index("Hip")], both, atol=1e-5)
