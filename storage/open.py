"""Open the stores that the settings name."""

from __future__ import annotations

from dataclasses import dataclass

from config.settings import Settings
from evidence.ports import ObjectStore
from storage.index import Index
from storage.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Storage:
    ledger: Ledger
    index: Index
    store: ObjectStore


def open_store(settings: Settings) -> ObjectStore:
    raise NotImplementedError


def open_storage(settings: Settings) -> Storage:
    """Connect as the application role. Raises: DatabaseDown, WrongSchema, StoreDown."""
    raise NotImplementedError
