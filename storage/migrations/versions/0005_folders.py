"""The folder in which an exhibit's file lay, as its sender says."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    comment = "relative to what was sent; empty: unknown"
    op.add_column("exhibits", sa.Column("folder", sa.Text(), server_default="", nullable=False, comment=comment))
    was, now = "named, stem, time or person", "named, stem, folder, time or person"
    op.alter_column("pairings", "how", existing_type=sa.Text(), existing_comment=was, comment=now)
