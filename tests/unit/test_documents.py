"""The manual says what the code says: settings, exit codes, commands, access, events, and the compose file."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import rfc8785
import yaml

from casefile.verify import FIELDS, event_hash
from cli import exit_codes
from cli.main import COMMANDS
from config.settings import Settings, load
from evidence.audit import Verb
from evidence.case import Act, Relation, Role, User, UserId, allows

ROOT = Path(__file__).parents[2]
UNITS = {"bytes": "bytes", "s": "seconds", "days": "days", "hours": "hours", "pixels": "pixels"}


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def settings_table() -> list[str]:
    """The rows that docs/operations.md must have: name, unit, bounds, default, meaning."""
    defaults = load(environ={})
    rows = []
    for name, field in Settings.model_fields.items():
        bounds = {type(m).__name__.lower(): m for m in field.metadata}
        low = getattr(bounds.get("ge"), "ge", None)
        high = getattr(bounds.get("le"), "le", None)
        span = f"{low} – {high}" if high is not None else f"≥ {low}" if low is not None else ""
        value = getattr(defaults, name)
        text = ", ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
        shown = "`~/.local/share/exhibit`" if name == "data_dir" else f"`{text}`" if text else ""
        unit = UNITS.get(name.rsplit("_", 1)[-1], "")
        rows.append(f"| `{name}` | {unit} | {span} | {shown} | {field.description} |")
    return rows


def test_every_setting_stands_in_the_manual_with_unit_bounds_and_default() -> None:
    there = page("operations.md").splitlines()
    missing = [row for row in settings_table() if row not in there]
    assert not missing, "docs/operations.md needs:\n" + "\n".join(missing)


def test_the_exit_codes_are_in_the_manual() -> None:
    table = re.findall(r"^ *(\d+) +(.+)$", exit_codes.__doc__ or "", re.MULTILINE)
    assert {int(code) for code, _ in table} == {int(code) for code in exit_codes.ExitCode}
    manual = page("operations.md")
    for code, meaning in table:
        assert f"| {code} | {meaning} |" in manual


def test_every_command_is_in_the_manual() -> None:
    manual = page("operations.md")
    for command in COMMANDS:
        assert f"`exhibit {command.name}" in manual, command.name


def matrix() -> list[str]:
    def cell(act: Act, role: Role) -> str:
        user = User(UserId("u"), "u", "U", role)
        if allows(user, act):
            return "any"
        ways = [r.value for r in (Relation.OWN, Relation.MEMBER) if allows(user, act, frozenset({r}))]
        return ", ".join(ways) or "–"

    rows = [f"| act | {' | '.join(role.value for role in Role)} |"]
    return rows + [f"| {act.value} | {' | '.join(cell(act, role) for role in Role)} |" for act in Act]


def test_who_may_see_what_is_written_down_as_it_is() -> None:
    custody = page("custody.md").splitlines()
    assert [row for row in matrix() if row not in custody] == []


def test_every_verb_of_the_log_is_explained() -> None:
    table = page("custody.md").partition("## The format")[0]
    for verb in Verb:
        assert re.search(rf"\b{verb.value}\b", table), verb.value


def test_the_worked_hash_in_the_manual_is_right() -> None:
    custody = page("custody.md")
    example = re.search(r"```json\n(.+?)\n```", custody)
    assert example is not None
    event = json.loads(example[1])
    assert set(event) == set(FIELDS)
    assert rfc8785.dumps(event) == example[1].encode()
    digest = hashlib.sha256(example[1].encode()).hexdigest()
    assert digest in custody
    assert event_hash(event) == digest
    for name in (*FIELDS, "hash"):
        assert f"| `{name}` |" in custody


# --- containers ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))  # type: ignore[no-any-return]


def test_the_compose_file_follows_the_specification() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_compose_file_names_real_settings_and_commands(compose: dict[str, Any]) -> None:
    commands = {command.name for command in COMMANDS}
    for name, service in compose["services"].items():
        for variable in service.get("environment", {}):
            if variable.startswith("EXHIBIT_"):
                assert variable.removeprefix("EXHIBIT_").lower() in Settings.model_fields, variable
        if service.get("build", {}).get("target") == "app":
            assert service["command"][0] in commands, name


def test_no_secret_stands_in_the_compose_file_and_only_web_listens_outside(compose: dict[str, Any]) -> None:
    example = (ROOT / "compose.env.example").read_text("utf-8")
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|ACCESS_KEY|ROOT_USER|DATABASE_URL|REDIS_URL", variable):
                asked_for = re.findall(r"\$\{([A-Z_]+):\?", str(value))
                assert asked_for, f"{name}: {variable} is not from .env"
                for secret in asked_for:
                    assert re.search(rf"^{secret}=$", example, re.MULTILINE), secret
        ports = service.get("ports", [])
        assert all("${EXHIBIT_BIND:-127.0.0.1}:" in port for port in ports)
        assert bool(ports) == (name == "web")
    assert compose["networks"]["back"]["internal"] is True


def test_only_migrate_holds_the_owners_address(compose: dict[str, Any]) -> None:
    holders = {n for n, s in compose["services"].items() if "EXHIBIT_DATABASE_URL" in s.get("environment", {})}
    assert holders == {"migrate"}


def test_what_the_dockerfile_copies_is_there_and_it_does_not_run_as_root(compose: dict[str, Any]) -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE))
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for part in source.split():
            assert (ROOT / part).exists(), part
            allowed = f"!{part.split('/')[0]}"
            assert allowed in (ROOT / ".dockerignore").read_text("utf-8").splitlines(), part
    for stage in re.findall(r"^COPY --from=(\S+)", text, re.MULTILINE):
        assert stage in stages
    for service in compose["services"].values():
        if "build" in service:
            assert service["build"]["target"] in stages
            body = text.partition(f" AS {service['build']['target']}\n")[2].partition("\nFROM ")[0]
            assert re.search(r"^USER (?!root)", body, re.MULTILINE)
