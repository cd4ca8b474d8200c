"""`exhibit user`, `token` and `case`, as typed, on a real database."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from cli import main
from cli.exit_codes import ExitCode
from config.settings import Settings
from storage.index import Index
from storage.ledger import Ledger

Say = Callable[..., str]


@pytest.fixture
def exhibit(settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command as the console script does; what it wrote. `code` is the exit code that is expected."""
    for name in ("database_url", "app_database_url", "redis_url", "data_dir"):
        monkeypatch.setenv(f"EXHIBIT_{name.upper()}", str(getattr(settings, name)))
    ledger.people.first_admin()

    def run(*arguments: str, code: int = 0, stdin: str = "") -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            main.run([*arguments])
        out, err = capsys.readouterr()
        assert (ended.value.code or 0) == code, out + err
        return out if code == 0 else err

    return run


def as_json(text: str) -> Any:
    return json.loads(text)


def test_a_person_is_added_with_a_first_password_that_works_once(exhibit: Say, ledger: Ledger) -> None:
    added = as_json(exhibit("user", "add", "pc.smith", "--role", "officer", "--name", "PC Ann Smith", "--json"))
    assert (added["name"], added["role"], added["must_change_password"]) == ("pc.smith", "officer", True)
    _, who = ledger.people.sign_in("pc.smith", added["password"], hours=1, tries=5)
    assert who.user.must_change_password
    assert [u["name"] for u in as_json(exhibit("user", "list", "--json"))] == ["admin", "pc.smith"]
    assert "pc.smith" in exhibit("user", "list")
    again = exhibit("user", "add", "pc.smith", "--role", "officer", code=ExitCode.REFUSED)
    assert "Choose another name" in again


def test_a_password_may_come_from_standard_input_and_is_then_not_shown(exhibit: Say, ledger: Ledger) -> None:
    given = "three random words"
    shown = exhibit("user", "add", "dc.jones", "--role", "investigator", "--password-stdin", stdin=given + "\n")
    assert given not in shown
    assert ledger.people.sign_in("dc.jones", given, hours=1, tries=5)
    new = as_json(exhibit("user", "password", "dc.jones", "--json"))["password"]
    assert ledger.people.sign_in("dc.jones", new, hours=1, tries=5)
    exhibit("user", "add", "x", "--role", "officer", "--password-stdin", code=ExitCode.WRONG_USE)
    exhibit("user", "add", "y", "--role", "officer", "--password-stdin", stdin="short", code=ExitCode.WRONG_USE)


def test_disabling_ends_what_a_token_could_do(exhibit: Say, ledger: Ledger) -> None:
    exhibit("user", "add", "watcher", "--role", "officer")
    token = exhibit("token", "create", "watcher", "--label", "drop folder", "--days", "30").strip()
    assert ledger.people.by_token(token)
    assert as_json(exhibit("token", "create", "watcher", "--json"))["must_change_password"] is True, (
        "it has to wait for that"
    )
    exhibit("user", "disable", "watcher")
    assert ledger.people.by_token(token) is None
    exhibit("token", "create", "watcher", code=ExitCode.REFUSED)
    exhibit("user", "disable", "nobody.here", code=ExitCode.REFUSED)
    exhibit("user", "disable", "admin", code=ExitCode.REFUSED)


def test_somebody_is_let_in_again_and_has_to_make_new_tokens(exhibit: Say, ledger: Ledger, index: Index) -> None:
    first = as_json(exhibit("user", "add", "pc.smith", "--role", "officer", "--json"))["password"]
    token = exhibit("token", "create", "pc.smith").strip()
    exhibit("user", "disable", "pc.smith")
    exhibit("user", "enable", "pc.smith")
    assert ledger.people.sign_in("pc.smith", first, hours=1, tries=5)
    assert ledger.people.by_token(token) is None
    event = next(e for e in reversed(list(index.audit_events())) if e.verb.value == "user changed")
    assert (event.details, event.actor) == ({"user": "pc.smith", "disabled": False}, "system:cli")
    assert "is not disabled" in exhibit("user", "enable", "pc.smith", code=ExitCode.REFUSED)
    exhibit("user", "enable", "nobody.here", code=ExitCode.REFUSED)


