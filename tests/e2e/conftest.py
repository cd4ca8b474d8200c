"""The whole stack as one program of its own, and a browser in front of it.

stack    `exhibit up` in a folder of its own on a free port, no weights but the face detector that is always there
people   an administrator's work through the pages: one user of every role, their passwords chosen
browse   opens a page signed in as one of them; at its end nothing must have gone wrong in the browser
filed    a clip in a case, uploaded through the page and worked on until it is ready
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.panning import pan_clip
from tests.services import missing

CASE = "01AB/12345/26"
PASSWORD = "three random words"
_START_S = 90.0
WORK_S = 120.0


@dataclass(slots=True)
class Stack:
    address: str
    admin_password: str
    folder: Path


def _chromium() -> str:
    for name in (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"):
        if name and (path := shutil.which(name)):
            return path
    missing("no Chromium: install the package chromium, or name one in CHROMIUM")
    raise AssertionError("unreachable")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = _chromium()
    # Maps are drawn without a graphics card; left to itself, Chromium warns in the console that this is slow.
    arguments = ["--use-gl=angle", "--use-angle=swiftshader"] + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    # Not below pytest's own folder: that is closed to the account that PostgreSQL runs as when we are root.
    folder = Path(tempfile.mkdtemp(prefix="exhibit-e2e-"))
    environ = {name: text for name, text in os.environ.items() if not name.startswith("EXHIBIT_")}
    said = folder / "up.log"
    command = [sys.executable, "-m", "cli.main", "up", "--data", str(folder / "data"), "--port", "0", "--workers", "2"]
    with said.open("wb") as out:
        program = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environ, start_new_session=True)
    try:
        yield _ready(program, said, folder)
    finally:
        program.send_signal(signal.SIGTERM)
        try:
            program.wait(30)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
        if request.session.testsfailed:
            for log in [said, *sorted((folder / "data" / "logs").glob("*.log"))]:
                print(f"--- {log.name}\n{log.read_text('utf-8', 'replace')[-4000:]}")
        shutil.rmtree(folder, ignore_errors=True)


def _ready(program: subprocess.Popen[bytes], said: Path, folder: Path) -> Stack:
    deadline = time.monotonic() + _START_S
    while "Ready." not in (text := said.read_text("utf-8", "replace")):
        assert program.poll() is None, f"exhibit up ended with {program.returncode}:\n{text}"
        assert time.monotonic() < deadline, f"exhibit up was not ready within {_START_S} s:\n{text}"
        time.sleep(0.2)
    password, address = re.search(r"as admin with (\S+)", text), re.search(r"pages\s+(http://\S+)", text)
    assert password, text
    assert address, text
    return Stack(address.group(1), password.group(1), folder)


@dataclass
class Watch:  # no slots: Playwright hangs its own attributes on the owner of a handler
    """What must not happen in a browser: errors in the console (CSP tells there), requests to anywhere else."""

    home: str
    expected: list[str] = field(default_factory=list)
    """Pieces of console messages that a test provokes: browsers log every answer of 400 and more."""
    wrong: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self.wrong.append(f"script: {error.error}"))
        context.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(piece in message.text for piece in self.expected):
            self.wrong.append(f"console: {message.text} ({message.location})")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != urlsplit(self.home).netloc:
            self.wrong.append(f"request: {request.url}")


@dataclass(slots=True)
class Seat:
    """A person in front of the browser."""

    page: Page
    watch: Watch


def sign_in(page: Page, name: str, password: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def change_password(page: Page, current: str, new: str) -> None:
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    page.get_by_label("Current password").fill(current)
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_label("New password again").fill(new)
    page.get_by_role("button", name="Change password").click()


@pytest.fixture(scope="session")
def people(stack: Stack, browser: Browser) -> dict[str, str]:
    """Name → password. The administrator's first sign-in, and a user of every other role with theirs."""
    found = {"admin": PASSWORD}
    context = browser.new_context(base_url=stack.address)
    page = context.new_page()
    sign_in(page, "admin", stack.admin_password)
    change_password(page, stack.admin_password, PASSWORD)
    for name, full, role in (
        ("pc1", "Sam Okafor", "Officer"),
        ("dc1", "Jo Whitfield-Harris", "Investigator"),
        ("ds1", "Alex Tan", "Supervisor"),
        ("au1", "Robin Clarke", "Auditor"),
    ):
        page.goto("/users")
        page.get_by_label("Full name").fill(full)
        page.get_by_label("User name").fill(name)
        page.get_by_role("radio", name=role, exact=True).check()
        page.get_by_role("button", name="Add user").click()
        first = page.locator(".app-secret").inner_text()
        own = browser.new_context(base_url=stack.address)
        seat = own.new_page()
        sign_in(seat, name, first)
        change_password(seat, first, PASSWORD)
        expect(seat.get_by_text("Your password was changed.")).to_be_visible()
        own.close()
        found[name] = PASSWORD
    context.close()
    return found


