"""How the tables came to be, step by step (Alembic, run from code: `storage.migrate`)."""

from __future__ import annotations

HEAD = "0005"
"""The version that this program works with; a test holds it to the newest file in `versions/`."""
