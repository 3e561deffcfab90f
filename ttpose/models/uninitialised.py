"""Networks that are about to get weights from a file: made without drawing random ones first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch.overrides import TorchFunctionMode


class Uninitialised(TorchFunctionMode):
    """Within it torch's layers leave weights as the memory happens to be: a third of the time that loading takes.

    Every weight that is not in the file afterwards is noise, so load with `strict=True`.
    """

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call any function as usual, but none that draws weights."""
        kwargs = kwargs or {}
        if getattr(function, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return function(*args, **kwargs)
