"""Reports on disk: JSON and tidy CSV, each whole or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ttpose.core.files import atomic_path, write_text


def write_report(report: Mapping[str, Any], path: Path | str) -> None:
    """Write JSON-ready values; raises `OutputError`."""
    write_text(path, json.dumps(report, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def write_rows(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], path: Path | str) -> None:
    """Write a CSV table; a row may lack columns. Raises `OutputError`."""
    with atomic_path(path) as partial, open(partial, "w", encoding="utf-8", newline="") as handle:
        table = csv.DictWriter(handle, columns)
        table.writeheader()
        table.writerows(rows)
