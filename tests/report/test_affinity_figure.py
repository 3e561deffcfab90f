from __future__ import annotations

import numpy as np

from ttpose.report.affinity import change_map, weights_map

ROWS, COLUMNS = ("nose", "left_knee"), ("nose", "left_knee", "free 1")


def test_only_weights_that_say_something_are_cells() -> None:
    heatmap = weights_map(np.array([[0.995, 0.001, 0.004], [0.1, 0.6, 0.3]]), ROWS, COLUMNS)
    assert [(cell.row, cell.column, round(cell.opacity, 2)) for cell in heatmap.cells] == [
        (0, 0, 0.99), (1, 0, 0.1), (1, 1, 0.6), (1, 2, 0.3),
    ]  # fmt: skip
    assert heatmap.cells[-1].text == "left knee ← free 1: 0.30"
    assert "80%" in heatmap.summary


def test_a_change_has_signs_and_rounding_noise_is_none() -> None:
    before = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    after = np.array([[1.0, 0.0, 0.0], [0.0, 0.8, 0.2]])
    heatmap, sentence = change_map(before, after, ROWS, COLUMNS)
    assert heatmap is not None
    assert {(cell.row, cell.column, cell.falls) for cell in heatmap.cells} == {(1, 1, True), (1, 2, False)}
    assert "left knee" in sentence
    assert change_map(before, before + 1e-6, ROWS, COLUMNS)[0] is None
