from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ttpose.core.errors import WeightsError
from ttpose.models.boosted_trees import Forest
from ttpose.models.checkpoint import read_metadata, read_tensors, write_tensors
from ttpose.models.store import model_path


@pytest.fixture
def two_trees():
    """A tree of two questions, the first about feature 1, and one of a single leaf.

    Feature 1 at most 0.5, or unknown: 2. Else feature 0 at most -1: 1; more, or unknown: -3. And -0.5 in any case.
    """
    return Forest(
        roots=np.array([0, 5], np.int32),
        feature=np.array([1, -1, 0, -1, -1, -1], np.int32),
        threshold=np.array([0.5, 0, -1.0, 0, 0, 0]),
        missing_left=np.array([True, False, False, False, False, False]),
        left=np.array([1, 0, 3, 0, 0, 0], np.int32),
        right=np.array([2, 0, 4, 0, 0, 0], np.int32),
        value=np.array([0, 2.0, 0, 1.0, -3.0, -0.5]),
    )


def _logistic(total):
    return 1 / (1 + np.exp(-total))


@pytest.mark.parametrize(
    ("row", "total"),
    [
        ((7.0, 0.2), 1.5),
        ((7.0, 0.5), 1.5),  # at most: the threshold itself goes left
        ((-1.0, 0.6), 0.5),
        ((-0.9, 0.6), -3.5),
        ((np.nan, np.nan), 1.5),
        ((np.nan, 0.6), -3.5),
    ],
)
def test_two_trees_by_hand(two_trees, row, total):
    assert two_trees.probability(np.array([row])) == pytest.approx([_logistic(total)])


def test_rows_go_their_own_ways(two_trees):
    rows = np.array([[7.0, 0.2], [-0.9, 0.6], [-1.0, 0.6], [np.nan, np.nan]], np.float32)
    assert two_trees.probability(rows) == pytest.approx(_logistic(np.array([1.5, -3.5, 0.5, 1.5])))


def test_no_rows(two_trees):
    assert two_trees.probability(np.zeros((0, 2), np.float32)).shape == (0,)


@pytest.mark.parametrize("unknown", [0.0, 0.3])
def test_the_same_as_scikit_learn(unknown):
    ensemble = pytest.importorskip("sklearn.ensemble", reason="scikit-learn comes with ttpose[training]")
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, 4))
    right = rows[:, 0] + rows[:, 1] ** 2 > 0.5 + 0.5 * rng.normal(size=600)
    rows[rng.random(rows.shape) < unknown] = np.nan
    rows[right, 3] = np.where(rng.random(right.sum()) < unknown, np.nan, rows[right, 3])  # what is unknown tells too
    model = ensemble.HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=7, early_stopping=False)
    forest = Forest.of(model.fit(rows, right))
    others = rng.normal(size=(400, 4))
    others[rng.random(others.shape) < 0.3] = np.nan
    for given in (rows, others):
        assert forest.probability(given) == pytest.approx(model.predict_proba(given)[:, 1], abs=1e-9)
    assert forest.probability(rows).std() > 0.2, "the comparison says something"


def test_a_question_whether_a_feature_is_known(tmp_path):
    ensemble = pytest.importorskip("sklearn.ensemble", reason="scikit-learn comes with ttpose[training]")
    rng = np.random.default_rng(0)
    rows = np.where(rng.random((400, 1)) < 0.5, np.nan, rng.normal(size=(400, 1)))
    model = ensemble.HistGradientBoostingClassifier(max_iter=3, early_stopping=False)
    model.fit(rows, np.isnan(rows[:, 0]))
    assert any(np.isinf(tree.nodes["num_threshold"]).any() for (tree,) in model._predictors), "nothing is tested"
    Forest.of(model).save(tmp_path / "trees.safetensors")
    forest = Forest.load(tmp_path / "trees.safetensors")
    assert forest.probability(rows) == pytest.approx(model.predict_proba(rows)[:, 1])


def test_trees_without_a_question_know_the_prior():
    ensemble = pytest.importorskip("sklearn.ensemble", reason="scikit-learn comes with ttpose[training]")
    model = ensemble.HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=20, early_stopping=False)
    forest = Forest.of(model.fit(np.arange(10.0)[:, None], np.arange(10) < 3))
    assert (forest.feature == -1).all()
    assert forest.probability(np.zeros((2, 1))) == pytest.approx([0.3, 0.3], abs=1e-6)


def test_a_file_gives_back_what_was_written(two_trees, tmp_path):
    path = tmp_path / "trees.safetensors"
    two_trees.save(path, {"clips": "3"})
    again = Forest.load(path)
    for field in fields(Forest):
        written, read = getattr(two_trees, field.name), getattr(again, field.name)
        assert written.dtype == read.dtype and np.array_equal(written, read), field.name
    assert read_metadata(path)["clips"] == "3"
    again.save(tmp_path / "again.safetensors", {"clips": "3"})
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_a_file_cut_short_is_refused(two_trees, tmp_path, share):
    path = tmp_path / "trees.safetensors"
    two_trees.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match=r"trees\.safetensors"):
        Forest.load(path)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="no weights file"):
        Forest.load(tmp_path / "none.safetensors")
    save_file({"x": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"no decision trees \(format: unknown\)"):
        Forest.load(tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="no decision trees"):
        Forest.load(model_path("mobile.safetensors"))


@pytest.mark.parametrize("missing", [field.name for field in fields(Forest)])
def test_a_file_that_lacks_a_part_is_refused(two_trees, tmp_path, missing):
    path = tmp_path / "trees.safetensors"
    two_trees.save(path)
    tensors, metadata = read_tensors(path)
    del tensors[missing]
    write_tensors(path, tensors, metadata)
    with pytest.raises(WeightsError, match=f"'{missing}' is missing"):
        Forest.load(path)


@pytest.mark.parametrize(
    ("part", "position", "number"),
    [
        ("left", 0, 0),  # round and round
        ("right", 2, 1),  # back; this one would end, but nothing says that it does
        ("left", 2, 6),  # past the end
        ("right", 0, -1),
        ("roots", 1, 6),
        ("roots", 0, -2),
    ],
)
def test_trees_that_lead_nowhere_are_refused(two_trees, tmp_path, part, position, number):
    getattr(two_trees, part)[position] = number
    two_trees.save(tmp_path / "trees.safetensors")
    with pytest.raises(WeightsError, match="lead nowhere"):
        Forest.load(tmp_path / "trees.safetensors")


@pytest.mark.parametrize("part", [field.name for field in fields(Forest) if field.name != "roots"])
@pytest.mark.parametrize("change", [lambda a: a[:-1], lambda a: np.append(a, a[-1:]), lambda a: a[:, None]])
def test_parts_of_differing_lengths_are_refused(two_trees, tmp_path, part, change):
    replace(two_trees, **{part: change(getattr(two_trees, part))}).save(tmp_path / "trees.safetensors")
    with pytest.raises(WeightsError, match="lead nowhere"):
        Forest.load(tmp_path / "trees.safetensors")


def test_what_leaves_point_to_does_not_matter(two_trees, tmp_path):
    two_trees.left[1] = two_trees.right[5] = 0  # scikit-learn's leaves point to their own tree's root
    two_trees.save(tmp_path / "trees.safetensors")
    assert len(Forest.load(tmp_path / "trees.safetensors").value) == 6
