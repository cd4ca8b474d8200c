"""What works frame by frame: OpenCV's own YuNet on each frame alone, its boxes grown and painted over, times kept.

python -m benchmarks.yunet_control IN OUT MODEL
"""

from __future__ import annotations

import sys
from fractions import Fraction

import av
import cv2
import numpy as np

SCORE, GROW = 0.6, 1.3
_NMS, _MOST = 0.3, 5000


def main(source: str, out: str, model: str) -> int:
    """Returns: the frames written."""
    frames = 0
    with av.open(source) as container, av.open(out, "w", format="mp4") as made:
        video = container.streams.video[0]
        w, h = video.codec_context.width, video.codec_context.height
        detector = cv2.FaceDetectorYN.create(model, "", (w, h), SCORE, _NMS, _MOST)
        rate = Fraction(video.average_rate or 25).limit_denominator(65535)
        stream = made.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = w, h, "yuv420p"
        stream.codec_context.time_base = Fraction(video.time_base or Fraction(1, 1000))
        for frame in container.decode(video):
            picture = frame.to_ndarray(format="bgr24")
            faces = detector.detect(picture)[1]
            for x, y, width, height in faces[:, :4] if faces is not None else []:
                middle, reach = np.array([x + width / 2, y + height / 2]), np.array([width, height]) * GROW / 2
                x0, y0, x1, y1 = (max(0, round(float(v))) for v in (*(middle - reach), *(middle + reach)))
                picture[y0:y1, x0:x1] = 0
            painted = av.VideoFrame.from_ndarray(picture, format="bgr24")
            painted.pts, painted.time_base = frame.pts, frame.time_base
            made.mux(stream.encode(painted))
            frames += 1
        made.mux(stream.encode(None))
    return frames


if __name__ == "__main__":
    print(main(sys.argv[1], sys.argv[2], sys.argv[3]), "frames")
