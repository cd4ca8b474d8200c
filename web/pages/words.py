"""States, steps, kinds and verbs as people say them. Pages never show an enum's own value."""

from __future__ import annotations

from dataclasses import dataclass

from evidence.audit import Verb
from evidence.case import Act, Relation, Role, User, allows
from evidence.exhibit import Condition, Exhibit, ExhibitState, FileType, SourceKind
from evidence.redaction import AudioPolicy, Hide, Keep, Style
from evidence.steps import Step, StepState


@dataclass(frozen=True, slots=True)
class Tag:
    """A word in a coloured box. The word alone says it; the colour only helps the eye."""

    text: str
    colour: str = ""
    """A colour of the GOV.UK tag, or empty for its default."""

    @property
    def classes(self) -> str:
        return f"govuk-tag govuk-tag--{self.colour}" if self.colour else "govuk-tag"


EXHIBIT_STATE = {
    ExhibitState.WORKING: Tag("Working", "blue"),
    ExhibitState.READY: Tag("Ready", "green"),
    ExhibitState.NEEDS_ATTENTION: Tag("Needs attention", "red"),
    ExhibitState.PARTLY_READABLE: Tag("Partly readable", "orange"),
    ExhibitState.UNREADABLE: Tag("Unreadable", "red"),
}
STEP_STATE = {
    StepState.WAITING: Tag("Waiting", "grey"),
    StepState.READY: Tag("In the queue", "grey"),
    StepState.RUNNING: Tag("Running", "blue"),
    StepState.DONE: Tag("Done", "green"),
    StepState.FAILED: Tag("Failed", "red"),
    StepState.CANCELLED: Tag("Cancelled", "grey"),
    StepState.QUARANTINED: Tag("Stopped for good", "red"),
}
URGENT = Tag("Urgent", "red")
OPEN = Tag("Open", "turquoise")
CLOSED = Tag("Closed", "grey")
DRAFT = Tag("Draft", "yellow")
SECURED = Tag("Secured", "green")
NOT_LOCKED = Tag("Stored, not locked", "yellow")

STEP = {
    Step.PROBE: "Check the file",
    Step.PROXY: "Make a playable copy",
    Step.LOCATE: "Read where and when",
    Step.DETECT: "Look at every frame",
    Step.TRACK: "Follow what was seen",
    Step.INDEX: "Add to search",
    Step.ANNOTATE: "Draw the boxes",
    Step.REDACT: "Draft redaction",
    Step.CLIP: "Cut a clip",
    Step.EXPORT: "Export the case",
}
KIND = {
    SourceKind.BODYWORN: "Body-worn",
    SourceKind.DRONE: "Drone",
    SourceKind.CCTV: "CCTV",
    SourceKind.PHONE: "Phone",
    SourceKind.OTHER: "Other",
}
FILE_TYPE = {
    FileType.VIDEO: "Video",
    FileType.AUDIO: "Audio",
    FileType.STILL: "Still picture",
    FileType.TELEMETRY: "Telemetry",
    FileType.SUBTITLES: "Subtitles",
}
ROLE = {
    Role.OFFICER: "Officer",
    Role.INVESTIGATOR: "Investigator",
    Role.SUPERVISOR: "Supervisor",
    Role.AUDITOR: "Auditor",
    Role.ADMIN: "Administrator",
}
ROLE_HINT = {
    Role.OFFICER: "Uploads, and sees their own uploads",
    Role.INVESTIGATOR: "Works in the cases they are a member of",
    Role.SUPERVISOR: "As an investigator, and files what lies in the unfiled tray",
    Role.AUDITOR: "Reads custody logs, and no footage",
    Role.ADMIN: "Manages users",
}
HIDE = {
    Hide.FACES: "Faces",
    Hide.HEADS: "Heads, also from behind",
    Hide.PLATES: "Number plates",
    Hide.PEOPLE: "Whole people",
}
WHICH = {
    "all": "Everybody and everything of these kinds",
    "keep": "All but the tracks ticked below",
    "only": "Only the tracks ticked below",
}
WHICH_HINT = {
    "keep": "The ticked ones stay open.",
    "only": "Of whatever kind they are. With heads chosen, a person’s head; otherwise all of it.",
}
STYLE = {Style.SOLID: "Solid", Style.PIXELATE: "Pixelated", Style.BLUR: "Blurred"}
STYLE_HINT = {
    Style.SOLID: "Cannot be undone. Use this for anything that leaves the force.",
    Style.PIXELATE: "May be undone in part. For internal use.",
    Style.BLUR: "May be undone in part. For internal use.",
}
AUDIO = {AudioPolicy.KEEP: "Keep the sound", AudioPolicy.MUTE: "Remove the sound"}
KEEP = {Keep.LOCATION: "Where it was filmed"}
KEEP_HINT = "One place, in the file’s header, never the way that was gone. Unticked, nothing in the copy’s data says where."
CUE = {"knife": "A cue to look, not a finding: most knives are missed."}
"""Labels that must not be read as more than they are, and what to say beside them."""

