"""The pages in a browser, on the whole stack."""

from __future__ import annotations

import hashlib
import random
import re
import struct
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import CASE, PASSWORD, Browse, Filed, Stack, send
from tests.panning import pan_clip

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def test_wrong_password_is_told_at_its_field(stack: Stack, browse: Browse) -> None:
    seat = browse("pc1")
    seat.watch.expected.append("403")
    seat.page.get_by_role("button", name="Sign out").click()
    seat.page.get_by_label("User name").fill("pc1")
    seat.page.get_by_label("Password", exact=True).fill("something else")
    seat.page.get_by_role("button", name="Sign in").click()
    summary = seat.page.get_by_role("alert")
    expect(summary).to_contain_text("There is a problem")
    summary.get_by_role("link").click()
    expect(seat.page.get_by_label("User name")).to_be_focused()


def test_sign_out_ends_the_session(browse: Browse) -> None:
    page = browse("dc1").page
    page.get_by_role("button", name="Sign out").click()
    page.goto("/cases")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert "next=%2Fcases" in page.url


def test_player_plays_and_jumps_to_a_track(browse: Browse, filed: Filed) -> None:
    page = browse("dc1").page
    page.goto(filed.exhibit_path)
    film = page.locator("video")
    page.wait_for_function("() => document.querySelector('video').readyState >= 1")
    film.evaluate("film => { film.muted = true; return film.play(); }")
    page.wait_for_function("() => document.querySelector('video').currentTime > 0.3")
    film.evaluate("film => film.pause()")
    tracks = page.locator(".app-track__link")
    assert tracks.count() > 0
    last = tracks.last
    at = float(last.get_attribute("data-seek") or "nan")
    last.click()
    page.wait_for_function("([at]) => Math.abs(document.querySelector('video').currentTime - at) < 0.05", arg=[at])
    expect(last).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="With boxes", exact=True).click()
    page.wait_for_function("() => document.querySelector('video').currentSrc.includes('annotated')")
    page.wait_for_function("() => document.querySelector('video').readyState >= 1")


def test_what_was_not_looked_for_is_said(browse: Browse, filed: Filed) -> None:
    page = browse("dc1").page
    page.goto(filed.exhibit_path)
    expect(page.locator(".app-notice").first).to_contain_text(re.compile("not analysed: no weights", re.IGNORECASE))
    expect(page.locator(".app-track").first).to_contain_text("Face")


def test_filter_by_label_shows_only_that_label(browse: Browse, filed: Filed) -> None:
    page = browse("dc1").page
    page.goto(filed.exhibit_path)
    page.locator("#label").select_option("face")
    shown = page.locator(".app-track:visible")
    assert shown.count() > 0
    assert {item.get_attribute("data-label") for item in shown.all()} == {"face"}


def test_a_clip_of_a_span_is_cut_and_is_what_its_hash_says(browse: Browse, filed: Filed) -> None:
    page = browse("dc1").page
    page.goto(filed.exhibit_path)
    page.wait_for_function("() => document.querySelector('video').readyState >= 1")
    page.locator("video").evaluate("film => { film.currentTime = 1.02; }")
    page.wait_for_function("() => !document.querySelector('video').seeking")
    page.get_by_role("button", name="Use player’s time as the start").click()
    assert page.get_by_label("From", exact=True).input_value() in {"0:01.000", "0:01.020"}
    page.get_by_label("To", exact=True).fill("0:02.5")
    page.get_by_role("radio", name="The copy with boxes").check()
    page.get_by_role("button", name="Make clip").click()
    made = page.locator("#copies .app-copy").filter(has_text="Clip 0:01.0 to 0:02.5")
    with page.expect_download() as coming:
        made.get_by_role("link", name=re.compile("Download")).click(timeout=60_000)
    got = Path(coming.value.path()).read_bytes()
    assert hashlib.sha256(got).hexdigest() == made.locator("code").inner_text()


