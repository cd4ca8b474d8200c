"""Whether the custody log is whole, for the pages that show it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from casefile.verify import LogCheck, verify_log
from evidence.case import Act
from storage.ledger.people import SignedIn
from web.context import Context
from web.permission import require_for_some

_FRESH_S = 60.0


@dataclass(slots=True)
class _Last:
    check: LogCheck | None = None
    at: float = 0.0


_last = _Last()
_one_at_a_time = threading.Lock()


def check_chain(context: Context, who: SignedIn) -> LogCheck:
    """A walk along the whole log, by the code of the stand-alone verifier; at most one a minute for all readers.

    Raises: NotAllowed for who may read no log at all.
    """
    require_for_some(context, who, Act.SEE_AUDIT)
    with _one_at_a_time:
        if _last.check is None or time.monotonic() - _last.at > _FRESH_S:
            _last.check = verify_log(context.index.audit_json())
            _last.at = time.monotonic()
        return _last.check
