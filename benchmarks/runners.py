"""Which commands are measured: exhibit's own, with what this version of them can do, and the controls."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from benchmarks.contest import Runner
from cli.main import COMMANDS, load
from evidence.redaction import Hide

_FACES, _OBJECTS = "yolo11n-face.pt", "yolo11n.pt"
_SLOW, _SLOWEST = Fraction(1, 4), Fraction(1, 16)
"""What the controls that take longest get of the length: a second of full HD takes deface twenty."""
_BINS = Path(sys.executable).parent
_FINDINGS_OPEN = 3
"""`exhibit redact` ends with this when the copy is there and its second look found something: a result, not a failure."""


def redact_options() -> frozenset[str]:
    """What `exhibit redact` of this version can be told."""
    command = load(next(line for line in COMMANDS if line.name == "redact"))
    return frozenset(option for param in command.params for option in (*param.opts, *param.secondary_opts))


def on_any_clip(models: Path | None) -> list[Runner]:
    """Controls whose weights aren't there, and what this version can't do, are left out, and the page says so."""
    options = redact_options()
    second_look = "--no-second-look" in options
    alone = ("--no-second-look",) if second_look else ()
    found = [_plain(), _redact("redact", *alone)]
    if second_look:
        found.append(_redact("second look"))
    if "heads" in {hide.value for hide in Hide}:
        found.append(_redact("heads", *alone, what="heads"))
    faces, objects = (models / name if models else None for name in (_FACES, _OBJECTS))
    if faces and faces.is_file():
        found.append(_control("naive", f"CLIP OUT {_FACES}", lambda c, o: [str(c), str(o / "x.mp4"), str(faces)], _SLOW))
    shown = "deface --output OUT CLIP"
    found.append(_control("deface_control", "", lambda c, o: [str(c), str(o / "x.mp4")], _SLOWEST, "deface", shown))
    found.append(
        Runner(
            "analyse",
            "exhibit analyse CLIP --out OUT",
            lambda clip, out: [str(_BINS / "exhibit"), "analyse", str(clip), "--out", str(out), "--json"],
            Fraction(1, 2),
        )
    )
    if objects and objects.is_file():
        found.append(_control("predict", f"CLIP {_OBJECTS}", lambda c, _: [str(c), str(objects)], _SLOW))
    return found


def on_few_faces() -> list[Runner]:
    """Where faces are in a fifth of the groups: nothing to measure where everything is encoded anyway."""
    options = redact_options()
    if "--no-smart" not in options:
        return []
    alone = ("--no-second-look",) if "--no-second-look" in options else ()
    return [_plain(), _redact("redact", *alone), _redact("no smart", "--no-smart", *alone)]


def redact_words(clip: Path, out: Path) -> list[str]:
    """The command of the row `redact`."""
    alone = ("--no-second-look",) if "--no-second-look" in redact_options() else ()
    return _redact("redact", *alone).command(clip, out)


def plain_words(clip: Path, out: Path) -> list[str]:
    return _plain().command(clip, out)


def _plain() -> Runner:
    return _control("plain", "CLIP OUT", lambda c, o: [str(c), str(o / "x.mp4")])


def _redact(name: str, *more: str, what: str = "faces") -> Runner:
    words = ["--what", what, *more]
    return Runner(
        name,
        f"exhibit redact CLIP -o OUT {' '.join(words)}",
        lambda clip, out: [str(_BINS / "exhibit"), "redact", str(clip), "-o", str(out / "x.mp4"), *words, "--json"],
        fine=(0, _FINDINGS_OPEN),
    )


def _control(
    module: str,
    shown: str,
    words: Callable[[Path, Path], list[str]],
    share: Fraction = Fraction(1),
    name: str = "",
    command: str = "",
) -> Runner:
    return Runner(
        name or module,
        command or f"python -m benchmarks.{module} {shown}",
        lambda clip, out: [sys.executable, "-m", f"benchmarks.{module}", *words(clip, out)],
        share,
    )
