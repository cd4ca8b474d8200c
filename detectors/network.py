"""A network file made ready to run by OpenVINO on this machine's processor."""

from __future__ import annotations

import importlib
import sys
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openvino

from detectors.detector import Picture
from evidence.errors import WrongWeights


@cache
def runtime() -> openvino.Core:
    """The one OpenVINO runtime of this process, which is never let go.

    Its processor plugin gives the thread that loads it a signal stack, and takes the memory away when the runtime ends
    without telling the system: the next signal that Python handles there would be a segmentation fault.
    """
    return openvino.Core()


def let_convert() -> None:
    """From now on OpenVINO also makes networks of what other libraries hold (`openvino.convert_model`)."""
    if sys.modules.get(_CONVERTER) is None:
        sys.modules.pop(_CONVERTER, None)
        openvino.convert_model = importlib.import_module(_CONVERTER).convert_model


_CONVERTER = "openvino.tools.ovc"
_PRECISION = ("exhibit", "precision")
"""Where a network's file says how its float parts are to be computed; without it, as the processor does it best."""


def write(model: openvino.Model, place: Path, precision: str | None = None) -> None:
    """Keep a network as `place` (.xml) and the .bin beside it, its numbers as they are; `precision`: `f32`, if so asked."""
    if precision is not None:
        model.set_rt_info(precision, list(_PRECISION))
    openvino.save_model(model, place, compress_to_fp16=False)


@lru_cache(maxsize=4)
def _read(path: Path, written_ns: int) -> openvino.Model:  # noqa: ARG001 - a file written anew is read anew
    """One copy for all the input sizes in which a model runs: they share its weights."""
    return runtime().read_model(path)


class Network:
    """Takes a whole RGB picture of exactly `input_wh`, gives its outputs by name.

    One inference thread: in a worker, decoding and other workers need the rest, and a second one costs more than
    it brings. Pinned threads of two networks would share one core.
    Source: measured; docs/adr/0006-inference-on-a-processor.md
    """

    def __init__(
        self, path: Path, input_wh: tuple[int, int], *, scale: float = 1.0, bgr: bool = False, threads: int = 1
    ) -> None:
        try:
            model = _read(path, path.stat().st_mtime_ns).clone()
            eight_bits = any(node.get_type_name() == "FakeQuantize" for node in model.get_ops())
            asked = {"INFERENCE_PRECISION_HINT": _asked(model)} if model.has_rt_info(list(_PRECISION)) else {}
            width, height = input_wh
            model.reshape([1, 3, height, width])
            prepare = openvino.preprocess.PrePostProcessor(model)
            given = prepare.input()
            given.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
            given.tensor().set_color_format(openvino.preprocess.ColorFormat.RGB)
            steps = given.preprocess().convert_element_type(openvino.Type.f32)
            if bgr:
                steps.convert_color(openvino.preprocess.ColorFormat.BGR)
            if scale != 1.0:
                steps.scale(scale)
            given.model().set_layout(openvino.Layout("NCHW"))
            compiled = runtime().compile_model(
                prepare.build(),
                "CPU",
                {"ENABLE_CPU_PINNING": False, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, **asked},
            )
        except (RuntimeError, OSError) as exc:
            raise WrongWeights(f"{path.name} can't be run as a network: {str(exc).splitlines()[0][:200]}") from exc
        self.input_wh = input_wh
        floats = str(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())
        self.precision = f"int8+{floats}" if eight_bits else floats
        """`bf16`; or `int8+bf16`, where some of it is computed in eight bits and the rest in float."""
        self._request = compiled.create_infer_request()
        self._names = [output.get_names() or {str(i)} for i, output in enumerate(compiled.outputs)]
        # The bindings build a table the first time that a request runs. Two threads that do it together wait for ever,
        # one for the table and one for the interpreter: so the first run is here, before there are any.
        self.run(np.zeros((height, width, 3), np.uint8))

    def run(self, picture: Picture) -> dict[str, npt.NDArray[np.float32]]:
        """The outputs, under each of their names; they stay valid until the next run."""
        results = self._request.infer(picture[None], share_inputs=True, share_outputs=True)
        return {name: value for names, value in zip(self._names, results.values(), strict=True) for name in names}


def _asked(model: openvino.Model) -> str:
    return str(model.get_rt_info(list(_PRECISION)).astype(str))
