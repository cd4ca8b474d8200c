"""Heads from people: which part of a person's box holds the head, and a face carried on after it has turned away.

Measured on the body-worn, street and corridor clips of the test data, faces against the boxes of the people they sit on.
A head is looked for nowhere else: a person without a face starts no face track, only a face that was seen is carried on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from evidence.track import BoxXYXY, Origin, Track, TrackBox

PERSON, FACE = "person", "face"

_OF_HEIGHT, _OF_WIDTH = 0.2, 0.55
"""Down to the chin: 0.15 to 0.22 of a standing person's height, and 0.3 to 0.5 of the width of any other."""
_OF_HEIGHT_WITHOUT_FEET = 0.5
"""Cut off by the lower edge, a box may be little more than a head: chins lay at 0.3 to 0.6 of it, on close-ups lower."""
_EDGE = 2.0
"""Pixels: a box that ends so near to the picture's edge is cut off by it."""


def head_of(person: BoxXYXY, picture_height: float) -> BoxXYXY:
    """The part of a person's box that holds the head: all of its width, for heads were at 0.1 to 0.9 of it.

    A box that the upper edge cuts off is taken as any other: whether a head is just in the picture or just above it can't
    be told, and what can't be told is hidden.
    """
    x0, y0, x1, y1 = person
    width, height = x1 - x0, y1 - y0
    share = _OF_HEIGHT if y1 < picture_height - _EDGE else _OF_HEIGHT_WITHOUT_FEET
    return (x0, y0, x1, y0 + min(height, max(share * height, _OF_WIDTH * width)))


def heads_of(person: Track, picture_height: float, faces: Iterable[Track] = ()) -> Track:
    """The track of a person's head, frame by frame under the person's number.

    `faces` are those of this person and of nobody else (`owners`): where one is there, the head is around it.
    """
    own = list(faces)

    def head(box: TrackBox) -> BoxXYXY:
        near = [
            face for track in own if (face := _at(track, box.frame)) and sits_on(face.box_xyxy, box.box_xyxy, picture_height)
        ]
        around = [_head(face.box_xyxy, box.box_xyxy, box.box_xyxy, 0) for face in near]
        if not around:
            return head_of(box.box_xyxy, picture_height)
        x0, y0, x1, y1 = zip(*around, strict=True)
        return (min(x0), min(y0), max(x1), max(y1))

    return replace(person, boxes=tuple(replace(box, box_xyxy=head(box)) for box in person.boxes))


def owners(tracks: Sequence[Track], picture_height: float) -> dict[int, list[Track]]:
    """The faces that sit on a person, by the person's number: only faces that sit on no second one for long."""
    people = [track for track in tracks if track.label == PERSON]
    found: dict[int, list[Track]] = {}
    for face in (track for track in tracks if track.label == FACE):
        seen = [box for box in face.boxes if box.origin is Origin.DETECTED]
        if len(seen) < _LEAST_SIGHTINGS:
            continue
        votes = sorted(_votes(seen, people, picture_height), key=lambda vote: -vote[0])[:2]
        if votes and 2 * votes[0][0] > len(seen) and all(4 * other < len(seen) for other, _ in votes[1:]):
            found.setdefault(votes[0][1].id, []).append(face)
    return found


_LEAST_SIGHTINGS = 3
"""Fewer may be a mistake, which would be carried on along a whole person."""
_VOTES = 15
"""Sightings nearest to a track's end that say on whom the face sits there."""
_HIGHEST, _LOWEST = -0.15, 0.3
"""Where the upper edge of a face lies on its person's box, in heights of that box."""
_DEEPER = 1.25
"""How much deeper than the head's part the middle of a face may lie on a person who is seen down to the feet."""
_HEAD, _HEAD_FAR, _FAR_FRAMES = 0.25, 0.4, 60
"""What a head is larger than its face on each side, in sizes of the face; rising, for the guess gets worse with time."""

_AS_HIGH = 0.85
"""Seen to the feet and at least so high as before, a person at the upper edge is still whole."""


def carried_on(tracks: Sequence[Track], size_wh: tuple[int, int]) -> list[Track]:
    """Face tracks go on, both ways, as the head of the person they sat on: until that person, or another face on it, ends.

    The same tracks in the same order; numbers and all other tracks stay. Units: `size_wh`: pixels of the upright picture.
    """
    people = [track for track in tracks if track.label == PERSON]
    faces = [track for track in tracks if track.label == FACE]
    return [_carry(track, faces, people, size_wh) if track.label == FACE else track for track in tracks]


def sits_on(face: BoxXYXY, person: BoxXYXY, picture_height: float) -> bool:
    """Whether a face is where a person of this box has it."""
    x0, y0, x1, y1 = person
    if not (x0 <= (face[0] + face[2]) / 2 <= x1 and face[2] - face[0] <= x1 - x0 and x0 < x1 and y0 < y1):
        return False
    if not _HIGHEST <= (face[1] - y0) / (y1 - y0) <= _LOWEST:
        return False
    whole = y0 > _EDGE and y1 < picture_height - _EDGE
    chin = head_of(person, picture_height)[3]
    return not whole or (face[1] + face[3]) / 2 <= y0 + _DEEPER * (chin - y0)


