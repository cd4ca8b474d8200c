"""Places: where devices were and looked, which sidecar belongs to which video, and how far a clock is off."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _sources()
    _fixes()
    _blocks()
    _located()
    _pairings()
    _clock_corrections()


def _sources() -> None:
    op.create_table(
        "telemetry_sources",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("exhibit_id", sa.Text(), nullable=False, comment="whose time line the fixes lie on"),
        sa.Column("carrier_id", sa.Text(), nullable=False, comment="whose file they stand in: itself, or a sidecar"),
        sa.Column("step_run_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="from 0, among the sources of the exhibit"),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("dialect", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False, comment="what the device's times are in, as the format says"),
        sa.Column("fixes", sa.Integer(), nullable=False, comment="in the file; the table fixes holds about one a second"),
        sa.Column("placed", sa.Integer(), nullable=False, comment="how many of them have a place"),
        sa.Column("first_us", sa.BigInteger(), nullable=True, comment="microseconds of the exhibit's media time"),
        sa.Column("last_us", sa.BigInteger(), nullable=True),
        sa.Column("clock_first_us", sa.BigInteger(), nullable=True, comment="microseconds since 1970 by the device's clock"),
        sa.Column("clock_last_us", sa.BigInteger(), nullable=True),
        sa.Column(
            "offset_us", sa.BigInteger(), server_default="0", nullable=False, comment="was added to the source's own time"
        ),
        sa.Column("residual_us", sa.BigInteger(), nullable=True, comment="by how much the two time lines disagree"),
        sa.Column("frame_synchronous", sa.Boolean(), nullable=False),
        sa.Column("warnings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="what the blocks' `why` numbers mean"
        ),
        sa.Column("output", sa.Text(), nullable=False, comment="name of the output with every fix, a Parquet file"),
        sa.ForeignKeyConstraint(["carrier_id"], ["exhibits.id"], name=op.f("fk_telemetry_sources_carrier_id")),
        sa.ForeignKeyConstraint(["exhibit_id"], ["exhibits.id"], name=op.f("fk_telemetry_sources_exhibit_id")),
        sa.ForeignKeyConstraint(["step_run_id"], ["step_runs.id"], name=op.f("fk_telemetry_sources_step_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_telemetry_sources")),
        sa.UniqueConstraint("exhibit_id", "number", name=op.f("uq_telemetry_sources_exhibit_id_number")),
    )
    op.create_index(op.f("ix_telemetry_sources_carrier_id"), "telemetry_sources", ["carrier_id"], unique=False)


def _fixes() -> None:
    op.create_table(
        "fixes",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), autoincrement=False, nullable=False, comment="of the exhibit's media time"),
        sa.Column("clock_us", sa.BigInteger(), nullable=True, comment="microseconds since 1970 by the device's clock"),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("height_takeoff_m", sa.Double(), nullable=True),
        sa.Column("height_sea_m", sa.Double(), nullable=True),
        sa.Column("accuracy_m", sa.Double(), nullable=True),
        sa.Column("yaw_deg", sa.Double(), nullable=True, comment="the camera's, clockwise from true north"),
        sa.Column("pitch_deg", sa.Double(), nullable=True, comment="the camera's, up from the horizon"),
        sa.Column("speed_mps", sa.Double(), nullable=True),
        sa.Column("certainty", sa.Text(), nullable=False, comment="of the place: measured, derived or estimated"),
        sa.Column("flags", sa.SmallInteger(), nullable=False, comment="bits of evidence.telemetry.Flag"),
        sa.ForeignKeyConstraint(
            ["source_id"], ["telemetry_sources.id"], name=op.f("fk_fixes_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("source_id", "at_us", name=op.f("pk_fixes")),
    )


def _blocks() -> None:
    op.create_table(
        "place_blocks",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("minute", sa.Integer(), nullable=False, comment="of the exhibit's media time, from 0"),
        sa.Column("seconds", sa.LargeBinary(), nullable=False, comment="position and footprint of each: storage/blocks.py"),
        sa.ForeignKeyConstraint(
            ["source_id"], ["telemetry_sources.id"], name=op.f("fk_place_blocks_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_place_blocks")),
        sa.UniqueConstraint("source_id", "minute", name=op.f("uq_place_blocks_source_id_minute")),
    )
    op.create_table(
        "place_cells",
        sa.Column(
            "cell", sa.BigInteger(), autoincrement=False, nullable=False, comment="H3, of a level in storage/cells.py"
        ),
        sa.Column("block_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["block_id"], ["place_blocks.id"], name=op.f("fk_place_cells_block_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("cell", "block_id", name=op.f("pk_place_cells")),
    )
    op.create_index(op.f("ix_place_cells_block_id"), "place_cells", ["block_id"], unique=False)


def _located() -> None:
    op.create_table(
        "located",
        sa.Column("exhibit_id", sa.Text(), nullable=False),
        sa.Column("track_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), autoincrement=False, nullable=False, comment="of the exhibit's media time"),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=False),
        sa.Column("longitude", sa.Double(), nullable=False),
        sa.Column("major_m", sa.Double(), nullable=False, comment="half axes of the error ellipse"),
        sa.Column("minor_m", sa.Double(), nullable=False),
        sa.Column("azimuth_deg", sa.Double(), nullable=False, comment="of the long axis, clockwise from true north"),
        sa.Column("certainty", sa.Text(), nullable=False),
        sa.Column(
            "speed_mps",
            sa.Double(),
            nullable=True,
            comment="of what was seen, over two seconds; empty where it can't be said",
        ),
        sa.Column("speed_error_mps", sa.Double(), nullable=True),
        sa.Column(
            "heading_deg",
            sa.Double(),
            nullable=True,
            comment="where it moved, clockwise from true north; empty where it may as well stand",
        ),
        sa.Column("heading_error_deg", sa.Double(), nullable=True),
        sa.Column("cell", sa.BigInteger(), nullable=False, comment="H3, of the finest level in storage/cells.py"),
        sa.ForeignKeyConstraint(["exhibit_id"], ["exhibits.id"], name=op.f("fk_located_exhibit_id")),
        sa.ForeignKeyConstraint(
            ["source_id"], ["telemetry_sources.id"], name=op.f("fk_located_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("exhibit_id", "track_id", "at_us", name=op.f("pk_located")),
    )
    op.create_index(op.f("ix_located_cell_label"), "located", ["cell", "label"], unique=False)
    op.create_index(op.f("ix_located_source_id"), "located", ["source_id"], unique=False)


def _pairings() -> None:
    op.create_table(
        "pairings",
        sa.Column("sidecar_id", sa.Text(), nullable=False),
        sa.Column("video_id", sa.Text(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False, comment="named, stem, time or person"),
        sa.Column("active", sa.Boolean(), nullable=False, comment="false: a person has parted them, and it stays so"),
        sa.Column("offset_us", sa.BigInteger(), nullable=True, comment="set by a person; empty: from the two clocks"),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["sidecar_id"], ["exhibits.id"], name=op.f("fk_pairings_sidecar_id")),
        sa.ForeignKeyConstraint(["video_id"], ["exhibits.id"], name=op.f("fk_pairings_video_id")),
        sa.PrimaryKeyConstraint("sidecar_id", "video_id", name=op.f("pk_pairings")),
    )
    op.create_index(op.f("ix_pairings_video_id"), "pairings", ["video_id"], unique=False)


def _clock_corrections() -> None:
    op.create_table(
        "clock_corrections",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("exhibit_id", sa.Text(), nullable=False),
        sa.Column("claim", sa.Text(), nullable=False, comment="whose clock: a telemetry family, or file"),
        sa.Column(
            "offset_us", sa.BigInteger(), nullable=False, comment="to be added to the claim, read as it stands, to get UTC"
        ),
        sa.Column("error_us", sa.BigInteger(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("media_us", sa.BigInteger(), nullable=True, comment="where in the video a trusted clock is seen"),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["exhibit_id"], ["exhibits.id"], name=op.f("fk_clock_corrections_exhibit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock_corrections")),
    )
    op.create_index(
        op.f("ix_clock_corrections_exhibit_id_made_at"), "clock_corrections", ["exhibit_id", "made_at"], unique=False
    )
