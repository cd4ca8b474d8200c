"""Maps: the way in step with the player, both ways; a place asked for by drawing it; what stands in for a map."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.e2e.conftest import WORK_S, Browse, Seat, Stack, Watch, send, sign_in
from tests.e2e.test_accessibility import look_at

FLIGHTS = Path(os.environ.get("EXHIBIT_TEST_DATA", "/nowhere")) / "telemetry"
KARMA = FLIGHTS / "gopro_karma.mp4"
MISB = FLIGHTS / "misb_osh_dev_first40pct.ts"
CASE = "01AB/77/26"
_WITH_FLIGHTS = pytest.mark.skipif(not KARMA.is_file(), reason="the footage is not there: set EXHIBIT_TEST_DATA")
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240), _WITH_FLIGHTS]


@dataclass(slots=True)
class Flown:
    """A case with two flights."""

    case_path: str
    karma: str
    misb: str


@pytest.fixture(scope="session")
def flown(stack: Stack, browser: Browser, people: dict[str, str]) -> Flown:
    """Both are uploaded through the page, and worked on until they are ready."""
    watch = Watch(stack.address)
    context = browser.new_context(base_url=stack.address)
    watch.over(context)
    page = context.new_page()
    sign_in(page, "dc1", people["dc1"])
    page.get_by_label("Case reference").fill(CASE)
    page.get_by_role("button", name="Create case").click()
    expect(page.get_by_text("Nothing filed here yet")).to_be_visible()
    case_path = urlsplit(page.url).path
    send(page, [KARMA, MISB], CASE, "Drone")
    paths = []
    for name in (KARMA.name, MISB.name):
        line = page.locator(".app-upload").filter(has_text=name)
        expect(line).to_have_attribute("data-state", "stored", timeout=30_000)
        paths.append(line.get_by_role("link", name="Open the exhibit").get_attribute("href") or "")
    page.goto(case_path)
    for tag in page.locator(".app-card .govuk-tag").all():
        expect(tag).not_to_have_text("Working", timeout=WORK_S * 1000)
    # The map came, and grew, with the steps that ended: the page was not loaded again.
    expect(page.locator(".app-ways li")).to_have_count(2)
    expect(page.locator("[data-map-case]")).to_have_attribute("data-state", "drawn", timeout=20_000)
    context.close()
    assert not watch.wrong, watch.wrong
    return Flown(case_path, *paths)


def opened(seat: Seat, path: str, kind: str = "exhibit") -> Locator:
    """The page with its map drawn, which the test can ask for pixels."""
    seat.page.add_init_script("document.addEventListener('exhibit:map', (event) => (window.drawnMap = event.detail))")
    seat.page.goto(path)
    frame = seat.page.locator(f"[data-map-{kind}]")
    expect(frame).to_have_attribute("data-state", "drawn", timeout=20_000)
    return frame


def pixel(page: Page, lon: float, lat: float) -> tuple[float, float]:
    """Where a place is on the screen."""
    at: dict[str, float] = page.evaluate(
        """([lon, lat]) => {
            const { x, y } = window.drawnMap.project([lon, lat]);
            const { left, top } = window.drawnMap.getCanvas().getBoundingClientRect();
            return { x: x + left, y: y + top };
        }""",
        [lon, lat],
    )
    return at["x"], at["y"]


def fixes_of(page: Page, path: str) -> list[dict[str, Any]]:
    answer: dict[str, list[dict[str, Any]]] = page.request.get(f"/api/v1{path}/fixes").json()
    return answer["fixes"]


def at_second(page: Page, seconds: float, slack: float = 0.05) -> None:
    page.wait_for_function(
        "([at, slack]) => Math.abs(document.querySelector('video').currentTime - at) < slack", arg=[seconds, slack]
    )


def frame_shown(page: Page) -> tuple[float, float]:
    """The time of the frame that the player shows, and of the one after it: as the browser decoded them."""
    first: float
    second: float
    first, second = page.evaluate(
        """async () => {
            const film = document.querySelector('video');
            const wait = (ms) => new Promise((done) => setTimeout(done, ms, null));
            const presented = (at) => new Promise((told) => {
                film.requestVideoFrameCallback((_, { mediaTime }) => told(mediaTime));
                film.currentTime = at;
            });
            const frame = async (at) => {
                // A frame that is shown already is not presented again: go away from it, and back.
                for (let turn = 0; turn < 5; turn += 1) {
                    const told = await Promise.race([presented(at), wait(1500)]);
                    if (told !== null) return told;
                    film.currentTime = at + 0.5;
                    await wait(300);
                }
                throw new Error('no frame is presented');
            };
            const here = film.currentTime;
            const shown = await frame(here);
            let next = shown;
            for (let at = here; next <= shown; ) next = await frame((at += 0.005));
            await frame(here);
            return [shown, next];
        }"""
    )
    return first, second


def test_a_click_on_the_way_takes_the_player_there(browse: Browse, flown: Flown) -> None:
    seat = browse("dc1")
    frame = opened(seat, flown.karma)
    page = seat.page
    fix = fixes_of(page, flown.karma)[7]
    frame.scroll_into_view_if_needed()
    page.mouse.click(*pixel(page, fix["lon"], fix["lat"]))
    at_second(page, fix["at_s"])
    expect(page.locator('[data-row="place"] [data-text]')).to_contain_text(f"{fix['lat']:.6f}")
    expect(page.locator('[data-row="place"]')).to_contain_text("Measured")


def test_the_camera_follows_the_player(browse: Browse, flown: Flown) -> None:
    seat = browse("dc1")
    opened(seat, flown.karma)
    page = seat.page
    for fix in (fixes_of(page, flown.karma)[2], fixes_of(page, flown.karma)[10]):
        page.evaluate("(at) => { document.querySelector('video').currentTime = at; }", fix["at_s"])
        expect(page.locator('[data-row="place"] [data-text]')).to_contain_text(f"{fix['lat']:.6f}")
        expect(page.locator('[data-row="time"] [data-text]')).to_contain_text(fix["utc"][11:19])
        box = page.locator(".app-map__camera").bounding_box()
        assert box is not None
        x, y = pixel(page, fix["lon"], fix["lat"])
        assert abs(box["x"] + box["width"] / 2 - x) < 3
        assert abs(box["y"] + box["height"] / 2 - y) < 3
    page.locator('[data-row="claimed"] summary').click()
    expect(page.locator('[data-row="claimed"] [data-text]')).to_contain_text(fix["claimed"].replace("T", " "))


def test_between_two_fixes_the_camera_stands_between_them_and_says_so(browse: Browse, flown: Flown) -> None:
    seat = browse("dc1")
    opened(seat, flown.karma)
    page = seat.page
    one, next_one = fixes_of(page, flown.karma)[5:7]
    middle = {name: (one[name] + next_one[name]) / 2 for name in ("at_s", "lat", "lon")}
    page.evaluate("(at) => { document.querySelector('video').currentTime = at; }", middle["at_s"])
    expect(page.locator('[data-row="place"] [data-text]')).to_contain_text(f"{middle['lat']:.6f}")
    expect(page.locator('[data-row="place"]')).to_contain_text("Estimated")
    expect(page.locator('[data-row="flags"] [data-text]')).to_contain_text("Between two fixes, not from the file")
    expect(page.locator(".app-map__camera--between")).to_be_visible()
    box = page.locator(".app-map__camera").bounding_box()
    assert box is not None
    x, y = pixel(page, middle["lon"], middle["lat"])
    assert abs(box["x"] + box["width"] / 2 - x) < 3
    assert abs(box["y"] + box["height"] / 2 - y) < 3
    page.evaluate("(at) => { document.querySelector('video').currentTime = at; }", one["at_s"])
    expect(page.locator('[data-row="place"]')).to_contain_text("Measured")
    expect(page.locator('[data-row="flags"]')).to_be_hidden()


def test_while_it_plays_the_map_moves_with_the_picture(browse: Browse, flown: Flown) -> None:
    """More places in a second than there are fixes."""
    seat = browse("dc1")
    opened(seat, flown.karma)
    places = seat.page.evaluate(
        """async () => {
            const film = document.querySelector('video');
            film.muted = true;
            film.currentTime = 4;
            film.play().catch(() => {});
            const seen = new Set();
            for (let turn = 0; turn < 1000 && film.currentTime < 6 && !film.ended; turn += 1) {
                await new Promise((resolve) => setTimeout(resolve, 20));
                seen.add(document.querySelector('.app-map__camera').parentElement.style.transform);
            }
            film.pause();
            return seen.size;
        }"""
    )
    assert places > 4


def test_what_else_filmed_the_spot_is_one_click_away(browse: Browse, flown: Flown) -> None:
    seat = browse("dc1")
    opened(seat, f"{flown.misb}?at=2", "exhibit")
    at_second(seat.page, 2)
    seat.page.get_by_role("link", name="What else filmed this spot?").click()
    expect(seat.page.locator(".app-sighting").first).to_contain_text("in the picture")


def test_what_was_located_is_filtered_by_label_and_time(browse: Browse, flown: Flown) -> None:
    """The detectors see nothing of use in these clips: people and a car are put into the server's answer."""
    seat = browse("dc1")

    def peopled(route: Route) -> None:
        answer = route.fetch()
        places = answer.json()
        lat, lon = places["footprints"][0]["centre"]
        places["located"] = [
            {"track": track, "label": label, "at_s": at, "lat": lat + at / 1e4, "lon": lon, "ellipse": [40.0, 9.0, 45.0]}
            | {"certainty": "derived", "speed_mps": 1.4, "speed_error_mps": 0.5, "heading": 37.2, "heading_error": 25.0}
            for track, label, moments in ((1, "person", (0.0, 1.0, 2.0)), (2, "car", (2.5, 3.0)))
            for at in moments
        ]
        route.fulfill(response=answer, json=places)

    seat.page.route("**/fixes", peopled)
    frame = opened(seat, flown.misb)
    page = seat.page
    count = page.locator("[data-located-count]")
    expect(count).to_have_text("5 shown")
    page.get_by_label("Show", exact=True).last.select_option("person")
    expect(count).to_have_text("3 shown")
    page.locator("#located-from").fill("0:01")
    expect(count).to_have_text("2 shown")
    page.get_by_label("Only at the player’s moment").check()
    expect(count).to_have_text("3 shown")
    page.get_by_label("Show", exact=True).last.select_option("")
    lat, lon = page.request.get(f"/api/v1{flown.misb}/fixes").json()["footprints"][0]["centre"]
    frame.scroll_into_view_if_needed()
    page.mouse.click(*pixel(page, lon, lat + 2.0 / 1e4))
    at_second(page, 2.0)
    expect(page.locator("[data-map-note]")).to_have_text(
        "Person 1, derived, 1.4 ± 0.5 m/s towards 37° ± 25° from north, at 0:02.0."
    )


