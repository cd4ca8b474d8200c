"""The installed deface command with its own settings: every frame at full size, blur, H.264, no sound.

python -m benchmarks.deface_control IN OUT
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def command(source: str, out: str) -> list[str]:
    return [str(Path(sys.executable).with_name("deface")), "--output", out, source]


if __name__ == "__main__":
    sys.exit(subprocess.run(command(sys.argv[1], sys.argv[2]), check=False).returncode)
