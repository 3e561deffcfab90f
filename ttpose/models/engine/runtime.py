"""OpenVINO's runtime without its model converter, which reports each import to its makers over the network."""

from __future__ import annotations

import sys

_CONVERTER = "openvino.tools.ovc"

# `import openvino` goes on without a converter that cannot be imported. A program that has it already keeps it, and
# whoever wants it later can still import it.
_absent = _CONVERTER not in sys.modules
if _absent:
    sys.modules[_CONVERTER] = None  # type: ignore[assignment]
try:
    import openvino
    import openvino.opset13 as ops
finally:
    if _absent:
        del sys.modules[_CONVERTER]

__all__ = ["openvino", "ops"]
