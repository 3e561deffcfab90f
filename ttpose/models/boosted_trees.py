"""Boosted decision trees as plain arrays: trained with scikit-learn, stored without pickle, evaluated with numpy."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ttpose.core.errors import WeightsError
from ttpose.models.checkpoint import read_tensors, write_tensors

_FORMAT = "ttpose.forest/1"


@dataclass(frozen=True)
class Forest:
    """A binary classifier: the logistic function of a sum over trees (Friedman 2001, gradient boosting).

    Attributes:
        roots: int32 [trees], where each tree begins in the arrays that follow.
        feature: int32 [nodes], what a node asks; -1 for a leaf.
        threshold: float64 [nodes], at most so much goes left.
        missing_left: bool [nodes], where NaN goes.
        left, right: int32 [nodes].
        value: float64 [nodes], what a leaf adds; the first tree's leaves hold the prior too.
    """

    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray

    def probability(self, features: np.ndarray) -> np.ndarray:
        """[N] of rows [N, F]; NaN stands for what is unknown."""
        total = np.zeros(len(features))
        for root in self.roots:
            node = np.full(len(features), root)
            going = np.flatnonzero(self.feature[node] >= 0)  # rows that have not come to a leaf
            while going.size:
                at = node[going]
                told = features[going, self.feature[at]]
                left = np.where(np.isnan(told), self.missing_left[at], told <= self.threshold[at])
                node[going] = onwards = np.where(left, self.left[at], self.right[at])
                going = going[self.feature[onwards] >= 0]
            total += self.value[node]
        return np.asarray(1 / (1 + np.exp(-total)))

    @classmethod
    def of(cls, model: Any) -> Forest:
        """The same as a fitted `sklearn.ensemble.HistGradientBoostingClassifier` of two classes."""
        trees = [predictor.nodes for (predictor,) in model._predictors]
        first = np.cumsum([0, *(len(nodes) for nodes in trees)])[:-1]
        nodes = np.concatenate(trees)
        begin = np.repeat(first, [len(tree) for tree in trees])
        leaf = nodes["is_leaf"].astype(bool)
        value = np.where(leaf, nodes["value"], 0.0)
        value[: len(trees[0])] += float(model._baseline_prediction.item()) * leaf[: len(trees[0])]
        return cls(
            roots=first.astype(np.int32),
            feature=np.where(leaf, -1, nodes["feature_idx"]).astype(np.int32),
            # A question whether a feature is known at all has an infinite threshold, which a file may not hold.
            threshold=np.nan_to_num(nodes["num_threshold"].astype(np.float64), posinf=np.finfo(np.float64).max),
            missing_left=nodes["missing_go_to_left"].astype(bool),
            left=(nodes["left"] + begin).astype(np.int32),
            right=(nodes["right"] + begin).astype(np.int32),
            value=value,
        )

    def save(self, path: Path | str, notes: dict[str, str] | None = None) -> None:
        """Write to a safetensors file; raises OutputError."""
        arrays = {
            field.name: torch.from_numpy(np.ascontiguousarray(getattr(self, field.name))) for field in fields(self)
        }
        write_tensors(path, arrays, {"format": _FORMAT, **(notes or {})})

    @classmethod
    def load(cls, path: Path | str) -> Forest:
        """Read a file of `save`.

        Raises:
            WeightsError: It is missing, damaged or something else.
        """
        tensors, metadata = read_tensors(path)
        if metadata.get("format") != _FORMAT:
            raise WeightsError(f"{path} holds no decision trees (format: {metadata.get('format', 'unknown')})")
        try:
            forest = cls(**{field.name: tensors[field.name].numpy() for field in fields(cls)})
        except KeyError as error:
            raise WeightsError(f"{path} is incomplete: {error} is missing", "reinstall ttpose") from error
        if not _sound(forest):
            raise WeightsError(f"{path} is damaged: its trees lead nowhere", "reinstall ttpose")
        return forest


def _sound(forest: Forest) -> bool:
    """Whether every question leads onwards, so that every walk ends."""
    count, asks = forest.feature.size, forest.feature >= 0
    if any(getattr(forest, field.name).shape != (count,) for field in fields(forest) if field.name != "roots"):
        return False
    here = np.arange(count)[asks]
    onwards = [(branch[asks] > here).all() and (branch[asks] < count).all() for branch in (forest.left, forest.right)]
    return bool(all(onwards) and (forest.roots >= 0).all() and (forest.roots < count).all())
