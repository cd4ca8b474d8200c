"""The steps of one exhibit while they run: rich bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

StepJson = Mapping[str, Any]
"""A step as GET /exhibits/{id} gives it."""
Show = Callable[[Sequence[StepJson]], None]

_ENDED = {"done", "failed", "cancelled", "quarantined"}
_COLOURS = {"done": "green", "running": "cyan", "failed": "red", "quarantined": "red", "cancelled": "yellow"}


def step_name(step: StepJson) -> str:
    return f"{step['step']} {step['segment']}" if step["step"] == "detect" else str(step["step"])


def seconds_of(step: StepJson) -> float | None:
    """How long it ran, when it has ended."""
    if not step["started_at"] or not step["finished_at"]:
        return None
    return (datetime.fromisoformat(step["finished_at"]) - datetime.fromisoformat(step["started_at"])).total_seconds()


@contextmanager
def live_steps(console: Console) -> Iterator[Show]:
    """A function that shows the steps as they stand; call it as often as you like."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[frames]}", justify="right"),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield _Bars(bars)


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, steps: Sequence[StepJson]) -> None:
        for step in steps:
            name, state = step_name(step), step["state"]
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, start=False, total=None, frames="", state="")
            task = self._tasks[name]
            if state == "running" and not step["frames_done"]:
                self._bars.start_task(task)
            done, total = step["frames_done"], step["frames_total"]
            if state in _ENDED:
                total = total or 1
                done = total if state == "done" else done
                self._bars.start_task(task)
                self._bars.stop_task(task)
            colour = _COLOURS.get(state, "dim")
            frames = f"{done}/{total}" if step["frames_total"] else ""
            self._bars.update(task, completed=done, total=total or None, frames=frames, state=f"[{colour}]{state}[/]")


class _Lines:
    """One line when a step's state changes, and one at each quarter of its frames."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[str, tuple[str, int]] = {}

    def __call__(self, steps: Sequence[StepJson]) -> None:
        for step in steps:
            name, state = step_name(step), step["state"]
            total = step["frames_total"]
            quarter = 4 * step["frames_done"] // total if total and state == "running" else 0
            if state == "waiting" or self._told.get(name) == (state, quarter):
                continue
            self._told[name] = (state, quarter)
            frames = f" {step['frames_done']}/{total}" if quarter else ""
            took = seconds_of(step)
            time = f" in {took:.1f} s" if took is not None and state in _ENDED else ""
            words = f": {step['error'] or step['note']}" if state in _ENDED and (step["error"] or step["note"]) else ""
            self._console.print(f"  {name:<10} {state}{frames}{time}{words}", highlight=False, markup=False, soft_wrap=True)