def _carry(face: Track, faces: Sequence[Track], people: Sequence[Track], size_wh: tuple[int, int]) -> Track:
    seen = [box for box in face.boxes if box.origin is Origin.DETECTED]
    if len(seen) < _LEAST_SIGHTINGS:
        return face
    before = _beyond(face, seen[:_VOTES], -1, faces, people, size_wh)
    after = _beyond(face, seen[::-1][:_VOTES], 1, faces, people, size_wh)
    return replace(face, boxes=(*before[::-1], *face.boxes, *after)) if before or after else face


def _beyond(
    face: Track,
    seen: Sequence[TrackBox],
    direction: int,
    faces: Sequence[Track],
    people: Sequence[Track],
    size_wh: tuple[int, int],
) -> list[TrackBox]:
    """Boxes beyond the first or last one; `seen` are sightings, the nearest to that end first."""
    height = size_wh[1]
    person, last = _person_under(seen, people, height), face.boxes[0 if direction < 0 else -1]
    if person is None:
        return []
    pairs = ((box, under) for box in seen if (under := _at(person, box.frame)))
    anchor, under = next(pair for pair in pairs if sits_on(pair[0].box_xyxy, pair[1].box_xyxy, height))
    others = [other for other in faces if other.id != face.id and _together(other, person)]
    found: list[TrackBox] = []
    frame = last.frame
    while here := _at(person, frame := frame + direction):
        if _left_over_the_top(anchor.box_xyxy, under.box_xyxy, here.box_xyxy, height):
            break
        if any((other := _at(track, frame)) and sits_on(other.box_xyxy, here.box_xyxy, height) for track in others):
            break
        box = _cut(_head(anchor.box_xyxy, under.box_xyxy, here.box_xyxy, abs(frame - anchor.frame)), size_wh)
        if box is None:
            break
        found.append(TrackBox(frame, here.pts, box, last.score, Origin.TRACKED))
    return found


def _left_over_the_top(face: BoxXYXY, person: BoxXYXY, now: BoxXYXY, picture_height: float) -> bool:
    """Whether the head may be above the picture: a guess at it would hide something else."""
    if now[1] > _EDGE:
        return False
    if now[3] < picture_height - _EDGE:
        return now[3] - now[1] < _AS_HIGH * (person[3] - person[1])
    return not face[1] > _EDGE >= person[1]


def _person_under(seen: Sequence[TrackBox], people: Sequence[Track], height: float) -> Track | None:
    """On whom the face sat in more than half of these sightings."""
    votes = _votes(seen, people, height)
    most, best = max(votes, key=lambda vote: (vote[0], -vote[1].id), default=(0, None))
    return best if 2 * most > len(seen) else None


def _votes(seen: Sequence[TrackBox], people: Sequence[Track], height: float) -> list[tuple[int, Track]]:
    """On how many of these sightings the face sat on each of the people who were there."""
    first, last = min(box.frame for box in seen), max(box.frame for box in seen)
    return [
        (sum(bool((at := _at(person, box.frame)) and sits_on(box.box_xyxy, at.box_xyxy, height)) for box in seen), person)
        for person in people
        if person.boxes[0].frame <= last and first <= person.boxes[-1].frame
    ]


def _head(face: BoxXYXY, person: BoxXYXY, now: BoxXYXY, frames: int) -> BoxXYXY:
    """Where the head is on a person's box, from where its face was on an earlier or later box of that person.

    In size it grows with the person and never shrinks: a box that becomes smaller is more often one that is hidden in
    part. Across, it holds its share of the width and, more and more, the middle; up, the top of the person.
    """
    width, height = person[2] - person[0], person[3] - person[1]
    grown = max(1.0, (now[2] - now[0]) / width, (now[3] - now[1]) / height)
    far = min(1.0, frames / _FAR_FRAMES)
    x = now[0] + ((face[0] + face[2]) / 2 - person[0]) / width * (now[2] - now[0])
    y = now[1] + ((face[1] + face[3]) / 2 - person[1]) * grown
    to_middle = ((now[0] + now[2]) / 2 - x) * far
    share = 0.5 + _HEAD + (_HEAD_FAR - _HEAD) * far
    dx, dy = (face[2] - face[0]) * grown * share, (face[3] - face[1]) * grown * share
    return (x - dx + min(0.0, to_middle), min(y - dy, now[1]), x + dx + max(0.0, to_middle), y + dy)


def _cut(box: BoxXYXY, size_wh: tuple[int, int]) -> BoxXYXY | None:
    """What lies in the picture, to a hundredth of a pixel; None when nothing does."""
    width, height = size_wh
    x0, y0, x1, y1 = (
        round(min(max(edge, 0.0), float(limit)), 2) for edge, limit in zip(box, (width, height) * 2, strict=True)
    )
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _together(one: Track, other: Track) -> bool:
    return one.boxes[0].frame <= other.boxes[-1].frame and other.boxes[0].frame <= one.boxes[-1].frame


def _at(track: Track, frame: int) -> TrackBox | None:
    place = frame - track.boxes[0].frame
    return track.boxes[place] if 0 <= place < len(track.boxes) else None
