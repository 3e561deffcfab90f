"""Results: keypoint records in memory, and the files they are written to and read from."""

from __future__ import annotations

from ttpose.results.coco import write_coco
from ttpose.results.keypoints_json import json_schema, read_json, write_json
from ttpose.results.records import SCHEMA, FrameRecord, KeypointResult, PersonRecord
from ttpose.results.smoothing import smooth
from ttpose.results.tidy_csv import write_csv

__all__ = [
    "SCHEMA",
    "FrameRecord",
    "KeypointResult",
    "PersonRecord",
    "json_schema",
    "read_json",
    "smooth",
    "write_coco",
    "write_csv",
    "write_json",
]
