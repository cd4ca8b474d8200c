"""The house keeps its own rules: sizes, names, one home per thing, and docs that say what the code says."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from config.models import catalogue
from config.settings import Settings, load
from evidence import errors
from evidence.steps import Step

ROOT = Path(__file__).parents[1]
ROOMS = ("evidence", "config", "storage", "media", "detectors", "casefile", "ingest", "workers", "web", "cli")
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "core", "base", "manager", "handler", "handlers", "stuff"}
MODULE_LINES, FUNCTION_LINES = 400, 60
BROAD_EXCEPT_LIVES_IN = {Path("workers/runner.py"), Path("web/problems.py")}


def modules() -> list[Path]:
    return sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.py") if "node_modules" not in p.parts)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="module", params=modules(), ids=name_of)
def module(request: pytest.FixtureRequest) -> Path:
    return request.param  # type: ignore[no-any-return]


def test_a_module_says_what_it_is_and_fits_on_a_few_screens(module: Path) -> None:
    text = module.read_text("utf-8")
    assert len(text.splitlines()) <= MODULE_LINES, f"split {name_of(module)} by meaning"
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), f"{name_of(module)} starts with a docstring"
    assert module.stem not in VAGUE, "name it for what it is"


def test_functions_are_short_and_broad_excepts_live_in_two_places(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= FUNCTION_LINES, f"{name_of(module)}:{node.lineno} {node.name} has {lines} lines"
        if isinstance(node, ast.ExceptHandler):
            caught = node.type and ast.unparse(node.type)
            broad = caught is None or re.search(r"\b(Base)?Exception\b", caught)
            assert not broad or module.relative_to(ROOT) in BROAD_EXCEPT_LIVES_IN, f"{name_of(module)}:{node.lineno}"


def test_no_unfinished_business(module: Path) -> None:
    text = module.read_text("utf-8")
    found = re.findall(r"NotImplementedError|\bTODO\b|\bFIXME\b|\bXXX\b|pragma: no cover", text)
    assert not found, f"{name_of(module)}: {found}"


def test_every_error_has_a_hint_and_stands_in_the_drawing() -> None:
    drawing = errors.__doc__ or ""
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, errors.ExhibitError):
            assert re.search(rf"\b{value.__name__}\b", drawing), f"{value.__name__} is missing in the drawing"
            if value not in (errors.ExhibitError,):
                assert value("x").hint, f"{value.__name__} says what to do"


def test_every_setting_has_its_default_description_and_place_in_the_manual() -> None:
    defaults = load(environ={})
    manual = (ROOT / "docs/operations.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert hasattr(defaults, name)
        assert f"`{name}`" in manual, f"docs/operations.md does not explain {name}"


def test_every_step_has_its_module_on_the_worker_side() -> None:
    there = {p.stem for p in (ROOT / "workers/steps").glob("*.py")} - {"__init__"}
    assert {step.value for step in Step} <= there


def test_the_catalogue_is_whole() -> None:
    models = catalogue()
    settings = load(environ={})
    for name in (settings.object_model, settings.plate_model, *settings.face_models):
        assert name in models
    for line in models.values():
        assert re.fullmatch(r"[0-9a-f]{64}", line.sha256)
        assert 0 < line.low_threshold <= line.threshold < 1
        assert line.input_size % 32 == 0


def _tracked() -> list[str]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listing.split("\0") if name and (ROOT / name).exists()]


def test_the_repository_holds_no_footage_weights_or_large_files() -> None:
    for name in _tracked():
        assert not re.search(r"\.(mp4|mov|avi|mkv|ts|pt|onnx|bin|tar|zip|lock)$", name), name
        assert (ROOT / name).stat().st_size <= 600 * 1024, name


def test_the_shipped_words_name_no_download_host() -> None:
    hosts = re.compile(
        "|".join(["py" + r"pi\.org", "python" + r"hosted\.org", "registry" + r"\.npmjs", "proxy" + r"\.golang"])
    )
    for name in _tracked():
        if name.endswith(
            (".py", ".md", ".txt", ".in", ".toml", ".json", ".yaml", ".html", ".js", "Makefile", "Dockerfile", "run")
        ):
            assert not hosts.search((ROOT / name).read_text("utf-8", errors="replace")), name


def test_the_architecture_page_names_every_room_and_module() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    for room in ROOMS:
        assert f"{room}/" in page
    for path in modules():
        if path.stem != "__init__" and "migrations" not in path.parts:
            assert re.search(rf"\b{path.stem}\b", page), f"docs/architecture.md does not name {name_of(path)}"


def test_links_between_the_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if not target.startswith(("http:", "https:", "mailto:")):
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_what_needs_a_browser_is_left_out_of_the_suite_without_one() -> None:
    """A browser's event loop stays in its process: other tests could start none of their own."""
    unmarked = [
        p.name for p in (ROOT / "tests/e2e").glob("test_*.py") if "pytestmark = [pytest.mark.e2e" not in p.read_text()
    ]
    assert unmarked == []
