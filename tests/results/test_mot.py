from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.results.posed import FRAMES, WITH_FEET, bent
from ttpose.results import FrameRecord, KeypointResult, person_angles, write_mot

_ONE_OF_TWO = "a motion file holds one person: of 2 people, number 1 was written"


def read_mot(path: Path) -> tuple[dict[str, str], list[str], np.ndarray]:
    """Header, labels and numbers by the rules of OpenSim's Storage and STOFileAdapter.

    Lines up to `endheader` are a name and key=value pairs; then come the labels and the rows, parted by tabs, of as
    many columns, all numbers. nRows and nColumns count what there is, the time column included.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    end = lines.index("endheader")
    assert "=" not in lines[0]
    header = dict(line.split("=") for line in lines[1:end])
    labels = lines[end + 1].split("\t")
    assert lines[-1] == "" and labels[0] == "time" and len(set(labels)) == len(labels)
    assert not any(" " in label for label in labels)
    numbers = np.array([[float(cell) for cell in line.split("\t")] for line in lines[end + 2 : -1]])
    assert np.isfinite(numbers).all()
    assert (header["nRows"], header["nColumns"]) == (str(len(numbers)), str(len(labels)))
    assert (np.diff(numbers[:, 0]) > 0).all()
    return header, labels, numbers


def test_it_reads_back_with_short_gaps_bridged(duel: KeypointResult, tmp_path: Path) -> None:
    assert write_mot(duel, tmp_path / "angles.mot") == [_ONE_OF_TWO]
    header, labels, numbers = read_mot(tmp_path / "angles.mot")
    assert header["inDegrees"] == "yes"
    assert "pelvis" not in labels  # it cannot be seen from the side
    assert numbers[:, 0] == pytest.approx(np.arange(FRAMES) / 25)
    for name in labels[1:]:
        truth = [bent(t).expected[name] for t in range(FRAMES)]
        assert numbers[:, labels.index(name)] == pytest.approx(truth, abs=0.0051), name
    assert "-0.00" not in (tmp_path / "angles.mot").read_text()


def test_another_person_can_be_chosen(duel: KeypointResult, tmp_path: Path) -> None:
    assert write_mot(duel, tmp_path / "angles.mot", person=2) == []
    _, labels, numbers = read_mot(tmp_path / "angles.mot")
    assert numbers[:, labels.index("left_knee")] == pytest.approx(40 + 2 * np.arange(FRAMES), abs=0.0051)


def test_it_begins_and_ends_with_the_person_and_says_what_it_bridges(duel: KeypointResult, tmp_path: Path) -> None:
    there = [frame for frame in duel.frames if frame.index not in (3, 5)]
    frames = [FrameRecord(t, t / 5) for t in range(20)]
    for t, frame in zip((2, 3, 4, 5, 6, 9, 10), there, strict=False):
        frames[t] = replace(frames[t], people=frame.people[:1])
    frames[4].people[0].keypoints[:, 2] = 0.9
    (note,) = write_mot(replace(duel, frames=frames), tmp_path / "angles.mot")
    assert note.startswith("angles.mot: gaps of up to 0.6 s are bridged")
    assert read_mot(tmp_path / "angles.mot")[2][:, 0].tolist() == pytest.approx([t / 5 for t in range(2, 11)])


def test_an_angle_that_is_hardly_known_is_left_out(duel: KeypointResult, tmp_path: Path) -> None:
    for frame in duel.frames[4:]:
        for person in frame.people:
            person.keypoints[WITH_FEET.index("left_wrist"), 2] = 0.0
    write_mot(duel, tmp_path / "angles.mot")
    labels = read_mot(tmp_path / "angles.mot")[1]
    assert "left_elbow" not in labels and "right_elbow" in labels


def test_opensim_reads_it_old_reader_and_new(
    duel: KeypointResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # it writes a log beside
    opensim = pytest.importorskip("opensim", reason="OpenSim is not installed")
    write_mot(duel, tmp_path / "angles.mot")
    _, labels, numbers = read_mot(tmp_path / "angles.mot")
    table, storage = (kind(str(tmp_path / "angles.mot")) for kind in (opensim.TimeSeriesTable, opensim.Storage))
    assert list(table.getColumnLabels()) == labels[1:]
    assert table.getTableMetaDataString("inDegrees") == "yes"
    np.testing.assert_allclose(table.getMatrix().to_numpy(), numbers[:, 1:], atol=1e-9)
    assert (storage.getSize(), storage.isInDegrees(), storage.getColumnLabels().getSize()) == (
        FRAMES,
        True,
        len(labels),
    )


def test_times_that_nobody_knows_are_assumed_and_said(duel: KeypointResult, tmp_path: Path) -> None:
    frames = [replace(frame, time_s=float("nan")) for frame in duel.frames]
    notes = write_mot(replace(duel, frames=frames), tmp_path / "angles.mot", person=1)
    assert notes == ["the keypoints do not say when their frames were shown: 30 frames a second are assumed"]
    assert read_mot(tmp_path / "angles.mot")[2][:, 0] == pytest.approx(np.arange(FRAMES) / 30, abs=1e-6)


def test_nobody_at_all_leaves_the_heads(duel: KeypointResult, tmp_path: Path) -> None:
    frames = [replace(frame, people=()) for frame in duel.frames]
    assert write_mot(replace(duel, frames=frames), tmp_path / "angles.mot") == []
    assert "nRows=0" in (tmp_path / "angles.mot").read_text()
    assert person_angles(replace(duel, frames=frames), 1).degrees.shape[0] == FRAMES
