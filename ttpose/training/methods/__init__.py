"""What can be trained: the paper's method and its baselines, one file each behind `TrainingMethod`."""

from __future__ import annotations

from ttpose.core.errors import UsageError
from ttpose.training.methods.base import TrainingMethod

__all__ = ["METHODS", "TrainingMethod", "training_method"]

#: Names and one line each.
METHODS = {
    "joint": "pose through the Transformer, and reconstruction (TTP)",
    "supervised": "labels only",
    "separate": "reconstruction shares features with a separate pose head",
    "rotation": "rotation prediction shares features with a separate pose head",
    "imm": "self-supervised keypoints and a linear map to pose",
}


def training_method(name: str) -> type[TrainingMethod]:
    """The method of a name; raises UsageError for a name that is none."""
    from ttpose.training.methods.imm import ImmMethod
    from ttpose.training.methods.joint import JointMethod
    from ttpose.training.methods.rotation import RotationMethod
    from ttpose.training.methods.separate import SeparateMethod
    from ttpose.training.methods.supervised import SupervisedMethod

    methods: dict[str, type[TrainingMethod]] = {
        "joint": JointMethod,
        "supervised": SupervisedMethod,
        "separate": SeparateMethod,
        "rotation": RotationMethod,
        "imm": ImmMethod,
    }
    if name not in methods:
        raise UsageError(f"there is no training method {name}", f"use {', '.join(methods)}")
    return methods[name]
