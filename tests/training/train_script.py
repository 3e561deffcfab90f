"""Trains as a process of its own: `python train_script.py DATA FOLDER '{"setting": value}'`, also under torchrun."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from ttpose.training.joint import train
from ttpose.training.plan import TrainingPlan
from ttpose.training.schedule import TrainingPreset, training_preset


def small_plan(data: str, folder: Path, **changes) -> TrainingPlan:
    """A training that takes a second; changes are settings, or fields of the plan."""
    preset = training_preset("tiny")
    config = dataclasses.replace(
        preset.config, input_size=32, reconstruction_size=32, num_self=14, encoder_width=4, transformer_width=8
    )
    fields = {field.name for field in dataclasses.fields(TrainingPlan)}
    own = {name: value for name, value in changes.items() if name in fields}
    settings = {"epochs": 2, "batch": 4, "milestones": (1,)}
    settings.update({name: value for name, value in changes.items() if name not in fields})
    settings["milestones"] = tuple(settings["milestones"])
    preset = TrainingPreset(config, dataclasses.replace(preset.settings, **settings))
    options = {"perceptual": "encoder", "workers": 0, "validate_every": 0, **own}
    return TrainingPlan(preset=preset, data=data, folder=folder, **options)


if __name__ == "__main__":
    train(small_plan(sys.argv[1], Path(sys.argv[2]), **json.loads(sys.argv[3])))
