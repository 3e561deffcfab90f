from __future__ import annotations

import sys

import numpy as np
import pytest

from ttpose.core.errors import UsageError
from ttpose.live.window import Key, Window


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a screen")
def test_no_screen_is_said_before_qt_ends_the_process(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(UsageError, match="no screen") as error:
        Window()
    assert "--no-display" in error.value.hint


def test_an_opencv_without_windows_is_told(monkeypatch):
    import cv2

    def missing(*_):
        raise cv2.error("The function is not implemented")

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "namedWindow", missing)
    with pytest.raises(UsageError, match="cannot draw windows"):
        Window()


def test_pictures_and_keys(monkeypatch):
    import cv2

    shown, pressed = [], iter([ord("s"), -1, ord("q"), 27, ord("x")])
    monkeypatch.setenv("DISPLAY", ":0")
    for name in ("namedWindow", "destroyWindow"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda _, image: shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda _: next(pressed))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0)
    window = Window()
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[..., 0] = 200
    window.show(picture, "12 steps")
    assert shown[0].shape == (240, 320, 3)
    assert shown[0][120, 160].tolist() == [0, 0, 200]  # blue, green, red
    assert shown[0].min(2).max() > 200  # white letters
    window.show(np.zeros((2160, 3840, 3), np.uint8), "large")
    assert shown[1].shape == (720, 1280, 3)
    assert [window.key() for _ in range(5)] == [Key.save, None, Key.quit, Key.quit, None]
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 0.0)
    pressed = iter([-1])
    assert window.key() is Key.quit  # closed by its own button
