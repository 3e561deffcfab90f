"""The window: the picture with the skeleton, a line of what goes on, and the keys."""

from __future__ import annotations

import os
import sys
from enum import Enum

import numpy as np

from ttpose.core.errors import UsageError

_NAME = "ttpose live"
_WIDEST, _HIGHEST = 1280, 720  # larger pictures are shown shrunk, so that they fit on a laptop's screen
_NO_SCREEN = "use --no-display, with --output or --save"


class Key(Enum):
    """What the user asks for."""

    pause = " "
    save = "s"
    toggle = "b"
    quit = "q"


class Window:
    """An OpenCV window; belongs into the main thread.

    Raises:
        UsageError: This OpenCV draws no windows, or there is no screen.
    """

    def __init__(self) -> None:
        import cv2

        # Asked before, because Qt ends the whole process where it finds no screen.
        if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
            raise UsageError("there is no screen to show pictures on (DISPLAY is not set)", _NO_SCREEN)
        try:
            cv2.namedWindow(_NAME, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
        except cv2.error as error:
            hint = f"install opencv-python in place of opencv-python-headless, or {_NO_SCREEN}"
            raise UsageError("this OpenCV cannot draw windows", hint) from error
        self._shown = False

    def show(self, image: np.ndarray, text: str) -> None:
        """Show an RGB uint8 [H, W, 3] picture with a line of ASCII text on it; the picture may be written on."""
        import cv2

        shrink = min(_WIDEST / image.shape[1], _HIGHEST / image.shape[0])
        if shrink < 1:
            image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        scale = max(image.shape[0] / 1000, 0.4)
        place, line = (round(12 * scale), round(30 * scale)), max(round(2 * scale), 1)
        for colour, width in (((0, 0, 0), 3 * line), ((255, 255, 255), line)):
            cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.8 * scale, colour, width, cv2.LINE_AA)
        cv2.imshow(_NAME, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        self._shown = True

    def key(self) -> Key | None:
        """The key pressed since the last call; a closed window counts as quit."""
        import cv2

        pressed = cv2.waitKey(1) & 0xFF
        if self._shown and cv2.getWindowProperty(_NAME, cv2.WND_PROP_VISIBLE) < 1:
            return Key.quit
        return next((key for key in Key if ord(key.value) == pressed), Key.quit if pressed == 27 else None)

    def close(self) -> None:
        """Take the window away."""
        import cv2

        cv2.destroyWindow(_NAME)
