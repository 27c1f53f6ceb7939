"""Damaged files of every kind end in an answer or in one clear line: no traceback, no hang, no memory without end.

Seeds count from 0. `FACEPIPE_FUZZ=10000 python -m pytest tests/fuzz` tries more, `FACEPIPE_FUZZ_SEED=100000` others.
"""

import os
import resource
import signal
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mutations import damaged
from targets import TARGETS

from facepipe.datasets import mat_file
from facepipe.errors import DatasetError, FacepipeError

pytestmark = pytest.mark.slow
TRIALS = int(os.environ.get("FACEPIPE_FUZZ", "60"))
FIRST = int(os.environ.get("FACEPIPE_FUZZ_SEED", "0"))
_OWN_PROCESS = {"mat": 30}
"""Read in a process of its own each: so many times fewer."""
_SECONDS, _GROWTH = 10, 1_500_000  # of one file; in kilobytes, of all of one kind


class Hang(BaseException):
    """Not an Exception, so that no reader takes it for damage."""


@contextmanager
def no_longer_than(seconds):
    def ring(*_):
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(read, path):
    """``read``, the message of a refusal, or what is wrong with the way it failed."""
    try:
        with no_longer_than(_SECONDS):
            read(path)
    except FacepipeError as error:
        message = str(error)
        assert message and "\n" not in message and len(message) < 1000, f"not one clear line: {message[:300]!r}"
        return "refused"
    return "read"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files(tmp_path, name):
    target = TARGETS[name]
    path = target.make(tmp_path)
    sound = path.read_bytes()
    target.read(path)  # or every refusal below proves nothing
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seen = set()
    for seed in range(FIRST, FIRST + TRIALS // _OWN_PROCESS.get(name, 1)):
        path.write_bytes(damaged(sound, seed))
        try:
            seen.add(outcome(target.read, path))
        except Hang:
            pytest.fail(f"{name}, seed {seed}: still reading after {_SECONDS} seconds")
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}: {type(error).__name__}: {error}") from error
    assert "refused" in seen or name in _OWN_PROCESS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < _GROWTH


@pytest.mark.parametrize("name", ["manifest", "manifest as samples"])
def test_text_that_is_no_utf_8_is_damage(tmp_path, name):
    """As seed 526 made it: pyarrow notices only when the text is asked for."""
    path = TARGETS[name].make(tmp_path)
    table = pq.read_table(path)
    broken = pa.array([b"a/\xf2\x28.jpg"] * len(table), pa.binary()).view(pa.string())
    pq.write_table(table.set_column(table.column_names.index("identity"), "identity", broken), path)
    assert outcome(TARGETS[name].read, path) == "refused"


def test_a_file_that_ends_its_reader_is_refused(tmp_path, monkeypatch):
    """As seed 38 of "mat" does with SciPy 1.17, whose reader in C then ends the whole process."""
    path = TARGETS["mat"].make(tmp_path)
    monkeypatch.setattr(mat_file, "_CHILD", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(DatasetError, match=r"lists\.mat: not a readable MATLAB file"):
        TARGETS["mat"].read(path)
