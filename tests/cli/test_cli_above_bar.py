"""A bar and lines on one terminal, by a pseudo-terminal and a small emulator of one."""

import os
import re
import subprocess
import sys
import threading

import pytest

SCRIPT = """
from facepipe.cli.logs import start_logging
from facepipe.cli.screen import note, progress, say
import sys

start_logging()
with progress("[work] on a.jpg", 4) as advance:
    for number in range(4):
        say(f"line {number}")
        if number == 2:
            note("a note")
        advance(1)
        sys.stdout.write("half ")
    sys.stdout.write("a line")
say("the end")
"""


def on_screen(data):
    """What stays on a terminal: lines of text after all movements of the cursor."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|.", data, re.DOTALL):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.endswith("A") and part.startswith("\x1b"):
            row -= int(part[2:-1] or 1)
        elif part == "\x1b[2K":
            lines[row] = ""
        elif not part.startswith("\x1b"):
            lines[row] = lines[row].ljust(column)[:column] + part + lines[row][column + 1 :]
            column += 1
    return [line for line in lines if line]


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
@pytest.mark.parametrize("to_file", [False, True], ids=["one screen", "stdout to a file"])
def test_lines_and_bar(tmp_path, to_file):
    ours, theirs = os.openpty()
    file = tmp_path / "out.txt"
    received = bytearray()

    def read():
        try:
            while block := os.read(ours, 65536):
                received.extend(block)
        except OSError:  # the other end was closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    with file.open("wb") as out:
        world = {**os.environ, "TERM": "xterm", "COLUMNS": "60", "LINES": "24", "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run(
            [sys.executable, "-c", SCRIPT], stdout=out if to_file else theirs, stderr=theirs, env=world, check=True
        )
    os.close(theirs)
    reader.join()
    os.close(ours)
    told = received.decode()
    wanted = ["line 0", *(f"half line {number}" for number in (1, 2, 3)), "half a linethe end"]
    assert "[work] on a.jpg" in told, "the bar was there"
    if to_file:
        assert file.read_text().splitlines() == wanted
        assert on_screen(told) == ["a note"]
    else:
        assert on_screen(told) == [*wanted[:3], "a note", *wanted[3:]]
