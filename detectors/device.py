"""Where networks run on this machine; asked without loading torch."""

from __future__ import annotations

import os
from pathlib import Path


def has_gpu() -> bool:
    """Whether an NVIDIA driver is there and not hidden (`CUDA_VISIBLE_DEVICES=` turns it off)."""
    return Path("/dev/nvidiactl").exists() and os.environ.get("CUDA_VISIBLE_DEVICES", "0") not in {"", "-1"}
