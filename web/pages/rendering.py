"""Templates, their filters and the frame that every page shares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse

from storage.ledger.people import SignedIn
from web.pages import place_words, words
from web.problems import Problem

HERE = Path(__file__).resolve().parent
STATIC = HERE.parent / "static"
UK = ZoneInfo("Europe/London")
"""Pages speak UK time and say so (GMT or BST); JSON and logs speak UTC."""


def moment(value: datetime | None, *, seconds: bool = False) -> str:
    """`24 November 2026, 07:15 GMT`."""
    if value is None:
        return ""
    local = value.astimezone(UK)
    clock = "%H:%M:%S %Z" if seconds else "%H:%M %Z"
    return f"{local.day} {local.strftime('%B %Y, ' + clock)}"


def day(value: datetime) -> str:
    local = value.astimezone(UK)
    return f"{local.day} {local.strftime('%b %Y')}"


def time_of_day(value: datetime) -> str:
    return value.astimezone(UK).strftime("%H:%M:%S %Z")


def sentence(text: str, *, stop: bool = True) -> str:
    """An error's or a step's words as a sentence: a capital at its start, a full stop at its end."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("." if stop and text[-1] not in ".!?" else "")


def from_uk_time(text: str) -> datetime:
    """What a person typed into a date and time field, taken as UK time. Raises: ValueError."""
    value = datetime.fromisoformat(text.strip())
    return (value if value.tzinfo else value.replace(tzinfo=UK)).astimezone(UTC)


def compact_value(value: Any) -> str:
    """A detail of an event in one line: text as it is, anything else as compact JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(", ", ": "))


def machine_time(value: datetime | None) -> str:
    """For the `datetime` attribute of `<time>`."""
    return "" if value is None else value.astimezone(UTC).isoformat(timespec="milliseconds")


def size(size_bytes: int) -> str:
    """Bytes in the units that people compare: `6.9 MB`, decimal as on a card's label."""
    amount = float(size_bytes)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def clock(seconds: float | Fraction) -> str:
    """A place in a video as its player shows it: `1:02:03`, `2:03`, with tenths."""
    tenths = int(seconds * 10)
    whole, tenth = divmod(tenths, 10)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}.{tenth}" if hours else f"{minute}:{second:02d}.{tenth}"


def percent(part: float, whole: float) -> str:
    """For SVG positions: a share of the whole as `12.345%`, within 0 and 100."""
    return f"{max(0.0, min(100.0, 100 * part / whole if whole else 0.0)):.3f}%"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 exhibit`, `2 exhibits`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE.parent / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "moment": moment,
        "day": day,
        "time_of_day": time_of_day,
        "machine_time": machine_time,
        "sentence": sentence,
        "size": size,
        "clock": clock,
        "percent": percent,
        "plural": plural,
        "path_segment": lambda text: quote(str(text), safe=""),
    }
    environment.globals |= {"words": words, "place_words": place_words}
    return environment


_TEMPLATES = _environment()


def fragment(name: str, **context: Any) -> str:
    """A template alone, for parts of a page that are fetched again while work goes on."""
    return _TEMPLATES.get_template(name).render(**context)


def page(request: Request, template: str, who: SignedIn | None, /, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A whole page for `who` (None: nobody is signed in). `context` goes to the template."""
    frame = {
        "who": who,
        "csrf": who.csrf if who else "",
        "path": request.url.path,
        "done": request.query_params.get("done", ""),
    }
    html = _TEMPLATES.get_template(template).render(**frame, **context)
    return HTMLResponse(html, status_code=status, headers={"Cache-Control": "no-store"})


def parts(settled: bool, versions: Mapping[str, str], /, **html: str) -> JSONResponse:
    """Pieces of a page by name, for `live.js`, which replaces one when its version (or its text) has changed.

    `settled`: nothing will change by itself any more.
    """
    pieces = {name: {"version": versions.get(name, _digest(text)), "html": text} for name, text in html.items()}
    return JSONResponse({"settled": settled, "parts": pieces}, headers={"Cache-Control": "no-store"})


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def back_to(path: str, done: str = "", anchor: str = "") -> RedirectResponse:
    """After a form was carried out: see the place again, with a word on what was done."""
    return RedirectResponse(path + (f"?done={done}" if done else "") + (f"#{anchor}" if anchor else ""), status_code=303)


def error_page(request: Request, problem: Problem) -> HTMLResponse:
    """What `web.problems` shows to people. Nobody's name is on it: the error may be that nobody is signed in."""
    return page(request, "problem.html", None, status=problem.status, problem=problem)
