"""Text from outside, such as file names, in a form that every file and terminal takes."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Sequence
from typing import Any

# What Python makes of bytes that are no text in file names: half characters, which no encoding has.
_HALF = re.compile("[\ud800-\udfff]")
# Line feeds, terminal commands and the like.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: Name of the error handler for streams: what the encoding lacks is written escaped.
ESCAPE = "ttpose.escape"


def readable(text: object) -> str:
    r"""The text with bytes that are none as `\xff`, which every file can hold; other text stays as it is."""
    return _HALF.sub(lambda found: _escaped(found[0]), str(text))


def one_line(text: object) -> str:
    r"""The same with line feeds and other control characters as `\n` or `\x1b`, too, for a line on a terminal."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), readable(text))


def json_text(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """JSON-ready values as JSON, every string in it readable.

    Raises:
        ValueError: A number is NaN or infinite.
    """
    return json.dumps(_readable(value), indent=indent, ensure_ascii=ascii_only, allow_nan=False)


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, dict):
        return {readable(key) if isinstance(key, str) else key: _readable(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [_readable(item) for item in value]
    return value


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no text, as Python reads it from a file name
        return f"\\x{code - 0xDC00:02x}"
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))  # as in JSON


def _escape_errors(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_escaped, error.object[error.start : error.end])), error.end


codecs.register_error(ESCAPE, _escape_errors)