def test_one_token_is_revoked_and_the_others_go_on(exhibit: Say, ledger: Ledger, index: Index) -> None:
    for name in ("watcher", "other"):
        exhibit("user", "add", name, "--role", "officer")
    made = [exhibit("token", "create", "watcher", "--label", label).strip() for label in ("drop folder", "phone")]
    kept = exhibit("token", "create", "other", "--label", "script").strip()
    found = as_json(exhibit("token", "list", "watcher", "--json"))
    assert {line["label"]: line["works"] for line in found} == {"drop folder": True, "phone": True}
    assert not any(secret in exhibit("token", "list") for secret in made)
    ids = {line["label"]: line["id"] for line in as_json(exhibit("token", "list", "--json"))}
    assert set(ids) == {"drop folder", "phone", "script"}

    exhibit("token", "revoke", ids["drop folder"])
    assert ledger.people.by_token(made[0]) is None
    assert ledger.people.by_token(made[1])
    assert ledger.people.by_token(kept)
    event = list(index.audit_events())[-1]
    assert event.verb.value == "token revoked"
    assert event.details == {"user": "watcher", "label": "drop folder", "token": ids["drop folder"]}
    assert "revoked" in exhibit("token", "list", "watcher")
    assert "revoked already" in exhibit("token", "revoke", ids["drop folder"], code=ExitCode.REFUSED)
    exhibit("token", "revoke", "no-such-id", code=ExitCode.REFUSED)
    exhibit("token", "list", "nobody.here", code=ExitCode.REFUSED)


def test_a_case_is_opened_for_somebody_and_the_log_says_who_did_it(exhibit: Say, index: Index) -> None:
    exhibit("user", "add", "dc.jones", "--role", "investigator")
    exhibit("user", "add", "pc.smith", "--role", "officer")
    opened = exhibit("case", "create", "01AB/1/26", "--as", "dc.jones", "--title", "Mill Lane", "--urgent", "--json")
    assert (as_json(opened)["reference"], as_json(opened)["urgent"]) == ("01AB/1/26", True)
    case = index.case_by_reference("01AB/1/26")
    assert [m.name for m in index.members(case.id)] == ["dc.jones"]
    exhibit("case", "member", "add", "01AB/1/26", "pc.smith")
    assert {m.name for m in index.members(case.id)} == {"dc.jones", "pc.smith"}
    exhibit("case", "member", "remove", "01AB/1/26", "pc.smith", "--as", "dc.jones")
    assert as_json(exhibit("case", "urgent", "01ab/1/26", "--off", "--json"))["urgent"] is False
    assert as_json(exhibit("case", "close", "01AB/1/26", "--json"))["state"] == "closed"
    assert as_json(exhibit("case", "close", "01AB/1/26", "--open", "--json"))["state"] == "open"
    assert [c["reference"] for c in as_json(exhibit("case", "list", "--json"))] == ["01AB/1/26"]
    actors = {e.actor for e in index.audit_of_case(case.id)}
    assert actors == {"system:cli", "system:cli for dc.jones"}
    exhibit("case", "close", "NOT/A/CASE", code=ExitCode.REFUSED)
    exhibit("case", "create", "01AB/1/26", "--as", "dc.jones", code=ExitCode.REFUSED)
    unknown = exhibit("case", "member", "add", "01AB/1/26", "ghost", code=ExitCode.REFUSED)
    assert "user list" in unknown, "the name is wrong, not the case's reference"
    exhibit("case", "create", "01AB/2/26", code=ExitCode.WRONG_USE)
    exhibit("case", "member", "remove", "01AB/1/26", "dc.jones", code=ExitCode.REFUSED)


@pytest.mark.parametrize(
    "command",
    [
        *("user add", "user list", "user disable", "user password", "token create"),
        *("case create", "case list", "case close", "case urgent", "case member add", "case member remove"),
    ],
)
def test_every_command_explains_itself_with_an_example_and_its_exit_codes(exhibit: Say, command: str) -> None:
    text = exhibit(*command.split(), "--help")
    assert f"Example: exhibit {command}" in " ".join(text.split())
    assert "Exit code: 0" in text
    assert "--json" in text