def test_a_clip_that_ends_before_it_starts_is_refused_at_its_field(browse: Browse, filed: Filed) -> None:
    seat = browse("dc1")
    seat.watch.expected.append("400")
    seat.page.goto(filed.exhibit_path)
    seat.page.get_by_label("From", exact=True).fill("3")
    seat.page.get_by_label("To", exact=True).fill("1:00:00.x")
    seat.page.get_by_role("button", name="Make clip").click()
    expect(seat.page.locator("#to-error")).to_contain_text("Enter the time of the last frame")
    expect(seat.page.get_by_label("From", exact=True)).to_have_value("3")


def test_a_new_redaction_is_a_draft(browse: Browse, filed: Filed) -> None:
    page = browse("dc1").page
    page.goto(f"{filed.exhibit_path}#redaction")
    expect(page.locator("#redaction .app-copy")).to_have_count(1)
    page.get_by_role("radio", name="Pixelated").check()
    page.get_by_role("radio", name="Remove the sound").check()
    page.get_by_role("button", name="Make draft").click()
    newest = page.locator("#redaction .app-copy").first
    expect(newest).to_contain_text("pixelated, sound removed")
    expect(newest).to_contain_text("Draft")
    with page.expect_download() as coming:
        newest.get_by_role("link", name=re.compile("Download")).click(timeout=60_000)
    assert "DRAFT" in coming.value.suggested_filename


def test_a_copy_keeps_where_it_was_filmed_only_where_that_is_ticked(browse: Browse, filed: Filed) -> None:
    page = browse("dc1").page
    page.goto(f"{filed.exhibit_path}#redaction")
    box = page.get_by_role("checkbox", name="Where it was filmed")
    expect(box).not_to_be_checked()
    box.check()
    page.get_by_role("button", name="Make draft").click()
    newest = page.locator("#redaction .app-copy").first
    expect(newest).to_contain_text("solid, sound kept, is to say where it was filmed")
    expect(newest).to_contain_text("nothing tells where it was filmed", timeout=60_000)
    expect(page.get_by_role("checkbox", name="Where it was filmed")).not_to_be_checked()


def test_where_to_look_again_puts_the_player_there(browse: Browse, filed: Filed, tmp_path: Path) -> None:
    film = pan_clip(tmp_path / "out of focus.mp4", seed=30, frames=100, blurred=range(50, 60))
    page = browse("dc1").page
    send(page, [film], CASE, "CCTV")
    line = page.locator(".app-upload").filter(has_text=film.name)
    expect(line).to_have_attribute("data-state", "stored", timeout=30_000)
    page.goto(line.get_by_role("link", name="Open the exhibit").get_attribute("href") or "")
    expect(page.locator("[data-part=tags]")).to_contain_text("Ready", timeout=90_000)
    page.wait_for_function("() => document.querySelector('video').readyState >= 1")
    page.get_by_role("tab", name="Where to look again").click()
    spans = page.locator("#doubts .app-track__link")
    expect(spans.first).to_be_visible()
    expect(page.locator("#doubts")).to_contain_text("the picture is too blurred to judge")
    expect(page.locator("#doubts")).not_to_contain_text("In the others")
    width = spans.first.locator(".app-track__name").evaluate("name => name.getBoundingClientRect().width")
    assert width > 200, "its words don't stand in the column of a picture that isn't there"
    for span in (spans.last, spans.first):
        at = float(span.get_attribute("data-seek") or "nan")
        page.locator("video").evaluate("(film, at) => { film.currentTime = at > 1 ? 0 : 3; }", at)
        span.click()
        page.wait_for_function("([at]) => Math.abs(document.querySelector('video').currentTime - at) < 0.05", arg=[at])
    # Without the script it is a plain link to the same moment.
    link = spans.last.get_attribute("href") or ""
    at = float(spans.last.get_attribute("data-seek") or "nan")
    page.goto(link)
    page.wait_for_function("([at]) => Math.abs(document.querySelector('video').currentTime - at) < 0.05", arg=[at])


