"""What REDACT and SINGLE_PASS share: how a frame's masks are painted, and what is said about the copy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from evidence.errors import IntegrityError
from evidence.redaction import BoxXYXY, Redaction, Style
from evidence.wire import redaction_to_json
from media.encode import Encoding
from media.frames import Frame, Picture
from media.paint import cover
from media.render import Written
from media.smart_plan import Copied
from workers.tasks.analysis import Analysis


class Brush:
    """Paints masks, and counts them."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self.masks = self.frames_masked = 0

    def paint(self, boxes: Sequence[BoxXYXY], frame: Frame, picture: Picture) -> None:
        """Raises: IntegrityError for a mask that can't be painted."""
        try:
            painted = cover(picture, boxes, frame.orientation, self._style)
        except ValueError as exc:
            raise IntegrityError(f"a mask at {frame.moment.label()} can't be painted: {exc}") from exc
        self.masks += painted
        self.frames_masked += painted > 0


def encoding(params: Mapping[str, Any]) -> Encoding:
    default = Encoding()
    return Encoding(crf=int(params.get("crf", default.crf)), preset=str(params.get("preset", default.preset)))


def title(params: Mapping[str, Any]) -> str:
    words = ("DRAFT, not approved for release" if params.get("draft") else "", str(params.get("reference", "")))
    return " ".join(filter(None, words))


def report(
    params: Mapping[str, Any], redaction: Redaction, analysis: Analysis, brush: Brush, written: Written, copied: Copied
) -> dict[str, Any]:
    """What both say of a copy."""
    hidden = Counter(track.label for track in analysis.tracks if redaction.hides(track))
    written.video.append(copied.in_words())
    told = written.to_json()
    return {
        "draft": bool(params.get("draft", False)),
        "reference": str(params.get("reference", "")),
        "redaction": redaction_to_json(redaction),
        "frames_in": analysis.frame_count,
        "frames_out": told.pop("frames"),
        "frames_masked": brush.frames_masked,
        "masks": brush.masks,
        "tracks_hidden": dict(sorted(hidden.items())),
        "looked_for": list(analysis.looked_for),
        "not_looked_for": [dict(line) for line in analysis.not_looked_for],
        "models": [dict(model) for model in analysis.models],
        **told,
        "copied": copied.to_json(),
    }
