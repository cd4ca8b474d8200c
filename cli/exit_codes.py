"""What the program's exit code says; one table for every command.

0    done
1    it failed, or a check found something wrong
2    wrong use, or input that can't be used: correct it and run it again
3    refused: not allowed, not found, in the way of what is there already; or redacted, with places left to look at
4    a part is down: trying again later can help; `exhibit doctor` shows which
130  stopped by Ctrl-C
141  whoever read its output left before the end, as `head` does
143  ended by SIGTERM; `up`, `serve` and `worker` say 0 then
"""

from __future__ import annotations

from enum import IntEnum

from evidence.errors import BadInput, Conflict, ExhibitError, NotAllowed, NotFound, Unavailable


class ExitCode(IntEnum):
    DONE = 0
    FAILED = 1
    WRONG_USE = 2
    REFUSED = 3
    FINDINGS = 3
    UNAVAILABLE = 4
    INTERRUPTED = 130
    UNREAD = 141
    TERMINATED = 143


def code_of(error: ExhibitError) -> ExitCode:
    """The exit code of a command that ended with `error`."""
    if isinstance(error, BadInput):
        return ExitCode.WRONG_USE
    if isinstance(error, NotAllowed | NotFound | Conflict):
        return ExitCode.REFUSED
    if isinstance(error, Unavailable):
        return ExitCode.UNAVAILABLE
    return ExitCode.FAILED
