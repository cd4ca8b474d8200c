"""Faces in photographs that are on every machine: as they are, far away, and close to the camera."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av.video.frame
import av.video.reformatter
import cv2
import numpy as np
import pytest

from config.models import catalogue
from detectors import weights
from detectors.detector import Detector, Picture, Use
from detectors.faces import CenterFace, YuNet
from detectors.motion import Motion
from detectors.plan import Now
from detectors.plates import Plates
from media.frames import Frame
from media.orientation import UPRIGHT, Orientation
from tests.panning import photograph

MODELS = Path(os.environ.get("EXHIBIT_MODELS_DIR", "/nonexistent"))
ZIDANE = [(520, 190, 670, 460), (885, 85, 1070, 290)]
"""About where the two heads are, in pixels of the photograph (1280 × 720)."""


def picture_of(name: str) -> Picture:
    return np.ascontiguousarray(cv2.imread(str(photograph(name)))[:, :, ::-1])


@pytest.fixture(scope="module", params=[CenterFace, YuNet])
def detector(request: pytest.FixtureRequest):
    name = request.param.__name__.lower()
    path = weights.find(catalogue()[name], (MODELS,))
    if path is None:
        pytest.skip(f"no weights for {name}")
    line = catalogue()[name]

    def make(picture: Picture) -> Detector:
        use = Use(line.name, path, line.input_size, line.threshold)
        made: Detector = request.param(use, (picture.shape[1], picture.shape[0]))
        return made

    return make


def frame_of(upright: Picture, turn: Orientation) -> Frame:
    """A frame of a video that shows this picture when it is turned upright."""
    stored = av.video.frame.VideoFrame.from_ndarray(turn.to_stored(upright), "rgb24").reformat(format="yuv420p")
    return Frame(0, 0, Fraction(1, 25), stored, turn, av.video.reformatter.VideoReformatter())


def centres(found) -> list[tuple[float, float]]:
    return [((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in found.box_xyxy.tolist()]


def covers(found, heads, scale: float = 1.0, shift=(0, 0)) -> list[bool]:
    moved = [[(v - shift[i % 2]) * scale for i, v in enumerate(head)] for head in heads]
    return [any(h[0] < x < h[2] and h[1] < y < h[3] for x, y in centres(found)) for h in moved]


def test_finds_two_faces_where_they_are(detector):
    picture = picture_of("zidane.jpg")
    found = detector(picture).detect(picture)
    assert covers(found, ZIDANE) == [True, True]
    assert set(found.label) == {"face"}
    assert found.score.tolist() == sorted(found.score.tolist(), reverse=True)
    assert (found.box_xyxy >= 0).all()
    assert (found.box_xyxy <= np.array([1280, 720] * 2)).all()


@pytest.mark.parametrize("height", [240, 360, 1080])
def test_size_and_form_of_the_picture_do_not_matter(detector, height):
    picture = picture_of("zidane.jpg")
    resized = cv2.resize(picture, (round(1280 * height / 720), height))
    assert covers(detector(resized).detect(resized), ZIDANE, height / 720) == [True, True]
    tall = cv2.copyMakeBorder(resized, 0, 3 * height, 0, 0, cv2.BORDER_CONSTANT, value=(90, 90, 90))
    assert covers(detector(tall).detect(tall), ZIDANE, height / 720) == [True, True]


def test_finds_a_face_that_fills_the_picture_and_one_cut_by_its_edge(detector):
    """What a body-worn camera sees when somebody steps up to it."""
    picture = picture_of("zidane.jpg")
    close = cv2.resize(picture[40:330, 830:1120], (1080, 1080))
    assert covers(detector(close).detect(close), ZIDANE[1:], 1080 / 290, (830, 40)) == [True]
    cut = cv2.resize(np.ascontiguousarray(picture[40:330, 980:1270]), (1080, 1080))
    found = detector(cut).detect(cut)
    assert any(b[0] < 200 and b[2] - b[0] > 150 for b in found.box_xyxy.tolist()), "half a face, at the left edge"


def test_finds_small_faces(detector):
    """Some thirty pixels wide in a full-HD picture, as in a street seen from a mast."""
    picture = picture_of("zidane.jpg")
    small = cv2.resize(picture, (320, 180), interpolation=cv2.INTER_AREA)
    street = np.full((1080, 1920, 3), 110, np.uint8)
    street[500:680, 900:1220] = small
    found = detector(street).detect(street)
    assert covers(found, ZIDANE, 320 / 1280, (-900 * 1280 / 320, -500 * 1280 / 320)) == [True, True]


@pytest.mark.parametrize("turn", [UPRIGHT, Orientation(0, 1, -1, 0)])
def test_in_a_video_faces_too_small_for_one_look_are_found(detector, turn):
    """Some twelve pixels wide in a full-HD picture: nothing at 960 pixels, enough when they are enlarged."""
    small = cv2.resize(picture_of("zidane.jpg"), (128, 72), interpolation=cv2.INTER_AREA)
    street = np.full((1080, 1920, 3), 110, np.uint8)
    street[200:272, 900:1028] = small
    frame = frame_of(street, turn)
    video = detector(street)
    assert frame.upright_size_wh == (1920, 1080)
    ever = [covers(video.look(frame, at(n)), ZIDANE, 128 / 1280, (-9000, -2000)) for n in range(80)]
    assert np.any(ever, axis=0).all()
    assert (np.sum(ever[28:], axis=0) >= 3).all(), "again and again, once they are known"
    assert not any(covers(detector(street).detect(frame.small_rgb(video.picture_wh)), ZIDANE, 0.05, (-9000, -2000)))


def test_in_a_video_an_empty_picture_has_no_face(detector):
    grey = np.full((720, 1280, 3), 128, np.uint8)
    video, frame = detector(grey), frame_of(grey, UPRIGHT)
    assert [len(video.look(frame, at(n))) for n in range(20)] == [0] * 20


def at(number: int) -> Now:
    """A moment of a video whose camera stands still."""
    return Now(number, number, Fraction(number, 25), Motion((0.0, 0.0), 0.9, 0.0))


def test_a_calm_camera_is_no_reason_to_pass_over_a_frame(detector):
    picture = picture_of("zidane.jpg")
    frame, video = frame_of(picture, UPRIGHT), detector(picture)
    assert all(len(video.look(frame, at(n))) for n in range(12))
    assert [line["frames"] for line in video.looks.to_json() if line["look"] == "whole"] == [[[0, 12, 1]]]


def test_an_empty_picture_has_no_face(detector):
    grey = np.full((360, 640, 3), 128, np.uint8)
    found = detector(grey).detect(grey)
    assert len(found) == 0
    assert found.box_xyxy.shape == (0, 4)


class _Says:
    """A plate model that answers with given boxes."""

    name, labels, picture_wh, runtime = "m", ("licence plate",), (640, 360), "none"

    def __init__(self, *boxes: tuple[float, float, float, float]) -> None:
        self._boxes = boxes

    def detect(self, picture: Picture):
        from detectors.detector import Found

        n = len(self._boxes)
        return Found(np.array(self._boxes, np.float32).reshape(-1, 4), np.full(n, 0.5, np.float32), self.labels * n)


def test_a_plate_has_a_plates_form():
    plate, square, wall, person = (10, 10, 110, 33), (200, 10, 250, 50), (0, 0, 640, 300), (300, 100, 340, 200)
    found = Plates(_Says(plate, square, wall, person)).detect(np.zeros((360, 640, 3), np.uint8))
    assert found.box_xyxy.tolist() == [list(plate), list(square)]
    assert len(Plates(_Says()).detect(np.zeros((360, 640, 3), np.uint8))) == 0
