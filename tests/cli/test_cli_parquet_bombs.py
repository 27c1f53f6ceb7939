"""Every command that reads a Parquet file refuses one that would take gigabytes, in one line."""

import parquet_bombs
import pytest
from cli_run import run
from PIL import Image

BOMBS = ["runs of one number", "the same in a struct", "zeros, and a footer of ten rows"]
COMMANDS = {
    "embeddings": ("cluster", "{path}"),
    "a query": ("search", "{path}", "{path}"),
    "a gallery": ("identify", "{photo}", "{path}"),
    "photos": ("preprocess", "{path}", "{out}"),
    "a manifest": ("train", "sphereface20-casia", "--out", "{out}", "--data", "{path}"),
}


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_refused(tmp_path, command, bomb):
    path = parquet_bombs.BOMBS[bomb](tmp_path / "b.parquet")
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    words = [word.format(path=path, photo=tmp_path / "a.png", out=tmp_path / "out") for word in COMMANDS[command]]
    done = run(*words)
    assert done.code == 2 and done.err.count("\n") == 1, done
    assert f"{path}: " in done.err and "bytes of memory" in done.err
