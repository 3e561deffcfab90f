"""The person detector: images in, boxes of people out, in the images' own pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ttpose.core.geometry import Box

if TYPE_CHECKING:
    from ttpose.models.engine import CompiledDetector
    from ttpose.models.nanodet import NanoDet


@dataclass(frozen=True)
class Detection:
    """One person found in an image: box in pixels, score 0..1."""

    box: Box
    score: float


@dataclass(frozen=True)
class DetectorSettings:
    """Numbers of the person detector."""

    # Longer sides of the network's input. It was trained at 416, but is half blind for people who fill three quarters
    # of that; at 256 they score 0.8 instead of 0.3, for a third of the cost.
    sizes: tuple[int, ...] = (416, 256)
    multiple: int = 32  # the coarsest level's stride; both sides of the input are padded to it
    min_score: float = 0.35  # upstream's demos use 0.35 to 0.4
    nms_iou: float = 0.6  # upstream's value; people who overlap by less stay apart
    max_people: int = 50  # in one image; bounds the association's cost in crowds


class Detector(Protocol):
    """What `track_subject` needs of a person detector."""

    def find(
        self, images: Sequence[np.ndarray], min_score: float | None = None, sizes: Sequence[int] | None = None
    ) -> list[list[Detection]]:
        """The people of each RGB uint8 [H, W, 3] image, best first."""
        ...


class SharedDetector:
    """A detector that searches each image once, however many people ask for it.

    It holds the images, so that it is for a few frames only.

    Args:
        detector: What searches.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._found: dict[int, tuple[np.ndarray, list[Detection]]] = {}

    def find(
        self, images: Sequence[np.ndarray], min_score: float | None = None, sizes: Sequence[int] | None = None
    ) -> list[list[Detection]]:
        """As the detector does; calls with a score or sizes of their own are not shared."""
        if min_score is not None or sizes is not None:
            return self._detector.find(images, min_score, sizes)
        new = [image for image in images if id(image) not in self._found]
        if new:
            for image, found in zip(new, self._detector.find(new), strict=True):
                self._found[id(image)] = image, found
        return [self._found[id(image)][1] for image in images]


class PersonDetector:
    """NanoDet with its pre- and post-processing."""

    def __init__(self, model: NanoDet | CompiledDetector, *, settings: DetectorSettings | None = None) -> None:
        self.settings = settings or DetectorSettings()
        self._model = model

    @classmethod
    def load(cls, device: str = "cpu", path: Path | str | None = None, *, compile: bool = True) -> PersonDetector:
        """Load the shipped weights, or those at `path`; a network that looks at a few images alone is not compiled.

        Raises:
            WeightsError: The file is missing, damaged or of another architecture.
        """
        from ttpose.models.engine import compiled_detector
        from ttpose.models.nanodet import load_nanodet
        from ttpose.models.store import model_path

        network = load_nanodet(Path(path) if path else model_path("nanodet_416.safetensors")).to(device)
        return cls(compiled_detector(network) if compile else network)

    def find(
        self, images: Sequence[np.ndarray], min_score: float | None = None, sizes: Sequence[int] | None = None
    ) -> list[list[Detection]]:
        """Find people.

        Args:
            images: RGB uint8 [H, W, 3], of any sizes; those of one size run as one batch.
            min_score: Keep boxes that score at least this, 0..1; None means the settings' value.
            sizes: Longer sides of the network's input, in pixels; None means the settings' value.

        Returns:
            For each image its people, best score first, boxes clipped to the image.
        """
        threshold = self.settings.min_score if min_score is None else min_score
        found: list[list[Detection]] = [[] for _ in images]
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, image in enumerate(images):
            groups.setdefault(image.shape, []).append(index)
        for members in groups.values():
            rows = [
                self._run([images[index] for index in members], size, threshold)
                for size in sizes or self.settings.sizes
            ]
            for index, parts in zip(members, zip(*rows, strict=True), strict=True):
                corners, scores = (np.concatenate(values) for values in zip(*parts, strict=True))
                found[index] = self._select(corners, scores, images[index].shape)
        return found

    def release(self) -> None:
        """Free what was compiled; the next search compiles again."""
        from ttpose.models.engine import release

        release(self._model)

    def _run(self, images: list[np.ndarray], size: int, threshold: float) -> list[tuple[np.ndarray, np.ndarray]]:
        """Corner boxes [N, 4] in image pixels and scores [N] of each of some images of one shape."""
        import torch

        boards = [letterbox(image, size, self.settings.multiple) for image in images]
        batch = torch.from_numpy(np.stack([board for board, _ in boards])).to(self._model.mean.device)
        with torch.inference_mode():
            scores, boxes = (values.float().cpu().numpy() for values in self._model(batch))
        keep = scores >= threshold
        return [
            (place.to_image(boxes[row][keep[row]].astype(np.float64)), scores[row][keep[row]])
            for row, (_, place) in enumerate(boards)
        ]

    def _select(self, corners: np.ndarray, scores: np.ndarray, shape: tuple[int, ...]) -> list[Detection]:
        """Corner boxes [N, 4] of one image to detections without doubles."""
        people: list[Detection] = []
        for row in np.argsort(-scores, kind="stable"):
            x0, y0, x1, y1 = corners[row].tolist()
            box = Box(x0, y0, x1 - x0, y1 - y0).clipped(shape[1], shape[0])
            if box.area > 0 and all(box.iou(other.box) <= self.settings.nms_iou for other in people):
                people.append(Detection(box, float(scores[row])))
                if len(people) == self.settings.max_people:
                    break
        return people


@dataclass(frozen=True)
class Placement:
    """Where an image lies on its letterbox: scale and offset of x and y, edges to edges."""

    scale: tuple[float, float]
    offset: tuple[int, int]

    def to_image(self, corners: np.ndarray) -> np.ndarray:
        """Corner boxes [N, 4] (x0, y0, x1, y1) from letterbox pixels to image pixels (centres at integers in both)."""
        return (corners + 0.5 - np.tile(self.offset, 2)) / np.tile(self.scale, 2) - 0.5


def letterbox(image: np.ndarray, size: int, multiple: int) -> tuple[np.ndarray, Placement]:
    """Shrink or enlarge an image to a longer side of `size`, centred on black, both sides multiples of `multiple`.

    A wide image thus costs less than a square one. Returns the uint8 [h, w, 3] letterbox and the image's place on it.
    """
    import cv2

    height, width = image.shape[:2]
    zoom = size / max(height, width)
    w, h = max(round(width * zoom), 1), max(round(height * zoom), 1)
    small = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    board = np.zeros((-(-h // multiple) * multiple, -(-w // multiple) * multiple, 3), np.uint8)
    left, top = (board.shape[1] - w) // 2, (board.shape[0] - h) // 2
    board[top : top + h, left : left + w] = small
    return board, Placement((w / width, h / height), (left, top))
