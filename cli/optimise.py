"""`exhibit models optimise`: the precision in which each model runs best on this processor, measured and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.labelled import beside
from cli.progress import counting
from config.models import ModelFormat, ModelLine, catalogue
from config.settings import Settings, load
from detectors import weights
from detectors.choice import Choice, check_installed
from detectors.device import has_gpu
from evidence.errors import NoDetector
from evidence.redaction import Hide
from workers.models import in_use
from workers.optimised import BROUGHT, Frames
from workers.optimised import optimise as measured


def optimise(
    names: Annotated[list[str] | None, typer.Argument(help="Catalogue names; without any: every model in use.")] = None,
    frames: Annotated[
        Path | None,
        typer.Option(help="Folder of pictures and videos like those at work, in no scored set.", file_okay=False),
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The data folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
) -> None:
    """Measure in which precision models run best on this processor, and let them run so from now on.

    Each is calibrated in eight bits (int8) on pictures that nobody labelled, and looks in turns with its float forms: int8
    is kept only where it is faster and loses at most 0.01 of mAP50-95 against float. What is found is judged on other
    pictures than those it was calibrated on: labelled clips in the folder (clip.mp4 with clip.mot.txt, as exhibit quality
    reads them) by their labels, else a third of the pictures by what the float network sees. Without --frames, crops of
    the two photographs that ultralytics brings are used: enough for the times, little for what is found.

    Needs the package NNCF, which is not installed by default: requirements/optimise.txt.

    Example: exhibit models optimise --frames body-worn/

    Exit code: 0 measured, whatever was chosen; 1 a model can't be measured; 2 wrong use, too few pictures, or a model that
    isn't here; 4 NNCF is not installed.
    """
    check_installed()
    settings = load({"data_dir": data})
    given = _given(frames)
    if not as_json:
        _say(f"pictures: {frames if frames else BROUGHT}")
    choices = []
    for line, path in _asked(names or [], settings, quiet=as_json):
        with counting(line.name, quiet=as_json) as progress:
            choices.append(measured(line, path, given, settings, progress))
        if not as_json:
            _say(_in_words(choices[-1]))
    if as_json:
        typer.echo(json.dumps(choices, ensure_ascii=False, indent=2))


def _given(folder: Path | None) -> Frames | None:
    if folder is None:
        return None
    labelled, _ = beside(folder, Hide.FACES)
    return Frames(folder.absolute(), [(clip.video, clip.truth_file, clip.kind) for clip in labelled])


def _asked(names: list[str], settings: Settings, *, quiet: bool) -> list[tuple[ModelLine, Path]]:
    """Raises: NoDetector for a model that isn't here; WrongWeights."""
    if not names:
        found = in_use(settings)
        on_gpu = [line.name for line, _ in found if has_gpu() and line.format is ModelFormat.ULTRALYTICS]
        if on_gpu and not quiet:
            _say(f"left out, as they run on the GPU here: {', '.join(on_gpu)}")
        return [one for one in found if one[0].name not in on_gpu]
    lines = catalogue(settings.model_folders)
    asked = []
    for name in names:
        path = weights.find(lines[name], settings.model_folders) if name in lines else None
        if path is None:
            raise NoDetector(f"the model {name!r} is not here", hint="See: exhibit models list")
        asked.append((lines[name], path))
    return asked


def _in_words(choice: Choice) -> str:
    accuracy, frames = choice["accuracy"], choice["frames"]
    times = ", ".join(f"{name} {of['median']} ({of['min']} to {of['max']})" for name, of in choice["look_ms"].items())
    lost = "what int8 loses can't be told" if accuracy["lost"] is None else f"int8 loses {accuracy['lost']:.4f} of mAP50-95"
    unread = f"; could not be read: {', '.join(frames['unread'])}" if frames["unread"] else ""
    return (
        f"{choice['model']} runs in {choice['precision']}: {choice['why']}.\n"
        f"  Processor time of a look at {' × '.join(map(str, choice['input_wh']))}, ms (least to most): {times}.\n"
        f"  By {accuracy['boxes']} boxes in {accuracy['pictures']} pictures ({accuracy['against']}), {lost}; "
        f"calibrated on {frames['calibrated_on']} others{unread}."
    )


def _say(words: str) -> None:
    Console(soft_wrap=True, highlight=False, markup=False).print(words)