def test_hiding_what_nobody_looked_for_is_refused_at_once(browse: Browse, filed: Filed) -> None:
    seat = browse("dc1")
    seat.watch.expected.append("400")
    seat.page.goto(f"{filed.exhibit_path}#redaction")
    seat.page.get_by_role("checkbox", name="Number plates").check()
    seat.page.get_by_role("button", name="Make draft").click()
    seat.page.get_by_role("alert").get_by_role("link", name=re.compile("nothing has looked for them")).click()
    expect(seat.page.get_by_role("checkbox", name="Faces")).to_be_focused()
    expect(seat.page.get_by_role("checkbox", name="Number plates")).to_be_checked()


def test_an_export_can_be_asked_for_and_fetched(browse: Browse, filed: Filed) -> None:
    page = browse("dc1").page
    page.goto(filed.case_path)
    page.get_by_role("button", name="Export this case").click()
    made = page.locator("#exports ~ div .app-copy").first
    with page.expect_download() as coming:
        made.get_by_role("link", name=re.compile("Download")).click(timeout=60_000)
    assert coming.value.suggested_filename.endswith(".zip")


def test_search_leads_to_the_moment(browse: Browse, filed: Filed) -> None:
    page = browse("dc1").page
    page.goto("/search")
    page.get_by_label("What").fill("face")
    page.get_by_label("Case", exact=True).fill(CASE)
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name=re.compile(r"moments? found"))).to_be_visible()
    page.locator(".app-result a").last.click()
    chosen = page.locator('.app-track__link[aria-current="true"]')
    expect(chosen).to_have_count(1)
    at = float(chosen.get_attribute("data-seek") or "nan")
    page.wait_for_function("([at]) => Math.abs(document.querySelector('video').currentTime - at) < 0.05", arg=[at])


def test_search_explains_what_it_does_not_understand(browse: Browse) -> None:
    seat = browse("dc1")
    seat.watch.expected.append("400")
    seat.page.goto("/search?label=face&min_score=7")
    expect(seat.page.locator("#min_score-error")).to_contain_text("Enter a score from 0 to 1")


def test_history_tells_who_looked(browse: Browse, filed: Filed) -> None:
    page = browse("dc1").page
    page.goto(f"{filed.exhibit_path}#history")
    history = page.locator("#history")
    expect(history).to_contain_text(f"Exhibit received: {filed.clip.name}")
    expect(history).to_contain_text("Viewed: proxy.mp4")


def test_an_interrupted_upload_goes_on_after_a_reload(browse: Browse, filed: Filed, tmp_path: Path) -> None:
    """Eight megabytes on a slow line; in the middle the page is loaded again and the file chosen again."""
    film = _padded(pan_clip(tmp_path / "long walk.mp4", seed=7), 8_000_000)
    page = browse("pc1").page
    slow = page.context.new_cdp_session(page)
    slow.send("Network.enable")
    line = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 1_500_000}
    slow.send("Network.emulateNetworkConditions", line)
    send(page, [film], CASE, "Body-worn")
    page.wait_for_function("() => document.querySelector('.app-upload progress').value > 150")
    page.reload()
    waiting = page.locator(".app-upload").filter(has_text=film.name)
    expect(waiting).to_have_attribute("data-state", "waiting")
    expect(waiting).to_contain_text("Not finished.")
    slow.send("Network.emulateNetworkConditions", {**line, "uploadThroughput": -1})
    offsets: list[int] = []
    page.on("request", lambda r: offsets.append(int(r.headers.get("upload-offset", "0"))) if r.method == "PATCH" else None)
    with page.expect_file_chooser() as chooser:
        waiting.get_by_role("button", name=re.compile("Choose the file again")).click()
    chooser.value.set_files(film)
    expect(waiting).to_have_attribute("data-state", "stored", timeout=30_000)
    assert offsets, "nothing was sent after the reload"
    assert min(offsets) > 0, "it began from the start"
    page.goto(waiting.get_by_role("link", name="Open the exhibit").get_attribute("href") or "")
    page.goto(f"{page.url}#file")
    expect(page.locator("#file")).to_contain_text(hashlib.sha256(film.read_bytes()).hexdigest())


