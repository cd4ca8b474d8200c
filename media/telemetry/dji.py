"""DJI's telemetry in subtitles, and what other makers write like it: the rule behind the dialects, not a list of them.

Each cue is read into named numbers (`dji_cue`), where it was is judged over the whole file (`dji_place`), and here the
numbers become quantities with the units, signs and zero points that their names have. docs/telemetry.md says what is
known of each, and what is assumed.

Source: DJI's user manuals on the same fields in photographs (angles north-east-down; speed x north, y east; RtkFlag), the
    files in the tests, and files that people have published with the places they were flown at.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from evidence.errors import CorruptMedia, UnsupportedMedia
from evidence.telemetry import NO_TIME, Certainty, Family, Flag, Quantity, Telemetry, Zone
from media.telemetry import dji_cue, srt
from media.telemetry.checks import checked
from media.telemetry.dji_place import RECEIVER_M, Floats, Place, place
from media.telemetry.dji_values import attitude, heights, lens, motion
from media.telemetry.rows import elapsed_of

_ASSUMED_STEP_US = 1_000_000


class Told:
    """All that the cues say: a column for each name, with the most decimals and a unit that it was written with."""

    def __init__(self) -> None:
        self.starts = array("q")
        self.clocks = array("q")
        self.zoned = 0
        self.heard = 0
        self.silent = 0
        """Cues that say nothing that is known."""
        self._values: dict[str, array[float]] = {}
        self._decimals: dict[str, int] = {}
        self._units: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.starts)

    def add(self, cue: srt.Cue) -> None:
        self.heard += 1
        said = dji_cue.spoken(cue.text, cut=cue.cut)
        if not said.numbers and said.clock_us == NO_TIME:
            self.silent += bool(cue.text.strip())
            return
        for name, measure in said.numbers.items():
            column = self._values.setdefault(name, array("d"))
            column.extend([np.nan] * (len(self) - len(column)))
            column.append(measure.value)
            self._decimals[name] = max(measure.decimals, self._decimals.get(name, 0))
            self._units[name] = self._units.get(name) or measure.unit
        self.starts.append(NO_TIME if cue.start_us is None else cue.start_us)
        self.clocks.append(said.clock_us)
        self.zoned += said.utc

    def has(self, *names: str) -> bool:
        return any(name in self._values for name in names)

    def column(self, name: str) -> Floats:
        """Shape: (n,); all NaN where it is never said."""
        found = np.full(len(self), np.nan)
        said = self._values.get(name, ())
        found[: len(said)] = said
        return found

    def decimals(self, name: str) -> int:
        return self._decimals.get(name, 0)

    def unit(self, name: str) -> str:
        return self._units.get(name, "")


def read(data: bytes) -> Telemetry:
    """Raises: UnsupportedMedia when these are subtitles for people; CorruptMedia when nothing is left; TooLarge."""
    text = srt.decoded(data)
    if not text.strip():
        raise CorruptMedia("The file is empty: nothing was written into it.")
    return read_cues(srt.cues(text))


def read_cues(cues: Iterable[srt.Cue]) -> Telemetry:
    """As `read`, of cues from wherever. Raises: UnsupportedMedia, CorruptMedia."""
    told = Told()
    for cue in cues:
        told.add(cue)
    count = told.heard
    if not count:
        raise CorruptMedia("The recording ended before its first subtitle was written: there is only a number, or less.")
    if not told.has(*dji_cue.TELLING):
        raise UnsupportedMedia(
            f"These are subtitles for people: none of the {count} says anything about a flight.",
            hint="Keep them with their video; for a track send the drone's own SRT, GPX or CSV file.",
        )
    return _telemetry(told, count)


def _telemetry(told: Told, count: int) -> Telemetry:
    notes: list[str] = []
    elapsed = _elapsed(told, notes)
    where = place(told.column, told.decimals, told.unit, elapsed)
    columns: dict[Quantity, Floats] = {
        Quantity.LATITUDE: where.latitude,
        Quantity.LONGITUDE: where.longitude,
        Quantity.HOME_LATITUDE: where.home_latitude,
        Quantity.HOME_LONGITUDE: where.home_longitude,
    }
    certainty: dict[Quantity, Certainty] = {}
    if not where.sure:
        certainty |= dict.fromkeys((Quantity.LATITUDE, Quantity.LONGITUDE), Certainty.ESTIMATED)
    notes += where.notes
    parts = (
        heights(told, where.sea_m),
        attitude(told),
        motion(told, elapsed),
        lens(told),
        _accuracy(told, where),
    )
    for some_columns, some_certainty, some_notes in parts:
        columns |= some_columns
        certainty |= some_certainty
        notes += some_notes
    if told.silent:
        notes.append(f"{told.silent} of {count} cues say nothing that is known here")
    if count >= srt.MAX_CUES:
        notes.append(f"only the first {srt.MAX_CUES} cues are read")
    columns = {name: values for name, values in columns.items() if np.isfinite(values).any()}
    clock = np.array(told.clocks, np.int64)
    order = np.argsort(elapsed, kind="stable")
    if (np.diff(order) < 0).any():
        notes.append("the cues don't stand in the order of their times; they are put into it")
    return checked(
        Telemetry(
            family=Family.DJI_SRT,
            dialect=_dialect(told),
            device="",
            zone=Zone.UTC if told.zoned and told.zoned == int((clock != NO_TIME).sum()) else Zone.LOCAL,
            elapsed_us=elapsed[order],
            clock_us=clock[order],
            flags=_flags(told, where)[order],
            columns={name: values[order] for name, values in columns.items()},
            certainty={name: value for name, value in certainty.items() if name in columns},
            warnings=tuple(dict.fromkeys(notes)),
        )
    )


def _elapsed(told: Told, notes: list[str]) -> npt.NDArray[np.int64]:
    """Media time of each row: its cue's start; where none is written, by the device's clock, its steps, or one a second."""
    starts, clock = np.array(told.starts, np.int64), np.array(told.clocks, np.int64)
    known = starts != NO_TIME
    if len(starts) > 2 and known.all() and not np.ptp(starts):
        notes.append("all cues have one and the same time, which can't be")
        known = np.zeros(len(starts), bool)
    if known.all():
        return starts
    if known.any():
        notes.append(f"{int((~known).sum())} cues have lost their times; they are put between their neighbours")
        rows = np.arange(len(starts))
        between: npt.NDArray[np.int64] = np.round(np.interp(rows, rows[known], starts[known])).astype(np.int64)
        return between
    if (clock != NO_TIME).sum() > 1 and np.ptp(clock[clock != NO_TIME]) > 0:
        notes.append("no cue has a time; elapsed time is the device's clock since the first")
        return elapsed_of(clock)
    steps_ms = np.nan_to_num(told.column("difference"))
    if (steps_ms > 0).all():
        notes.append("no cue has a time; elapsed time is the sum of DiffTime")
        summed: npt.NDArray[np.int64] = np.concatenate([[0], np.cumsum(np.clip(steps_ms, 0, 1e7) * 1000)[:-1]]).astype(
            np.int64
        )
        return summed
    notes.append("no cue has a time and no clock is given; one a second is an assumption")
    return np.arange(len(starts), dtype=np.int64) * _ASSUMED_STEP_US


def _flags(told: Told, where: Place) -> npt.NDArray[np.uint8]:
    """No fix where the receiver says so: no satellites, or positioning failed, unless it says that all the time."""
    lost = np.zeros(len(told), bool)
    for values in (where.satellites, told.column("rtk_flag")):
        if np.nanmax(np.nan_to_num(values), initial=0) > 0:
            lost |= values == 0
    return np.where(lost, Flag.NO_FIX, Flag.NONE).astype(np.uint8)


_RTK_M = ((50, 0.05), (32, 0.5), (16, RECEIVER_M))
"""Source: DJI Mavic 3M user manual, RtkFlag: 50 fixed, centimetres; 32 to 49 float, decimetres; 16 single point, metres."""


def _accuracy(told: Told, where: Place) -> tuple[Mapping[Quantity, Floats], Mapping[Quantity, Certainty], list[str]]:
    """What the file states, in metres; else what its RTK flag, its dilution or its rounding leaves, marked estimated."""
    columns: dict[Quantity, Floats] = {}
    certainty: dict[Quantity, Certainty] = {}
    stated = np.fmax(np.fmax(told.column("rtk_std_lat"), told.column("rtk_std_lon")), told.column("accuracy"))
    if told.has("rtk_std_height"):
        columns[Quantity.ACCURACY_VERTICAL] = told.column("rtk_std_height")
    if np.isfinite(stated).any():
        columns[Quantity.ACCURACY_HORIZONTAL] = stated
        return columns, certainty, []
    estimated = where.accuracy_m
    flag = told.column("rtk_flag")
    if np.nanmax(np.nan_to_num(flag), initial=0) > 0:
        estimated = np.select([flag >= least for least, _ in _RTK_M], [metres for _, metres in _RTK_M], np.nan)
    elif told.has("hdop"):
        estimated = told.column("hdop") * 5
    columns[Quantity.ACCURACY_HORIZONTAL] = estimated
    return columns, {Quantity.ACCURACY_HORIZONTAL: Certainty.ESTIMATED}, []


def _dialect(told: Told) -> str:
    forms = []
    if told.has("gps_1"):
        if told.has("D", "h.s", "H"):
            forms.append("comma list with RTK" if told.has("rtk") else "comma list")
        else:
            forms.append("GPS and HOME lines" if told.has("home_1") else "GPS line")
    elif told.has("gps_3"):
        forms.append("compass letters")
    if told.has("latitude") and (told.has("gps_1") or not told.has("gps_3")):
        height = (
            "rel_alt and abs_alt" if told.has("rel_alt", "abs_alt") else "altitude" if told.has("altitude") else "no height"
        )
        forms.append(f"names and values, {height}")
    return " and ".join(forms) or "camera settings only"
