"""H3 cells: which of them a place touches, as the index holds them, and which a search has to look into.

Every place gets the finest level on which it touches few cells. A search looks on each level: into the cells that its shape
touches there, or, for a large shape, into all that lie in larger cells. What a cell gives is a candidate: the exact test is
`storage.sightings`'. Shapes are drawn with straight lines in longitude and latitude, as H3 reads them too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import h3.api.basic_int as h3
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

LEVELS = (9, 7, 5, 3)
"""H3 resolutions of the index. Units: a cell of level 9 is about 0.1 km² large, each next one 49 times as large."""
MOST_CELLS = 150
"""Touched by one place on its level, and by a search on the level it looks from."""
_MARGIN_DEG = 1e-6
"""A cell's true edge is no straight line on the map: on level 9 they lie less than a centimetre apart."""
_WORLD = shapely.box(-180.0, -90.0, 180.0, 90.0)
_WIDEST_DEG = 60.0
"""H3 takes a side of more than half the earth for one the other way round."""
_ROUGHLY_KM2 = {9: 0.105, 8: 0.737, 7: 5.16, 6: 36.1, 5: 253.0, 4: 1770.0, 3: 12_393.0}
_KM_PER_DEG = 111.2


def of_point(lat: float, lon: float) -> int:
    """Its cell on the finest level."""
    return int(h3.latlng_to_cell(lat, lon, LEVELS[0]))


def of_points(latlon_deg: npt.NDArray[np.float64]) -> set[int]:
    """The cells of positions. Shape: (n, 2)."""
    return {of_point(lat, lon) for lat, lon in np.unique(latlon_deg, axis=0).tolist()}


def of_ground(ground: BaseGeometry) -> set[int]:
    """The cells that a piece of ground touches, on the finest level where they are few; longitudes may go beyond ±180."""
    for level in LEVELS[:-1]:
        if _about(ground, level) <= MOST_CELLS:
            return touched(ground, level)
    return touched(ground, LEVELS[-1])


def ranges(shape: BaseGeometry) -> list[tuple[int, int]] | None:
    """Where to look in the index: cell numbers from … to, both inside, sorted. None: the shape is so large, look at all."""
    look_from = next((level for level in range(LEVELS[0], LEVELS[-1] - 1, -1) if _about(shape, level) <= MOST_CELLS), None)
    if look_from is None:
        return None
    found: list[tuple[int, int]] = []
    for level in LEVELS:
        if level <= look_from:
            found += [(cell, cell) for cell in touched(shape, level)]
        else:
            # A small cell may stick out of the larger one that it belongs to: so one ring more.
            larger = {near for cell in touched(shape, look_from) for near in h3.grid_disk(cell, 1)}
            found += [_within(cell, look_from, level) for cell in larger]
    return _joined(found)


def touched(ground: BaseGeometry, level: int) -> set[int]:
    """Every cell of that level that has a point in common with the ground."""
    cells: set[int] = set()
    for piece in _pieces(ground.buffer(_MARGIN_DEG, quad_segs=1)):
        ring = [(lat, lon) for lon, lat in piece.exterior.coords[:-1]]
        # Holes are filled: a cell too many is only a candidate too many.
        cells.update(h3.h3shape_to_cells_experimental(h3.LatLngPoly(ring), level, contain="overlap"))
    return cells


def _about(ground: BaseGeometry, level: int) -> float:
    """Roughly how many cells its bounding box touches."""
    west, south, east, north = ground.bounds
    middle = np.radians((south + north) / 2)
    side = _ROUGHLY_KM2[level] ** 0.5
    wide, high = (east - west) * _KM_PER_DEG * np.cos(middle), (north - south) * _KM_PER_DEG
    return float((wide / side + 1) * (high / side + 1))


def _pieces(ground: BaseGeometry) -> Iterator[shapely.Polygon]:
    """Simple polygons inside of ±180 degrees, none of them wider than H3 can read."""
    west, _, east, _ = ground.bounds
    for turn in (-360.0, 0.0, 360.0):
        if east + turn < -180 or west + turn > 180:
            continue
        inside = shapely.intersection(shapely.transform(ground, lambda xy, by=turn: xy + np.array([by, 0.0])), _WORLD)
        for part in shapely.get_parts(inside):
            if isinstance(part, shapely.Polygon) and not part.is_empty:
                yield from _narrow(part)


def _narrow(polygon: shapely.Polygon) -> Iterator[shapely.Polygon]:
    west, south, east, north = polygon.bounds
    if east - west <= _WIDEST_DEG:
        yield polygon
        return
    for start in np.arange(west, east, _WIDEST_DEG):
        cut = shapely.intersection(polygon, shapely.box(start, south, start + _WIDEST_DEG, north))
        yield from (p for p in shapely.get_parts(cut) if isinstance(p, shapely.Polygon) and not p.is_empty)


def _within(cell: int, level: int, finer: int) -> tuple[int, int]:
    """The first and the last number that cells of a finer level inside of a cell can have.

    Source: H3 documentation, "H3 Index representations": resolution in bits 52 to 55, three bits a digit below, 7 unused.
    """
    low = (cell & ~(0xF << 52)) | (finer << 52)
    high = low
    for digit in range(level + 1, finer + 1):
        place = (15 - digit) * 3
        low &= ~(7 << place)
        high = (high & ~(7 << place)) | (6 << place)
    return low, high


def _joined(found: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for low, high in sorted(set(found)):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return joined
