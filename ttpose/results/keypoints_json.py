"""Keypoint files of the schema `ttpose.keypoints/2` (docs/keypoints-json.md): writing, reading, the JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ttpose.core.errors import InputError
from ttpose.core.files import atomic_path, read_json_text
from ttpose.results.records import SCHEMA, KeypointResult

_HINT = "keypoint files are made by `ttpose predict` and `ttpose personalize`"


def write_json(result: KeypointResult, path: Path | str) -> None:
    """Write a result whole or not at all, one frame a line so that long videos stream and diffs stay readable.

    Raises:
        OutputError: The file cannot be written.
    """
    with atomic_path(path) as partial, open(partial, "w", encoding="utf-8") as handle:
        handle.write("{\n")
        for key, value in result.header().items():
            handle.write(f" {_one_line(key)}: {_one_line(value)},\n")
        handle.write(' "frames": [')
        for position, frame in enumerate(result.frames):
            handle.write(",\n  " if position else "\n  ")
            handle.write(_one_line(frame.to_dict()))
        handle.write("\n ]\n}\n")


def read_json(path: Path | str) -> KeypointResult:
    """Read a keypoint file.

    Raises:
        InputError: The file is missing, is no JSON (for example cut off), or is not of this schema; the message
            names the file and the place.
    """
    path = Path(path)
    try:
        data = read_json_text(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", f"check the path; {_HINT}") from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError
        raise InputError(f"{path} is not a keypoint file or is damaged: {error}", _HINT) from error
    except RecursionError as error:
        raise InputError(f"{path} is not a keypoint file: nested too deeply", _HINT) from error
    try:
        return KeypointResult.from_dict(data)
    except InputError as error:
        raise InputError(f"{path} is not a {SCHEMA} file: {error.message}", _HINT) from error


def _one_line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the format, as shipped with the package."""
    text = Path(__file__).with_name("keypoints-2.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
