"""Baseline: the tasks share features, but pose has a head of its own instead of the Transformer.

The "keypoint" task without affinity in the TTP paper's comparison: reconstruction shapes the encoder and nothing else.
"""

from __future__ import annotations

from ttpose.training.methods.joint import JointMethod


class SeparateMethod(JointMethod):
    """The paper's losses with a separate supervised head."""

    pose_head = "separate"
