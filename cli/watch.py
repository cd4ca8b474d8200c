"""`exhibit watch`: a drop folder. Takes each finished file in once, with its sidecars; only reads there."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated

import typer

from cli.client import DEFAULT_SERVER, Server
from cli.exit_codes import ExitCode
from cli.sending import Claims, Fingerprint, Memory, Outcome, Sender, state_folder, write_whole
from cli.sidecars import Group, grouped, is_sidecar, stem_of, told
from cli.upload import (
    Bar,
    CaseOption,
    DeviceOption,
    JsonOption,
    KindOption,
    OfficerOption,
    ServerOption,
    TokenOption,
    bars,
    exit_code,
    say,
)
from evidence.errors import BadInput, Busy, CaseClosed, Unavailable

log = logging.getLogger("exhibit.watch")

_ALONE = 6
"""A sidecar without its recording waits this many times as long: the recording may be on its way."""
_UNFINISHED = frozenset({".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", ".!ut"})
"""What copying programs call a file that isn't whole yet."""


def watch(
    folder: Annotated[Path, typer.Argument(help="The drop folder; folders in it are looked into.")],
    case: CaseOption,
    kind: KindOption,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    device: DeviceOption = "",
    officer: OfficerOption = "",
    settle: Annotated[
        float, typer.Option(min=0.0, max=3600.0, help="Seconds a file must lie unchanged to count as finished.")
    ] = 10.0,
    every: Annotated[float, typer.Option(min=0.1, max=3600.0, help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Take in what is finished, then end.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take in every finished file of a folder, once, until Ctrl-C.

    A file is finished when its size and time of change have stood still for a while. Sidecars named like a recording are
    linked to it. What was taken in is remembered across restarts, also when a file is touched or copied again: the server
    knows its content. Files that are refused are said once, and looked at again when they change. A server that can't be
    reached is waited for.

    Example: exhibit watch /media/dropbox --case 01AB/12345/26 --kind bodyworn

    Exit code: 0 ended by Ctrl-C (with --once: every file is in); 1, 2 or 3 with --once: the first refusal, and 2 while files
    that were refused before lie there; 2 no such folder; 3 another program watches it, or not signed in; 4 with --once: the
    server can't be reached, 130 stopped by Ctrl-C; 143 ended by SIGTERM.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder", hint="Make it, or correct the name.")
    said = Claims(case=case, kind=kind.value, device=device, officer=officer)
    outcomes: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        if once:
            outcomes.append(outcome)
        if as_json:
            typer.echo(json.dumps(outcome.as_json(), ensure_ascii=False))
        else:
            say(outcome)

    with Server(server, token) as there, Taken.of(folder, there.address, said).held() as taken:
        drop = DropFolder(
            folder, said, Sender(there, Memory(), wait_s=600.0), taken, settle_s=settle, tell=tell, quiet=as_json
        )
        try:
            while True:
                waiting = drop.look(patient=not once)
                if once and not waiting:
                    break
                time.sleep(every)
        except KeyboardInterrupt:
            if not once:
                return
            raise
    raise typer.Exit(exit_code(outcomes) or _left_over(drop))


def _left_over(drop: DropFolder) -> ExitCode:
    """Not all is in while a file lies there that was refused in an earlier run; that is said."""
    if not drop.refused:
        return ExitCode.DONE
    names = ", ".join(sorted(path.name for path in drop.refused))
    typer.echo(f"refused before and unchanged: {names}\nTake them out of the folder, or put them right.", err=True)
    return ExitCode.WRONG_USE


@dataclass(slots=True)
class Taken:
    """What was taken from one folder to one case of one server: a small file, held by one program at a time."""

    place: Path
    files: dict[str, dict[str, str | int]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, server: str, said: Claims) -> Taken:
        named = json.dumps([str(folder.resolve()), server, said.case, said.kind])
        return cls(state_folder() / "watch" / f"{hashlib.sha256(named.encode()).hexdigest()[:32]}.json")

    @contextmanager
    def held(self) -> Iterator[Taken]:
        """Read it, and keep other programs off it. Raises: Busy."""
        self.place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.place.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as exc:
                raise Busy("another program watches this folder for the same case", hint="End that one first.") from exc
            if self.place.exists():
                self.files = json.loads(self.place.read_text("utf-8"))
            yield self

    def knows(self, fingerprint: Fingerprint) -> bool:
        known = self.files.get(fingerprint.path)
        return known is not None and (known["size_bytes"], known["changed_ns"]) == (
            fingerprint.size_bytes,
            fingerprint.changed_ns,
        )

    def refused(self, fingerprint: Fingerprint) -> bool:
        return self.files.get(fingerprint.path, {}).get("state") in {"refused", "failed"}

    def exhibit_of(self, path: Path) -> str:
        """What a file that was taken became; empty where it didn't become anything."""
        return str(self.files.get(str(path.resolve()), {}).get("exhibit", ""))

    def add(self, fingerprint: Fingerprint, outcome: Outcome) -> None:
        known = asdict(fingerprint) | {"state": outcome.state, "exhibit": outcome.exhibit, "sha256": outcome.sha256}
        self.files[fingerprint.path] = {key: value for key, value in known.items() if key != "path"}
        write_whole(self.place, json.dumps(self.files, ensure_ascii=False, indent=1))


@dataclass(slots=True)
class DropFolder:
    """Looks at a folder again and again."""

    folder: Path
    said: Claims
    sender: Sender
    taken: Taken
    settle_s: float
    tell: Callable[[Outcome], None]
    quiet: bool = True
    clock: Callable[[], float] = time.monotonic
    refused: set[Path] = field(default_factory=set)
    """What lies there unchanged since it was refused, as of the last look."""
    _seen: dict[str, tuple[Fingerprint, float]] = field(default_factory=dict)
    """Each file as it was seen, and since when it has been like that."""

    def look(self, *, patient: bool) -> bool:
        """Take in what is finished; whether something isn't in yet. A server out of reach is waited for when `patient`.

        Raises: NotSignedIn, NotAllowed, CaseClosed; Unavailable when not patient.
        """
        finished, unfinished = self._sorted()
        if not finished:
            return bool(unfinished)
        try:
            with bars(quiet=self.quiet) as bar:
                for group in grouped(finished):
                    self._take(group, unfinished, bar)
        except Unavailable as error:
            if not patient:
                raise
            log.warning("waiting for the server: %s", error)
            return True
        return bool(unfinished)

    def _sorted(self) -> tuple[list[Path], set[Path]]:
        """New files: those that have stood still long enough, and those that have not."""
        now = self.clock()
        finished: list[Path] = []
        unfinished: set[Path] = set()
        seen: dict[str, tuple[Fingerprint, float]] = {}
        refused: set[Path] = set()
        for path in _files(self.folder):
            try:
                fingerprint = Fingerprint.of(path)
            except BadInput:
                continue  # Gone between two looks.
            if self.taken.knows(fingerprint):
                if self.taken.refused(fingerprint):
                    refused.add(path)
                continue
            known, since = self._seen.get(fingerprint.path, (fingerprint, now))
            if known != fingerprint:
                since = now
            seen[fingerprint.path] = (fingerprint, since)
            patience_s = self.settle_s * (_ALONE if is_sidecar(path) and not _recordings(path) else 1)
            if now - since >= patience_s:
                finished.append(path)
            else:
                unfinished.add(path)
        self._seen, self.refused = seen, refused
        return finished, unfinished

    def _take(self, group: Group, unfinished: set[Path], bar: Bar) -> None:
        exhibit = "" if group.main is None else self._send(group.main, self.said, bar)
        for sidecar in group.sidecars:
            recordings = _recordings(sidecar)
            if unfinished.intersection(recordings):
                unfinished.add(sidecar)  # Its recording is still being written: it waits, to be linked.
                continue
            became = exhibit or next(filter(None, map(self.taken.exhibit_of, recordings)), "")
            belongs_to = became or (recordings[0].name if recordings else "")
            self._send(sidecar, replace(self.said, sidecar_for=belongs_to), bar)

    def _send(self, path: Path, said: Claims, bar: Bar) -> str:
        """The exhibit that the file became. What isn't the file's fault is not remembered as its end."""
        fingerprint = Fingerprint.of(path)
        said = replace(said, folder=told(path.parent.relative_to(self.folder)))
        with bar(path.name) as progress:
            outcome = self.sender.send(path, said, progress)
        if isinstance(outcome.cause, CaseClosed):
            raise outcome.cause
        if outcome.state != "checking":
            self.taken.add(fingerprint, outcome)
            self.tell(outcome)
        return outcome.exhibit


def _files(folder: Path) -> Iterator[Path]:
    """Regular files in and below the folder, in order; no hidden ones, no links, nothing that says it isn't whole."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            if (
                not name.startswith(".")
                and path.suffix.lower() not in _UNFINISHED
                and not path.is_symlink()
                and path.is_file()
            ):
                yield path


def _recordings(sidecar: Path) -> list[Path]:
    """What lies beside a sidecar under the same name."""
    beside = sidecar.parent.iterdir() if sidecar.parent.is_dir() else iter(())
    return sorted(p for p in beside if stem_of(p) == stem_of(sidecar) and not is_sidecar(p) and p.is_file())