Browse = Callable[..., Seat]


@pytest.fixture
def browse(stack: Stack, browser: Browser, people: dict[str, str]) -> Iterator[Browse]:
    seats: list[tuple[BrowserContext, Watch]] = []

    def take_seat(name: str, **options: object) -> Seat:
        context = browser.new_context(base_url=stack.address, viewport={"width": 1280, "height": 900}, **options)  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        watch = Watch(stack.address)
        watch.over(context)
        seats.append((context, watch))
        page = context.new_page()
        sign_in(page, name, people[name])
        return Seat(page, watch)

    yield take_seat
    wrong = [line for _, watch in seats for line in watch.wrong]
    for context, _ in seats:
        context.close()
    assert not wrong, "\n".join(wrong)


@dataclass(slots=True)
class Filed:
    """Where the case and its exhibit are, and the clip that became it."""

    case_path: str
    exhibit_path: str
    clip: Path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds with two faces in them, under a name that no line can break."""
    return pan_clip(tmp_path_factory.mktemp("clips") / f"pavement_camera_{'2026-11-03_' * 6}end.mp4", frames=100)


@pytest.fixture(scope="session")
def filed(stack: Stack, browser: Browser, people: dict[str, str], clip: Path) -> Filed:
    """The investigator makes a case, the officer uploads to it, the investigator sees it become ready."""
    watch = Watch(stack.address)
    contexts = [browser.new_context(base_url=stack.address) for _ in range(2)]
    for context in contexts:
        watch.over(context)
    desk, street = (context.new_page() for context in contexts)
    sign_in(desk, "dc1", people["dc1"])
    desk.get_by_label("Case reference").fill(CASE)
    desk.get_by_label("Title (optional)").fill("Robbery, Cornmarket Street")
    desk.get_by_role("button", name="Create case").click()
    expect(desk.get_by_text("Nothing filed here yet")).to_be_visible()
    case_path = urlsplit(desk.url).path

    sign_in(street, "pc1", people["pc1"])
    send(street, [clip], CASE, "CCTV")
    line = street.locator(".app-upload").filter(has_text=clip.name)
    expect(line).to_have_attribute("data-state", "stored", timeout=30_000)
    expect(line).to_contain_text("Stored, not locked.")
    exhibit_path = line.get_by_role("link", name="Open the exhibit").get_attribute("href")
    assert exhibit_path

    desk.goto(case_path)
    card = desk.locator(".app-card")
    expect(card).to_have_count(1)
    # The page follows the work by itself: it is not loaded again.
    state = card.locator(".govuk-tag").first
    expect(state).not_to_have_text("Working", timeout=WORK_S * 1000)
    if state.inner_text() != "Ready":
        desk.goto(exhibit_path)
        raise AssertionError(f"not ready: {desk.locator('[data-part=notices]').inner_text()}")
    for context in contexts:
        context.close()
    assert not watch.wrong, watch.wrong
    return Filed(case_path, exhibit_path, clip)


def send(page: Page, files: list[Path], case: str, kind: str) -> None:
    """Fill in the upload form and send it."""
    page.goto("/upload")
    page.get_by_label("Case reference").fill(case)
    page.get_by_role("radio", name=kind).check()
    page.locator('input[name="files"]').set_input_files(files)
    page.get_by_role("button", name="Upload", exact=True).click()
