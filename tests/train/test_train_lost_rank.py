"""One process of a run is killed, as where memory runs out: the others end with a line, and the run goes on."""

import os
import subprocess
import sys
import time

import pytest
from rich.console import Console
from test_train_ranks import WORKER, _free_port
from train_tiny import write_folders, write_recipe

from facepipe.train import resolve, train
from facepipe.train.loop.checkpoint import checkpoint_folders

LENGTH = 80


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_rank_that_is_killed(tmp_path):
    data, recipe, run = write_folders(tmp_path / "faces"), write_recipe(tmp_path / "tiny.toml"), tmp_path / "run"
    words = [f"schedule.length={LENGTH}", "schedule.milestones=[]", "loop.checkpoint_every=3"]
    common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1",
              "MASTER_PORT": f"{_free_port()},{_free_port()}"}  # fmt: skip
    command = [sys.executable, str(WORKER), "train", str(recipe), str(data), str(run), *words]
    first, second = (
        subprocess.Popen(
            command, env=os.environ | common | {"RANK": rank, "LOCAL_RANK": rank}, stderr=subprocess.PIPE, text=True
        )
        for rank in "01"
    )
    try:
        end = time.monotonic() + 180
        while not checkpoint_folders(run) and time.monotonic() < end:
            time.sleep(0.01)
        second.kill()
        _, said = first.communicate(timeout=180)
    finally:
        first.kill()
        second.kill()
    assert first.returncode not in (0, -9), "was finished before, or hung"
    assert "another process of this run has ended" in said.splitlines()[-1], said[-2000:]
    assert "resume=True" in said.splitlines()[-1]
    saved = checkpoint_folders(run)[0]
    resolved, folder = resolve(str(recipe), run, [data], words, True)
    summary = train(resolved, folder, resume=True, device="cpu", console=Console(quiet=True))
    assert summary["steps"] == LENGTH and saved.name != checkpoint_folders(run)[0].name
