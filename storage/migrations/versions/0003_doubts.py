"""Where a person should look again: doubts about an exhibit's tracks, and findings of a second look that were accepted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "doubts",
        sa.Column("exhibit_id", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False, comment="from 1, the most urgent"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False, comment="of what is doubtful; picture: all of it"),
        sa.Column("time_base", sa.Text(), nullable=False, comment="a fraction, as in 1/90000"),
        sa.Column("first_pts", sa.BigInteger(), nullable=False),
        sa.Column("last_pts", sa.BigInteger(), nullable=False),
        sa.Column("first_frame", sa.Integer(), nullable=False),
        sa.Column("last_frame", sa.Integer(), nullable=False),
        sa.Column("track_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("share", sa.Double(), nullable=False, comment="of the video that lies in at least one doubt"),
        sa.ForeignKeyConstraint(["exhibit_id"], ["exhibits.id"], name=op.f("fk_doubts_exhibit_id")),
        sa.PrimaryKeyConstraint("exhibit_id", "rank", name=op.f("pk_doubts")),
    )
    op.create_table(
        "accepted_findings",
        sa.Column("exhibit_id", sa.Text(), nullable=False),
        sa.Column("copy_sha256", sa.Text(), nullable=False, comment="of the redacted copy in which it was found"),
        sa.Column("finding", sa.Integer(), nullable=False, comment="its number in the copy's report"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["exhibit_id"], ["exhibits.id"], name=op.f("fk_accepted_findings_exhibit_id")),
        sa.PrimaryKeyConstraint("exhibit_id", "copy_sha256", "finding", name=op.f("pk_accepted_findings")),
    )
