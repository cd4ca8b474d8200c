"""Every role, every route, every relation to the thing: what the table says, and nothing besides.

`y` allowed · `f` 403: he sees it and may not · `n` 404, word for word as for a thing that isn't there.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from evidence.audit import Verb
from evidence.case import Act, Case, Relation, Role
from evidence.exhibit import Exhibit, FileType
from evidence.steps import Step
from tests.served import API, Person, Served, own_settings, served
from tests.services import Services

ROLES = (Role.OFFICER, Role.INVESTIGATOR, Role.SUPERVISOR, Role.AUDITOR, Role.ADMIN)
RELATIONS = (Relation.NONE, Relation.OWN, Relation.MEMBER)

# Per role: no relation, his own upload, member of its case. A case can't be somebody's own: as no relation.
TABLE = """
                                                 officer  investigator  supervisor  auditor  admin
GET    /cases                                    yyy      yyy           yyy         yyy      yyy
POST   /cases                                    fff      yyy           yyy         fff      yyy
GET    /cases/{case}                             nny      nny           nny         yyy      nny
PATCH  /cases/{case}                             nnf      nny           nny         fff      nny
PUT    /cases/{case}/members/{user}              nnf      nny           nny         fff      nny
DELETE /cases/{case}/members/{user}              nnf      nny           nny         fff      nny
GET    /cases/{case}/exhibits                    nny      nny           nny         fff      nny
GET    /cases/{case}/clocks                      nny      nny           nny         fff      nny
GET    /cases/{case}/audit                       nnf      nny           nny         yyy      nny
POST   /cases/{case}/exports                     nnf      nny           nny         fff      nny
GET    /cases/{case}/exports                     nnf      nny           nny         fff      nny
GET    /cases/{case}/exports/{export}/case.zip   nnf      nny           nny         fff      nny
HEAD   /cases/{case}/exports/{export}/case.zip   nnf      nny           nny         fff      nny
GET    /exhibits                                 yyy      yyy           yyy         fff      yyy
GET    /uploads/{upload}                         nyn      nyy           nyy         nnn      nyy
GET    /exhibits/{exhibit}                       nyn      nyy           nyy         nnn      nyy
GET    /exhibits/{exhibit}/tracks                nyn      nyy           nyy         nnn      nyy
GET    /exhibits/{exhibit}/clips                 nyn      nyy           nyy         nnn      nyy
GET    /exhibits/{exhibit}/fixes                 nyn      nyy           nyy         nnn      nyy
GET    /exhibits/{exhibit}/pairs                 nyn      nyy           nyy         nnn      nyy
GET    /exhibits/{exhibit}/clock                 nyn      nyy           nyy         nnn      nyy
GET    /exhibits/{exhibit}/clock/against/{exhibit} nyn    nyy           nyy         nnn      nyy
GET    /exhibits/{exhibit}/audit                 nfn      nfy           nfy         yyy      nfy
POST   /exhibits/{exhibit}/steps/proxy/retry     nfn      nfy           nfy         nnn      nfy
POST   /exhibits/{exhibit}/steps/proxy/cancel    nfn      nfy           nfy         nnn      nfy
POST   /exhibits/{exhibit}/redactions            nfn      nfy           nfy         nnn      nfy
POST   /exhibits/{exhibit}/redactions/{draft}/findings/1/accept nfn nfy nfy         nnn      nfy
POST   /exhibits/{exhibit}/redactions/{draft}/findings/1/reopen nfn nfy nfy         nnn      nfy
POST   /exhibits/{exhibit}/clips                 nfn      nfy           nfy         nnn      nfy
POST   /exhibits/{exhibit}/pair                  nfn      nfy           nfy         nnn      nfy
POST   /exhibits/{exhibit}/unpair                nfn      nfy           nfy         nnn      nfy
POST   /exhibits/{exhibit}/clock                 nfn      nfy           nfy         nnn      nfy
GET    /exhibits/{exhibit}/outputs/original      nyn      nyy           nyy         nnn      nyy
GET    /exhibits/{exhibit}/outputs/proxy         nyn      nyy           nyy         nnn      nyy
GET    /exhibits/{exhibit}/outputs/poster.jpg    nyn      nyy           nyy         nnn      nyy
GET    /exhibits/{exhibit}/outputs/tracks.json   nyn      nyy           nyy         nnn      nyy
HEAD   /exhibits/{exhibit}/outputs/redacted      nyn      nyy           nyy         nnn      nyy
GET    /search                                   yyy      yyy           yyy         fff      yyy
GET    /tray                                     yyy      yyy           yyy         fff      yyy
PATCH  /exhibits/{unfiled}                       nyn      nyn           yyy         nnn      yyy
GET    /me                                       yyy      yyy           yyy         yyy      yyy
"""

BODIES: dict[str, dict[str, Any]] = {
    "PATCH /cases/{case}": {"urgent": True},
    "POST /exhibits/{exhibit}/redactions": {"what": ["faces"]},
    "POST /exhibits/{exhibit}/redactions/{draft}/findings/1/accept": {"reason": "a poster"},
    "POST /exhibits/{exhibit}/redactions/{draft}/findings/1/reopen": {"reason": "no poster after all"},
    "POST /exhibits/{exhibit}/clock": {"claim": "file", "offset_s": 1, "error_s": 1, "words": "the station's clock"},
    "POST /exhibits/{exhibit}/clips": {"from": "0.5", "to": "1.0", "source": "original"},
}


@dataclass(frozen=True, slots=True)
class Cell:
    method: str
    path: str
    role: Role
    relation: Relation
    expected: str


def cells() -> list[Cell]:
    found = []
    for line in TABLE.strip().splitlines()[1:]:
        method, path, *columns = line.split()
        assert len(columns) == len(ROLES), line
        for role, column in zip(ROLES, columns, strict=True):
            found += [Cell(method, path, role, r, c) for r, c in zip(RELATIONS, column, strict=True)]
    return found


@dataclass(slots=True)
class World:
    """One case with an exhibit, an export and its maker; every cell meets it anew as somebody else."""

    here: Served
    maker: Person
    case: Case
    theirs: Exhibit
    sidecar: Exhibit
    export: str
    own: dict[Role, tuple[Person, Exhibit]]

    def somebody(self, role: Role, relation: Relation) -> Person:
        if relation is Relation.OWN:
            return self.own[role][0]
        person = self.here.person(role)
        if relation is Relation.MEMBER:
            self.here.storage.ledger.cases.add_member(self.maker.user, self.case.id, person.user.id)
        return person

    def unfiled(self, person: Person) -> Exhibit:
        return self.here.exhibit(person, None)


@pytest.fixture(scope="module")
def world(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("access")
    with own_settings(services, folder) as settings, served(settings) as here:
        maker = here.person(Role.INVESTIGATOR)
        case = here.make.case(maker.user)
        theirs = here.analysed(maker, case)
        sidecar = here.make.exhibit(maker.user, case, file_type=FileType.TELEMETRY, filename="of nothing.srt")
        own = {}
        for role in ROLES:
            person = here.person(role)
            own[role] = (person, here.analysed(person, case))
        export = here.client(maker).post(f"{API}/cases/{case.id}/exports").json()["run"]
        here.work_off()
        yield World(here, maker, case, theirs, sidecar, export, own)


def uploads_of(world: World, exhibit: Exhibit) -> str:
    """The upload that became this exhibit."""
    events = world.here.storage.index.audit_of_exhibit(exhibit.id)
    return next(str(e.details["upload"]) for e in events if e.verb is Verb.EXHIBIT_RECEIVED)


def new_draft(world: World, exhibit: Exhibit) -> str:
    """The run of a redacted copy whose findings nobody has accepted yet."""
    run = world.here.storage.ledger.steps.ask(world.maker.user.name, Step.REDACT, exhibit_id=exhibit.id)
    world.here.work_off()
    return run.id


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("role", ROLES)
def test_every_cell_is_as_the_table_says(world: World, role: Role, relation: Relation) -> None:
    person = world.somebody(role, relation)
    exhibit = world.own[role][1] if relation is Relation.OWN else world.theirs
    spare = world.here.person(Role.OFFICER)
    unfiled = world.unfiled(person if relation is Relation.OWN else world.maker)
    names = {
        "case": world.case.id,
        "exhibit": exhibit.id,
        "draft": new_draft(world, exhibit),
        "unfiled": unfiled.id,
        "user": spare.user.name,
        "export": world.export,
        "upload": uploads_of(world, exhibit),
    }
    wrong = []
    with world.here.client(person) as client:
        for cell in cells():
            if (cell.role, cell.relation) != (role, relation):
                continue
            before = world.here.last_event()
            body = _body(world, cell)
            answer = client.request(cell.method, API + cell.path.format(**names), json=body)
            allowed = 200 <= answer.status_code < 300
            got = "y" if allowed else {403: "f", 404: "n"}.get(answer.status_code, str(answer.status_code))
            if got != cell.expected:
                wrong.append(f"{cell.method} {cell.path}: {got} instead of {cell.expected}: {answer.text[:200]}")
            denied = [e for e in world.here.storage.index.audit_events(after=before) if e.verb is Verb.DENIED]
            if (got in "fn") != (len(denied) == 1):
                wrong.append(f"{cell.method} {cell.path}: {len(denied)} denials in the log for {got}")
            if got == "n" and cell.method != "HEAD":
                unknown = {**names, **{thing: secrets.token_hex(16) for thing in ("case", "exhibit", "unfiled", "upload")}}
                other = client.request(cell.method, API + cell.path.format(**unknown), json=body)
                if (other.status_code, other.content) != (answer.status_code, answer.content):
                    wrong.append(f"{cell.method} {cell.path}: tells a thing that is there from one that isn't")
    assert not wrong, "\n".join(wrong)


def _body(world: World, cell: Cell) -> dict[str, Any] | None:
    if (cell.method, cell.path) == ("POST", "/cases"):
        return {"reference": f"NEW/{secrets.token_hex(4)}"}
    if (cell.method, cell.path) == ("PATCH", "/exhibits/{unfiled}"):
        return {"case": world.case.reference}
    if cell.path.endswith(("/pair", "/unpair")):
        return {"other": world.sidecar.id}
    return BODIES.get(f"{cell.method} {cell.path}")


def test_nobody_gets_anything_without_signing_in(world: World) -> None:
    names = dict.fromkeys(("case", "exhibit", "draft", "unfiled", "user", "export", "upload"), "x")
    with world.here.client() as client:
        for cell in {(c.method, c.path) for c in cells()}:
            answer = client.request(cell[0], API + cell[1].format(**names))
            assert answer.status_code == 401, cell


def test_every_route_is_in_the_table(world: World) -> None:
    """A route that somebody adds has to get a row, or be one that concerns only the person who calls."""
    known = {(c.method, _shape(API + c.path)) for c in cells()}
    known = {(m, p.replace("/outputs/original", "/outputs/{}")) for m, p in known}
    for route in api_routes(world.here):
        if route.openapi_extra and route.openapi_extra["x-act"] in {"anyone", "oneself"}:
            continue
        for method in route.methods:
            shapes = [p for m, p in known if m == method]
            assert any(_fits(shape, _shape(route.path)) for shape in shapes), f"{method} {route.path}"


def test_every_route_says_which_act_it_asks_for(world: World) -> None:
    acts = {act.value for act in Act} | {"anyone", "oneself"}
    for route in all_routes(world.here):
        assert route.openapi_extra, f"{route.path} declares no act"
        assert route.openapi_extra["x-act"] in acts, route.path


def test_the_denial_names_the_act_that_the_route_declares(world: World) -> None:
    """So the declared act is the one that is really asked for."""
    person = world.here.person(Role.AUDITOR)
    with world.here.client(person) as client:
        for route in api_routes(world.here):
            act = route.openapi_extra["x-act"] if route.openapi_extra else ""
            if act in {"anyone", "oneself"}:
                continue
            for method in route.methods:
                path = route.path
                for thing in ("case_id", "exhibit_id", "upload_id", "run", "name", "user", "step"):
                    path = path.replace(f"{{{thing}}}", secrets.token_hex(8) if thing != "step" else "proxy")
                path = path.replace("{finding}", "1")
                before = world.here.last_event()
                body = {"reference": "A/1"} if path.endswith("/cases") else {"case": "A/1"} if method == "PATCH" else None
                if method == "PATCH" and "/cases/" in path:
                    body = {"urgent": True}
                if path.endswith("/clips") and method == "POST":
                    body = {"from": "0", "to": "1"}
                if path.endswith(("/pair", "/unpair")):
                    body = {"other": "x"}
                if path.endswith(("/accept", "/reopen")):
                    body = {"reason": "a poster"}
                if path.endswith("/clock") and method == "POST":
                    body = BODIES["POST /exhibits/{exhibit}/clock"]
                client.request(method, path, json=body if body is not None else {} if method == "POST" else None)
                denials = [e for e in world.here.storage.index.audit_events(after=before) if e.verb is Verb.DENIED]
                assert [d.details["act"] for d in denials] in ([act], []), f"{method} {path}"
                if not denials:
                    assert act == Act.SEE_CASE.value, f"{method} {path} asked for nothing"


def api_routes(here: Served) -> list[RouteContext]:
    return [route for route in all_routes(here) if route.path.startswith(API)]


def all_routes(here: Served) -> list[RouteContext]:
    found = [r for r in iter_route_contexts(here.app.routes) if isinstance(r.original_route, APIRoute)]
    assert len(found) > 30
    return found


def _shape(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def _fits(row: str, route: str) -> bool:
    """A row of the table may name what stands for a parameter of the route: `proxy`, `case.zip`."""
    parts, wanted = row.split("/"), route.split("/")
    return len(parts) == len(wanted) and all(w in ("{}", p) for p, w in zip(parts, wanted, strict=True))
