"""Checkpoints from elsewhere: what a file or folder is, and the importer that reads it."""

from __future__ import annotations

from pathlib import Path

from ttpose.core.errors import WeightsError
from ttpose.models.checkpoint import read_metadata
from ttpose.models.paper_checkpoint import import_reference_state, is_reference
from ttpose.models.pose_model import PoseModel
from ttpose.models.torch_file import read_state_dict
from ttpose.models.vitpose import import_authors, import_folder, is_vitpose

_READABLE = (
    "a Hugging Face ViTPose folder (config.json and model.safetensors), a ViTPose .pth of its authors, or a .pth of the"
    " TTP paper's code"
)
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"  # how torch.save's files begin, now and before torch 1.6


def import_checkpoint(path: Path | str) -> PoseModel:
    """Rebuild the model of another project's checkpoint, in evaluation mode; code in it is never run.

    Raises:
        WeightsError: One line with what was found and what can be read.
    """
    path = Path(path)
    if path.is_dir():
        return import_folder(path)
    if not path.is_file():
        raise WeightsError(f"there is nothing at {path}", "check the path")
    kind = _kind(path)
    if kind != "a PyTorch file":
        raise WeightsError(f"{path} is {kind}", f"what can be read: {_READABLE}")
    state = read_state_dict(path)
    if is_vitpose(state):
        return import_authors(state, path)
    if is_reference(state):
        return import_reference_state(state, path)
    some = ", ".join(sorted(state)[:2])
    raise WeightsError(
        f"{path} holds another network ({len(state)} tensors: {some}, ...)", f"what can be read: {_READABLE}"
    )


def _kind(path: Path) -> str:
    """What a file is by its first bytes, for a message."""
    try:
        with open(path, "rb") as handle:
            head = handle.read(16)
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}", "check its permissions") from error
    if head[:4] == _ZIP or head[:1] == _PICKLE:
        return "a PyTorch file"
    if is_onnx(head) or path.suffix == ".onnx":
        return "an ONNX file, which runs but does not learn (it can join the ensemble: --ensemble)"
    if head[8:9] == b"{":
        return _safetensors(path)
    return "empty" if not head else "no weights file, or a damaged one"


def is_onnx(head: bytes) -> bool:
    """Whether a file's first bytes are an ONNX model's: its version number, then a string or another field."""
    return len(head) > 3 and head[0] == 0x08 and head[1] < 0x40 and head[2] in (0x12, 0x1A, 0x22, 0x2A, 0x3A, 0x42)


def _safetensors(path: Path) -> str:
    if (path.parent / "config.json").is_file():
        return f"one file of a Hugging Face folder; give the folder, {path.parent}"
    try:
        made = read_metadata(path).get("format", "")
    except WeightsError:
        return "a damaged or truncated safetensors file"
    if made.startswith("ttpose."):
        return "a weights file of ttpose already"
    return "a safetensors file without the config.json that belongs beside it"
