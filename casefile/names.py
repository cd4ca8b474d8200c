"""File names that every system can hold, made from references and names that people chose."""

from __future__ import annotations

import unicodedata

_LONGEST_BYTES = 200
_PLAIN = set(" ._-()+,=@%&'#[]!")
_WINDOWS_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in "123456789¹²³")}


def safe_name(text: str) -> str:
    """`text` as one file name: letters, digits and a few signs; never empty, hidden, a path or a device of Windows.

    A name that is safe already stays as it is.
    """
    normal = unicodedata.normalize("NFC", text)
    kept = "".join(c if c.isalnum() or c in _PLAIN else "_" for c in normal).strip(" .")
    if kept.split(".")[0].strip().casefold() in _WINDOWS_DEVICES:
        kept = f"_{kept}"
    stem, dot, suffix = kept.rpartition(".")
    if not dot or len(suffix) > 16:
        stem, dot, suffix = kept, "", ""
    while len(f"{stem}{dot}{suffix}".encode()) > _LONGEST_BYTES:
        stem = stem[:-1].rstrip(" .")
    return f"{stem}{dot}{suffix}" or "_"


def exhibit_folder(reference: str) -> str:
    """The folder of an exhibit in a case file: ABC/1 → ABC-1."""
    return safe_name(reference.replace("/", "-"))


def unique_names(names: list[str]) -> list[str]:
    """Safe names in the same order, each once whatever the case of its letters: a second `a.mp4` is `a (2).mp4`."""
    taken: set[str] = set()
    chosen: list[str] = []
    for name in names:
        safe = safe_name(name)
        stem, dot, suffix = safe.rpartition(".")
        candidate, number = safe, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{stem} ({number}).{suffix}" if dot else f"{safe} ({number})"
        taken.add(candidate.casefold())
        chosen.append(candidate)
    return chosen
