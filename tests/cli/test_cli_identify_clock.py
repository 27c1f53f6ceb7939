"""Times as people read them."""

import pytest

from facepipe.cli.commands.identify.video import _clock


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00.0"), (59.94, "0:59.9"), (59.96, "1:00.0"), (119.97, "2:00.0"), (3599.96, "1:00:00.0")],
)
def test_there_is_no_sixtieth_second(seconds, shown):
    assert _clock(seconds) == shown
