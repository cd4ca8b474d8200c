"""`python -m tests.minio_server CACHE`: see to it that the tests have a MinIO server to run."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from evidence.errors import Unavailable
from storage.minio_server import find_or_build


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        print(f"MinIO: {find_or_build(Path(sys.argv[1]).expanduser())}")
    except Unavailable as exc:
        print(f"{exc}\n{exc.hint}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
