"""How alike a copy and its source look where nothing is hidden: SSIM of the luma, and what their files weigh.

SSIM with a Gaussian window of sigma 1.5 over 8-bit luma. Source: Z. Wang et al., Image Quality Assessment: From Error
Visibility to Structural Similarity (2004). What differs by more than 24 of 255, in a mean over 5 × 5, is taken for a mask,
and with it everything within a window's reach: it is left out.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import av
import av.filter
import cv2
import numpy as np
import numpy.typing as npt

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_SIGMA, _REACH = 1.5, 8
_CHANGED = 24
_FRAMES = 120

Luma = npt.NDArray[np.uint8]


def vmaf_is_there() -> bool:
    """Whether the FFmpeg that is installed can compute VMAF; this program brings no other."""
    return "libvmaf" in av.filter.filters_available


def similar(source: Path, copy: Path, frames: int = _FRAMES) -> dict[str, Any]:
    """`ssim` (mean over frames), `worst` (the least frame), `left_out` (mean share of a picture), and the files' sizes.

    Raises: ValueError for copies of another size or length.
    """
    values, left_out = [], []
    with av.open(str(source)) as ours, av.open(str(copy)) as theirs:
        for before, after in zip(*(islice(c.decode(video=0), frames) for c in (ours, theirs)), strict=True):
            first, second = (frame.to_ndarray(format="gray") for frame in (before, after))
            if first.shape != second.shape:
                raise ValueError("the copy has another size")
            value, hidden = outside_masks(first, second)
            values.append(value)
            left_out.append(hidden)
    return {
        "frames": len(values),
        "ssim": float(np.mean(values)),
        "worst": float(min(values)),
        "left_out": float(np.mean(left_out)),
        "source_bytes": source.stat().st_size,
        "copy_bytes": copy.stat().st_size,
    }


def outside_masks(source: Luma, copy: Luma) -> tuple[float, float]:
    """The mean SSIM of what isn't masked, and the share that is; 1.0 when all is."""
    changed = (cv2.blur(cv2.absdiff(source, copy), (5, 5)) > _CHANGED).astype(np.uint8)
    masked = cv2.dilate(changed, np.ones((2 * _REACH + 1, 2 * _REACH + 1), np.uint8)).astype(bool)
    if masked.all():
        return 1.0, 1.0
    return float(_ssim(source, copy)[~masked].mean()), float(masked.mean())


def _ssim(first: Luma, second: Luma) -> npt.NDArray[np.float64]:
    a, b = first.astype(np.float32), second.astype(np.float32)
    mean_a, mean_b = _near(a), _near(b)
    spread_a, spread_b = _near(a * a) - mean_a**2, _near(b * b) - mean_b**2
    together = _near(a * b) - mean_a * mean_b
    alike = (2 * mean_a * mean_b + _C1) * (2 * together + _C2)
    most = (mean_a**2 + mean_b**2 + _C1) * (spread_a + spread_b + _C2)
    ratio: npt.NDArray[np.float64] = alike / most
    return ratio


def _near(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    mean: npt.NDArray[np.float32] = cv2.GaussianBlur(values, (11, 11), _SIGMA)
    return mean
