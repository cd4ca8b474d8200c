"""A float network in eight-bit numbers, its ranges measured on real inputs; the only home of NNCF, an optional package."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino

from detectors.choice import check_installed
from detectors.detector import Picture
from detectors.network import runtime
from evidence.errors import WrongWeights

Input = npt.NDArray[np.float32]


def quantise(path: Path, pictures: Sequence[Picture], given: Callable[[Picture], Input]) -> openvino.Model:
    """Post-training quantisation: weights and inputs of the convolutions in eight bits, what lies behind the last of
    them in float. `given` makes of a picture what the network itself takes.

    Convolutions by channel stay in float, too: in eight bits they are no faster and cost CenterFace a quarter of its loss.

    Shape: `given` gives (1, 3, h, w).
    Raises: Unavailable without NNCF; WrongWeights for a network that can't be quantised.
    """
    check_installed()
    # It would tell its makers of each use; there is no other switch that holds before it is imported.
    os.environ["NNCF_CI"] = "1"
    import nncf

    model = runtime().read_model(path)
    try:
        model.reshape([1, 3, -1, -1])
        return nncf.quantize(
            model,
            nncf.Dataset(pictures, given),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(pictures),
            ignored_scope=nncf.IgnoredScope(
                names=behind_the_last_convolutions(model), types=["GroupConvolution"], validate=False
            ),
        )
    except (RuntimeError, nncf.errors.InternalError, nncf.errors.ValidationError) as exc:
        raise WrongWeights(f"{path.name} can't be quantised: {str(exc).splitlines()[0][:200]}") from exc


def behind_the_last_convolutions(model: openvino.Model) -> list[str]:
    """The operations between a network's outputs and the convolutions that weigh features for them.

    Boxes in pixels and scores to 1 meet there in one tensor: with one range for both, the scores would be gone. A
    convolution of one channel, by which YOLO reads a distribution, is arithmetic, too.
    """
    waiting: list[Any] = list(model.get_results())
    seen: dict[str, None] = {}
    while waiting:
        for node in _before(waiting.pop()):
            name = node.get_friendly_name()
            if name in seen or node.get_type_name() == "Constant" or _weighs_features(node):
                continue
            seen[name] = None
            waiting.append(node)
    return [name for name in seen if name not in {node.get_friendly_name() for node in model.get_parameters()}]


def _before(node: Any) -> Iterable[Any]:
    return (node.input_value(i).get_node() for i in range(node.get_input_size()))


def _weighs_features(node: Any) -> bool:
    if node.get_type_name() == "GroupConvolution":
        return True
    return bool(node.get_type_name() == "Convolution" and node.get_output_partial_shape(0)[1].get_length() > 1)
