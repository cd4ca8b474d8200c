"""XML that nobody vouches for, element by element as they end, up to where it breaks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from evidence.errors import UnsupportedMedia

MAX_LEVELS = 32
"""GPX and KML need ten, with extensions. Elements nested without end would cost the parser its stack."""
_AT_ONCE = 65_536
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]{0,200}\?>")


@dataclass(frozen=True, slots=True)
class Listener:
    """What a format wants to know. Kinds are local names, without their namespace."""

    root: str
    began: Callable[[str, Element], None]
    ended: Callable[[str, Element], None]
    dropped: frozenset[str]
    """Kinds that are done with when they end, and needn't be kept."""


def read(text: str, name: str, listener: Listener) -> int:
    """Tells the listener of all elements; gives the line in which the text breaks off, or 0 when it is whole.

    Raises: UnsupportedMedia for another root, for entities of the file's own, and for endless nesting.
    """
    text = _DECLARATION.sub("", text, count=1)
    if re.search(r"<!(?:DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise UnsupportedMedia(f"{name} defines entities of its own, which no recorder does: it was not read")
    parser: XMLPullParser[Element] = XMLPullParser(("start", "end"))
    open_elements: list[Element] = []
    try:
        for at in range(0, len(text), _AT_ONCE):
            # A lone half of a surrogate pair can stand in no XML.
            parser.feed(text[at : at + _AT_ONCE].encode("utf-8", "replace"))
            _tell(parser, open_elements, name, listener)
        parser.close()
        _tell(parser, open_elements, name, listener)
    except ParseError as exc:
        return int(getattr(exc, "position", (1, 0))[0]) or 1
    return 0


def _tell(parser: XMLPullParser[Element], open_elements: list[Element], name: str, listener: Listener) -> None:
    """Raises: ParseError where the text breaks; what ended before that has been told."""
    for event in parser.read_events():
        element = event[-1]
        if not isinstance(element, Element):
            continue
        kind = str(element.tag).rpartition("}")[2]
        if event[0] == "start":
            if not open_elements and kind != listener.root:
                raise UnsupportedMedia(f"{name} is no {listener.root.upper()} file: it starts with {kind[:40]!r}")
            open_elements.append(element)
            if len(open_elements) > MAX_LEVELS:
                raise UnsupportedMedia(f"{name} nests its elements deeper than any recorder: it was not read")
            listener.began(kind, element)
        else:
            open_elements.pop()
            listener.ended(kind, element)
            if kind in listener.dropped and open_elements:
                open_elements[-1].remove(element)
