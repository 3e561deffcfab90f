"""What a protocol is: the rule and the crop of each kind of dataset, and the methods that are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttpose.evaluation.personalizer import Personalizer
from ttpose.metrics.pck import BBC_RULE, CLIP_RULE, H36M_RULE, PENN_RULE, RENDERED_RULE, PckRule

if TYPE_CHECKING:
    from ttpose.adaptation.settings import PersonalizeSettings


@dataclass(frozen=True)
class Protocol:
    """How a dataset is evaluated.

    Attributes:
        rule: When a joint is right.
        pad: Side of the square crop over the longer side of the label's box.
    """

    rule: PckRule
    pad: float


#: The protocols of the kinds of dataset (`ttpose.data.datasets.KINDS`).
PROTOCOLS = {
    "penn": Protocol(PENN_RULE, 1.25),  # the paper's crop
    "h36m": Protocol(H36M_RULE, 1.25),  # as Penn Action: its boxes are as tight
    "bbc": Protocol(BBC_RULE, 1.0),  # the dataset's reader already leaves a margin about the joints
    "coco": Protocol(PckRule("coco"), 1.25),  # the margin of most top-down work on COCO
    "clips": Protocol(CLIP_RULE, 1.1),  # as `evaluate_clips`
    "shards": Protocol(RENDERED_RULE, 1.1),  # the crop of `--preset small`
}


@dataclass(frozen=True)
class Method:
    """A column of the table: a way to personalize.

    Attributes:
        name: Of the column, such as "online"; not "before".
        settings: Given to the personalizer, stored in the report.
        personalizer: By default the package's own.
    """

    name: str
    settings: PersonalizeSettings
    personalizer: Personalizer | None = None
