"""Analysis alone as ultralytics offers it: `predict(stream=True)` on a file, every frame at 640, nothing kept.

python -m benchmarks.predict IN WEIGHTS
"""

from __future__ import annotations

import sys

from ultralytics import YOLO


def main(source: str, weights: str) -> int:
    """Returns: the frames looked at."""
    return sum(1 for _ in YOLO(weights).predict(source, stream=True, imgsz=640, verbose=False))


if __name__ == "__main__":
    print(main(sys.argv[1], sys.argv[2]), "frames")