def test_a_drawn_rectangle_gives_the_right_seconds(browse: Browse, flown: Flown) -> None:
    """Around three fixes of the flight: what is found begins and ends with them, and the player opens at the first."""
    seat = browse("dc1")
    page = seat.page
    fixes = fixes_of(page, flown.karma)
    inside = fixes[4:7]
    opened(seat, f"/map?lat={inside[1]['lat']}&lon={inside[1]['lon']}&metres=60", "find")
    page.get_by_role("button", name="Rectangle").click()
    margin = 0.000008
    lons, lats = [fix["lon"] for fix in inside], [fix["lat"] for fix in inside]
    page.mouse.move(*pixel(page, min(lons) - margin, max(lats) + margin))
    page.mouse.down()
    page.mouse.move(*pixel(page, lons[1], lats[1]))
    page.mouse.move(*pixel(page, max(lons) + margin, min(lats) - margin))
    page.mouse.up()
    page.wait_for_url(re.compile("bbox=-"))
    found = page.locator(".app-sighting")
    expect(found).to_have_count(1)
    expect(found).to_contain_text("the device was there")
    expect(found).to_contain_text("Measured")
    expect(found).to_contain_text(CASE)
    expect(found).to_contain_text(f"{inside[0]['utc'][11:19]} to {inside[-1]['utc'][11:19]} UTC ± 1.0 s")
    found.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(rf"{flown.karma}\?at="))
    at_second(page, inside[0]["at_s"])
    shown, later = frame_shown(page)
    assert shown <= inside[0]["at_s"] + 0.001 < later


