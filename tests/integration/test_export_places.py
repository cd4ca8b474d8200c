"""Places in a case file: per exhibit and for the case, by the corrected clock, and nothing of what isn't given out."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import gpxpy
import numpy as np
import pytest

from casefile.bag import BagFile, Contents, write_bag
from casefile.verify import verify_bag
from evidence.case import Case, User
from evidence.clock import Correction, Evidence
from evidence.exhibit import Exhibit, FileType
from evidence.steps import Step
from evidence.telemetry import Family, Zone
from storage.index import Index
from storage.ledger import Ledger
from storage.ledger.places import NewLocated, NewPlaces
from storage.ledger.steps import NewOutput
from tests.devices import places, rectangle, seconds, source
from tests.factories import Factory, video
from workers.steps.export import contents_of

NOON = int(datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp())
AT = (52.2, 0.12)


@pytest.fixture
def user(make: Factory) -> User:
    return make.user()


@pytest.fixture
def case(make: Factory, user: User) -> Case:
    return make.case(user)


def located(make: Factory, exhibit: Exhibit, found: NewPlaces) -> Exhibit:
    if exhibit.file_type is FileType.VIDEO:
        make.finish(make.claim(Step.PROBE), media=video())
    make.finish(make.claim(Step.LOCATE), places=found)
    return exhibit


def hovering(n: int = 4) -> object:
    here = np.broadcast_to(np.array(AT), (n, 2))
    return seconds(here, rectangle(here, np.zeros(n), 80, 45), clock_s=NOON)


class NoStore:
    """Where no original lies; nothing of it is read here."""

    def read(self, key: str, *, version_id: str = "") -> list[bytes]:
        raise AssertionError(key)


def packed(index: Index, case: Case) -> Contents:
    return contents_of(index, NoStore(), case.id, made_by="x", made_at=datetime.now(UTC))  # type: ignore[arg-type]


def files_of(index: Index, case: Case) -> dict[str, str]:
    contents = packed(index, case)
    return {file.path: read(file) for file in contents.files if file.path.endswith((".geojson", ".gpx", ".kml", ".csv"))}


def read(file: BagFile) -> str:
    return b"".join(file.read()).decode()


def test_each_exhibit_and_the_case_have_their_places(make: Factory, index: Index, user: User, case: Case) -> None:
    exhibits = [located(make, e, places(e.id, hovering())) for e in (make.exhibit(user, case), make.exhibit(user, case))]
    bare = located(make, make.exhibit(user, case), NewPlaces())
    files = files_of(index, case)
    folders = [exhibit.reference.replace("/", "-") for exhibit in exhibits]
    for folder in folders:
        assert {f"{folder}/{name}" for name in ("places.geojson", "places.gpx", "places.kml", "fixes.csv")} <= set(files)
        rows = list(csv.DictReader(io.StringIO(files[f"{folder}/fixes.csv"])))
        assert [row["utc"] for row in rows][:2] == ["2026-07-01T12:00:00Z", "2026-07-01T12:00:01Z"]
        assert len(list(csv.DictReader(io.StringIO(files[f"{folder}/footprints.csv"])))) == 4
    assert not [path for path in files if path.startswith(bare.reference.replace("/", "-") + "/")]
    whole = json.loads(files["places of the case/places.geojson"])
    named = {feature["properties"]["exhibit"] for feature in whole["features"]}
    assert named == {exhibit.reference for exhibit in exhibits}
    assert len(gpxpy.parse(files["places of the case/places.gpx"]).tracks) == 2


def test_times_are_those_of_the_corrected_clock_and_say_on_what_they_rest(
    make: Factory, index: Index, ledger: Ledger, user: User, case: Case
) -> None:
    exhibit = make.exhibit(user, case)
    located(make, exhibit, places(exhibit.id, hovering(), zone=Zone.LOCAL.value))
    folder = exhibit.reference.replace("/", "-")

    def first() -> dict[str, str]:
        return next(iter(csv.DictReader(io.StringIO(files_of(index, case)[f"{folder}/fixes.csv"]))))

    # British summer time, assumed.
    assert first()["utc"] == "2026-07-01T11:00:00Z"
    assert "assumed" in first()["utc_by"]
    assert first()["claimed"] == "2026-07-01T12:00:00"
    ledger.places.correct_clock(
        user, exhibit.id, Family.DJI_SRT.value, Correction(-3590.0, 0.5, Evidence.STATED, "a wall clock")
    )
    assert (first()["utc"], first()["utc_error_s"]) == ("2026-07-01T11:00:10Z", "0.5")
    assert "corrected by -3590.000 s" in first()["utc_by"]


def test_what_was_seen_on_the_ground_goes_out_with_its_ellipse(make: Factory, index: Index, user: User, case: Case) -> None:
    exhibit = make.exhibit(user, case)
    seen = NewLocated(
        source=0,
        label=["person"],
        track=np.array([3]),
        at_us=np.array([1_000_000]),
        latlon=np.array([AT]),
        ellipse=np.array([[9.0, 4.0, 20.0]]),
        certainty=np.array([2], np.uint8),
        cell=np.array([1], np.int64),
        motion=np.array([[1.4, 0.6, 37.0, 25.0]]),
    )
    located(make, exhibit, NewPlaces((source(exhibit.id, hovering()),), seen))
    (row,) = csv.DictReader(io.StringIO(files_of(index, case)[f"{exhibit.reference.replace('/', '-')}/located.csv"]))
    assert (row["label"], row["track"], row["ellipse_major_m"], row["certainty"]) == ("person", "3", "9", "derived")
    assert (row["speed_mps"], row["speed_error_mps"], row["heading_deg"]) == ("1.4", "0.6", "37")


def test_fixes_of_a_file_that_is_not_given_out_stay(make: Factory, index: Index, user: User, case: Case) -> None:
    """A video of the case may be placed by a sidecar that belongs to another one."""
    elsewhere = make.exhibit(user, make.case(user))
    located(make, elsewhere, NewPlaces())
    exhibit = make.exhibit(user, case)
    located(make, exhibit, NewPlaces((source(elsewhere.id, hovering()),)))
    assert files_of(index, case) == {}


def test_the_case_file_with_places_is_as_recorded(
    make: Factory, index: Index, user: User, case: Case, tmp_path: Path
) -> None:
    exhibit = make.exhibit(user, case)
    located(make, exhibit, places(exhibit.id, hovering()))
    contents = packed(index, case)
    # The originals of this test lie in no store.
    made = tuple(file for file in contents.files if not file.path.endswith(exhibit.filename))
    entries = tuple({**entry, "files": [f for f in entry["files"] if f["what"] == "places"]} for entry in contents.exhibits)
    write_bag(tmp_path / "bag", replace(contents, files=made, exhibits=entries))
    assert verify_bag(tmp_path / "bag").findings == []
    assert len(entries[0]["files"]) >= 4


def test_the_fixes_of_a_file_that_was_parted_from_its_video_stay_in_the_house(
    make: Factory, ledger: Ledger, index: Index, user: User, case: Case
) -> None:
    film = make.exhibit(user, case, filename="A.MP4")
    make.finish(make.claim(Step.PROBE), media=video())
    for number, found in enumerate((places(film.id, hovering()), NewPlaces())):
        (run,) = [r for r in index.step_runs(film.id) if r.step is Step.LOCATE]
        if number:
            ledger.steps.retry(user, run.id)
        output = NewOutput("telemetry-0.parquet", f"derived/{number}", str(number) * 64, 1, "application/octet-stream")
        make.finish(make.claim(Step.LOCATE), places=found, outputs=[] if number else [output])
        kept = contents_of(index, NoStore(), case.id, made_by="x", made_at=datetime.now(UTC))  # type: ignore[arg-type]
        assert any(file.path.endswith("telemetry-0.parquet") for file in kept.files) == (number == 0)
