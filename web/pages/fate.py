"""What became of an upload, in words that tell an officer whether the card may be wiped."""

from __future__ import annotations

from dataclasses import dataclass

from evidence.case import Act
from evidence.errors import NotFound
from evidence.exhibit import Exhibit, ExhibitId
from storage.ledger.people import SignedIn
from storage.ledger.uploads import Upload, UploadState
from web import actions
from web.context import Context
from web.pages.cards import exhibit_path
from web.pages.rendering import moment, sentence
from web.permission import acts_on_exhibit


@dataclass(frozen=True, slots=True)
class Fate:
    """`state` is one of: sending checking secured stored duplicate refused failed; the last five are final."""

    state: str
    title: str
    text: str
    exhibit: str = ""
    """The path of the exhibit's page, for who may see it."""

    @property
    def final(self) -> bool:
        return self.state not in {"sending", "checking"}


def fate(context: Context, who: SignedIn, upload: Upload) -> Fate:
    """*Safe to wipe the card* only when the original was read back, locked, and the lock read back."""
    if upload.state is UploadState.RECEIVING:
        return Fate("sending", "Not finished.", "Choose the same file again to go on where it stopped.")
    if upload.state is UploadState.CHECKING:
        return Fate("checking", "Received. Being checked.", "Keep the card until this says that the original is secured.")
    if upload.state is UploadState.REFUSED:
        return Fate("refused", sentence(upload.error) or "Refused.", f"{upload.hint} Nothing of it was kept.".strip())
    if upload.state is not UploadState.DONE:
        gone = {
            UploadState.EXPIRED: "It was not finished in time, and its parts were removed. Upload it again.",
            UploadState.DELETED: "It was cancelled, and its parts were removed.",
        }.get(upload.state, upload.hint)
        return Fate("failed", sentence(upload.error) or "Not kept.", gone)
    exhibit = _exhibit(context, upload)
    if exhibit is None:
        return Fate("failed", "The record of this file can’t be found.", "Keep the card and tell the administrator.")
    if upload.duplicate_of:
        return _duplicate(exhibit, _path(context, who, exhibit))
    where = f"It is {exhibit.reference}" + (
        f" of {exhibit.claimed_case}." if exhibit.case_id else ", in the unfiled tray: its case is not known here."
    )
    path = _path(context, who, exhibit)
    if exhibit.secured_at:
        read_back = f"Read back, locked and recorded {moment(exhibit.secured_at, seconds=True)}."
        return Fate("secured", "Secured.", f"{read_back} {where} It is safe to wipe the card.", path)
    text = f"Read back and recorded. {where} This installation can’t lock files: keep the card until you are told otherwise."
    return Fate("stored", "Stored, not locked.", text, path)


def _duplicate(exhibit: Exhibit, path: str) -> Fate:
    kept = (
        "the copy kept there is secured: it is safe to wipe the card."
        if exhibit.secured_at
        else ("the copy kept there is stored, not locked: keep the card until you are told otherwise.")
    )
    where = f"as {exhibit.reference}" if path else "already"
    text = f"The same file, to the byte, is kept {where}. This second copy was dropped; {kept}"
    return Fate("duplicate", "Already there.", text, path)


def _exhibit(context: Context, upload: Upload) -> Exhibit | None:
    made = actions.exhibit_made_of(upload)
    try:
        return context.index.exhibit(ExhibitId(made)) if made else None
    except NotFound:
        return None


def _path(context: Context, who: SignedIn, exhibit: Exhibit) -> str:
    """Of its page, when this person may open it (a duplicate may be somebody else's)."""
    return exhibit_path(exhibit.id) if Act.SEE_EXHIBIT in acts_on_exhibit(context, who, exhibit) else ""
