"""Who filmed this spot, and when: how long an answer takes over many hours of generated flights, and whether one is missing.

python -m benchmarks.place_search [--hours 1000] [--queries 360] [--checked 60] [--seed 1] > JSON

Flights of half an hour start from forty places in a county of 60 by 60 km, a third of them in one town; at 20 to 120 m, at
8 m/s or hovering, the camera turning and looking 15 to 90 degrees down. Questions are clicks (10 and 50 m), boxes of 200 m
to 5 km, and drawn shapes, near flights and anywhere. PostgreSQL with its usual settings, on this machine; the question is
asked as the API asks it, for the first 200 spans, and six that warm it up are not counted. Recall is counted in seconds of
flights, of the answer with all its spans, against the exact test of every second of every flight.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import insert, text

from benchmarks.machine import facts
from config.settings import load
from evidence import earth
from evidence.case import Role, User
from evidence.places import Shape, box, circle, polygon
from storage import embedded
from storage.blocks import SECOND, blocks_of, read_block, to_units
from storage.index import Query
from storage.migrate import migrate_database
from storage.open import Storage, open_storage
from storage.place_tables import place_blocks, place_cells, telemetry_sources
from storage.sightings import covering, drawn
from storage.stretches import stretches_of
from storage.tables import exhibits, step_runs

FLIGHT_S = 1800
MIDDLE = (52.2, 0.12)
STARTS = 40
WIDE_M = 30_000.0
HALF_WIDTH, HALF_HEIGHT = np.tan(np.radians(73.7 / 2)), np.tan(np.radians(53.1 / 2))
"""A usual drone's camera: 24 mm in terms of 35 mm film, 4:3."""
_SHALLOWEST_DEG = 6.0
_FLIGHTS_AT_ONCE = 20
_MOST = 1_000_000


