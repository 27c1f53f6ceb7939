"""Runs the suite on a pretended device in a process of its own: a device can be added to PyTorch, not taken away."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@pytest.mark.slow
def test_everything_runs_on_a_device_of_its_own():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist",
         str(FOLDER / "pretended_suite.py")],
        cwd=FOLDER.parents[1], capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    covered = re.search(r"covered (\d+) ", done.stdout)
    assert covered and int(covered.group(1)) >= 56, done.stdout[-500:]
