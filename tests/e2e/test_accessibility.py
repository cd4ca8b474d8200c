"""axe-core over every page, on a desk and on a phone: no violation of WCAG 2.2 AA that a machine can find."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize

from tests.e2e.conftest import Browse, Filed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 900}


def violations(page: Page) -> list[str]:
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("rules => axe.run(document, { runOnly: rules })", RULES)
    return [
        f"{page.url} {one['id']}: {one['help']}: {node['html'][:200]}"
        for one in found["violations"]
        for node in one["nodes"]
        if not _known(one["id"], node["html"])
    ]


def _known(rule: str, html: str) -> bool:
    """GOV.UK's file picker names its button by label, state and words; axe trips over the hidden commas between them."""
    return rule == "label-content-name-mismatch" and "govuk-file-upload-button" in html


def look_at(page: Page, *paths: str, on_phone: bool = True) -> list[str]:
    """Every path on a desk and on a phone, which must not have to be scrolled sideways."""
    wrong: list[str] = []
    for path in paths:
        page.goto(path)
        for size in (DESK, PHONE) if on_phone else (DESK,):
            page.set_viewport_size(size)
            wrong += violations(page)
            if page.evaluate("() => document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                wrong.append(f"{path} is wider than {size['width']} pixels")
    return wrong


def test_pages_of_an_investigator(browse: Browse, filed: Filed) -> None:
    seat = browse("dc1")
    seat.watch.expected += ["400", "404"]
    wrong = look_at(
        seat.page,
        "/cases",
        "/cases?q=nothing",
        filed.case_path,
        f"{filed.case_path}/log",
        filed.exhibit_path,
        "/search",
        "/search?label=face",
        "/search?min_score=7",
        "/nowhere",
    )
    # On a phone the tabs are one long page.
    tabs = (f"{filed.exhibit_path}#{tab}" for tab in ("redaction", "steps", "file", "history"))
    wrong += look_at(seat.page, *tabs, on_phone=False)
    assert not wrong, "\n".join(wrong)


def test_pages_of_an_officer(browse: Browse, filed: Filed) -> None:
    page = browse("pc1").page
    wrong = look_at(page, "/upload", "/my-uploads", "/unfiled", filed.exhibit_path)
    page.goto("/upload")
    page.get_by_role("button", name="Upload", exact=True).click()
    wrong += violations(page)
    assert not wrong, "\n".join(wrong)


def test_pages_of_an_administrator_and_of_nobody(browse: Browse) -> None:
    page = browse("admin").page
    wrong = look_at(page, "/users", "/users/pc1", "/password", "/log")
    page.get_by_role("button", name="Sign out").click()
    wrong += look_at(page, "/sign-in")
    assert not wrong, "\n".join(wrong)


def test_the_keyboard_reaches_the_content_first(browse: Browse) -> None:
    page = browse("dc1").page
    page.goto("/cases")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("() => location.hash") == "#main-content"
