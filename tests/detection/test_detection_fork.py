"""A process that forks after detecting: neither side waits for threads that only the other has."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
SCRIPT = """
import os, signal, sys
import numpy as np, torch
from skimage.data import astronaut
from facepipe.detection import create_detector
from facepipe.embedding import Embedder
from facepipe.zoo import DEFAULT, load

threads = int(sys.argv[1])
torch.set_num_threads(threads)
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
assert torch.get_num_threads() == threads
assert all(np.array_equal(a, b) for a, b in zip(before, answer(), strict=True))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("threads", ["1", "2"])  # a child computes on one: with one in the parent, it meets its pool
def test_parent_and_child_detect_and_embed(threads):
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    words = [sys.executable, "-c", SCRIPT, threads]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
