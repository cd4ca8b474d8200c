"""Ultralytics' own released weights, by its own downloader; only ever on a person's explicit command."""

from __future__ import annotations

import os
from pathlib import Path

from evidence.errors import BadInput, Unavailable


def fetch(name: str, folder: Path) -> Path:
    """Download one released file into an empty folder.

    Raises: BadInput for a name that ultralytics doesn't release; Unavailable when it can't be reached.
    """
    # The person asked: what holds workers back doesn't hold here. Nothing else is fetched or reported.
    os.environ.pop("YOLO_OFFLINE", None)
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ["YOLO_CONFIG_DIR"] = str(folder)
    os.environ["YOLO_VERBOSE"] = "false"  # Its words about its settings would stand in our answer.
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES, attempt_download_asset

    file = name if name.endswith(".pt") else f"{name}.pt"
    if file not in GITHUB_ASSETS_NAMES:
        raise BadInput(f"ultralytics releases no {file}", hint="For example: exhibit models fetch yolo11n")
    try:
        attempt_download_asset(folder / file, progress=False, retry=1)
    except (OSError, RuntimeError) as exc:
        raise Unavailable(
            f"{file} can't be downloaded from here",
            hint="On a closed network, carry the file over and use: exhibit models add FILE",
        ) from exc
    if not (folder / file).is_file():
        raise Unavailable(f"{file} did not arrive", hint="Try again later, or use: exhibit models add FILE")
    return folder / file
