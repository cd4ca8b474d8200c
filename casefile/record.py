"""The entries of exhibits.json: what each of its files is, in words and digests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from evidence.exhibit import Exhibit
from evidence.wire import media_to_json


def file_entry(
    path: str, what: str, sha256: str, size_bytes: int, details: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One file of an exhibit. `path` is below the bag (data/…), `what` says original, annotated, redacted draft …"""
    return {"path": path, "what": what, "sha256": sha256, "size_bytes": size_bytes, "details": dict(details or {})}


def exhibit_entry(exhibit: Exhibit, uploaded_by: str, files: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One exhibit with its files. `uploaded_by` is a user name, as in the custody log."""
    return {
        "reference": exhibit.reference,
        "id": exhibit.id,
        "filename": exhibit.filename,
        "kind": exhibit.kind.value,
        "file_type": exhibit.file_type.value,
        "sha256": exhibit.sha256.hex,
        "size_bytes": exhibit.size_bytes,
        "uploaded_by": uploaded_by,
        "uploaded_at": _moment(exhibit.uploaded_at),
        "claimed_capture_time": _moment(exhibit.captured_at),
        "device": exhibit.device,
        "officer": exhibit.officer,
        "condition": exhibit.condition.value,
        "note": exhibit.note,
        "secured_at": _moment(exhibit.secured_at),
        "locked_until": _moment(exhibit.locked_until),
        "media": None if exhibit.media is None else media_to_json(exhibit.media),
        "files": [dict(file) for file in files],
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")
