"""Read MATLAB files in a subprocess, since SciPy crashes on some damaged ones."""

import io
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

from facepipe.errors import DatasetError

_CHILD = """
import io, pickle, sys
try:
    import resource  # not on Windows
    resource.setrlimit(resource.RLIMIT_DATA, ({most}, {most}))
except (ImportError, OSError, ValueError):
    pass
from scipy.io import loadmat
file = io.BytesIO(sys.stdin.buffer.read())
found = loadmat(file, variable_names=sys.argv[2:], squeeze_me=sys.argv[1] == "squeeze")
pickle.dump(found, sys.stdout.buffer)
"""
_MOST = 4 << 30
"""Bytes of memory that reading may take, since a compressed variable can be of any size."""


def read_mat(path: Path, names: tuple[str, ...], squeeze: bool = False) -> dict[str, Any]:
    """Read variables of a MATLAB file as ``scipy.io.loadmat`` does.

    Args:
        path: a MATLAB 5 file.
        names: the variables.
        squeeze: drop axes of length 1.

    Raises:
        DatasetError: missing, not a MATLAB 5 file, or without one of ``names``.
    """
    command = [sys.executable, "-c", _CHILD.format(most=_MOST), "squeeze" if squeeze else "whole", *names]
    try:
        done = subprocess.run(command, input=path.read_bytes(), capture_output=True, check=False)
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; it is one of the protocol's lists") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    if done.returncode:
        raise DatasetError(f"{path}: not a readable MATLAB file; download it again")
    try:
        found = _Arrays(io.BytesIO(done.stdout)).load()
    except Exception as error:  # a process that a damaged file has corrupted may have written anything
        raise DatasetError(f"{path}: not a readable MATLAB file; download it again") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise DatasetError(f"{path}: has no variable {missing[0]}; it is another file")
    return {name: found[name] for name in names}


class _Arrays(pickle.Unpickler):
    """Creates only what NumPy's arrays and plain values need."""

    def find_class(self, module: str, name: str) -> Any:
        """The object, or an error."""
        part = module.removeprefix("numpy").removeprefix(".core").removeprefix("._core")
        if (part, name) not in _NUMPY or not module.startswith("numpy"):
            raise pickle.UnpicklingError(f"it uses {module}.{name}")
        return super().find_class(module, name)


_NUMPY = {
    ("", "ndarray"), ("", "dtype"), (".multiarray", "_reconstruct"), (".multiarray", "scalar"),
    (".numeric", "_frombuffer"),
}  # fmt: skip
