"""What `exhibit redact` is asked to hide: kinds of things, tracks of an earlier analysis, drawn regions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.errors import BadInput, NoDetector
from evidence.redaction import DRAFT_REASON, LABELS_OF, AudioPolicy, Hide, Redaction, Region, Style, read_region
from workers.alone import TASK_OF, TRACKS, Bench

NOTHING = "nothing"
_ANALYSE = "Run exhibit analyse on this file, and name the folder that it wrote."


@dataclass(frozen=True, slots=True)
class Choice:
    """As it was typed; checked against itself only."""

    what: frozenset[Hide] | None
    """None: nothing was said about it."""
    keep: frozenset[int]
    only: frozenset[int]
    regions: tuple[Region, ...]
    reason: str

    @classmethod
    def read(
        cls, what: str, keep: Sequence[int], only: Sequence[int], regions: Sequence[str], reason: str, tracks: Path | None
    ) -> Choice:
        """Raises: BadInput for what contradicts itself or can't be understood."""
        drawn = tuple(read_region(text, reason or "drawn by hand") for text in regions)
        choice = cls(_kinds(what), frozenset(keep), frozenset(only), drawn, reason)
        if keep and only:
            raise BadInput(
                "--keep-track and --only-track can't go together", hint="Name what stays open, or what is hidden."
            )
        if (keep or only) and tracks is None:
            raise BadInput(
                "a track's number means nothing without its analysis",
                hint="Run exhibit analyse FILE --out FOLDER, choose from its list, and add --tracks FOLDER.",
            )
        if choice.what == frozenset() and not (drawn or only):
            raise BadInput(f"--what {NOTHING}, and no --region: nothing would be hidden", hint="Draw a --region.")
        return choice

    def redaction(self, work: Bench, found: Found | None, style: Style, audio: AudioPolicy) -> Redaction:
        """Raises: BadInput for a track that isn't there; NoDetector for what was not looked for."""
        what = self.what
        if what is None:
            what = frozenset() if self.only else _of_itself(work, found)
        redaction = Redaction(
            what=what,
            style=style,
            audio=audio,
            regions=self.regions,
            keep_tracks=self.keep,
            only_tracks=self.only,
            analysis=found.sha256 if found else "",
            reason=self.reason or DRAFT_REASON,
        )
        if found:
            redaction.check_tracks(found.ids)
            missing = sorted(hide.value for hide in what if not LABELS_OF[hide] <= found.looked_for)
            if missing:
                raise NoDetector(f"that analysis did not look for: {', '.join(missing)}", hint=_ANALYSE)
        return redaction


@dataclass(frozen=True, slots=True)
class Found:
    """An earlier analysis of the same file; a copy of its tracks.json, which nobody changes while it is used."""

    path: Path
    sha256: str
    ids: frozenset[int]
    looked_for: frozenset[str]

    @classmethod
    def read(cls, folder: Path, original_sha256: str, scratch: Path) -> Found:
        """Raises: BadInput for a folder without an analysis, with that of another file, or one that passed over frames."""
        place = folder / TRACKS
        try:
            content = place.read_bytes()
            value = json.loads(content)
            of, _ = str(value["original_sha256"]), value["frame_pts"][0]
            ids, looked_for = frozenset(track["id"] for track in value["tracks"]), frozenset(value["looked_for"])
            looks = value.get("looks_per_second")
        except OSError as exc:
            raise BadInput(f"{place} can't be read: {exc.strerror}", hint=_ANALYSE) from exc
        except (ValueError, KeyError, TypeError, IndexError) as exc:
            raise BadInput(f"{place} is no analysis that can be used", hint=_ANALYSE) from exc
        if of != original_sha256:
            raise BadInput(f"{place} is about another file", hint=f"{_ANALYSE} It is bound to the file's SHA-256.")
        if looks:
            raise BadInput(
                f"{place} comes from {looks:g} looks a second: what showed between them would be left open",
                hint="Run exhibit analyse FILE --out FOLDER without --looks-per-second, and name that folder.",
            )
        kept = scratch / TRACKS
        kept.write_bytes(content)
        return cls(kept, hashlib.sha256(content).hexdigest(), ids, looked_for)


def _kinds(what: str) -> frozenset[Hide] | None:
    names = [name.strip() for name in what.split(",") if name.strip()]
    if names == [NOTHING]:
        return frozenset()
    known = [hide.value for hide in Hide]
    for name in names:
        if name not in known:
            raise BadInput(f"--what {name}: no such kind of thing", hint=f"Choose from {', '.join(known)}.")
    return frozenset(Hide(name) for name in names) or None


def _of_itself(work: Bench, found: Found | None) -> frozenset[Hide]:
    plates = LABELS_OF[Hide.PLATES] <= found.looked_for if found else work.can_look_for(TASK_OF[Hide.PLATES])
    return frozenset({Hide.FACES, *([Hide.PLATES] if plates else [])})
