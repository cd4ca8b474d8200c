"""Bring an installation to this program's version: schema, store, first administrator."""

from __future__ import annotations

from dataclasses import dataclass

from config.settings import Settings


@dataclass(frozen=True, slots=True)
class Installed:
    schema: str
    store: str
    admin: str
    """Name of the administrator made just now; empty when there were people already."""
    password: str


def bring_up_to_date(settings: Settings) -> Installed:
    """Safe to call again. Needs the owner's database address.

    Raises: BadInput (no owner's address), DatabaseDown, StoreDown, Unavailable (a store without object lock).
    """
    from storage.migrate import migrate
    from storage.open import opened

    schema = migrate(settings)
    with opened(settings) as storage:
        first = storage.ledger.people.first_admin()
        admin, password = (first[0].name, first[1]) if first else ("", "")
        return Installed(schema, storage.store.check(), admin, password)