def test_a_card_goes_in_with_the_folder_of_each_file(browse: Browse, tmp_path: Path) -> None:
    card = tmp_path / "CARD 7"
    for name in ("DCIM/100MEDIA", "DCIM/101MEDIA", ".Trashes"):
        (card / name).mkdir(parents=True)
    pan_clip(card / "DCIM/100MEDIA/one.mp4", seed=21, frames=25)
    pan_clip(card / "DCIM/101MEDIA/two.mp4", seed=22, frames=25)
    (card / "DCIM/101MEDIA/broken.mp4").write_bytes(b"")
    (card / ".Trashes/thrown away.mp4").write_bytes(b"no")
    page = browse("pc1").page
    page.goto("/upload")
    page.get_by_role("radio", name="Drone").check()
    page.get_by_label("Or a whole folder or card").set_input_files(card)
    page.get_by_role("button", name="Upload", exact=True).click()
    lines = page.locator(".app-upload")
    expect(lines).to_have_count(3)
    expect(lines.filter(has_text="broken.mp4")).to_contain_text("broken.mp4 is empty.")
    expect(lines.filter(has_text="one.mp4")).to_contain_text("from CARD 7/DCIM/100MEDIA, to the unfiled tray")
    stored = lines.filter(has_text="two.mp4")
    expect(stored).to_have_attribute("data-state", "stored", timeout=30_000)
    page.goto(f"{stored.get_by_role('link', name='Open the exhibit').get_attribute('href')}#file")
    expect(page.locator("#file")).to_contain_text("CARD 7/DCIM/101MEDIA")


def test_a_paused_upload_resumes(browse: Browse, tmp_path: Path) -> None:
    film = _padded(pan_clip(tmp_path / "short walk.mp4", seed=8), 4_000_000)
    page = browse("pc1").page
    slow = page.context.new_cdp_session(page)
    slow.send("Network.enable")
    line = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 1_000_000}
    slow.send("Network.emulateNetworkConditions", line)
    send(page, [film], CASE, "Phone")
    sending = page.locator(".app-upload").filter(has_text=film.name)
    page.wait_for_function("() => document.querySelector('.app-upload progress').value > 100")
    sending.get_by_role("button", name=re.compile("Pause")).click()
    expect(sending).to_have_attribute("data-state", "paused")
    slow.send("Network.emulateNetworkConditions", {**line, "uploadThroughput": -1})
    sending.get_by_role("button", name=re.compile("Resume")).click()
    expect(sending).to_have_attribute("data-state", "stored", timeout=30_000)


def test_fates_in_words(browse: Browse, filed: Filed, tmp_path: Path) -> None:
    """The same file again, a text file under a video's name, and a case that nobody knows."""
    seat = browse("pc1")
    seat.watch.expected.append("415")
    text = tmp_path / "notes.mp4"
    text.write_text("This is no video.\n" * 50)
    send(seat.page, [filed.clip, text], CASE, "CCTV")
    again = seat.page.locator(".app-upload").filter(has_text=filed.clip.name)
    expect(again).to_have_attribute("data-state", "duplicate", timeout=20_000)
    expect(again).to_contain_text("This second copy was dropped")
    refused = seat.page.locator(".app-upload").filter(has_text="notes.mp4")
    expect(refused).to_have_attribute("data-state", "refused")
    expect(refused).to_contain_text("Nothing of it was kept.")
    strays = pan_clip(tmp_path / "stray.mp4", seed=9, frames=25)
    send(seat.page, [strays], "99ZZ/1/26", "Drone")
    stray = seat.page.locator(".app-upload").filter(has_text="stray.mp4")
    expect(stray).to_contain_text("in the unfiled tray", timeout=20_000)


