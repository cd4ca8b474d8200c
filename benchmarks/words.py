"""How figures are written in a report: shares with their intervals, tables, verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evidence.figures import wilson


def share(hits: int, total: int) -> str:
    """`3 (0.6 %; 0.2–1.9)`: how many, their share and its interval."""
    if not total:
        return "none judged"
    low, high = wilson(hits, total)
    return f"{hits} ({percent(hits / total)} %; {percent(low)}–{percent(high)})"


def percent(value: float) -> str:
    return f"{100 * value:.2f}" if 0 < value < 0.001 else f"{100 * value:.1f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def verdict(reached: bool) -> str:
    return "reached" if reached else "**not reached**"
