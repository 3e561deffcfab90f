"""Results: keypoint records in memory, and the files they are written to and read from."""

from __future__ import annotations

from ttpose.results.angle_tables import person_angles, write_angles_csv, write_tidy_angles_csv
from ttpose.results.angles import BodyAngles, body_angles
from ttpose.results.coco import write_coco
from ttpose.results.disagreement import with_disagreement
from ttpose.results.keypoints_json import json_schema, read_json, write_json
from ttpose.results.limb_angles import joint_angles
from ttpose.results.mot import write_mot
from ttpose.results.openpose import write_openpose
from ttpose.results.records import SCHEMA, FrameRecord, KeypointResult, PersonRecord
from ttpose.results.scale import Scale
from ttpose.results.smoothing import smooth, untimed
from ttpose.results.tables import write_csv, write_wide_csv
from ttpose.results.trc import write_trc

__all__ = [
    "SCHEMA",
    "BodyAngles",
    "FrameRecord",
    "KeypointResult",
    "PersonRecord",
    "Scale",
    "body_angles",
    "joint_angles",
    "json_schema",
    "person_angles",
    "read_json",
    "smooth",
    "untimed",
    "with_disagreement",
    "write_angles_csv",
    "write_coco",
    "write_csv",
    "write_json",
    "write_mot",
    "write_openpose",
    "write_tidy_angles_csv",
    "write_trc",
    "write_wide_csv",
]
