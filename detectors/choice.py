"""Which network of a model runs on this kind of processor, as `exhibit models optimise` measured and kept it.

In the cache lie, by the SHA-256 of the weights: `<sha256>-<processor>-<version>.json`, the choice with all its figures,
and a folder for each network that was ever chosen: what once ran can be run again.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from detectors import weights
from detectors.device import processor
from evidence.errors import Unavailable, WrongWeights

_VERSION = 1
"""Raised when networks are made, or choices made, in another way: what was kept before is then passed over."""

Choice = Mapping[str, Any]


def check_installed() -> None:
    """Raises: Unavailable with what to install, where networks can't be brought into eight bits."""
    if importlib.util.find_spec("nncf") is None:
        raise Unavailable(
            "int8 needs the package NNCF, which is not installed",
            hint="Install it: pip install --no-deps --require-hashes -r requirements/optimise.txt",
        )


def read(cache: Path, sha256: str) -> Choice | None:
    """The choice for these weights on this kind of processor; None where nothing was measured."""
    try:
        choice: Choice = json.loads(_place(cache, sha256).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as exc:
        raise WrongWeights(
            f"{_place(cache, sha256)} can't be read", hint="Run exhibit models optimise again, or remove it."
        ) from exc
    return choice


def network(cache: Path, choice: Choice) -> Path | None:
    """The folder of the chosen network; None where the model runs as it does without a choice.

    Raises: WrongWeights when its files aren't those that were measured.
    """
    if choice["network"] is None:
        return None
    folder = cache / str(choice["network"])
    try:
        weights.check_prepared(folder, choice["network_sha256"])
    except WrongWeights as exc:
        raise WrongWeights(
            f"the network that was measured for {choice['model']} is damaged: {exc}",
            hint=f"Run exhibit models optimise {choice['model']} again, or remove {_place(cache, choice['sha256'])}.",
        ) from exc
    return folder


def keep(cache: Path, choice: Choice, made: Path | None) -> Choice:
    """Take in a network's folder (None: it runs as it does anyway), then let the choice hold, whole or not at all."""
    name, sha256 = None, None
    if made is not None:
        sha256 = weights.sha256_of(made / weights.ABOUT)
        name = f"{choice['sha256']}-{sha256[:16]}"
        try:
            weights.check_prepared(cache / name, sha256)
        except WrongWeights:
            shutil.rmtree(cache / name, ignore_errors=True)
            made.rename(cache / name)
    kept = {**choice, "network": name, "network_sha256": sha256}
    place = _place(cache, choice["sha256"])
    fresh = place.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(kept, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(place)
    return kept


def _place(cache: Path, sha256: str) -> Path:
    return cache / f"{sha256}-{hashlib.sha256(processor().encode()).hexdigest()[:12]}-{_VERSION}.json"
