"""The tables of places: sources of fixes, where they are, what they looked at, pairings and clocks' corrections."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.tables import accepted_findings, metadata

telemetry_sources = Table(
    "telemetry_sources",
    metadata,
    Column("id", Text, primary_key=True),
    Column("exhibit_id", ForeignKey("exhibits.id"), nullable=False, comment="whose time line the fixes lie on"),
    Column(
        "carrier_id", ForeignKey("exhibits.id"), nullable=False, comment="whose file they stand in: itself, or a sidecar"
    ),
    Column("step_run_id", ForeignKey("step_runs.id"), nullable=False),
    Column("number", Integer, nullable=False, comment="from 0, among the sources of the exhibit"),
    Column("family", Text, nullable=False),
    Column("dialect", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("zone", Text, nullable=False, comment="what the device's times are in, as the format says"),
    Column("fixes", Integer, nullable=False, comment="in the file; the table fixes holds about one a second"),
    Column("placed", Integer, nullable=False, comment="how many of them have a place"),
    Column("first_us", BigInteger, comment="microseconds of the exhibit's media time"),
    Column("last_us", BigInteger),
    Column("clock_first_us", BigInteger, comment="microseconds since 1970 by the device's clock"),
    Column("clock_last_us", BigInteger),
    Column("offset_us", BigInteger, nullable=False, server_default="0", comment="was added to the source's own time"),
    Column("residual_us", BigInteger, comment="by how much the two time lines disagree"),
    Column("frame_synchronous", Boolean, nullable=False),
    Column("warnings", JSONB, nullable=False),
    Column("reasons", JSONB, nullable=False, comment="what the blocks' `why` numbers mean"),
    Column("output", Text, nullable=False, comment="name of the output with every fix, a Parquet file"),
    UniqueConstraint("exhibit_id", "number"),
    Index(None, "carrier_id"),
)
fixes = Table(
    "fixes",
    metadata,
    Column("source_id", ForeignKey("telemetry_sources.id", ondelete="CASCADE"), primary_key=True),
    Column("at_us", BigInteger, primary_key=True, autoincrement=False, comment="of the exhibit's media time"),
    Column("clock_us", BigInteger, comment="microseconds since 1970 by the device's clock"),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("height_takeoff_m", Double),
    Column("height_sea_m", Double),
    Column("accuracy_m", Double),
    Column("yaw_deg", Double, comment="the camera's, clockwise from true north"),
    Column("pitch_deg", Double, comment="the camera's, up from the horizon"),
    Column("speed_mps", Double),
    Column("certainty", Text, nullable=False, comment="of the place: measured, derived or estimated"),
    Column("flags", SmallInteger, nullable=False, comment="bits of evidence.telemetry.Flag"),
)
place_blocks = Table(
    "place_blocks",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("source_id", ForeignKey("telemetry_sources.id", ondelete="CASCADE"), nullable=False),
    Column("minute", Integer, nullable=False, comment="of the exhibit's media time, from 0"),
    Column("seconds", LargeBinary, nullable=False, comment="position and footprint of each: storage/blocks.py"),
    Column("stretches", LargeBinary, nullable=False, comment="what its seconds have in common: storage/stretches.py"),
    UniqueConstraint("source_id", "minute"),
)
place_cells = Table(
    "place_cells",
    metadata,
    Column("cell", BigInteger, primary_key=True, autoincrement=False, comment="H3, of a level in storage/cells.py"),
    Column("block_id", ForeignKey("place_blocks.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Index(None, "block_id"),
)
located = Table(
    "located",
    metadata,
    Column("exhibit_id", ForeignKey("exhibits.id"), primary_key=True),
    Column("track_id", Integer, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, primary_key=True, autoincrement=False, comment="of the exhibit's media time"),
    Column("source_id", ForeignKey("telemetry_sources.id", ondelete="CASCADE"), nullable=False),
    Column("label", Text, nullable=False),
    Column("latitude", Double, nullable=False),
    Column("longitude", Double, nullable=False),
    Column("major_m", Double, nullable=False, comment="half axes of the error ellipse"),
    Column("minor_m", Double, nullable=False),
    Column("azimuth_deg", Double, nullable=False, comment="of the long axis, clockwise from true north"),
    Column("certainty", Text, nullable=False),
    Column("speed_mps", Double, comment="of what was seen, over two seconds; empty where it can't be said"),
    Column("speed_error_mps", Double),
    Column("heading_deg", Double, comment="where it moved, clockwise from true north; empty where it may as well stand"),
    Column("heading_error_deg", Double),
    Column("cell", BigInteger, nullable=False, comment="H3, of the finest level in storage/cells.py"),
    Index(None, "cell", "label"),
    Index(None, "source_id"),
)
pairings = Table(
    "pairings",
    metadata,
    Column("sidecar_id", ForeignKey("exhibits.id"), primary_key=True),
    Column("video_id", ForeignKey("exhibits.id"), primary_key=True),
    Column("how", Text, nullable=False, comment="named, stem, folder, time or person"),
    Column("active", Boolean, nullable=False, comment="false: a person has parted them, and it stays so"),
    Column("offset_us", BigInteger, comment="set by a person; empty: from the two clocks"),
    Column("made_by", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Index(None, "video_id"),
)
clock_corrections = Table(
    "clock_corrections",
    metadata,
    Column("id", Text, primary_key=True),
    Column("exhibit_id", ForeignKey("exhibits.id"), nullable=False),
    Column("claim", Text, nullable=False, comment="whose clock: a telemetry family, or file"),
    Column("offset_us", BigInteger, nullable=False, comment="to be added to the claim, read as it stands, to get UTC"),
    Column("error_us", BigInteger, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("media_us", BigInteger, comment="where in the video a trusted clock is seen"),
    Column("made_by", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Index(None, "exhibit_id", "made_at"),
)

append_only = (clock_corrections,)
"""What the application may add to and never change, like the custody log."""
taken_back = (accepted_findings,)
"""What it may add to and take away, and never change: who accepted a finding, and why, is in the log for good."""
