"""Every command explains itself: a sentence, an example, its exit codes; and asking for help is quick."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from typer.core import TyperGroup

from cli.main import COMMANDS, app, load, run


def leaves() -> Iterator[tuple[str, object]]:
    """Every command that can be run, groups opened up, by the words one types."""

    def walk(words: str, command: object) -> Iterator[tuple[str, object]]:
        if isinstance(command, TyperGroup):
            for name, inner in command.commands.items():
                yield from walk(f"{words} {name}", inner)
        else:
            yield words, command

    for line in COMMANDS:
        yield from walk(line.name, load(line))


LEAVES = dict(leaves())


def test_the_commands_of_the_program_are_there() -> None:
    wanted = (
        "up,serve,worker,migrate,user add,user list,user disable,user enable,user password,"
        "token create,token list,token revoke,case create,case close,"
        "case urgent,case member add,case member remove,upload,watch,steps list,steps retry,steps cancel,analyse,redact,"
        "export,verify,models list,models add,models fetch,doctor,demo"
    )
    assert set(wanted.split(",")) <= set(LEAVES)


@pytest.mark.parametrize("words", LEAVES)
def test_a_command_has_help_an_example_and_its_exit_codes(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        app(args=[*words.split(), "--help"], prog_name="exhibit")
    text = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    assert re.search(rf"Example: exhibit {words}\b", text), text
    assert re.search(r"Exit code: 0 ", text), text


@pytest.mark.parametrize(
    "words", [w for w in LEAVES if w.split()[-1] in {"list", "create", "add", "doctor", "export", "verify"}]
)
def test_what_lists_or_makes_something_can_say_it_as_json(words: str) -> None:
    options = {option for param in LEAVES[words].params for option in param.opts}  # type: ignore[attr-defined]
    assert "--json" in options


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: line.name)
def test_the_table_says_what_the_command_says(line: object) -> None:
    from cli.main import Command

    assert isinstance(line, Command)
    first = (load(line).help or "").strip().partition("\n")[0]
    assert first.split(". ")[0].rstrip(".") == line.summary.rstrip(".")


def test_the_first_page_loads_no_engine() -> None:
    loaded = "import sys, cli.main\ntry: cli.main.run(['--help'])\nexcept SystemExit: print('LOADED', *sys.modules)"
    page = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout
    modules = set(page.partition("LOADED")[2].split())
    assert not modules & {"torch", "openvino", "av", "cv2", "ultralytics", "sqlalchemy", "fastapi", "minio", "rq", "httpx"}
    assert all(f" {line.name} " in page for line in COMMANDS)


def test_what_goes_wrong_is_a_sentence_and_a_hint_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["verify"])
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert told.splitlines() == ["give either a case file or --log", "exhibit verify DIR, or: exhibit verify --log"]
    with pytest.raises(SystemExit) as ended:
        run(["verify", "/nowhere/at/all"])
    assert ended.value.code == 3
    assert "Traceback" not in capsys.readouterr().err


def test_an_unknown_command_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["nonsense"])
    assert ended.value.code == 2
    assert "nonsense" in capsys.readouterr().err