def test_a_clicked_point_finds_what_had_it_in_the_picture(browse: Browse, flown: Flown) -> None:
    seat = browse("dc1")
    page = seat.page
    answer = page.request.get(f"/api/v1{flown.misb}/fixes").json()
    lat, lon = answer["footprints"][2]["centre"]
    frame = opened(seat, f"/map?lat={lat}&lon={lon}&metres=400&case={CASE}", "find")
    page.get_by_label("Within (metres)").fill("30")
    page.get_by_role("button", name="Point and distance").click()
    frame.scroll_into_view_if_needed()
    page.mouse.click(*pixel(page, lon, lat))
    page.wait_for_url(re.compile("metres=30"))
    found = page.locator(".app-sighting")
    expect(found.first).to_contain_text("in the picture")
    by_hand = page.request.get(f"/api/v1/search?near={lat},{lon},30").json()["sightings"]
    assert [one["from_s"] for one in by_hand] == [0.0], "every second of that flight has it in the picture"
    expect(found).to_have_count(len(by_hand))
    found.first.get_by_role("link", name=re.compile("best at")).click()
    at_second(page, by_hand[0]["best_s"])


def test_a_shape_is_drawn_corner_by_corner(browse: Browse, flown: Flown) -> None:
    seat = browse("dc1")
    page = seat.page
    fix = fixes_of(page, flown.karma)[5]
    frame = opened(seat, f"/map?lat={fix['lat']}&lon={fix['lon']}&metres=60", "find")
    page.get_by_role("button", name="Shape").click()
    frame.scroll_into_view_if_needed()
    x, y = pixel(page, fix["lon"], fix["lat"])
    for across, down in ((-60, -50), (70, -40), (5, 60)):
        page.mouse.click(x + across, y + down)
    page.get_by_role("button", name="Finish the shape").click()
    page.wait_for_url(re.compile("polygon=-"))
    expect(page.locator(".app-sighting")).to_have_count(1)
    expect(page.locator(".app-sighting")).to_contain_text(CASE)


