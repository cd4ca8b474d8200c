"""May this person do this with that? Every action asks here first, and a refusal is logged.

What a person can't see does not exist for him: a case that isn't there and a case that isn't his get the same
answer, word for word, and leave the same kind of line in the log.
"""

from __future__ import annotations

from evidence.audit import Verb
from evidence.case import Act, Case, CaseId, Relation, Role, allows
from evidence.errors import Conflict, NotAllowed, NotFound
from evidence.exhibit import Exhibit, ExhibitId, UploadId
from storage.ledger.people import SignedIn
from storage.ledger.uploads import Upload
from web.context import Context

_ANY_RELATION = frozenset({Relation.OWN, Relation.MEMBER})
_NO_CASE = "there is no such case, or it is not yours to see"
_NO_EXHIBIT = "there is no such exhibit, or it is not yours to see"
_NO_UPLOAD = "there is no such upload, or it is not yours to see"
_MAX_LOGGED_ID = 64


def require(context: Context, who: SignedIn, act: Act) -> None:
    """He may do `act`, which stands for itself. Raises: NotAllowed."""
    if not allows(who.user, act):
        _deny(context, who, act)
        raise _not_allowed(who, act)


def require_for_some(context: Context, who: SignedIn, act: Act) -> None:
    """There could be a thing that he may do `act` with (a list of them can be asked for). Raises: NotAllowed."""
    if not allows(who.user, act, _ANY_RELATION):
        _deny(context, who, act)
        raise _not_allowed(who, act)


def find_case(context: Context, who: SignedIn, act: Act, case_id: str) -> Case:
    """The case, when he may do `act` with it. Raises: NotFound when he may not even see it, NotAllowed."""
    try:
        case = context.index.case(CaseId(case_id))
    except NotFound:
        _deny(context, who, act, asked_for=case_id)
        raise NotFound(_NO_CASE) from None
    relations = context.index.relations(who.user, case_id=case.id)
    if allows(who.user, act, relations):
        return case
    _deny(context, who, act, case=case)
    if allows(who.user, Act.SEE_CASE, relations):
        raise _not_allowed(who, act)
    raise NotFound(_NO_CASE)


def find_exhibit(context: Context, who: SignedIn, act: Act, exhibit_id: str) -> Exhibit:
    """The exhibit, when he may do `act` with it. Raises: NotFound when he may not even see it, NotAllowed."""
    try:
        exhibit = context.index.exhibit(ExhibitId(exhibit_id))
    except NotFound:
        _deny(context, who, act, asked_for=exhibit_id)
        raise NotFound(_NO_EXHIBIT) from None
    relations = context.index.relations(who.user, exhibit=exhibit)
    filed_already = act in _TRAY_ACTS and exhibit.case_id is not None
    if allows(who.user, act, relations) and not filed_already:
        return exhibit
    sees = allows(who.user, Act.SEE_EXHIBIT, relations) or (
        exhibit.case_id is None and allows(who.user, Act.SEE_TRAY, relations)
    )
    if filed_already and sees:
        raise Conflict("the exhibit is in a case already", hint="It stays there: upload the file to the other case as well.")
    _deny(context, who, act, exhibit=exhibit)
    if sees:
        raise _not_allowed(who, act)
    raise NotFound(_NO_EXHIBIT)


def find_upload(context: Context, who: SignedIn, act: Act, upload_id: str) -> Upload:
    """The upload, when he may do `act` with what it becomes. Raises: NotFound."""
    try:
        upload = context.index.upload(UploadId(upload_id))
    except NotFound:
        _deny(context, who, act, asked_for=upload_id)
        raise NotFound(_NO_UPLOAD) from None
    relations = {Relation.OWN} if upload.user_id == who.user.id else set()
    if upload.case_id:
        relations |= context.index.relations(who.user, case_id=upload.case_id)
    if allows(who.user, act, frozenset(relations)):
        return upload
    _deny(context, who, act, asked_for=upload_id)
    raise NotFound(_NO_UPLOAD)


_TRAY_ACTS = frozenset({Act.SEE_TRAY, Act.FILE_FROM_TRAY})


def acts_on_case(context: Context, who: SignedIn, case: Case) -> frozenset[Act]:
    """What he may do with it, for pages that show only buttons that work."""
    relations = context.index.relations(who.user, case_id=case.id)
    return frozenset(act for act in Act if allows(who.user, act, relations))


def acts_on_exhibit(context: Context, who: SignedIn, exhibit: Exhibit) -> frozenset[Act]:
    return acts_in(who, exhibit, context.index.relations(who.user, exhibit=exhibit))


def acts_in(who: SignedIn, exhibit: Exhibit, relations: frozenset[Relation]) -> frozenset[Act]:
    """The same, for a list that has looked up its relations already."""
    acts = {act for act in Act if allows(who.user, act, relations)}
    return frozenset(acts if exhibit.case_id is None else acts - _TRAY_ACTS)


def _not_allowed(who: SignedIn, act: Act) -> NotAllowed:
    role = who.user.role
    article = "an" if role in {Role.OFFICER, Role.INVESTIGATOR, Role.AUDITOR, Role.ADMIN} else "a"
    return NotAllowed(f"{article} {role.value} may not do this here: {act.value}")


def _deny(
    context: Context,
    who: SignedIn,
    act: Act,
    *,
    case: Case | None = None,
    exhibit: Exhibit | None = None,
    asked_for: str = "",
) -> None:
    case_id = case.id if case else exhibit.case_id if exhibit else None
    details = {"act": act.value} | ({"asked_for": asked_for[:_MAX_LOGGED_ID]} if asked_for else {})
    context.ledger.viewings.record(
        who.user.name, Verb.DENIED, case_id=case_id, exhibit_id=exhibit.id if exhibit else None, details=details
    )
