"""`exhibit user`, `exhibit token`, `exhibit case`: people and cases, on the machine that holds the database.

Whoever may run these holds the database's address; the custody log says `system:cli`, and for whom.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from config.settings import load
from evidence.case import Case, CaseState, Role, User
from evidence.errors import BadInput, NotFound
from storage.ledger.people import first_password
from storage.open import Storage

CLI = "system:cli"

Data = Annotated[Path | None, typer.Option("--data", help="The data folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]
As = Annotated[str | None, typer.Option("--as", help="The user for whom this is done; the custody log names both.")]
Name = Annotated[str, typer.Argument(help="The user's name, as at sign-in.")]
Reference = Annotated[str, typer.Argument(help="The case's reference, as in 01AB/12345/26.")]

user = typer.Typer(no_args_is_help=True, help="The people who may sign in.")
token = typer.Typer(no_args_is_help=True, help="API tokens.")
case = typer.Typer(no_args_is_help=True, help="Cases and their members.")
member = typer.Typer(no_args_is_help=True, help="Who may see a case.")
case.add_typer(member, name="member")


@contextmanager
def _storage(data: Path | None) -> Iterator[Storage]:
    from storage import embedded
    from storage.open import opened

    with embedded.running(load({"data_dir": data})) as settings, opened(settings) as storage:
        yield storage


def _actor(storage: Storage, name: str | None) -> User:
    """Who stands behind an act done here. Without a name it is the program, under the first administrator's id."""
    if name is not None:
        person = storage.index.user_by_name(name.strip().lower())
        return replace(person, name=f"{CLI} for {person.name}")
    admin = next((u for u in storage.index.users() if u.role is Role.ADMIN), None)
    if admin is None:
        raise NotFound("there is no administrator yet", hint="Run: exhibit migrate")
    return replace(admin, name=CLI)


def _actor_name(storage: Storage, name: str | None) -> str:
    return CLI if name is None else _actor(storage, name).name


def _say(as_json: bool, value: dict[str, Any], text: str) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False) if as_json else text)


def _password(from_stdin: bool) -> str:
    """From the first line of standard input, or a random one."""
    if not from_stdin:
        return first_password()
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise BadInput("no password came on standard input", hint="printf '%s' PASSWORD | exhibit user … --password-stdin")
    return line


def _user_json(person: User) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "display_name": person.display_name,
        "role": person.role.value,
        "disabled": person.disabled,
        "must_change_password": person.must_change_password,
    }


def _case_json(found: Case) -> dict[str, Any]:
    return {
        "id": found.id,
        "reference": found.reference,
        "title": found.title,
        "state": found.state.value,
        "urgent": found.urgent,
        "created_at": found.created_at.isoformat(),
    }


_FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@user.command("add")
def add_user(
    name: Name,
    role: Annotated[Role, typer.Option(help="What the person may do.")],
    display_name: Annotated[str, typer.Option("--name", help="The full name; its initials are in exhibit references.")] = "",
    from_stdin: _FromStdin = False,
    acting: As = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Add a person. The first password is shown once and has to be changed at the first sign-in.

    Example: exhibit user add pc.smith --role officer --name "PC Ann Smith"

    Exit code: 0 added; 2 odd name or short password; 3 the name is taken; 4 the database can't be reached.
    """
    password = _password(from_stdin)
    with _storage(data) as storage:
        added = storage.ledger.people.add_user(_actor_name(storage, acting), name, display_name or name, role, password)
    shown = {} if from_stdin else {"password": password}
    first = "" if from_stdin else f", first password {password} (shown only now; changed at first sign-in)"
    _say(as_json, _user_json(added) | shown, f"added {added.name}, {added.role.value}{first}")


@user.command("list")
def list_users(data: Data = None, as_json: AsJson = False) -> None:
    """List everybody, disabled people too.

    Example: exhibit user list --json

    Exit code: 0 listed; 4 the database can't be reached.
    """
    with _storage(data) as storage:
        people = storage.index.users()
    if as_json:
        typer.echo(json.dumps([_user_json(person) for person in people], ensure_ascii=False))
        return
    table = Table("name", "full name", "role", "")
    for person in people:
        state = "disabled" if person.disabled else "password to be changed" if person.must_change_password else ""
        table.add_row(person.name, person.display_name, person.role.value, state)
    Console().print(table)


@user.command("disable")
def disable_user(name: Name, acting: As = None, data: Data = None, as_json: AsJson = False) -> None:
    """Let a person in no longer; sessions and tokens end at once. What was done under the name stays in the log.

    Example: exhibit user disable pc.smith

    Exit code: 0 disabled; 3 no such user, or the last administrator; 4 the database can't be reached.
    """
    with _storage(data) as storage:
        storage.ledger.people.disable(_actor_name(storage, acting), name)
    _say(as_json, {"name": name, "disabled": True}, f"disabled {name}")


@user.command("enable")
def enable_user(name: Name, acting: As = None, data: Data = None, as_json: AsJson = False) -> None:
    """Let a person in again who was disabled; the password is the old one, tokens have to be made anew.

    Example: exhibit user enable pc.smith

    Exit code: 0 enabled; 3 no such user, or not disabled; 4 the database can't be reached.
    """
    with _storage(data) as storage:
        storage.ledger.people.enable(_actor_name(storage, acting), name)
    _say(as_json, {"name": name, "disabled": False}, f"enabled {name}")


@user.command("password")
def new_password(
    name: Name, from_stdin: _FromStdin = False, acting: As = None, data: Data = None, as_json: AsJson = False
) -> None:
    """Give a person a new first password; all of the person's sessions and tokens end.

    Example: exhibit user password pc.smith

    Exit code: 0 set; 2 too short; 3 no such user; 4 the database can't be reached.
    """
    password = _password(from_stdin)
    with _storage(data) as storage:
        storage.ledger.people.set_password(_actor_name(storage, acting), name, password, must_change=True)
    shown = {} if from_stdin else {"password": password}
    text = f"{name} has a new password" if from_stdin else f"{name}: new password {password} (shown only now)"
    _say(as_json, {"name": name} | shown, text)


@token.command("create")
def create_token(
    name: Name,
    label: Annotated[str, typer.Option(help="What it is for, as people will look for it in the log.")] = "command line",
    days: Annotated[int, typer.Option(help="Days that it lasts.", min=1, max=3650)] = 90,
    acting: As = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make an API token for a person; it may do what the person may. Shown once, kept only as its SHA-256.

    It works only after the person has changed the first password.

    Example: exhibit token create pc.smith --label "drop folder of station 4" --days 30

    Exit code: 0 made; 3 no such user, or disabled; 4 the database can't be reached.
    """
    with _storage(data) as storage:
        made = storage.ledger.people.create_token(_actor_name(storage, acting), name, label, days=days)
        waits = storage.index.user_by_name(name).must_change_password
    if waits:
        typer.echo(
            f"{name} still has a first password: the token works once that was changed, at the first sign-in.", err=True
        )
    _say(as_json, {"user": name, "label": label, "days": days, "token": made, "must_change_password": waits}, made)


@token.command("list")
def list_tokens(
    name: Annotated[str, typer.Argument(help="Of this user only; without it, of everybody.")] = "",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List API tokens: whose, what for, until when, and the id to revoke one by. The secret itself is kept nowhere.

    Example: exhibit token list pc.smith

    Exit code: 0 listed; 3 no such user; 4 the database can't be reached.
    """
    with _storage(data) as storage:
        found = storage.index.tokens(storage.index.user_by_name(name).id if name else None)
    now = datetime.now(UTC)
    if as_json:
        rows = [{**asdict(one), "works": one.works(now)} for one in found]
        typer.echo(json.dumps(rows, ensure_ascii=False, default=datetime.isoformat))
        return
    table = Table("id", "user", "label", "until", "")
    for one in found:
        state = "revoked" if one.revoked_at else "" if one.works(now) else "over"
        table.add_row(one.id, one.user, one.label, f"{one.expires_at:%Y-%m-%d}", state)
    Console().print(table)


@token.command("revoke")
def revoke_token(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token's id, from exhibit token list.")],
    acting: As = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """End one API token at once. `exhibit user disable` ends all that a person has.

    Example: exhibit token revoke 0198c1d2e3f4

    Exit code: 0 revoked; 3 no such token, or revoked already; 4 the database can't be reached.
    """
    with _storage(data) as storage:
        storage.ledger.people.revoke_token(_actor_name(storage, acting), token_id)
    _say(as_json, {"id": token_id, "revoked": True}, f"revoked {token_id}")


@case.command("create")
def create_case(
    reference: Reference,
    acting: Annotated[str, typer.Option("--as", help="The user whose case it is: its first member.")],
    title: Annotated[str, typer.Option(help="A few words for people.")] = "",
    urgent: Annotated[bool, typer.Option("--urgent", help="Its files are analysed before those of other cases.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Open a case; uploads that name its reference are filed there.

    Example: exhibit case create 01AB/12345/26 --as dc.jones --title "Burglary, Mill Lane"

    Exit code: 0 made; 2 odd reference; 3 the reference is taken, or no such user; 4 the database can't be reached.
    """
    with _storage(data) as storage:
        maker = _actor(storage, acting)
        made = storage.ledger.cases.create(maker, reference, title)
        if urgent:
            made = storage.ledger.cases.change(maker, made.id, urgent=True)
    _say(as_json, _case_json(made), f"opened case {made.reference}")


@case.command("list")
def list_cases(data: Data = None, as_json: AsJson = False) -> None:
    """List all cases of this installation.

    Example: exhibit case list

    Exit code: 0 listed; 4 the database can't be reached.
    """
    with _storage(data) as storage:
        found = storage.index.cases_for(replace(_actor(storage, None), role=Role.AUDITOR))
    if as_json:
        typer.echo(json.dumps([_case_json(one) for one in found], ensure_ascii=False))
        return
    table = Table("reference", "title", "state", "")
    for one in found:
        table.add_row(one.reference, one.title, one.state.value, "urgent" if one.urgent else "")
    Console().print(table)


@case.command("close")
def close_case(
    reference: Reference,
    again: Annotated[bool, typer.Option("--open", help="Open it again instead.")] = False,
    acting: As = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Close a case: nothing more can be uploaded to it. Its exhibits stay.

    Example: exhibit case close 01AB/12345/26

    Exit code: 0 done; 3 no such case; 4 the database can't be reached.
    """
    _change(reference, acting, data, as_json, closed=not again)


@case.command("urgent")
def urgent_case(
    reference: Reference,
    off: Annotated[bool, typer.Option("--off", help="No longer urgent.")] = False,
    acting: As = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Have the files of a case analysed before those of others.

    Example: exhibit case urgent 01AB/12345/26

    Exit code: 0 done; 3 no such case; 4 the database can't be reached.
    """
    _change(reference, acting, data, as_json, urgent=not off)


def _change(
    reference: str,
    acting: str | None,
    data: Path | None,
    as_json: bool,
    *,
    urgent: bool | None = None,
    closed: bool | None = None,
) -> None:
    with _storage(data) as storage:
        found = storage.index.case_by_reference(reference)
        changed = storage.ledger.cases.change(_actor(storage, acting), found.id, urgent=urgent, closed=closed)
    words = "closed" if changed.state is CaseState.CLOSED else "open"
    _say(as_json, _case_json(changed), f"case {changed.reference} is {words}{', urgent' if changed.urgent else ''}")


@member.command("add")
def add_member(reference: Reference, name: Name, acting: As = None, data: Data = None, as_json: AsJson = False) -> None:
    """Let a person see a case and work on it, as far as the role allows.

    Example: exhibit case member add 01AB/12345/26 dc.jones

    Exit code: 0 added; 3 no such case or user; 4 the database can't be reached.
    """
    with _storage(data) as storage:
        found, person = storage.index.case_by_reference(reference), storage.index.user_by_name(name.strip().lower())
        storage.ledger.cases.add_member(_actor(storage, acting), found.id, person.id)
    _say(as_json, {"case": found.reference, "member": person.name}, f"{person.name} is a member of {found.reference}")


@member.command("remove")
def remove_member(reference: Reference, name: Name, acting: As = None, data: Data = None, as_json: AsJson = False) -> None:
    """Let a person see a case no longer.

    Example: exhibit case member remove 01AB/12345/26 dc.jones

    Exit code: 0 removed; 3 no such case or user, or the last member; 4 the database can't be reached.
    """
    with _storage(data) as storage:
        found, person = storage.index.case_by_reference(reference), storage.index.user_by_name(name.strip().lower())
        storage.ledger.cases.remove_member(_actor(storage, acting), found.id, person.id)
    _say(as_json, {"case": found.reference, "removed": person.name}, f"{person.name} is no member of {found.reference}")
