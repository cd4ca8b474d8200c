"""What is in a picture, and how it moves: models, looks, tracks and doubts.

OpenVINO's Python package reports every import to a statistics service of its maker, and doesn't heed DO_NOT_TRACK.
Nothing of that leaves here: to whoever imports it below this package, its reporter isn't installed.
Source: openvino.tools.ovc and nncf.telemetry, which go without where the import of openvino_telemetry fails.

Its converter of other models' files, 9 MB and 40 ms, isn't loaded with it either, but where one is converted
(`detectors.network.let_convert`). Source: openvino/__init__.py, which goes without where that import fails.
"""

import sys

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # documented: the import then fails
sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]  # the same
