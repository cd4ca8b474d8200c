"""Progress for people: bars on a terminal, plain lines elsewhere, nothing when asked to be quiet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from evidence.ports import Progress


@contextmanager
def counting(what: str, *, quiet: bool = False) -> Iterator[Progress]:
    """A counter of `what` (files, frames); on anything but a terminal, a line at each quarter."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield _Quarters(console, what, quiet)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        bar = bars.add_task(what, total=None)

        def show(done: int, total: int) -> None:
            bars.update(bar, completed=done, total=total or None)

        yield show


class _Quarters:
    def __init__(self, console: Console, what: str, quiet: bool) -> None:
        self._console, self._what, self._quiet, self._told = console, what, quiet, 0

    def __call__(self, done: int, total: int) -> None:
        quarter = 4 * done // total if total else 0
        if quarter > self._told and not self._quiet:
            self._told = quarter
            self._console.print(f"{self._what}: {done} of {total}", highlight=False)
