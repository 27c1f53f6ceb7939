"""The light engine's pool of threads."""

import threading

import pytest

from facepipe.engines import cores
from facepipe.engines.cores import map_on_threads


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(cores, "thread_count", lambda: 2)


def test_results_come_in_order_from_other_threads(two_cores):
    found = map_on_threads(lambda number: (number, threading.current_thread().name), range(20))
    assert [number for number, _ in found] == list(range(20))
    assert all(name.startswith("facepipe-core") for _, name in found)


def test_a_spread_within_a_spread_ends(two_cores):
    # All threads of the pool wait for parts of their own: were these queued behind them, nothing would end.
    found = map_on_threads(lambda row: sum(map_on_threads(lambda column: row * column, range(4))), range(8))
    assert found == [6 * row for row in range(8)]


def test_one_argument_stays_in_its_thread(two_cores):
    assert map_on_threads(lambda _: threading.current_thread(), ["one"]) == [threading.current_thread()]


def test_an_error_reaches_the_caller(two_cores):
    with pytest.raises(ZeroDivisionError):
        map_on_threads(lambda number: 1 / number, [1, 0])
