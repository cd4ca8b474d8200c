"""Where networks run on this machine, and on what kind of processor; asked without loading torch."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def has_gpu() -> bool:
    """Whether an NVIDIA driver is there and not hidden (`CUDA_VISIBLE_DEVICES=` turns it off)."""
    return Path("/dev/nvidiactl").exists() and os.environ.get("CUDA_VISIBLE_DEVICES", "0") not in {"", "-1"}


_TELLING = frozenset(
    {"avx2", "avx_vnni", "avx512f", "avx512_bf16", "avx512_fp16", "avx512_vnni", "amx_bf16", "amx_fp16", "amx_int8"}
    | {"asimddp", "asimdhp", "bf16", "i8mm", "sve", "sve2"}
)
"""Abilities that decide how fast which precision is."""
_WHICH = ("vendor_id", "cpu family", "model", "stepping", "model name", "CPU implementer", "CPU part")


def processor() -> str:
    """The kind of processor, the same text on every machine that has it: what was measured on one holds on the other."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    said = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    able = sorted(_TELLING & set((said.get("flags") or said.get("Features") or "").split()))
    return ", ".join([platform.machine(), *(said[name] for name in _WHICH if said.get(name)), *able])
