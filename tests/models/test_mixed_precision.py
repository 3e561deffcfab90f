from __future__ import annotations

import torch

from ttpose.models.device import half_type, mixed_precision, moved


def test_on_a_cpu_nothing_changes():
    cpu, images = torch.device("cpu"), torch.rand(2, 3)
    assert half_type(cpu) is None
    assert moved(images, cpu) is images
    with mixed_precision(cpu):
        assert torch.nn.functional.linear(images, torch.rand(4, 3)).dtype is torch.float32