def flight(random: np.random.Generator, start: npt.NDArray[np.float64]) -> npt.NDArray[np.void]:
    """One record a second: a way, and the ground that the camera sees."""
    n = FLIGHT_S
    moving = np.repeat(random.random(n // 60) < 0.6, 60)
    heading = np.radians(np.cumsum(random.normal(0, 6, n)) + random.uniform(0, 360))
    step = 8.0 * moving[:, None] * np.stack([np.sin(heading), np.cos(heading)], -1)
    way = earth.moved(np.broadcast_to(start, (n, 2)), np.cumsum(step, 0))
    height = np.clip(random.uniform(20, 120) + np.cumsum(random.normal(0, 0.5, n)), 20, 120)
    down = np.clip(random.uniform(15, 90) + np.cumsum(random.normal(0, 0.7, n)), 15, 90)
    yaw = heading + np.radians(np.cumsum(random.normal(0, 2, n)))
    corners = []
    for right, up in ((-1, 1), (1, 1), (1, -1), (-1, -1)):
        dip = np.radians(np.clip(down - up * np.degrees(np.arctan(HALF_HEIGHT)), _SHALLOWEST_DEG, 174))
        ahead, slant = height / np.tan(dip), height / np.sin(dip)
        side = right * slant * HALF_WIDTH / np.hypot(1, HALF_HEIGHT)
        away = np.stack([ahead * np.sin(yaw) + side * np.cos(yaw), ahead * np.cos(yaw) - side * np.sin(yaw)], -1)
        corners.append(earth.moved(way, away))
    records = np.zeros(n, SECOND)
    records["at_us"] = np.arange(n) * 1_000_000
    records["clock_us"] = records["at_us"] + int(datetime(2026, 7, 1, tzinfo=UTC).timestamp()) * 1_000_000
    records["camera"], records["corners"] = to_units(way), to_units(np.stack(corners, 1))
    records["placed_by"], records["seen_by"] = 1, 2
    return records


def starts(random: np.random.Generator) -> npt.NDArray[np.float64]:
    town = random.normal(0, 3_000, (STARTS // 3, 2))
    county = random.uniform(-WIDE_M, WIDE_M, (STARTS - len(town), 2))
    return earth.moved(np.broadcast_to(np.array(MIDDLE), (STARTS, 2)), np.concatenate([town, county]))


def questions(random: np.random.Generator, places: npt.NDArray[np.float64], count: int) -> Iterator[tuple[str, Shape]]:
    for number in range(count):
        near = random.random() < 0.8
        here = places[random.integers(len(places))] if near else np.array(MIDDLE)
        away = random.normal(0, 800, 2) if near else random.uniform(-WIDE_M, WIDE_M, 2)
        lat, lon = earth.moved(here, away).tolist()
        kind = ("click, 10 m", "click, 50 m", "box, 200 m", "box, 1 km", "box, 5 km", "drawn, 500 m")[number % 6]
        if kind.startswith("click"):
            yield kind, circle(lat, lon, 10 if "10" in kind else 50)
            continue
        size = {"box, 200 m": 200.0, "box, 1 km": 1_000.0, "box, 5 km": 5_000.0, "drawn, 500 m": 500.0}[kind]
        ends = earth.moved(np.array([[lat, lon]] * 2), np.array([[-size / 2] * 2, [size / 2] * 2])).tolist()
        if kind.startswith("box"):
            yield kind, box(ends[0][1], ends[0][0], ends[1][1], ends[1][0])
        else:
            turn = np.sort(random.uniform(0, 2 * np.pi, 7))
            ring = earth.moved(np.array([[lat, lon]] * 7), size / 2 * np.stack([np.sin(turn), np.cos(turn)], -1))
            yield kind, polygon([(corner[1], corner[0]) for corner in ring.tolist()])


def fill(storage: Storage, user: User, case_id: str, flights: Iterator[npt.NDArray[np.void]]) -> dict[str, Any]:
    """Flights as rows, by the hundred: as the ledger writes them, without the files."""
    made: dict[str, Any] = {"blocks": 0, "cells": 0}
    for number, records in enumerate(flights):
        exhibit, source = f"{number:032x}", secrets.token_hex(16)
        with storage.engine.begin() as connection:
            connection.execute(insert(exhibits).values(_exhibit(exhibit, case_id, user, number)))
            run: dict[str, Any] = {"id": source, "exhibit_id": exhibit, "step": "locate", "params": {}, "priority": "new"}
            run |= {"state": "done", "requested_by": "benchmark", "created_at": datetime.now(UTC)}
            connection.execute(insert(step_runs).values(run))
            connection.execute(insert(telemetry_sources).values(_source(source, exhibit)))
            for block in blocks_of(records):
                row = {"source_id": source, "minute": block.minute, "seconds": block.seconds}
                row["stretches"] = stretches_of(read_block(block.seconds)).tobytes()
                block_id = connection.execute(insert(place_blocks).values(row).returning(place_blocks.c.id)).scalar_one()
                connection.execute(insert(place_cells), [{"cell": c, "block_id": block_id} for c in block.cells])
                made["blocks"] += 1
                made["cells"] += len(block.cells)
    with storage.engine.connect() as connection:
        for table in ("place_blocks", "place_cells"):
            made[f"{table}_bytes"] = connection.execute(text(f"SELECT pg_total_relation_size('{table}')")).scalar_one()
    return made


def _exhibit(exhibit: str, case_id: str, user: User, number: int) -> dict[str, Any]:
    return {
        "id": exhibit,
        "case_id": case_id,
        "claimed_case": "",
        "reference": f"B/{number}",
        "filename": "",
        "kind": "drone",
        "file_type": "video",
        "sha256": secrets.token_hex(32),
        "size_bytes": 0,
        "uploaded_by": user.id,
        "uploaded_at": datetime.now(UTC),
        "condition": "readable",
        "key": "",
    }


def _source(source: str, exhibit: str) -> dict[str, Any]:
    told: dict[str, Any] = {"id": source, "exhibit_id": exhibit, "carrier_id": exhibit, "step_run_id": source, "number": 0}
    told |= {"family": "DJI SRT", "dialect": "", "device": "", "zone": "UTC", "fixes": FLIGHT_S, "placed": FLIGHT_S}
    return told | {"frame_synchronous": False, "warnings": [], "reasons": [""], "output": ""}


def brute_force(records: npt.NDArray[np.void], shape: Shape) -> npt.NDArray[np.int64]:
    """The flight and second of everything that covers the shape, each one tested. Shape: (k,) of flight × 10⁶ + second."""
    rows = covering(records, drawn(shape)).row
    return np.unique(rows // FLIGHT_S * 1_000_000 + rows % FLIGHT_S)


def ask(storage: Storage, user: User, shape: Shape) -> tuple[float, int]:
    """How long the first page takes, and how many spans are on it."""
    begun = time.perf_counter()
    found = storage.index.sightings(user, shape, Query())
    return time.perf_counter() - begun, len(found)


def everything_found(storage: Storage, user: User, shape: Shape) -> set[int]:
    """Seconds of all spans, as in `brute_force`."""
    return {
        int(seen.exhibit.id, 16) * 1_000_000 + second
        for seen in storage.index.sightings(user, shape, Query(limit=_MOST))
        for second in range(int(seen.sighting.from_s), int(seen.sighting.to_s) + 1)
    }


def measured(hours: int, count: int, checked: int, seed: int, settings: Any) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    places = starts(random)
    kept: list[npt.NDArray[np.void]] = []

    def flown() -> Iterator[npt.NDArray[np.void]]:
        for number in range(hours * 3600 // FLIGHT_S):
            kept.append(flight(random, places[random.integers(STARTS)]))
            yield kept[-1]
            if number % 100 == 99:
                print(f"{number + 1} flights", file=sys.stderr)

    storage = open_storage(settings)
    user = storage.ledger.people.add_user("system:benchmark", "asker", "A Asker", Role.INVESTIGATOR, secrets.token_hex(16))
    case = storage.ledger.cases.create(user, "BENCH/26")
    begun = time.perf_counter()
    made = fill(storage, user, case.id, flown()) | {"filled_s": time.perf_counter() - begun}
    with storage.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE exhibits"))  # what autovacuum does within a minute
    told = answered(storage, user, list(questions(random, places, count)), np.concatenate(kept), checked)
    storage.close()
    return {"hours": hours, "flights": len(kept), **told, "index": made, "machine": facts()}


def answered(
    storage: Storage, user: User, asked: list[tuple[str, Shape]], everything: npt.NDArray[np.void], checked: int
) -> dict[str, Any]:
    """How long every question takes; and of some of them, spread over all kinds, whether anything is missing."""
    for _, shape in asked[:6]:
        ask(storage, user, shape)
    took: dict[str, list[float]] = {}
    spans = 0
    for kind, shape in asked:
        seconds_taken, some = ask(storage, user, shape)
        took.setdefault(kind, []).append(seconds_taken)
        spans += some
    missing = expected_seconds = 0
    for _, shape in asked[:checked]:
        expected = set(brute_force(everything, shape).tolist())
        missing += len(expected - everything_found(storage, user, shape))
        expected_seconds += len(expected)
    whole = [value for values in took.values() for value in values]
    return {
        "questions": len(asked),
        "ms": {kind: _spread(values) for kind, values in [("all", whole), *took.items()]},
        "spans": spans,
        "checked": {
            "questions": min(checked, len(asked)),
            "seconds_expected": expected_seconds,
            "seconds_missing": missing,
            "recall": 1 - missing / max(1, expected_seconds),
        },
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {name: round(float(np.percentile(values, at)) * 1000, 1) for name, at in (("p50", 50), ("p95", 95), ("max", 100))}


@contextmanager
def database() -> Iterator[Any]:
    """A PostgreSQL of this run alone, with the settings that `exhibit up` gives it."""
    with (
        tempfile.TemporaryDirectory(prefix="exhibit-bench-") as folder,
        embedded.running(load({"data_dir": Path(folder)}, {})) as settings,
    ):
        migrate_database(settings.database_url, settings.app_database_url)
        yield settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=1000)
    parser.add_argument("--queries", type=int, default=360)
    parser.add_argument("--checked", type=int, default=60, help="so many questions are put to brute force as well")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with database() as settings:
        print(json.dumps(measured(asked.hours, asked.queries, asked.checked, asked.seed, settings), indent=1))


if __name__ == "__main__":
    main()
