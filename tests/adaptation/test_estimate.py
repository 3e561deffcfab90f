"""The time that a run says it will take: what it counts, and what it measures."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ttpose.adaptation.sources import ObservedClip

from ttpose.adaptation import session as one_person
from ttpose.adaptation.online import personalize_stream
from ttpose.adaptation.personalize import personalize_model
from ttpose.adaptation.session import PersonalizationSession, looks_to_adapt
from ttpose.adaptation.settings import preset_named
from ttpose.core.progress import Progress
from ttpose.inference.follow import CropStore
from ttpose.models.pose_model import PoseModel
from ttpose.models.shipped import LoadedModel

LEARNED, CHECKED = 4.0, 2.5  # looks that repainting takes, the other frame's own look included


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Views that models look at and repaint from now on, apart with and without a way back."""
    counts: Counter[str] = Counter()
    forward, reconstruct = PoseModel.forward, PoseModel.reconstruct

    def look(self: PoseModel, images: torch.Tensor) -> Any:
        counts["taught" if torch.is_grad_enabled() else "seen"] += len(images)
        return forward(self, images)

    def paint(self: PoseModel, images: torch.Tensor, *rest: Any) -> Any:
        counts["repainted" if torch.is_grad_enabled() else "checked"] += len(images)
        return reconstruct(self, images, *rest)

    monkeypatch.setattr(PoseModel, "forward", look)
    monkeypatch.setattr(PoseModel, "reconstruct", paint)
    return counts


def looks(counts: Counter[str]) -> float:
    alone = counts["seen"] - counts["repainted"] - counts["checked"]
    return alone + 3.4 * counts["taught"] + LEARNED * counts["repainted"] + CHECKED * counts["checked"]


@pytest.mark.parametrize("frames", [4, 20])  # too few to hold any out, and enough
@pytest.mark.parametrize(
    ("preset", "changes"),
    [
        ("fast", {}),
        ("fast", {"guard": False, "max_crops": 3}),
        ("balanced", {"decoder_warmup": 2}),
        ("balanced", {"decoder_warmup": 2, "batch": 8, "reconstruction_batch": 3}),
        ("paper", {"batch": 2, "together": 2, "perceptual": "none"}),
    ],
)
def test_every_look_is_counted(
    counted: Counter[str], tiny: PoseModel, painted_crops: list, preset: str, changes: dict[str, Any], frames: int
) -> None:
    crops = [replace(painted_crops[i % 12], index=i, time_s=i / 25) for i in range(frames)]
    settings = replace(preset_named(preset), **{"steps": 2, "batch": 4, **changes})
    personalize_model(tiny, crops, settings)
    assert looks_to_adapt(settings, crops, "transport") == pytest.approx(looks(counted))
    assert looks_to_adapt(settings, crops, "imm") >= looks_to_adapt(settings, crops, "transport")


def test_every_look_of_an_online_run_is_counted(counted: Counter[str], tiny: PoseModel, painted_crops: list) -> None:
    settings = replace(preset_named("balanced", mode="online"), decoder_warmup=3, batch=2, frame_steps=2, views=2)
    done = personalize_stream(tiny, painted_crops[:4], settings)
    assert done.guard.decision == "personalized", "nothing is predicted again"
    predicted = 4 * settings.predict_views
    assert looks_to_adapt(settings, painted_crops[:4], "transport") == pytest.approx(looks(counted) - predicted)


@pytest.mark.parametrize(
    ("preset", "most", "predicted_s"), [("fast", 9, 0.8), ("fast", 4, 500), ("balanced", 4, 505.2)]
)
def test_the_time_of_a_look_is_measured_anew(
    tiny: PoseModel, painted_crops: list, monkeypatch: pytest.MonkeyPatch, preset: str, most: int, predicted_s: float
) -> None:
    class Told(Exception):
        pass

    class UntilTold(Progress):
        def note(self, text: str) -> None:
            raise Told(text)

    clock = SimpleNamespace(now=0.0, perf_counter=lambda: clock.now)

    def predict_tta(model: PoseModel, crops: list, *rest: Any) -> None:
        clock.now += 0.1 * len(crops)

    monkeypatch.setattr(one_person, "time", clock)
    monkeypatch.setattr(one_person, "observe", predict_tta)
    store = CropStore(most)
    for crop in painted_crops[:8]:
        store.offer(crop)
    # The first look took long: reading a large video, or loading what is loaded once.
    seen = ObservedClip(None, [], store, None, find_s=100.0, look_s=500.0)  # type: ignore[arg-type]
    loaded, settings = LoadedModel(tiny, "tiny", "ab" * 32), preset_named(preset)
    run = PersonalizationSession(loaded, loaded, None, settings, UntilTold())  # type: ignore[arg-type]
    with pytest.raises(Told) as told:
        run.learn([seen])
    expected = 0.1 * looks_to_adapt(settings, store.crops, "transport") + predicted_s
    assert str(told.value) == f"adapting on cpu: about {expected:.0f} s"
