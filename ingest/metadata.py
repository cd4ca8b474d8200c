"""What a sender says about a file: read from `Upload-Metadata` or from a form, checked, and kept as data.

filename, case, kind · optional captured_at, device, officer, sidecar_for, folder, sha256
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

from evidence.errors import BadInput
from evidence.exhibit import SourceKind

HEADER = "upload_metadata"
"""Under this name the header as it was sent is kept beside the fields: HEAD has to give it back to the letter."""

_HEADER_BYTES = 8 * 1024
_LONGEST = {"filename": 1024, "case": 200, "device": 200, "officer": 200, "sidecar_for": 1024, "folder": 1024}
_KEY = re.compile(r"[!-+\--~]+")
"""Printable ASCII without space and comma."""
_WHOLE_PATH = re.compile(r"[/\\]|[A-Za-z]:")
_KINDS = ", ".join(kind.value for kind in SourceKind)


def read_header(header: str) -> dict[str, str]:
    """The pairs of an `Upload-Metadata` header, decoded; bytes that are not UTF-8 are kept readable, as in `\\xff`.

    Raises: BadInput.
    Source: tus resumable upload protocol 1.0.0, Upload-Metadata.
    """
    if len(header) > _HEADER_BYTES:
        raise BadInput(f"Upload-Metadata is longer than {_HEADER_BYTES} bytes.", hint="Send shorter descriptions.")
    fields: dict[str, str] = {}
    for pair in header.split(",") if header.strip() else ():
        key, _, encoded = pair.strip().partition(" ")
        if not _KEY.fullmatch(key):
            raise BadInput(
                "Upload-Metadata holds a key that is empty or not plain ASCII.",
                hint="Write it as: key base64value,key base64value",
            )
        if key in fields:
            raise BadInput(f"Upload-Metadata names {key} twice.", hint="Send each key once.")
        try:
            value = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError) as exc:
            raise BadInput(
                f"The value of {key} in Upload-Metadata is not Base64.",
                hint="Encode every value as Base64 of its UTF-8 text, padding included.",
            ) from exc
        fields[key] = value.decode("utf-8", errors="backslashreplace")
    return fields


def checked(fields: Mapping[str, str], *, zone: tzinfo | None = None) -> dict[str, str]:
    """The fields that are known here, each proved to be what it has to be; unknown ones are left out.

    A name is data, whatever characters are in it; it is kept as it came. `zone` is what a time without one means, where
    the sender was told so (a form that says *UK time*); without it such a time is refused rather than guessed.

    Raises: BadInput, naming the field and what to write.
    """
    given = {key: _storable(value) for key, value in fields.items()}
    for key, longest in _LONGEST.items():
        if len(given.get(key, "")) > longest:
            raise BadInput(f"The {key} is longer than {longest} characters.", hint=f"Shorten the {key}.")
    if not given.get("filename", "").strip():
        raise BadInput("The file has no name.", hint="Send the metadata key filename.")
    result = {"filename": given["filename"], "case": given.get("case", "").strip(), "kind": _kind(given.get("kind", ""))}
    for key in ("device", "officer", "sidecar_for"):
        if text := given.get(key, "").strip():
            result[key] = text
    if folder := given.get("folder", ""):
        result["folder"] = _relative(folder)
    if claimed := given.get("captured_at", "").strip():
        result["captured_at"] = _moment(claimed, zone)
    if declared := given.get("sha256", "").strip().lower():
        if not re.fullmatch(r"[0-9a-f]{64}", declared):
            raise BadInput(
                "The sha256 that was declared is not a SHA-256.",
                hint="Send 64 hexadecimal digits, as sha256sum prints them, or leave it out.",
            )
        result["sha256"] = declared
    return result


def _storable(text: str) -> str:
    """PostgreSQL holds every character but NUL and half a surrogate pair."""
    return text.replace("\0", "\\x00").encode("utf-8", errors="backslashreplace").decode("utf-8")


def _kind(text: str) -> str:
    kind = text.strip().lower()
    if not kind:
        raise BadInput("The kind of source is missing.", hint=f"Say what filmed it: {_KINDS}.")
    if kind not in set(SourceKind):
        raise BadInput(f"“{text[:40]}” is not a kind of source.", hint=f"Choose one of: {_KINDS}.")
    return kind


def _relative(folder: str) -> str:
    """Where a file lay, kept as it came. A whole path would tell of the sender's machine: it is none of ours."""
    if any(unicodedata.category(letter) == "Cc" for letter in folder):
        raise BadInput("The folder holds control characters.", hint="Leave folder out, or rename the folder.")
    if _WHOLE_PATH.match(folder) or ".." in re.split(r"[/\\]", folder):
        raise BadInput(
            "The folder is not relative to what is sent.", hint="Send folder as DCIM/100MEDIA, without drive or leading /."
        )
    return folder


def _moment(text: str, zone: tzinfo | None) -> str:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and zone is not None:
            moment = moment.replace(tzinfo=zone)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC).isoformat()
    except (ValueError, OverflowError) as exc:
        raise BadInput(
            f"“{text[:40]}” is not a time.", hint="Write captured_at as 2026-11-03T14:05:00Z, or leave it out."
        ) from exc
    raise BadInput(
        "The time of capture has no time zone.", hint="Add it, as in 2026-11-03T14:05:00+00:00, or leave captured_at out."
    )
