"""Adapting a pose model to one person: crops as samples, objectives, the loops, and the guard.

The room has the name of the function `ttpose.personalize`, and Python binds an imported room to that very name. So the
room can be called too, and `ttpose.personalize(...)` means the function whatever was imported before.
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any


class _CallableRoom(ModuleType):
    def __call__(self, *args: Any, **how: Any) -> Any:
        from ttpose.api import personalize

        return personalize(*args, **how)

    @property
    def __signature__(self) -> inspect.Signature:
        """The function's, for notebooks and editors that show arguments."""
        from ttpose.api import personalize

        return inspect.signature(personalize)


sys.modules[__name__].__class__ = _CallableRoom
