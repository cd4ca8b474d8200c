"""The README's before/after picture, from what `make demo` left in demo-data/results: `make pictures`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from PIL import Image

_RESULTS = Path("demo-data/results")
_MOMENTS_S = (Fraction(49, 10), Fraction(9))
_SIZE_WH, _GAP = (640, 360), 8


def _picture(video: Path, moment_s: Fraction) -> Image.Image:
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            if frame.pts is not None and stream.time_base is not None and frame.pts * stream.time_base >= moment_s:
                return frame.to_image().resize(_SIZE_WH, Image.Resampling.LANCZOS)
    raise SystemExit(f"{video} ends before {float(moment_s)} s: run make demo first, without a CLIP")


def main() -> None:
    width, height = _SIZE_WH
    sheet = Image.new("RGB", (2 * width + _GAP, len(_MOMENTS_S) * (height + _GAP) - _GAP), "white")
    for row, moment_s in enumerate(_MOMENTS_S):
        for column, name in enumerate(("annotated.mp4", "DRAFT-redacted.mp4")):
            sheet.paste(_picture(_RESULTS / name, moment_s), (column * (width + _GAP), row * (height + _GAP)))
    sheet.save(Path(__file__).with_name("before-after.jpg"), quality=82)


if __name__ == "__main__":
    main()
