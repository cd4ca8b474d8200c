"""The `exhibit` program: every command, loaded only when it is called.

A command is one line in `COMMANDS`: its name, where its function (or typer app) is, and what it does in a sentence.
`exhibit --help` reads the table and imports none of them.
"""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
import typer.main
from rich.console import Console
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from cli.exit_codes import ExitCode, code_of
from evidence.errors import ExhibitError

if TYPE_CHECKING:
    from typer._click import Command as ClickCommand
    from typer._click import Context, HelpFormatter


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    place: str
    """`module:attribute`: a function with typer annotations, or a `typer.Typer` for a group."""
    summary: str
    panel: str


_MACHINE = "This machine"
_PEOPLE = "People and cases"
_IN = "Evidence in"
_OUT = "Evidence out"
_ALONE = "One file, without servers"

COMMANDS = (
    Command("up", "cli.up:up", "Run everything on this machine until Ctrl-C.", _MACHINE),
    Command("demo", "cli.demo:demo", "Show the whole way of a clip, on real parts in a folder of its own.", _MACHINE),
    Command("doctor", "cli.doctor:doctor", "Look at every part and say what is missing and what to do.", _MACHINE),
    Command("serve", "cli.serve:serve", "Run the web server.", _MACHINE),
    Command(
        "worker",
        "cli.work:worker",
        "Run workers until Ctrl-C or SIGTERM, which hand running steps back to the others at once.",
        _MACHINE,
    ),
    Command("migrate", "cli.serve:migrate", "Bring the database and the store to this program's version.", _MACHINE),
    Command("models", "cli.models:app", "The weights that detectors run on.", _MACHINE),
    Command("user", "cli.people:user", "The people who may sign in.", _PEOPLE),
    Command("token", "cli.people:token", "API tokens.", _PEOPLE),
    Command("case", "cli.people:case", "Cases and their members.", _PEOPLE),
    Command(
        "upload", "cli.upload:upload", "Send files to a case; cut off, run it again and it goes on where it stopped.", _IN
    ),
    Command("watch", "cli.watch:watch", "Take in every finished file of a folder, once, until Ctrl-C.", _IN),
    Command("steps", "cli.work:steps", "What the workers do: list, retry, cancel.", _IN),
    Command("export", "cli.export:export", "Write a case as a folder that can be checked without this program.", _OUT),
    Command("verify", "cli.verify:verify", "Check a case file, or this installation's custody log.", _OUT),
    Command(
        "analyse", "cli.analyse:analyse", "Find people, vehicles, faces and plates in one video, without any server.", _ALONE
    ),
    Command("redact", "cli.redact:redact", "Hide faces, plates or people in one video, without any server.", _ALONE),
    Command(
        "telemetry",
        "cli.telemetry:telemetry",
        "Read where a drone, camera or receiver was from one file, without any server.",
        _ALONE,
    ),
    Command(
        "quality", "cli.quality:quality", "Measure on your own labelled clips what is left open and what is found.", _ALONE
    ),
)


class Commands(TyperGroup):
    """The table as a command group that imports a command when it is asked for by name."""

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - the library's signature
        return [command.name for command in COMMANDS]

    def get_command(self, ctx: Context, cmd_name: str) -> ClickCommand | None:  # noqa: ARG002
        found = next((command for command in COMMANDS if command.name == cmd_name), None)
        return None if found is None else load(found)

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        """The same page, from the table alone."""
        listing = TyperGroup(name=self.name, help=self.help, epilog=self.epilog, params=self.params)
        for command in COMMANDS:
            listing.add_command(TyperCommand(command.name, help=command.summary, rich_help_panel=command.panel))
        listing.format_help(ctx, formatter)


def load(command: Command) -> ClickCommand:
    """Import a command and make it ready to run under its name."""
    module, attribute = command.place.split(":")
    found = getattr(importlib.import_module(module), attribute)
    if isinstance(found, typer.Typer):
        # Not get_command: it would make a group of one (`token create`) that command itself.
        ready: ClickCommand = typer.main.get_group(found)
    else:
        single = typer.Typer(add_completion=False)
        single.command(command.name)(found)
        ready = typer.main.get_command(single)
    ready.name = command.name
    return ready


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done · 1 failed, or a check found something wrong · 2 wrong use or input · 3 refused: not "
    "allowed, not found, in conflict · 4 a part is down, try again later · 130 stopped by Ctrl-C.",
)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"exhibit {version('exhibit')}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say the version and end.")
    ] = False,
) -> None:
    """Drone and body-worn video as evidence: locked originals, found and hidden by headless workers, filed with its case."""


def run(arguments: list[str] | None = None) -> None:
    """The console script. What can go wrong is one sentence and one hint on standard error, and the exit code."""
    try:
        app(args=arguments, prog_name="exhibit")
    except ExhibitError as error:
        complain(error)
        sys.exit(code_of(error))
    except BrokenPipeError:
        _leave_unread()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # rich and typer make 1 of it
            _leave_unread()
        raise


def _leave_unread() -> NoReturn:
    """The reader (`| head`) has gone: nothing more can be said to it, and nothing is wrong."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(ExitCode.UNREAD)


def complain(error: ExhibitError) -> None:
    """Say what happened, in red, and what to do about it."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(Text(str(error), style="bold red"))
    if error.hint:
        console.print(Text(error.hint))


if __name__ == "__main__":
    run()
