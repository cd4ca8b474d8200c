"""Copies of a clip whose hiding is known, judged on their decoded pixels; each measure has a copy that only it tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from evidence.truth import TruthBox
from media.leaks import judge, likeness

SIZE_WH, FRAMES = (160, 120), 12
BOX = (40, 30, 88, 86)
TRUTH = {at: (TruthBox(1, BOX, True),) for at in range(FRAMES)}
Pixels = npt.NDArray[np.uint8]


def scene() -> Pixels:
    """Soft blobs with fine detail over them, as skin and features are; the same on every run."""
    rng = np.random.default_rng(3)
    w, h = SIZE_WH
    soft = np.kron(rng.integers(60, 190, (h // 20, w // 20)), np.ones((20, 20)))
    fine = np.kron(rng.integers(-28, 28, (h // 4, w // 4)), np.ones((4, 4)))
    return np.repeat(np.clip(soft + fine, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def film(path: Path, paint: Callable[[int, Pixels], None], frames: int = FRAMES, step: int = 1) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "10", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, "yuv444p"
        for at in range(frames):
            picture = scene()
            paint(at, picture)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = at * step
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def nothing(at: int, picture: Pixels) -> None:
    pass


def cover(picture: Pixels, box: tuple[int, int, int, int] = BOX) -> None:
    x0, y0, x1, y1 = box
    picture[y0:y1, x0:x1] = 0


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("clip") / "source.mp4", nothing)


def judged(source: Path, folder: Path, paint: Callable[[int, Pixels], None], **how: int) -> dict[str, Any]:
    return judge(source, 0, film(folder / "copy.mp4", paint, **how), TRUTH, lambda *_: None)


def test_an_untouched_copy_leaks_everything_and_hides_nothing_else(source: Path, tmp_path: Path) -> None:
    told = judged(source, tmp_path, nothing)
    assert (told["leaked"]["count"], told["leaked_fully"]["count"], told["leaked"]["longest_run"]) == (12, 12, 12)
    assert told["over_redaction"] == 0
    assert told["where"][0] == {"frame": 1, "identity": 1, "fully": True}


def test_a_covered_box_is_hidden_and_one_frame_without_its_mask_is_a_hole(source: Path, tmp_path: Path) -> None:
    told = judged(source, tmp_path, lambda at, picture: None if at == 6 else cover(picture))
    assert told["problems"] == []
    assert (told["leaked"]["count"], told["leaked"]["of"], told["leaked"]["single_frame_holes"]) == (1, 12, 1)
    assert told["where"] == [{"frame": 7, "identity": 1, "fully": True}]


def test_a_half_that_is_left_open_leaks_but_not_fully(source: Path, tmp_path: Path) -> None:
    told = judged(source, tmp_path, lambda _, picture: cover(picture, (40, 30, 88, 58)))
    assert (told["leaked"]["count"], told["leaked_fully"]["count"]) == (12, 0)


def test_a_negative_and_a_thin_veil_are_seen_through(source: Path, tmp_path: Path) -> None:
    x0, y0, x1, y1 = BOX

    def negative(at: int, picture: Pixels) -> None:
        picture[y0:y1, x0:x1] = 255 - picture[y0:y1, x0:x1]

    def veil(at: int, picture: Pixels) -> None:
        picture[y0:y1, x0:x1] = picture[y0:y1, x0:x1] // 4

    for paint in (negative, veil):
        assert judged(source, tmp_path, paint)["leaked_fully"]["count"] == 12


def test_what_is_hidden_around_the_box_is_too_much(source: Path, tmp_path: Path) -> None:
    def much(at: int, picture: Pixels) -> None:
        cover(picture)
        picture[:, 120:] = 0

    told = judged(source, tmp_path, much)
    assert told["leaked"]["count"] == 0
    assert told["over_redaction"] == pytest.approx(0.25, abs=0.02)


def test_copies_that_are_not_frame_for_frame_have_no_figures(source: Path, tmp_path: Path) -> None:
    fewer = judged(source, tmp_path, nothing, frames=11)
    assert fewer == {"problems": ["12 frames became 11"]}
    (later,) = judged(source, tmp_path, nothing, step=2)["problems"]
    assert "off their time" in later


def test_less_than_four_pixels_show_nothing() -> None:
    cut = scene()[:3, :50, 0]
    assert likeness(cut, cut) is None
    flat = np.full((40, 40), 90, np.uint8)
    same = likeness(flat, flat)
    assert same is not None
    assert not same.leaks_fully, "nothing is to be made out on a flat patch"
