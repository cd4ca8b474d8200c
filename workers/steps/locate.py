"""LOCATE: where a device was and what it looked at; after TRACK also where on the ground what was seen stood."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evidence.clock import micros
from evidence.errors import NotFound
from evidence.exhibit import Condition, Exhibit, FileType
from evidence.places import FILE_CLOCK
from evidence.steps import SIDECARS, Step, StepRun
from evidence.telemetry import CERTAINTIES, NO_TIME
from storage.blocks import SECOND, blocks_of, to_units
from storage.cells import of_point
from storage.index import Output
from storage.index.corrections import CorrectionRow, newest
from storage.index.places import Pair
from storage.ledger.places import TRACKS, NewLocated, NewPlaces, NewSource
from storage.ledger.steps import Result
from workers.steps.media import main_video, media_of
from workers.tools import Tools

_FIX_COLUMNS = ("height_takeoff_m", "height_sea_m", "accuracy_m", "yaw_deg", "pitch_deg", "speed_mps")
NOTHING = "no places in it"


def run(tools: Tools, step_run: StepRun) -> Result:
    """A file without places, or one that can't be read, is a finding, never a failure: the note says it.

    It runs anew each time: its rows may be those of other sidecars by now. Where the same files were read before, with the
    same corrections, their fixes are taken from that run's Parquet files: after TRACK only what was seen is new.
    """
    exhibit = tools.exhibit(step_run)
    pairs = [] if exhibit.file_type in SIDECARS else [p for p in tools.index.pairs(exhibit.id) if p.video.id == exhibit.id]
    found = _tracks(tools, exhibit)
    params = _params(tools, exhibit, pairs)
    decides = {**params, "sidecar_sha256": [pair.sidecar.sha256.hex for pair in pairs]}
    read = tools.recipe(Step.LOCATE, decides)
    recipe = tools.recipe(Step.LOCATE, decides, inputs=[found] if found else [])
    before = _read_before(tools, exhibit, read.digest)
    with ExitStack() as held:
        inputs = {output.name: tools.fetch(output, f"before-{output.name}") for output in before}
        if not before:
            inputs["original"] = held.enter_context(tools.original(exhibit))
            for number, pair in enumerate(pairs):
                inputs[f"sidecar-{number}"] = held.enter_context(tools.original(pair.sidecar))
        if found:
            inputs[TRACKS] = tools.fetch(found, TRACKS)
        filenames = [exhibit.filename, *(pair.sidecar.filename for pair in pairs)]
        told = {"sources": [o.details["report"] for o in before], "notes": before[0].details["notes"]} if before else None
        out, report = tools.child("locate", inputs, {**params, "filenames": filenames, "before": told, **tools.caps()})
    note = _note(report, located=(out / "located.npz").exists())
    carriers = [exhibit, *(pair.sidecar for pair in pairs)]
    about = {"note": note, "notes": report["notes"], "read": read.digest, "count": len(report["sources"])}
    details = [{"report": source, **about} for source in report["sources"]]
    outputs = [
        tools.publish(step_run, recipe, out / f"telemetry-{number}.parquet", detail) for number, detail in enumerate(details)
    ]
    return Result(
        recipe.digest,
        outputs,
        note=note,
        condition=Condition.READABLE if exhibit.file_type is FileType.TELEMETRY and report["sources"] else None,
        places=places_of(report, carriers, out, _labels(inputs.get(TRACKS)), found.sha256 if found else ""),
    )


def _tracks(tools: Tools, exhibit: Exhibit) -> Output | None:
    if exhibit.file_type in SIDECARS:
        return None
    try:
        return tools.output(exhibit.id, Step.TRACK, TRACKS)
    except NotFound:
        return None


def _read_before(tools: Tools, exhibit: Exhibit, digest: str) -> list[Output]:
    """The fixes of each source, when the same was read before and all of it is there; else nothing."""
    same: dict[str, Output] = {}
    for output in tools.index.outputs(exhibit.id, step=Step.LOCATE):
        if output.details.get("read") == digest:
            same.setdefault(output.name, output)
    count = next((int(output.details["count"]) for output in same.values()), 0)
    found = [same.get(f"telemetry-{number}.parquet") for number in range(count)]
    there = [output for output in found if output is not None and tools.is_there(output)]
    return there if len(there) == count else []


def _params(tools: Tools, exhibit: Exhibit, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Of a video: its picture, its length, when it began, and what is known of its sidecars."""
    if exhibit.file_type in SIDECARS:
        return {}
    media = media_of(exhibit)
    claimed = exhibit.captured_at or media.claimed_capture_time
    corrections = tools.index.corrections([exhibit.id, *(pair.sidecar.id for pair in pairs)])
    own = newest(corrections).get((exhibit.id, FILE_CLOCK))
    start = None if claimed is None else micros(claimed) + round((own.offset_s if own else 0) * 1_000_000)
    return {
        "size_wh": list(main_video(media).upright_size_wh),
        "duration_us": None if media.duration_s is None else round(media.duration_s * 1_000_000),
        "start_utc_us": start,
        "created_us": None if media.claimed_capture_time is None else micros(media.claimed_capture_time),
        "sidecars": [_about(pair, corrections) for pair in pairs],
    }


