"""A process that forks after detecting: neither side waits for threads that only the other has."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, signal
import numpy as np, torch
from skimage.data import astronaut
from facepipe.detection import create_detector
from facepipe.embedding import Embedder
from facepipe.zoo import DEFAULT, load

torch.set_num_threads(2)
detector, embedder = create_detector(), Embedder(load(DEFAULT, "cpu"))
photo, crops = np.asarray(astronaut()), np.full((4, *embedder.size, 3), 90, np.uint8)

def answer():
    return detector([photo])[0].landmarks, embedder(crops).mu

before = answer()
child = os.fork()
if child == 0:
    signal.alarm(60)
    same = all(np.allclose(a, b, atol=1e-3) for a, b in zip(before, answer(), strict=True))
    os._exit(0 if same else 1)
assert os.waitpid(child, 0)[1] == 0, "the child hung or saw something else"
assert torch.get_num_threads() == 2
assert all(np.array_equal(a, b) for a, b in zip(before, answer(), strict=True))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_parent_and_child_detect_and_embed():
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
