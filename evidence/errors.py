"""Everything that can go wrong, drawn at one glance.

    ExhibitError                 what happened, .hint: what to do, .transient: can trying again help?
    ├── NotAllowed               the person may not do this
    │   ├── NotSignedIn          nobody is there, or the session is over
    │   └── PasswordMustChange   the first password has to go before anything else
    ├── NotFound                 no such thing, or not for this person's eyes
    │   └── Gone                 it was here once: refused, expired, deleted
    ├── Conflict                 it clashes with what is there already
    │   ├── Busy                 somebody else is at it right now
    │   │   └── TooManyTries     too many wrong passwords for that name
    │   └── CaseClosed
    ├── BadInput                 what came in is wrong
    │   ├── UnsupportedMedia     not a kind of file that is evidence here
    │   ├── CorruptMedia         evidence, but it can't be read (any further)
    │   ├── TooLarge
    │   └── NoDetector           nothing here can look for that
    ├── IntegrityError           bytes or history are not what was recorded
    │   ├── DigestMismatch
    │   ├── ChainBroken
    │   └── WrongWeights         a model file that is not the one in the catalogue
    ├── Cancelled                a person asked for it to stop
    ├── Fenced                   another worker has taken this step over
    ├── StepFailed               a media child ended without a result
    └── Unavailable              a part is down; trying again can help
        ├── StoreDown
        │   └── StoreUnfaithful  it answers, but not with what it was given
        ├── DatabaseDown
        ├── WrongSchema          the database is not at this program's version (trying again can't help)
        └── NoSpace

Adapters translate their library's exceptions at their own border, `raise … from exc`.
"""

from __future__ import annotations


class ExhibitError(Exception):
    """The root. `str(error)` says what happened; `hint` what to do about it."""

    hint: str = ""
    transient: bool = False
    log_tail: str = ""
    """The last lines that a media child wrote, when it ended with this."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class NotAllowed(ExhibitError):
    hint = "Ask a supervisor of the case, or sign in as somebody who may."


class NotSignedIn(NotAllowed):
    hint = "Sign in, or send a valid token: Authorization: Bearer TOKEN."


class PasswordMustChange(NotAllowed):
    hint = "Choose a new password first: on the page, or PUT /api/v1/me/password."


class NotFound(ExhibitError):
    hint = "Check the reference. If it is right, you may not be a member of that case."


class Gone(NotFound):
    hint = "Read why, then send it again if it is still wanted."


class Conflict(ExhibitError):
    hint = "Look at what is there already, then decide."


class Busy(Conflict):
    hint = "Wait a moment, then try again."
    transient = True


class TooManyTries(Busy):
    hint = "Wait 15 minutes, then try again, or ask an administrator: exhibit user password NAME."


class CaseClosed(Conflict):
    hint = "Ask a supervisor to open the case again, or choose another case."


class BadInput(ExhibitError):
    hint = "Correct the input and send it again."


class UnsupportedMedia(BadInput):
    hint = "Send video, audio, stills, or a telemetry or subtitle file that belongs to one."


class CorruptMedia(BadInput):
    hint = "The file is kept as it is. If a better copy exists (the card, the phone), upload that as well."


class TooLarge(BadInput):
    hint = "Ask the administrator about the upload limit."


class NoDetector(BadInput):
    hint = "Add a model for it: exhibit models list, then exhibit models add FILE."


class IntegrityError(ExhibitError):
    hint = "Stop using this copy and tell the administrator: it is not what was recorded."


class DigestMismatch(IntegrityError):
    hint = "Nothing was kept. Check the source medium and send the file again."


class ChainBroken(IntegrityError):
    hint = "Keep the database as it is, and compare it with the last backup and the exported logs."


class WrongWeights(IntegrityError):
    hint = "Use the file that the catalogue names, or add this one: exhibit models add FILE."


class Cancelled(ExhibitError):
    hint = "Start it again with retry if it was stopped by mistake."


class Fenced(ExhibitError):
    hint = "Nothing to do: the worker that took over carries on."


class StepFailed(ExhibitError):
    hint = "Read the last log lines of the step, then retry it."

    def __init__(self, message: str, *, hint: str | None = None, log_tail: str = "", killed: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.log_tail = log_tail
        self.killed = killed


class Unavailable(ExhibitError):
    hint = "Try again in a minute; exhibit doctor shows which part is missing."
    transient = True


class StoreDown(Unavailable):
    pass


class StoreUnfaithful(StoreDown):
    hint = "Keep the source medium, and have the store looked at: originals need one that keeps bytes and locks."


class DatabaseDown(Unavailable):
    pass


class WrongSchema(Unavailable):
    hint = "Run: exhibit migrate"
    transient = False


class NoSpace(Unavailable):
    hint = "Free some space in the data folder or the store; uploads go on by themselves afterwards."
