"""The table of docs/telemetry.md: what comes of every file in a folder of telemetry.

`python -m tests.telemetry_page FOLDER` writes it anew; `tests/integration/test_telemetry_page.py` compares each line.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from evidence.errors import BadInput
from evidence.telemetry import Quantity, Telemetry
from media.telemetry.read import read
from media.telemetry.summary import summary

PAGE = Path(__file__).parents[1] / "docs" / "telemetry.md"
BEGIN, END = "<!-- begin: made by tests/telemetry_page.py -->\n", "<!-- end -->\n"
HEAD = (
    "| file | read as | fixes | with a place | seconds | fields | accuracy | what is said |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |\n"
)
_SAID_AT_MOST = 6
_FIELDS = (
    ("place", (Quantity.LATITUDE,)),
    ("above take-off", (Quantity.HEIGHT_TAKEOFF,)),
    ("above sea", (Quantity.HEIGHT_SEA,)),
    ("above ellipsoid", (Quantity.HEIGHT_ELLIPSOID,)),
    ("above ground", (Quantity.HEIGHT_GROUND,)),
    ("home", (Quantity.HOME_LATITUDE,)),
    ("platform's angles", (Quantity.PLATFORM_YAW, Quantity.PLATFORM_PITCH)),
    ("camera's angles", (Quantity.CAMERA_YAW, Quantity.CAMERA_PITCH)),
    ("field of view", (Quantity.HORIZONTAL_VIEW, Quantity.FOCAL_LENGTH_35)),
    ("speed", (Quantity.SPEED,)),
    ("climb", (Quantity.CLIMB,)),
    ("course", (Quantity.COURSE,)),
    ("slant range", (Quantity.SLANT_RANGE,)),
    ("frame centre", (Quantity.CENTRE_LATITUDE,)),
    ("corners", (Quantity.CORNER_1_LATITUDE,)),
)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def lines_for(name: str, path: Path) -> list[str]:
    """One line for each source in the file, or one with the refusal."""
    try:
        return [_line(name, source) for source in read(path)]
    except BadInput as refusal:
        return [_row(f"`{name}`", "refused", "", "", "", "", "", str(refusal))]


def _line(name: str, source: Telemetry) -> str:
    about = summary(source)
    fields = [words for words, quantities in _FIELDS if any(q.value in about["fields"] for q in quantities)]
    if about["clock_first"]:
        fields.append("clock (UTC)" if about["clock_first"].endswith("Z") else "clock (local)")
    accuracy = ""
    if about["accuracy_m"] is not None:
        worth = about["certainty"].get(Quantity.ACCURACY_HORIZONTAL.value, "stated")
        accuracy = f"{about['accuracy_m']} m, {worth}"
    said = about["warnings"][:_SAID_AT_MOST]
    span = (about["last_s"] or 0) - (about["first_s"] or 0)
    return _row(
        f"`{name}`",
        f"{about['family']}: {about['dialect']}",
        str(about["fixes"]),
        str(about["placed"]),
        f"{span:.1f}",
        ", ".join(fields),
        accuracy,
        "; ".join(said),
    )


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def committed() -> dict[str, list[str]]:
    """The lines of the page as it is, by file."""
    table = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    found: dict[str, list[str]] = {}
    for line in table.splitlines()[2:]:
        found.setdefault(line.split("`")[1], []).append(line)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the table of docs/telemetry.md.")
    parser.add_argument("folder", type=Path, help="where the telemetry files lie")
    folder = parser.parse_args().folder
    made = "".join(f"{line}\n" for name in files(folder) for line in lines_for(name, folder / name))
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + HEAD + made + END + rest.partition(END)[2], "utf-8")
    print(made, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
