"""MATLAB's files, read in a process of their own: some damaged ones end the process that reads them with SciPy."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

from facepipe.errors import DatasetError

_CHILD = """
import io, pickle, sys
from scipy.io import loadmat
file = io.BytesIO(sys.stdin.buffer.read())
found = loadmat(file, variable_names=sys.argv[2:], squeeze_me=sys.argv[1] == "squeeze")
pickle.dump(found, sys.stdout.buffer)
"""


def read_mat(path: Path, names: tuple[str, ...], squeeze: bool = False) -> dict[str, Any]:
    """Variables of a MATLAB file, as ``scipy.io.loadmat`` gives them.

    Args:
        path: of a file of version 5.
        names: the variables.
        squeeze: drop axes of length 1.

    Raises:
        DatasetError: missing, no MATLAB file of version 5, or without one of ``names``.
    """
    command = [sys.executable, "-c", _CHILD, "squeeze" if squeeze else "whole", *names]
    try:
        done = subprocess.run(command, input=path.read_bytes(), capture_output=True, check=False)
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; it belongs to the protocol's lists") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    if done.returncode:
        raise DatasetError(f"{path}: not a MATLAB file that can be read; fetch it again")
    found = pickle.loads(done.stdout)  # of our own child
    lost = [name for name in names if name not in found]
    if lost:
        raise DatasetError(f"{path}: no variable {lost[0]} in it; this is another file")
    return {name: found[name] for name in names}
