"""Figures that were measured once, kept by the content of all that they depend on: code, weights, clip, truth, scorer."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.analyse import sha256_of
from config.models import catalogue
from config.settings import load
from detectors import weights

ROOT = Path(__file__).parents[1]
_ENGINE = ("evidence", "config", "media", "detectors", "workers", "cli")
"""The rooms whose code has a say in what a redaction hides."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder of answers. `fresh`: nothing in it is believed, all is measured again and kept anew."""

    folder: Path
    fresh: bool = False

    def get(self, depends_on: Mapping[str, str], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The answer that was kept for exactly this, else `measure`'s; one without figures (`why`) isn't kept."""
        key = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()
        path = self.folder / f"{key}.json"
        if path.exists() and not self.fresh:
            answer: dict[str, Any] = json.loads(path.read_bytes())["answer"]
            return answer
        measured = measure()
        if "why" not in measured:
            self.folder.mkdir(parents=True, exist_ok=True)
            written = path.with_suffix(f".{os.getpid()}")
            written.write_text(json.dumps({"depends_on": depends_on, "answer": measured}), "utf-8")
            written.replace(path)
        return measured


def engine(environment: Mapping[str, str]) -> str:
    """A digest of the engine as it is now: its code, the versions of what it runs on, and which weights are here.

    Raises: WrongWeights for a model file that isn't the one in the catalogue.
    """
    digest = hashlib.sha256()
    for path in sorted(path for room in _ENGINE for kind in ("*.py", "*.toml") for path in (ROOT / room).rglob(kind)):
        digest.update(f"{path.relative_to(ROOT)} {sha256_of(path)}\n".encode())
    digest.update(sha256_of(ROOT / "requirements/runtime.txt").encode())
    folders = load(environ=environment).model_folders
    for line in catalogue(folders).values():
        here = weights.find(line, folders) is not None
        digest.update(f"{line.name} {line.sha256} {here}\n".encode())
    return digest.hexdigest()


def content(paths: Iterable[Path]) -> str:
    """A digest of these files, or of all files in a folder."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]:
            digest.update(f"{file.name} {sha256_of(file)}\n".encode())
    return digest.hexdigest()
