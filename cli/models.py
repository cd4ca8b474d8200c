"""`exhibit models`: the weights that detectors run on, each known by its SHA-256."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from cli.optimise import optimise
from cli.progress import counting
from config.models import ModelFormat, ModelLine, ModelTask, add_line, catalogue
from config.settings import Settings, load
from detectors import choice, weights
from evidence.errors import BadInput, Conflict, WrongWeights
from workers import child, models

app = typer.Typer(no_args_is_help=True, help="The weights that detectors run on.")

app.command()(optimise)

Data = Annotated[Path | None, typer.Option("--data", help="The data folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Say it as JSON.")]
_TIMEOUT_S = 600
_THRESHOLDS = {ModelTask.OBJECTS: (0.35, 0.1), ModelTask.FACES: (0.3, 0.1), ModelTask.PLATES: (0.3, 0.1)}

_SETTING = {ModelTask.OBJECTS: "object_model", ModelTask.FACES: "face_models", ModelTask.PLATES: "plate_model"}


@app.command("list")
def list_models(data: Data = None, as_json: AsJson = False) -> None:
    """Every model of the catalogue: whether its file is here, whether it is the right one, which are used, and in which
    precision, where `exhibit models optimise` measured that on this processor.

    Example: exhibit models list

    Exit code: 0 done; 1 a file here is not the one in the catalogue; 2 the catalogue can't be read.
    """
    settings = load({"data_dir": data})
    used = _used(settings)
    lines = [_state(line, settings, used) for line in catalogue(settings.model_folders).values()]
    if as_json:
        typer.echo(json.dumps(lines, ensure_ascii=False, indent=2))
    else:
        head = ("name", "task", "state", "used", "measured", "SHA-256", "licence")
        table = Table(*(Column(name, no_wrap=name == "state") for name in head))
        for line in lines:
            used_mark, measured = "yes" if line["used"] else "", line["measured"]
            precision = measured["precision"] if measured else ""
            row = (line["name"], line["task"], line["state"], used_mark, precision, line["sha256"][:16], line["licence"])
            table.add_row(*row)
        Console().print(table)
    if any(line["state"] == _WRONG for line in lines):
        raise typer.Exit(1)


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="Ultralytics detection weights (.pt), or YuNet or CenterFace (.onnx).")],
    name: Annotated[str, typer.Option(help="Name in the catalogue; without it: the file's.")] = "",
    task: Annotated[ModelTask | None, typer.Option(help="What it finds; without it: judged by the classes' names.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="CLASS=OURS: our label for one of the model's classes.")] = None,
    source: Annotated[str, typer.Option(help="Where the file comes from.")] = "added by the operator",
    licence: Annotated[str, typer.Option(help="Its licence.")] = "not stated",
    input_size: Annotated[int, typer.Option(help="Longer side of the network's input, pixels.", min=64, max=4096)] = 640,
    threshold: Annotated[float | None, typer.Option(help="Score that starts a track.", min=0.01, max=1)] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Take a model file into the data folder and write its line, with its SHA-256, into DATA/models/models.toml.

    The file is asked what it is, in a process that holds nothing. A name that is shipped with the program is replaced
    by your line.

    Example: exhibit models add plates.pt --name plates-uk --task plates --licence AGPL-3.0

    Exit code: 0 done; 1 the file is no model that can be run here; 2 wrong use; 3 there is such a line already.
    """
    if not file.is_file():
        raise BadInput(f"{file} is not a file", hint="Check the name.")
    settings = load({"data_dir": data})
    line = _described(file, settings, quiet=as_json)
    chosen = task or line.task
    high, low = _THRESHOLDS[chosen]
    line = replace(
        line,
        name=name or file.stem,
        task=chosen,
        source=source,
        licence=licence,
        input_size=input_size,
        threshold=threshold or high,
        low_threshold=min(low, threshold or high),
        labels=_labels(label or []),
    )
    _say(line, _take_in(file, line, settings), as_json)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Name of a file that ultralytics releases, as yolo11n.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Download one of ultralytics' own released models, and write its line into DATA/models/models.toml.

    The only command that downloads weights; workers never do. Needs a way to the internet.

    Example: exhibit models fetch yolo11n

    Exit code: 0 done; 2 no such file is released; 3 there is such a line already; 4 it can't be reached from here.
    """
    from detectors.fetch import fetch as download

    settings = load({"data_dir": data})
    folder = _own_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as scratch:
        file = download(name, Path(scratch))
        line = _described(file, settings, quiet=as_json)
        high, low = _THRESHOLDS[line.task]
        line = replace(line, source="Ultralytics release assets", licence="AGPL-3.0", threshold=high, low_threshold=low)
        _say(line, _take_in(file, line, settings), as_json)


_THERE, _WRONG, _MISSING = "here", "another file", "not here"


def _state(line: ModelLine, settings: Settings, used: frozenset[str]) -> dict[str, Any]:
    path, state = None, _MISSING
    try:
        path = weights.find(line, settings.model_folders)
        state = _THERE if path else _MISSING
    except WrongWeights:
        state = _WRONG
    return {
        "name": line.name,
        "task": line.task.value,
        "format": line.format.value,
        "state": state,
        "used": line.name in used,
        "measured": choice.read(settings.cache_dir / "models", line.sha256),
        "path": path and str(path),
        "sha256": line.sha256,
        "licence": line.licence,
        "source": line.source,
    }


def _used(settings: Settings) -> frozenset[str]:
    names = set()
    for task in ModelTask:
        try:
            found = models.available(settings, task)
        except (BadInput, WrongWeights):
            continue
        names.add(found.name)
    return frozenset(names)


def _described(file: Path, settings: Settings, *, quiet: bool) -> ModelLine:
    """A line with what the file itself says. Raises: WrongWeights."""
    sha256 = weights.sha256_of(file)
    with tempfile.TemporaryDirectory() as out, counting("reading the model", quiet=quiet) as progress:
        limits = child.Limits(memory_bytes=settings.child_memory_bytes, timeout_s=_TIMEOUT_S)
        told = child.run(child.Job("describe", {"weights": file}, Path(out)), limits, progress)
    return ModelLine(
        name=file.stem,
        task=ModelTask(told["task"]),
        format=ModelFormat(told["format"]),
        file=file.name,
        sha256=sha256,
        source="",
        licence="",
        input_size=640 if told["format"] == ModelFormat.ULTRALYTICS.value else 960,
        threshold=0.0,
        low_threshold=0.0,
        labels={},
    )


def _take_in(file: Path, line: ModelLine, settings: Settings) -> Path:
    """Put the file into the data folder's models, then write the line."""
    folder = _own_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / line.file
    if place.exists() and weights.sha256_of(place) != line.sha256:
        raise Conflict(f"{place} is there already and is another file", hint="Rename your file, or take the old one out.")
    fresh = not place.exists()
    if fresh:
        with tempfile.TemporaryDirectory(prefix=".adding-", dir=folder) as scratch:
            copy = Path(scratch) / line.file
            shutil.copyfile(file, copy)
            weights.check(copy, line.sha256)
            copy.rename(place)
    try:
        return add_line(folder, line)
    except Conflict:
        if fresh:
            place.unlink()
        raise


def _own_folder(settings: Settings) -> Path:
    return settings.model_folders[-1]


def _labels(pairs: list[str]) -> dict[str, str]:
    labels = {}
    for pair in pairs:
        theirs, equals, ours = pair.partition("=")
        if not (theirs and equals and ours):
            raise BadInput(f"--label {pair} is not of the form CLASS=OURS", hint="For example: --label pedestrian=person")
        labels[theirs] = ours
    return labels


def _say(line: ModelLine, place: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"name": line.name, "task": line.task.value, "sha256": line.sha256, "catalogue": str(place)}))
    else:
        Console(soft_wrap=True, highlight=False, markup=False).print(
            f"{line.name}: finds {line.task.value}, SHA-256 {line.sha256}. Its line is in {place}.\n"
            f"To use it, name it in the setting {_SETTING[line.task]}."
        )
