"""How fast a base runs on this machine, measured on a few crops."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

_CROPS, _TIMES = 4, 3  # crops a forward, as in predictions; the median of three forwards after a first one


def measure_speed(path: Path, device: str = "auto") -> dict[str, Any]:
    """Milliseconds a crop of a base, without finding and cutting out the person; raises WeightsError."""
    import numpy as np

    from ttpose.models.checkpoint import load_model
    from ttpose.models.device import choose_device, devices
    from ttpose.models.predictor import Predictor

    chosen = choose_device(device)
    predictor = Predictor(load_model(path, chosen))
    crops = np.zeros((_CROPS, *predictor.grid.size, 3), np.uint8)
    predictor.predict_crops(crops)
    seconds = []
    for _ in range(_TIMES):
        begin = time.perf_counter()
        predictor.predict_crops(crops)  # it ends on the CPU, so that a GPU has finished
        seconds.append(time.perf_counter() - begin)
    each = statistics.median(seconds) / _CROPS
    return {
        "device": f"{chosen}, {devices()[chosen]}",
        "ms_per_crop": round(1000 * each, 1),
        "crops_per_second": round(1 / each, 1),
    }
