"""Every writer where nothing may be written: one line that names the place, exit code 2, and all that was there stays.

Root may write anywhere: the right to is given up for the time, as Linux lets a thread do.
"""

import ctypes
import os
import shutil
import sys
from contextlib import contextmanager

import pytest
from cli_run import run
from test_cli_full_disk import CELLS, cases, good, line_of, stand_ins  # noqa: F401

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="gives up capabilities of Linux")
OVERRIDE = 1 << 1  # CAP_DAC_OVERRIDE of linux/capability.h
VERSION = 0x20080522


class Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("process", ctypes.c_int)]


def effective(change):
    """Pass the calling thread's effective capabilities (the first 32) through ``change``."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = Header(VERSION, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(ctypes.byref(header), sets) == 0
    sets[0] = change(sets[0])
    assert libc.capset(ctypes.byref(header), sets) == 0, os.strerror(ctypes.get_errno())


@contextmanager
def read_only(folder):
    """Nothing below ``folder`` may be written."""
    paths = [folder, *folder.rglob("*")]
    before = {path: path.stat().st_mode for path in paths}
    had = []
    try:
        for path in paths:
            path.chmod(0o555 if path.is_dir() else 0o444)
        effective(lambda now: had.append(now) or now & ~OVERRIDE)
        yield
    finally:
        effective(lambda _: had[0])
        for path, mode in before.items():
            path.chmod(mode)


def test_nothing_can_be_written(tmp_path):
    """Or the tests below prove nothing."""
    with read_only(tmp_path), pytest.raises(PermissionError):
        (tmp_path / "a").write_text("a")
    (tmp_path / "a").write_text("a")


@pytest.mark.parametrize(("name", "parameter"), CELLS)
def test_a_read_only_place(tmp_path, good, cases, name, parameter):  # noqa: F811
    line, target = line_of(name, parameter, good, tmp_path, cases)
    if target.name == "mine.parquet":
        shutil.copy(good / ("g.parquet" if parameter == "gallery" else "e.parquet"), target)
    elif target.suffix:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with read_only(tmp_path):
        ended = run(*line)
    assert ended.code == 2, ended
    (last,) = [each for each in ended.err.splitlines() if each.startswith("facepipe: ")]
    assert str(tmp_path) in last, last
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before