def test_a_place_is_asked_for_without_a_script(browse: Browse, flown: Flown) -> None:
    page = browse("dc1", java_script_enabled=False).page
    fix = fixes_of(page, flown.karma)[3]
    page.goto("/map")
    page.get_by_label("Latitude").fill(str(fix["lat"]))
    page.get_by_label("Longitude").fill(str(fix["lon"]))
    page.get_by_label("Within (metres)").fill("3")
    page.get_by_role("button", name="Search this place").click()
    found = page.locator(".app-sighting")
    expect(found).to_have_count(1)
    found.get_by_role("link").first.click()
    expect(page.locator("video")).to_have_attribute("src", re.compile(r"#t=\d+\.\d{3}$"))
    expect(page.locator(".app-plan svg")).to_be_visible()
    page.locator("summary", has_text="The way in words").click()
    expect(page.locator(".app-where__table tbody tr")).to_have_count(len(fixes_of(page, flown.karma)))


def test_a_place_that_is_none_is_explained(browse: Browse) -> None:
    seat = browse("dc1")
    seat.watch.expected.append("400")
    seat.page.goto("/map?lat=51.75&lon=east&metres=20")
    expect(seat.page.get_by_role("alert")).to_contain_text("near=lat,lon,metres")
    seat.page.goto("/map?lat=51.75")
    expect(seat.page.locator("#lon-error")).to_contain_text("Enter the longitude")


def test_a_browser_without_webgl_shows_the_way_as_a_drawing(browse: Browse, flown: Flown) -> None:
    seat = browse("dc1")
    page = seat.page
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null;")
    page.goto(flown.karma)
    expect(page.locator("[data-map-exhibit]")).to_have_attribute("data-state", "words", timeout=20_000)
    expect(page.get_by_text("This browser can’t draw maps")).to_be_visible()
    expect(page.locator(".app-plan svg")).to_be_visible()
    page.locator("summary", has_text="The way in words").click()
    row = page.locator(".app-where__table tbody tr").nth(6)
    row.get_by_role("link").click()
    at_second(page, fixes_of(page, flown.karma)[6]["at_s"])
    page.goto("/map")
    expect(page.get_by_text("Enter the place in the fields below")).to_be_visible()


def test_a_case_shows_every_way_and_a_click_names_the_moment(browse: Browse, flown: Flown) -> None:
    seat = browse("dc1")
    frame = opened(seat, flown.case_path, "case")
    page = seat.page
    expect(page.locator(".app-ways li")).to_have_count(2)
    fix = fixes_of(page, flown.karma)[6]
    page.evaluate("([lon, lat]) => { window.drawnMap.jumpTo({ center: [lon, lat], zoom: 20 }); }", [fix["lon"], fix["lat"]])
    frame.scroll_into_view_if_needed()
    page.mouse.click(*pixel(page, fix["lon"], fix["lat"]))
    page.locator("[data-found] a").first.click()
    at_second(page, fix["at_s"], slack=1.1)