def test_without_scripts_the_plain_form_uploads_and_files(browse: Browse, filed: Filed, tmp_path: Path) -> None:
    """From the form to the tray to the case, with JavaScript off."""
    film = pan_clip(tmp_path / "no script.mp4", seed=10, frames=25)
    page = browse("pc1", java_script_enabled=False).page
    page.goto("/upload")
    page.get_by_label("Case reference").fill("not known yet")
    page.get_by_role("radio", name="Phone").check()
    page.locator('input[name="files"]').set_input_files(film)
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_role("heading", name="Your upload")).to_be_visible()
    expect(page.locator(".app-upload")).to_contain_text("no script.mp4")
    expect(page.locator(".app-upload")).to_have_attribute("data-state", "stored", timeout=20_000)
    page.goto("/unfiled")
    lying = page.locator(".app-panel").filter(has_text="no script.mp4")
    expect(lying).to_contain_text("Given for case “not known yet”")
    lying.get_by_label("File to case").fill(CASE)
    lying.get_by_role("button", name=re.compile("File")).click()
    expect(page.get_by_text("The exhibit was filed to its case.")).to_be_visible()


def test_an_officer_uploads_without_seeing_into_the_case(browse: Browse, filed: Filed) -> None:
    seat = browse("pc1")
    seat.watch.expected.append("404")
    seat.page.goto("/cases")
    expect(seat.page.get_by_text("No cases yet")).to_be_visible()
    seat.page.goto(filed.case_path)
    expect(seat.page.get_by_role("heading", name="Not found")).to_be_visible()
    expect(seat.page.locator("body")).not_to_contain_text("Cornmarket")
    seat.page.goto("/my-uploads")
    expect(seat.page.locator(".app-card").filter(has_text=filed.clip.name)).to_have_count(1)


def test_an_auditor_reads_the_log_and_gets_no_footage(browse: Browse, filed: Filed) -> None:
    seat = browse("au1")
    seat.watch.expected += ["403", "404"]
    expect(seat.page.get_by_text("The chain is whole")).to_be_visible()
    seat.page.goto(f"{filed.case_path}/log")
    expect(seat.page.locator("table")).to_contain_text(f"Exhibit received: {filed.clip.name}")
    seat.page.goto(filed.case_path)
    expect(seat.page.get_by_text("Its exhibits are not shown.")).to_be_visible()
    assert seat.page.locator("img").count() == 0
    answer = seat.page.request.get(f"/api/v1{filed.exhibit_path}/outputs/proxy.mp4")
    assert answer.status in {403, 404}


def test_members_urgency_and_closing(browse: Browse, filed: Filed) -> None:
    seat = browse("dc1")
    seat.watch.expected.append("400")
    page = seat.page
    page.goto("/cases")
    page.get_by_label("Case reference").fill("02CD/1/26")
    page.get_by_role("button", name="Create case").click()
    page.get_by_label("Add a member by user name").fill("nobody")
    page.get_by_role("button", name="Add member").click()
    expect(page.locator("#member-error")).to_contain_text("no user of that name")
    page.get_by_label("Add a member by user name").fill("ds1")
    page.get_by_role("button", name="Add member").click()
    expect(page.get_by_role("term").filter(has_text="Alex Tan")).to_be_visible()
    page.get_by_role("button", name="Mark as urgent").click()
    expect(page.locator(".app-title")).to_contain_text("Urgent")
    page.get_by_role("button", name="Close case").click()
    expect(page.locator(".app-title")).to_contain_text("Closed")
    expect(page.get_by_role("button", name="Upload to this case")).to_have_count(0)
    page.get_by_role("button", name="Open again").click()
    page.get_by_role("button", name="Remove Alex Tan").click()
    expect(page.get_by_role("term").filter(has_text="Alex Tan")).to_have_count(0)


def test_forms_of_other_sites_are_refused(stack: Stack, people: dict[str, str]) -> None:
    with httpx.Client(base_url=stack.address, headers={"Accept": "text/html"}) as client:
        client.post("/sign-in", data={"name": "dc1", "password": PASSWORD})
        answer = client.post("/cases", data={"reference": "03EF/1/26"})
        assert answer.status_code == 403
        assert "security token" in answer.text


def _padded(path: Path, size_bytes: int) -> Path:
    """A larger file with the same film in it: MP4 readers pass over a `free` box."""
    more = size_bytes - path.stat().st_size
    with path.open("ab") as out:
        out.write(struct.pack(">I4s", more, b"free") + random.Random(size_bytes).randbytes(more - 8))
    return path
