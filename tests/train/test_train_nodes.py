"""Two nodes under torchrun, on the loopback: the loss and weights of one process in float64; and a teacher shared."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from ranks_worker import steps_in_double
from test_train_distil import QUIET, features, teacher  # noqa: F401
from test_train_ranks import WORKER, _free_port, launch
from train_tiny import write_folders, write_recipe

from facepipe.datasets import open_samples
from facepipe.train import resolve, train
from facepipe.train.distributed import ranks as ranks_module
from facepipe.train.distributed.ranks import Ranks, join_ranks

pytestmark = pytest.mark.usefixtures("one_thread")


def two_nodes(*arguments, each=1):
    """`torchrun` twice, as on two machines."""
    port = str(_free_port())
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", str(each),
        "--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}", "--rdzv-id", "two",
        "--local-addr", "127.0.0.1",
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    nodes = [
        subprocess.Popen(
            [*command, "--node-rank", str(node), str(WORKER), *map(str, arguments)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for node in range(2)
    ]  # fmt: skip
    try:
        said = [node.communicate(timeout=180)[0] for node in nodes]
    finally:
        for node in nodes:
            node.kill()
    assert all(node.returncode == 0 for node in nodes), said[0][-2000:] + said[1][-2000:]


@pytest.mark.slow
def test_two_nodes_give_the_losses_and_weights_of_one_process(tmp_path):
    data = write_folders(tmp_path / "faces", identities=7)
    recipe = write_recipe(tmp_path / "tiny.toml")
    expected, weights, _ = steps_in_double(recipe, data, tmp_path / "alone", 0, 6)
    two_nodes("double", recipe, data, tmp_path / "nodes", 3, 6)
    parts = [torch.load(f"{tmp_path / 'nodes'}.{rank}.pt") for rank in range(2)]
    for part in parts:
        assert part["losses"] == pytest.approx(expected, rel=1e-12)
    # Saved after the third step by two nodes, gone on with by one process.
    resumed, after, _ = steps_in_double(recipe, data, tmp_path / "nodes", 0, 6)
    assert resumed == pytest.approx({step: expected[step] for step in (3, 4, 5)}, rel=1e-12)
    doubles = [name for name, value in weights.items() if value.dtype == torch.float64]
    assert sum("net." in name for name in doubles) > 10 and "loss.classes.weight" in doubles
    for name in doubles:
        torch.testing.assert_close(after[name], weights[name], rtol=1e-10, atol=1e-13)
        if name in parts[0]["tensors"]:
            torch.testing.assert_close(parts[0]["tensors"][name], weights[name], rtol=1e-10, atol=1e-13)


@pytest.mark.slow
def test_ranks_share_the_computation_of_targets(tmp_path, teacher):  # noqa: F811
    data = write_folders(tmp_path / "faces")
    expected = features(teacher, open_samples([data]), tmp_path / "alone")
    for name in ("common", "own-{}"):  # one folder of all ranks, and one that only each itself can see
        launch(2, "teacher", teacher, data, tmp_path / name)
        both = [np.load((tmp_path / name.format("told")).with_suffix(f".{rank}.npz")) for rank in range(2)]
        assert [int(part["looked_at"]) for part in both] == [15, 15]
        assert (both[0]["told"] == both[1]["told"]).all()
        assert both[0]["told"] == pytest.approx(expected, abs=1e-3)  # other batches round otherwise; float16
    # What only one of them has is not computed by the other.
    shutil.rmtree(tmp_path / "own-1")
    shutil.copytree(tmp_path / "common", tmp_path / "own-0", dirs_exist_ok=True)
    launch(2, "teacher", teacher, data, tmp_path / "own-{}")
    both = [np.load(tmp_path / f"own-told.{rank}.npz") for rank in range(2)]
    assert [int(part["looked_at"]) for part in both] == [0, 0]
    assert (both[0]["told"] == both[1]["told"]).all() and both[1]["told"].any(1).all()


def test_shares_are_contiguous_and_cover_all():
    for count in (0, 1, 7, 30):
        for ranks in (1, 2, 3, 8):
            all_ranks = [Ranks(rank, ranks, ranks, torch.device("cpu")) for rank in range(ranks)]
            shares = [range(count)[one.share(count)] for one in all_ranks]
            assert [number for share in shares for number in share] == list(range(count))
            assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_the_recipe_says_how_long_ranks_wait(tmp_path, monkeypatch):
    given = {}
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(ranks_module.dist, "init_process_group", lambda *_, **more: given.update(more))
    monkeypatch.setattr(ranks_module.dist, "get_rank", lambda: 1)
    monkeypatch.setattr(ranks_module.dist, "barrier", lambda: None)
    monkeypatch.setattr(ranks_module.dist, "destroy_process_group", lambda: None)
    with join_ranks("cpu"):
        assert given["timeout"].total_seconds() == 7200
    seen = []
    monkeypatch.setattr("facepipe.train.run.run.join_ranks", lambda *told: seen.append(told) or join_ranks("cpu"))
    monkeypatch.setattr("facepipe.train.run.run._Run", lambda *_: pytest.fail("enough"))
    recipe = str(write_recipe(tmp_path / "tiny.toml"))
    data = write_folders(tmp_path / "faces")
    resolved = resolve(recipe, tmp_path / "run", [data], ["distributed.timeout_minutes=7"], False)
    with pytest.raises(pytest.fail.Exception):
        train(*resolved, device="cpu", console=QUIET)
    assert seen == [("cpu", 7.0)]
