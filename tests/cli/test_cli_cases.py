"""Reports of users as scripts: each is run as it came, with this very ``facepipe``, and must print PASS."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).parents[3] / "shared" / "cases"


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    """A folder with ``facepipe`` and ``python3`` that use this source tree."""
    folder = tmp_path_factory.mktemp("bin")
    root = Path(__file__).parents[2]
    for name, words in (("facepipe", "-m facepipe"), ("python3", "")):
        script = folder / name
        script.write_text(f'#!/bin/sh\nPYTHONPATH={root} exec {sys.executable} {words} "$@"\n')
        script.chmod(0o755)
    (folder / "nice").write_text('#!/bin/sh\nshift 2; exec "$@"\n')  # or they wait for all else that runs
    (folder / "nice").chmod(0o755)
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not there")
@pytest.mark.parametrize("case", sorted(CASES.iterdir()) if CASES.is_dir() else [], ids=lambda path: path.name)
def test_case(case, commands):
    world = {**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}", "LIMIT": "900"}
    ended = subprocess.run(["bash", str(case)], env=world, capture_output=True, text=True, check=False)
    assert ended.returncode == 0 and "PASS" in ended.stdout, ended.stdout + ended.stderr