def test_a_corrected_clock_moves_the_time_and_keeps_the_claim(browse: Browse, flown: Flown) -> None:
    seat = browse("dc1")
    seat.watch.expected.append("400")
    page = seat.page
    said = fixes_of(page, flown.misb)[0]["claimed"].replace("T", " ")
    page.goto(f"{flown.misb}#place")
    page.get_by_role("button", name="Correct the clock").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose how it is known")
    page.get_by_role("radio", name="It is known by how much it was wrong").check()
    page.get_by_label("Seconds to add").fill("12.5")
    page.get_by_label("Right to within (seconds)").fill("0.5")
    page.get_by_label("What it rests on").fill("The control room's clock, on the telephone")
    page.get_by_role("button", name="Correct the clock").click()
    expect(page.get_by_text("The clock was corrected.")).to_be_visible()
    after = fixes_of(page, flown.misb)[0]
    assert (after["utc_error_s"], after["claimed"].replace("T", " ")) == (0.5, said)
    page.goto(f"{flown.misb}#place")
    expect(page.locator("#place")).to_contain_text("The control room's clock, on the telephone (dc1,")
    expect(page.locator('[data-row="time"] [data-text]')).to_contain_text("±\u00a00.5\u00a0s")
    page.locator("#place summary", has_text="As the device said").click()
    expect(page.locator("#place")).to_contain_text(said)
    page.goto(f"{flown.misb}#history")
    expect(page.locator("#history")).to_contain_text("Clock corrected")


def test_two_clocks_are_compared_by_an_event(browse: Browse, flown: Flown) -> None:
    seat = browse("dc1")
    seat.watch.expected.append("400")
    page = seat.page
    page.goto(flown.case_path)
    page.get_by_role("link", name="Do the clocks agree?").click()
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#first-error")).to_contain_text("Choose the first recording")
    for label, name in (("First recording", KARMA.name), ("Second recording", MISB.name)):
        choice = page.get_by_label(label)
        choice.select_option(choice.locator("option", has_text=name).get_attribute("value"))
    page.get_by_label("Events").fill("0:01 0:02\n0:02 0:03")
    page.get_by_role("button", name="Compare").click()
    # One flew in April 2017, the other in June 2012.
    expect(page.locator(".app-copy").first).to_contain_text("s behind the first")
    expect(page.locator(".app-copy").first).to_contain_text("from 2 events")
    assert not (wrong := look_at(page, page.url)), wrong


def test_a_sidecar_is_paired_and_parted_by_hand(browse: Browse, flown: Flown, tmp_path: Path) -> None:
    sidecar = tmp_path / "another name.srt"
    sidecar.write_text("".join(_cue(second) for second in range(12)))
    page = browse("dc1").page
    send(page, [sidecar], CASE, "Drone")
    line = page.locator(".app-upload").filter(has_text=sidecar.name)
    expect(line).to_have_attribute("data-state", "stored", timeout=30_000)
    page.goto(f"{flown.karma}#place")
    choice = page.get_by_label("File", exact=True)
    choice.select_option(choice.locator("option", has_text=sidecar.name).get_attribute("value"))
    page.get_by_role("button", name="Pair", exact=True).click()
    expect(page.get_by_text("They belong together now.")).to_be_visible()
    expect(page.locator("#place .app-copy")).to_contain_text("paired by a person")
    page.get_by_role("button", name=re.compile("^Part")).click()
    expect(page.get_by_text("They no longer belong together.")).to_be_visible()
    expect(page.locator("#place .app-copy")).to_have_count(0)


def _cue(second: int) -> str:
    return (
        f"{second + 1}\n00:00:{second:02d},000 --> 00:00:{second + 1:02d},000\n"
        f"[latitude: {51.75 + second / 1e5:.6f}] [longitude: -1.257700] [rel_alt: 30.0 abs_alt: 90.0]\n\n"
    )


def test_pages_with_maps_are_accessible(browse: Browse, flown: Flown) -> None:
    seat = browse("dc1")
    place = fixes_of(seat.page, flown.karma)[3]
    asked = f"/map?lat={place['lat']}&lon={place['lon']}&metres=20"
    wrong = look_at(seat.page, flown.misb, flown.case_path, "/map", asked)
    wrong += look_at(seat.page, f"{flown.misb}#place", on_phone=False)
    assert not wrong, "\n".join(wrong)
