"""What a script does today: OpenCV reads, a YOLO face model predicts on every frame, OpenCV blurs and writes.

The sound, the exact times and the rotation are lost on the way: that is part of what is compared.

python -m benchmarks.naive IN OUT WEIGHTS
"""

from __future__ import annotations

import sys

import cv2
from ultralytics import YOLO

_INPUT = 640
_BLUR = 51


def main(source: str, out: str, weights: str) -> int:
    """Returns: the frames written."""
    model = YOLO(weights)
    reader = cv2.VideoCapture(source)
    size = (int(reader.get(cv2.CAP_PROP_FRAME_WIDTH)), int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    writer = cv2.VideoWriter(out, cv2.VideoWriter.fourcc(*"mp4v"), reader.get(cv2.CAP_PROP_FPS), size)
    frames = 0
    while True:
        there, picture = reader.read()
        if not there:
            break
        for x0, y0, x1, y1 in model.predict(picture, imgsz=_INPUT, verbose=False)[0].boxes.xyxy.int().tolist():
            face = picture[y0:y1, x0:x1]
            if face.size:
                picture[y0:y1, x0:x1] = cv2.GaussianBlur(face, (_BLUR, _BLUR), 0)
        writer.write(picture)
        frames += 1
    reader.release()
    writer.release()
    return frames


if __name__ == "__main__":
    print(main(sys.argv[1], sys.argv[2], sys.argv[3]), "frames")
