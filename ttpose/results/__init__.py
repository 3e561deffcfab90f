"""Results: keypoint records in memory, and the files they are written to and read from."""

from __future__ import annotations

from ttpose.results.angles import joint_angles
from ttpose.results.coco import write_coco
from ttpose.results.disagreement import with_disagreement
from ttpose.results.keypoints_json import json_schema, read_json, write_json
from ttpose.results.openpose import write_openpose
from ttpose.results.records import SCHEMA, FrameRecord, KeypointResult, PersonRecord
from ttpose.results.smoothing import smooth, untimed
from ttpose.results.tables import write_angles_csv, write_csv, write_wide_csv
from ttpose.results.trc import write_trc

__all__ = [
    "SCHEMA",
    "FrameRecord",
    "KeypointResult",
    "PersonRecord",
    "joint_angles",
    "json_schema",
    "read_json",
    "smooth",
    "untimed",
    "with_disagreement",
    "write_angles_csv",
    "write_coco",
    "write_csv",
    "write_json",
    "write_openpose",
    "write_trc",
    "write_wide_csv",
]
