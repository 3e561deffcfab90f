"""What a weights file or a keypoints file holds, without torch."""

from __future__ import annotations

import codecs
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

from ttpose.core.errors import InputError, WeightsError


def describe_file(path: Path) -> dict[str, Any]:
    """Describe a safetensors file by its header, or a keypoints file by its content, as JSON-ready values.

    Raises:
        InputError: The file cannot be read or is neither.
        WeightsError: It is a damaged safetensors file.
    """
    try:
        with open(path, "rb") as handle:
            head = handle.read(64)
            start = _without_mark(head)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", "check the path and permissions") from error
    # A safetensors file is the length of its header in 8 bytes, then the header, a JSON object.
    if head[8:9] == b"{" and not head.lstrip().startswith(b"{"):
        return _describe_weights(path)
    if start.lstrip().startswith(b"{"):
        return _describe_keypoints(path)
    raise InputError(
        f"{path} is neither a weights file nor a keypoints file", "give a .safetensors file or a keypoints.json"
    )


def _without_mark(head: bytes) -> bytes:
    """The first bytes of a text as ASCII, without a byte-order mark."""
    for mark in (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        if head.startswith(mark):
            return head.removeprefix(mark).replace(b"\0", b"")
    return head


def _describe_weights(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    from ttpose.core.files import sha256_of

    types: Counter[str] = Counter()
    try:
        with safe_open(path, framework="np") as weights:
            metadata = weights.metadata() or {}
            names = list(weights.keys())
            for name in names:
                tensor = weights.get_slice(name)
                types[tensor.get_dtype()] += math.prod(tensor.get_shape())
    except SafetensorError as error:
        raise WeightsError(f"{path} is a damaged weights file: {error}", "copy or download it again") from error
    base = describe_config(metadata.get("config", "")) if metadata.get("format") == "ttpose.model/1" else {}
    return {
        "file": str(path),
        "holds": "weights",
        **base,
        "bytes": path.stat().st_size,
        "sha256": sha256_of(path),
        "tensors": len(names),
        "parameters": dict(types),
        "metadata": {key: _unpacked(value) for key, value in sorted(metadata.items())},
    }


def describe_config(text: str) -> dict[str, Any]:
    """Kind and input size of a base by its description (JSON); None where it cannot be read."""
    try:
        config = json.loads(text)
        height = config["input_size"]
        kind, size = config["preset"], f"{height}x{config.get('input_width') or height}"
    except (ValueError, TypeError, KeyError):
        return {"kind": None, "input": None}
    return {"kind": kind, "input": size}


def count_parameters(path: Path) -> int:
    """Numbers in a weights file, by its header."""
    from safetensors import safe_open

    with safe_open(path, framework="np") as weights:
        return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118


def _unpacked(text: str) -> Any:
    """Metadata values are strings; many hold JSON."""
    try:
        return json.loads(text, parse_constant=str)
    except ValueError:
        return text


def _describe_keypoints(path: Path) -> dict[str, Any]:
    import numpy as np

    from ttpose.results import read_json
    from ttpose.results.records import plain

    result = read_json(path)
    found = [[person for person in frame.people if not person.filled] for frame in result.frames]
    people = [person for frame in found for person in frame]
    scores = [person.keypoints[:, 2].mean() for person in people]
    description = {
        "file": str(path),
        "holds": "keypoints",
        "ttpose_version": result.version,
        "source": result.source,
        "model": result.model,
        "skeleton": f"{result.skeleton.name}, {len(result.skeleton)} keypoints",
        "frames": len(result.frames),
        "frames_with_people": sum(map(bool, found)),
        "people": len({person.id for person in people}),
        "mean_score": round(float(np.mean(scores)), 3) if scores else None,
        "smoothing": result.smoothing,
        "notes": dict(Counter(frame.note for frame in result.frames if frame.note)),
    }
    shown: dict[str, Any] = plain(description)
    return shown