VERB = {verb: verb.value[0].upper() + verb.value[1:] for verb in Verb}

DONE = {
    "case-created": "The case is there. Add members, then upload.",
    "case-changed": "The case was changed.",
    "member-added": "The member was added.",
    "member-removed": "The member was removed.",
    "export-asked": "The export has started. It appears below when it is done.",
    "clip-asked": "The clip is being cut. It appears below when it is done.",
    "redaction-asked": "The new draft is being made. It appears below when it is done.",
    "step-retried": "The step is in the queue again.",
    "step-cancelled": "The step was told to stop.",
    "paired": "They belong together now. The places are being read again.",
    "parted": "They no longer belong together. The places are being read again.",
    "clock-corrected": "The clock was corrected. What it said is kept.",
    "finding-accepted": "The place was accepted as harmless, with your reason.",
    "finding-reopened": "The place is to be looked at again, with your reason.",
    "filed": "The exhibit was filed to its case.",
    "user-disabled": "The user was disabled, and signed out everywhere.",
    "password-changed": "Your password was changed.",
}
"""What a page says after a form was carried out, by the word in `?done=`."""


EXHIBIT_STATE_OF_CONDITION = {
    Condition.PARTLY_READABLE: "Partly readable",
    Condition.UNREADABLE: "Unreadable",
}


@dataclass(frozen=True, slots=True)
class Place:
    name: str
    path: str


CASES = Place("Cases", "/cases")
UPLOAD = Place("Upload", "/upload")
MINE = Place("My uploads", "/my-uploads")
TRAY = Place("Unfiled tray", "/unfiled")
SEARCH = Place("Search", "/search")
MAP = Place("Map", "/map")
LOG = Place("Custody log", "/log")
USERS = Place("Users", "/users")


def places(user: User) -> list[Place]:
    """Where this person may go, in the order of the menu."""
    anything = frozenset({Relation.OWN, Relation.MEMBER})
    wanted = {
        CASES: Act.SEE_CASE,
        UPLOAD: Act.UPLOAD,
        MINE: Act.UPLOAD,
        TRAY: Act.SEE_TRAY,
        SEARCH: Act.WATCH,
        MAP: Act.WATCH,
        LOG: Act.SEE_AUDIT,
        USERS: Act.MANAGE_USERS,
    }
    return [place for place, act in wanted.items() if allows(user, act, anything)]


def home(user: User) -> str:
    """Where a person starts: an officer sends files, an auditor reads logs, the others work in cases."""
    if user.role is Role.OFFICER:
        return UPLOAD.path
    return LOG.path if user.role is Role.AUDITOR else CASES.path


def user_state(user: User) -> Tag:
    if user.disabled:
        return Tag("Disabled", "grey")
    return Tag("New password due", "yellow") if user.must_change_password else Tag("Active", "green")


def no_picture(exhibit: Exhibit, state: ExhibitState) -> str:
    """What stands where a picture would be."""
    if exhibit.condition is Condition.UNREADABLE:
        return "No picture: the file can\u2019t be read"
    if exhibit.file_type is FileType.VIDEO:
        return "The playable copy is being made" if state is ExhibitState.WORKING else "No playable copy"
    return {
        FileType.AUDIO: "Sound only",
        FileType.STILL: "Still picture",
        FileType.TELEMETRY: "Telemetry",
        FileType.SUBTITLES: "Subtitles",
    }[exhibit.file_type]


def lock(exhibit: Exhibit) -> Tag:
    return SECURED if exhibit.secured_at else NOT_LOCKED


def condition(exhibit: Exhibit) -> str:
    """A sentence about a damaged file, or nothing."""
    if exhibit.condition is Condition.UNREADABLE:
        return "This file cannot be read. It is evidence all the same: it is kept exactly as it came."
    if exhibit.condition is Condition.PARTLY_READABLE:
        return "This file is damaged and can only be read in part. It is kept exactly as it came."
    return ""
