"""Where work runs: what ``--on`` and ``--workers`` take."""

import pytest
from cli_run import run

COMMANDS = (
    ("embed", "PHOTOS", "-o", "o.parquet"),
    ("preprocess", "PHOTOS", "OUT"),
    ("eval", "lfw", "PHOTOS", "--pairs", "p.txt"),
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--on", "dask"), "--on dask: must be ray"),
        (("--workers", "2"), "needs --on ray"),
        (("--on", "ray", "--workers", "0"), "x>=1"),
    ],
)
def test_what_makes_no_sense_is_refused(command, options, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "PHOTOS").mkdir()
    (tmp_path / "p.txt").touch()
    done = run(*command, *options)
    assert done.code == 2 and told in done.err
    assert {path.name for path in tmp_path.iterdir()} == {"PHOTOS", "p.txt"}
