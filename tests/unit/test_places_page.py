"""docs/places.md says the values that the program takes."""

from __future__ import annotations

import re
from pathlib import Path

from evidence import clock, geo, sight, speed

PAGE = (Path(__file__).parents[2] / "docs/places.md").read_text("utf-8")


def test_every_assumed_accuracy_stands_on_the_page_with_its_value() -> None:
    told = {name: float(value) for name, value in re.findall(r"^\| `([A-Z0-9_]+)` \| ([0-9.]+) \|", PAGE, re.M)}
    ours = {name: value for name, value in vars(sight).items() if re.fullmatch(r"[A-Z0-9_]+_(M|DEG|SHARE|S)", name)}
    for name in ("LOWEST_M", "LONGEST_S", "USUAL_VIEW_DEG"):
        del ours[name]
    assert told == ours | {"FOOT_SHARE": geo.FOOT_SHARE, "CHANGES_SHARE": speed.CHANGES_SHARE}


def test_what_is_said_of_limits_is_what_they_are() -> None:
    assert f"dips less than {geo.GRAZING_DEG:.0f}° is not placed" in PAGE
    assert f"{geo.REACH:.1f} heights away" in PAGE
    assert f"for DJI, {sight.USUAL_VIEW_DEG:.0f}° across" in PAGE
    assert f"± {clock.UNCHECKED_S:.0f} s (assumption)" in PAGE
    assert f"± {clock.UNCHECKED_S + clock.HOUR_S:,.0f} s" in PAGE
    assert f"± {clock.SATELLITE_S:.0f} s |" in PAGE
