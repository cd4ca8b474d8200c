"""Where a camera on a moving platform looks: the platform's attitude and the camera's angles on it, put together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Degrees = npt.NDArray[np.float64]

_LOCKED = 1e-9
"""Looking straight down or up, yaw and roll turn about one axis: all of it is called yaw."""


def absolute(
    platform: tuple[Degrees, Degrees, Degrees], camera: tuple[Degrees, Degrees, Degrees]
) -> tuple[Degrees, Degrees, Degrees]:
    """Yaw, pitch and roll of the camera in the world, from the platform's, and the camera's relative to the platform.

    Each turns about its own axes in the order yaw (down), pitch (right), roll (forward); north, east, down is the world.

    Shape: six of (n,), giving three of (n,).
    Units: degrees; yaw clockwise from north, 0 to 360; pitch up; roll clockwise.
    Source: MISB ST 0601, "platform and sensor position and rotation"; the matrices are those of any text on aerospace
        (Stevens and Lewis, Aircraft Control and Simulation, 1.3: yaw-pitch-roll sequence).
    """
    turned = _rotation(*platform) @ _rotation(*camera)
    pitch = np.degrees(np.arcsin(np.clip(-turned[:, 2, 0], -1, 1)))
    locked = np.hypot(turned[:, 0, 0], turned[:, 1, 0]) < _LOCKED
    yaw = np.where(
        locked,
        np.arctan2(-turned[:, 0, 1], turned[:, 1, 1]),
        np.arctan2(turned[:, 1, 0], turned[:, 0, 0]),
    )
    roll = np.where(locked, 0.0, np.arctan2(turned[:, 2, 1], turned[:, 2, 2]))
    # Where an angle is unknown the comparison above is false, and arctan2 passes the NaN on.
    return np.degrees(yaw) % 360, pitch, np.degrees(roll)


def _rotation(yaw_deg: Degrees, pitch_deg: Degrees, roll_deg: Degrees) -> npt.NDArray[np.float64]:
    """From the turned body's axes to those it was turned from. Shape: (n, 3, 3)."""
    yaw, pitch, roll = np.radians(yaw_deg), np.radians(pitch_deg), np.radians(roll_deg)
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    rows = (
        (cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr),
        (sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr),
        (-sp, cp * sr, cp * cr),
    )
    return np.moveaxis(np.array(rows), -1, 0)
