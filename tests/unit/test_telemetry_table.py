"""Telemetry that comes back from a Parquet file is the one that went in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.errors import IntegrityError
from evidence.telemetry import Certainty, Family, Quantity, Target, Telemetry, Zone
from media.telemetry import table

whole = st.integers(-(2**63), 2**63 - 1)
real = st.floats(allow_nan=False)
targets = st.builds(Target, whole, whole, st.none() | st.tuples(real, real, real, real), st.none() | real, st.none() | real)


@st.composite
def telemetries(draw: st.DrawFn) -> Telemetry:
    n = draw(st.integers(0, 6))
    names = draw(st.lists(st.sampled_from(Quantity), unique=True))

    def column(values: st.SearchStrategy[float]) -> list[float]:
        return draw(st.lists(values, min_size=n, max_size=n))

    return Telemetry(
        family=draw(st.sampled_from(Family)),
        dialect=draw(st.text()),
        device=draw(st.text(st.characters())),
        zone=draw(st.sampled_from(Zone)),
        elapsed_us=np.array(sorted(draw(st.lists(st.integers(-(2**62), 2**62 - 1), min_size=n, max_size=n))), np.int64),
        clock_us=np.array(column(whole), np.int64),
        flags=np.array(column(st.integers(0, 255)), np.uint8),
        columns={name: np.array(column(st.floats()), np.float64) for name in names},
        certainty=draw(st.dictionaries(st.sampled_from(Quantity), st.sampled_from(Certainty))),
        warnings=tuple(draw(st.lists(st.text()))),
        targets=tuple(draw(st.lists(targets))),
        frame_synchronous=draw(st.booleans()),
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(said=telemetries())
def test_what_was_written_is_read(tmp_path: Path, said: Telemetry) -> None:
    table.write(said, tmp_path / "fixes.parquet")
    read = table.read(tmp_path / "fixes.parquet")
    for name in ("family", "dialect", "device", "zone", "certainty", "warnings", "targets", "frame_synchronous"):
        assert getattr(read, name) == getattr(said, name), name
    assert list(read.columns) == list(said.columns)
    pairs = [(read.elapsed_us, said.elapsed_us), (read.clock_us, said.clock_us), (read.flags, said.flags)]
    for came_back, went_in in [*pairs, *((read.columns[n], said.columns[n]) for n in said.columns)]:
        assert came_back.dtype == went_in.dtype
        assert came_back.flags.writeable
        np.testing.assert_array_equal(came_back, went_in)


def test_another_table_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_bytes(b"PAR1 no table PAR1")
    with pytest.raises(IntegrityError, match="no table of fixes"):
        table.read(tmp_path / "text.parquet")
    pq.write_table(pa.table({"elapsed_us": [1]}), tmp_path / "other.parquet")
    with pytest.raises(IntegrityError, match="no table of fixes"):
        table.read(tmp_path / "other.parquet")
    schema = pa.schema([("elapsed_us", pa.float64())]).with_metadata({b"exhibit": b'{"family": "GPX"}'})
    pq.write_table(pa.table({"elapsed_us": [1.0]}, schema=schema), tmp_path / "strange.parquet")
    with pytest.raises(IntegrityError, match="no table of fixes"):
        table.read(tmp_path / "strange.parquet")
