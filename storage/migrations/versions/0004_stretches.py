"""What the seconds of a minute have in common, beside them: a search of a large shape needn't read them all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.blocks import read_block
from storage.stretches import stretches_of

revision = "0004"
down_revision = "0003"
_AT_ONCE = 1000


def upgrade() -> None:
    comment = "what its seconds have in common: storage/stretches.py"
    op.add_column("place_blocks", sa.Column("stretches", sa.LargeBinary(), nullable=True, comment=comment))
    _fill(op.get_bind())
    op.alter_column("place_blocks", "stretches", nullable=False)


def _fill(connection: sa.Connection) -> None:
    """The minutes that were located before, some at a time."""
    some = sa.text("SELECT id, seconds FROM place_blocks WHERE id > :last ORDER BY id LIMIT :some")
    new = sa.text("UPDATE place_blocks SET stretches = :stretches WHERE id = :id")
    last = 0
    while rows := connection.execute(some, {"last": last, "some": _AT_ONCE}).all():
        made = [{"id": row.id, "stretches": stretches_of(read_block(row.seconds)).tobytes()} for row in rows]
        connection.execute(new, made)
        last = rows[-1].id
