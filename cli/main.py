"""The exhibit program."""

from __future__ import annotations


def run() -> None:
    """The console script."""
    raise SystemExit("not built yet")