def _about(pair: Pair, corrections: Sequence[CorrectionRow]) -> dict[str, Any]:
    own = {claim: c for (exhibit, claim), c in newest(corrections).items() if exhibit == pair.sidecar.id}
    return {
        "reference": pair.sidecar.reference,
        "offset_us": pair.offset_us,
        "by_time": pair.how.by_time,
        "corrections": {claim: [c.offset_s, c.error_s] for claim, c in own.items()},
    }


def _labels(tracks: Path | None) -> Mapping[int, str]:
    if tracks is None:
        return {}
    return {int(track["id"]): str(track["label"]) for track in json.loads(tracks.read_bytes())["tracks"]}


def places_of(
    report: Mapping[str, Any], carriers: Sequence[Exhibit], out: Path, labels: Mapping[int, str], tracks: str
) -> NewPlaces:
    """What the child found, as the ledger takes it."""
    sources = []
    for number, about in enumerate(report["sources"]):
        with np.load(out / f"seconds-{number}.npz", allow_pickle=False) as columns:
            told = {key: value for key, value in about.items() if key != "carrier"}
            output = f"telemetry-{number}.parquet"
            blocks = tuple(blocks_of(_records(columns)))
            sources.append(NewSource(carriers[about["carrier"]].id, told, output, _fixes(columns), blocks))
    located = None
    if report["located_by"] is not None:
        with np.load(out / "located.npz", allow_pickle=False) as columns:
            located = NewLocated(
                source=report["located_by"],
                label=[labels[track] for track in columns["track"].tolist()],
                track=columns["track"],
                at_us=columns["at_us"],
                latlon=columns["latlon"],
                ellipse=columns["ellipse"],
                certainty=columns["certainty"],
                cell=np.array([of_point(lat, lon) for lat, lon in columns["latlon"].tolist()], np.int64),
                motion=columns["motion"],
            )
    return NewPlaces(tuple(sources), located, tracks)


def _records(columns: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.void]:
    records = np.zeros(len(columns["at_us"]), SECOND)
    for name in ("at_us", "clock_us", "error_m", "placed_by", "seen_by", "why"):
        records[name] = columns[name]
    for name in ("camera", "centre", "corners"):
        records[name] = to_units(columns[name])
    return records


def _fixes(columns: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    clock = np.array([None if value == NO_TIME else value for value in columns["clock_us"].tolist()], object)
    certainties = [certainty.value if certainty else "" for certainty in CERTAINTIES]
    return {
        "at_us": columns["at_us"],
        "clock_us": clock,
        "latitude": columns["camera"][:, 0],
        "longitude": columns["camera"][:, 1],
        **{name: columns[name] for name in _FIX_COLUMNS},
        "certainty": np.array(certainties, object)[columns["placed_by"]],
        "flags": columns["flags"].astype(np.int16),
    }


def _note(report: Mapping[str, Any], *, located: bool) -> str:
    return "; ".join(_words(report, located)) or NOTHING


def _words(report: Mapping[str, Any], located: bool) -> Iterator[str]:
    for source in report["sources"]:
        yield f"{source['family']}: {source['fixes']} fixes, {source['placed']} with a place"
    if located:
        yield "what was seen is placed on the ground"
    yield from report["notes"]
