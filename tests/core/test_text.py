from __future__ import annotations

import io
import json
import os

import pytest

from ttpose.core.files import fitting
from ttpose.core.text import ESCAPE, json_text, one_line, readable


def test_bytes_that_are_no_text_are_escaped_and_text_stays() -> None:
    assert readable(os.fsdecode(b"b_bad\xff.mp4")) == r"b_bad\xff.mp4"
    assert readable("走る é \n\ud800") == "走る é \n\\ud800"
    assert one_line("a\nb\x1b[31m\u2028\udcfe") == r"a\nb\x1b[31m\u2028\xfe"


@pytest.mark.parametrize("ascii_only", [False, True])
def test_json_takes_every_name(ascii_only: bool) -> None:
    value = {"a\udcff": ["走\udc80", ("😀", 1.5, None, True)]}
    text = json_text(value, ascii_only=ascii_only)
    assert text.isascii() == ascii_only
    text.encode()
    assert json.loads(text) == {r"a\xff": [r"走\x80", ["😀", 1.5, None, True]]}
    with pytest.raises(ValueError, match="JSON"):
        json_text(float("nan"))


def test_a_narrow_stream_gets_escapes_that_json_understands() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors=ESCAPE)
    stream.write(json.dumps("é走😀", ensure_ascii=False))
    stream.flush()
    assert json.loads(stream.buffer.getvalue()) == "é走😀"  # type: ignore[attr-defined]


@pytest.mark.parametrize("stem", ["walk", "x" * 400, "鹿" * 100, "b_bad\udcff" * 40])
def test_names_fit_file_systems_and_differ(stem: str) -> None:
    name = fitting(stem, "_ttpose")
    assert len(os.fsencode(name)) <= 255 and name.endswith("_ttpose")
    assert (name == f"{stem}_ttpose") == (len(os.fsencode(stem)) <= 248)
    assert fitting(f"{stem}!", "_ttpose") != name
