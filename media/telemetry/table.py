"""Telemetry in a Parquet file and back, exactly: one row a fix, one column a quantity, the rest in the schema's metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from evidence.errors import IntegrityError
from evidence.telemetry import Certainty, Family, Quantity, Target, Telemetry, Zone

_ABOUT = b"exhibit"
_FIXED = (("elapsed_us", pa.int64()), ("clock_us", pa.int64()), ("flags", pa.uint8()))


def write(telemetry: Telemetry, path: Path) -> None:
    about = {
        "family": telemetry.family.value,
        "dialect": telemetry.dialect,
        "device": telemetry.device,
        "zone": telemetry.zone.value,
        "certainty": {name.value: certainty.value for name, certainty in telemetry.certainty.items()},
        "warnings": list(telemetry.warnings),
        "targets": [[t.elapsed_us, t.id, t.box_xyxy, t.latitude_deg, t.longitude_deg] for t in telemetry.targets],
        "frame_synchronous": telemetry.frame_synchronous,
    }
    fields = [*_FIXED, *((name.value, pa.float64()) for name in telemetry.columns)]
    # Escaped, so that half a character from a damaged file can be written as well.
    schema = pa.schema(fields).with_metadata({_ABOUT: json.dumps(about)})
    arrays = [telemetry.elapsed_us, telemetry.clock_us, telemetry.flags, *telemetry.columns.values()]
    pq.write_table(pa.table([pa.array(values) for values in arrays], schema=schema), path)


def read(path: Path) -> Telemetry:
    """Raises: IntegrityError for a file that `write` didn't make."""
    try:
        table = pq.read_table(path)
        about = json.loads(table.schema.metadata[_ABOUT])
        names = table.column_names[len(_FIXED) :]
        return Telemetry(
            family=Family(about["family"]),
            dialect=about["dialect"],
            device=about["device"],
            zone=Zone(about["zone"]),
            elapsed_us=_numbers(table["elapsed_us"], np.int64),
            clock_us=_numbers(table["clock_us"], np.int64),
            flags=_numbers(table["flags"], np.uint8),
            columns={Quantity(name): _numbers(table[name], np.float64) for name in names},
            certainty={Quantity(name): Certainty(value) for name, value in about["certainty"].items()},
            warnings=tuple(about["warnings"]),
            targets=tuple(_target(*fields) for fields in about["targets"]),
            frame_synchronous=about["frame_synchronous"],
        )
    except (pa.ArrowException, KeyError, TypeError, ValueError) as exc:
        raise IntegrityError(f"{path.name} is no table of fixes", hint="Retry the step that reads the telemetry.") from exc


def _numbers(column: Any, kind: type[np.generic]) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = np.array(column.to_numpy())
    if found.dtype != kind:
        raise ValueError(f"a column of {found.dtype} where {kind.__name__} belongs")
    return found


def _target(
    elapsed_us: int, number: int, box: list[float] | None, latitude_deg: float | None, longitude_deg: float | None
) -> Target:
    corners = None if box is None else (box[0], box[1], box[2], box[3])
    return Target(elapsed_us, number, corners, latitude_deg, longitude_deg)
