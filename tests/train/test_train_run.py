"""Whole runs on tiny data: log, checkpoints, resume bit for bit, Ctrl-C, kill -9, full disk, the model at the end."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from rich.console import Console
from safetensors.torch import load_file
from torch import nn
from train_tiny import SIDE, crop, write_folders, write_recipe, write_shard

from facepipe.backbones import Backbone
from facepipe.backbones.registry import BACKBONES, register
from facepipe.cli.commands.train import command
from facepipe.embedding import Embedder
from facepipe.errors import DatasetError, MissingExtraError
from facepipe.train import RecipeError, Stopped, TrainingError, resolve, train
from facepipe.train.loop import checkpoint as checkpoints
from facepipe.train.loop.trainer import Trainer
from facepipe.zoo import load

QUIET = Console(quiet=True)


class Noisy(Backbone):
    """Batch normalisation and dropout: running statistics and random numbers that a resumed run needs again."""

    def __init__(self, input_size, embedding_dim):
        super().__init__(input_size, embedding_dim, 4)
        self.conv = nn.Sequential(nn.Conv2d(3, 4, 3, 4), nn.BatchNorm2d(4), nn.Dropout(0.4))
        self.fc = nn.LazyLinear(embedding_dim)
        self.fc(self.conv(torch.zeros(1, 3, *input_size)).flatten(1))

    def feature_map(self, x):
        return self.conv(x)

    def head(self, feature_map):
        return self.fc(feature_map.flatten(1))


@pytest.fixture(scope="module", autouse=True)
def _noisy():
    @register(input_size=(SIDE, SIDE), embedding_dim=8, paper="none")
    def noisy(input_size, embedding_dim):
        return Noisy(input_size, embedding_dim)

    yield
    BACKBONES.remove("noisy")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def data(tmp_path):
    return write_folders(tmp_path / "faces")


def begin(tmp_path, data, *overrides, out="run", resume=False, **options):
    recipe = str(write_recipe(tmp_path / "tiny.toml"))
    resolved, folder = resolve(recipe, tmp_path / out, [data], overrides, resume)
    return train(resolved, folder, resume=resume, device="cpu", console=QUIET, **options)


def weights(run):
    return load_file(run / "weights.safetensors") | {"classes": load_file(run / "classes.safetensors")["weight"]}


def same_weights(ours, theirs):
    ours, theirs = weights(ours), weights(theirs)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def log_of(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_a_run_learns_logs_and_leaves_a_model(tmp_path, data):
    summary = begin(tmp_path, data, "schedule.length=40", "schedule.milestones=[30]", "data.held_out=2")
    run = tmp_path / "run"
    lines = [line for line in log_of(run) if line["event"] == "train"]
    assert [line["step"] for line in lines] == [1, *range(2, 41, 2)]
    assert lines[-1]["loss"] < 0.8 * lines[0]["loss"]
    assert lines[0]["lr"] == 0.01 and lines[-1]["lr"] == pytest.approx(0.001)
    assert lines[0]["lambda"] == pytest.approx(1000 / 1.12)
    assert {"epoch", "samples_per_second", "unreadable", "target_cosine", "accuracy"} <= lines[0].keys()
    assert [folder.name for folder in checkpoints.checkpoint_folders(run)] == ["step-000000040", "step-000000036"]
    assert (summary["identities"], summary["images"], summary["held_out"]) == (4, 20, 2)
    model = load(run)
    assert model.card.embedding.dim == 8 and model.card.input.size == (SIDE, SIDE)
    embedder = Embedder(model, precision="float32")
    mu = embedder(np.stack([crop(0, 0), crop(0, 1), crop(3, 0)])).mu
    assert mu.shape == (3, 8)
    assert len((run / "identities.txt").read_text().splitlines()) == 4
    assert load_file(run / "classes.safetensors")["weight"].shape == (4, 8)
    with pytest.raises(TrainingError, match=r"already holds a run .*resume=True"):
        begin(tmp_path, data)


def test_thresholds_are_those_of_the_held_out_pairs(tmp_path):
    data = write_folders(tmp_path / "faces", identities=12, images=6)
    summary = begin(tmp_path, data, "data.held_out=6", "evaluate.fars=[0.1, 0.01, 1e-6]")
    assert summary["held_out_images"] == 36
    run = tmp_path / "run"
    held = sorted({f"person{i:02d}" for i in range(12)} - set((run / "identities.txt").read_text().split()))
    assert len(held) == 6
    crops = np.stack([crop(int(name[-2:]), image) for name in held for image in range(6)])
    mu = Embedder(load(run), precision="float32")(crops).mu.astype(np.float64)
    unit = mu / np.linalg.norm(mu, axis=1, keepdims=True)
    impostor = sorted(
        (float(unit[i] @ unit[j]) for i in range(36) for j in range(i) if i // 6 != j // 6), reverse=True
    )
    assert len(impostor) == 540
    thresholds = {threshold.far: threshold.value for threshold in load(run).card.thresholds}
    # 54 and 5 of 540 may pass; one in a million cannot be measured.
    assert thresholds == {0.1: pytest.approx(impostor[53], abs=1e-6), 0.01: pytest.approx(impostor[4], abs=1e-6)}
    assert any("1e-06" in note and "data.held_out" in note for note in summary["notes"])


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("optimiser.name=adamw", "optimiser.groups=no-norm", "loop.ema=0.9", "loop.accumulate=2"),
        ("optimiser.lr_in_velocity=true", "optimiser.clip=1.0", "loss.name=center"),
        ("distributed.sample_rate=0.5", "augment.blur=0.5", "augment.jpeg=0.5"),
        ("model.backbone=noisy", "model.options={}", "optimiser.groups=all", "loop.precision=bfloat16"),
    ],
)
def test_stopped_and_resumed_is_the_same_bit_for_bit(tmp_path, data, overrides, monkeypatch):
    require_the_same_when_resumed(tmp_path, data, overrides, monkeypatch)


def test_shards_in_a_store_are_shuffled_and_resumed_within_an_epoch(tmp_path, data, monkeypatch):
    store = fsspec.filesystem("memory")
    images = sorted(data.rglob("*.png"))
    for number in range(3):
        part = [
            (f"{path.parent.name}-{path.stem}", path.read_bytes(), {"identity": path.parent.name})
            for path in images[number::3]
        ]
        store.pipe_file(f"/resumed/{number}.tar", write_shard(tmp_path / "s.tar", part).read_bytes())
    try:
        require_the_same_when_resumed(tmp_path, "memory://resumed", (), monkeypatch)
    finally:
        store.rm("/resumed", recursive=True)
    steps = [line for line in log_of(tmp_path / "stopped") if line["event"] == "start"]
    assert [line["step"] for line in steps] == [0, 4]


def require_the_same_when_resumed(tmp_path, data, overrides, monkeypatch):
    common = (*overrides, "schedule.length=7", "schedule.milestones=[3, 5]")
    begin(tmp_path, data, *common, out="alone")
    stop_after(monkeypatch, 4)
    with pytest.raises(Stopped, match="stopped after step 4 of 7 and saved; resume with: facepipe train --resume"):
        begin(tmp_path, data, *common, out="stopped")
    monkeypatch.undo()
    begin(tmp_path, data, *common, out="stopped", resume=True)
    ours = load_file(checkpoints.checkpoint_folders(tmp_path / "alone")[0] / "state.safetensors")
    theirs = load_file(checkpoints.checkpoint_folders(tmp_path / "stopped")[0] / "state.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def stop_after(monkeypatch, steps):
    """Send this process a real SIGINT while step number ``steps`` is made."""
    from facepipe.train.loop.trainer import Trainer

    step = Trainer.step

    def interrupted(self, number, batches):
        if number == steps - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, number, batches)

    monkeypatch.setattr(Trainer, "step", interrupted)


@pytest.mark.slow
def test_kill_minus_nine_and_resume_give_the_same_weights(tmp_path, data):
    begin(tmp_path, data, "schedule.length=60", "loop.checkpoint_every=3", out="alone")
    recipe = str(tmp_path / "tiny.toml")
    arguments = [recipe, "--data", str(data), "--out", str(tmp_path / "killed"), "--device", "cpu"]
    settings = ["--set", "schedule.length=60", "--set", "loop.checkpoint_every=3"]
    # A pause in each step, so that the kill meets the loop and not its end.
    slow = (
        "import time; from facepipe.train.loop.trainer import Trainer; step = Trainer.step\n"
        "def wait(self, number, batches):\n    time.sleep(0.05); return step(self, number, batches)\n"
        "Trainer.step = wait; from facepipe.cli.commands.train import command; command()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", slow, *arguments, *settings],
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 120
    while not checkpoints.checkpoint_folders(tmp_path / "killed") and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(np.random.default_rng().uniform(0, 0.5))
    process.kill()
    assert process.wait() == -signal.SIGKILL
    step = int(checkpoints.checkpoint_folders(tmp_path / "killed")[0].name[5:])
    assert 0 < step < 60
    result = CliRunner().invoke(command, ["--resume", "--out", str(tmp_path / "killed"), "--device", "cpu", "--json"])
    assert result.exit_code == 0, result.output
    assert same_weights(tmp_path / "alone", tmp_path / "killed")
    assert [line["step"] for line in log_of(tmp_path / "killed") if line["event"] == "start"] == [0, step]


def test_a_finished_run_can_be_finished_again(tmp_path, data):
    begin(tmp_path, data)
    before = weights(tmp_path / "run")
    (tmp_path / "run" / "card.toml").unlink()
    begin(tmp_path, data, resume=True)
    assert all(torch.equal(value, before[name]) for name, value in weights(tmp_path / "run").items())
    assert load(tmp_path / "run").card.name == "run"


def test_a_longer_schedule_goes_on_from_the_end(tmp_path, data):
    begin(tmp_path, data)
    recipe, folder = resolve(None, tmp_path / "run", [], ["schedule.length=14"], True)
    assert train(recipe, folder, resume=True, device="cpu", console=QUIET)["steps"] == 14
    assert [line["step"] for line in log_of(folder) if line["event"] == "start"] == [0, 12]


def test_a_run_beyond_its_schedule_is_not_cut_short(tmp_path, data):
    begin(tmp_path, data)
    with pytest.raises(TrainingError, match=r"is already at step 12, beyond schedule\.length = 9 steps"):
        recipe, folder = resolve(None, tmp_path / "run", [], ["schedule.length=9"], True)
        train(recipe, folder, resume=True, device="cpu", console=QUIET)


def test_resuming_with_other_data_is_refused(tmp_path, data):
    begin(tmp_path, data)
    (data / "person00" / "4.png").unlink()
    with pytest.raises(TrainingError, match="trained on other data"):
        begin(tmp_path, data, resume=True)


def test_a_damaged_checkpoint_falls_back_to_the_previous_one(tmp_path, data):
    begin(tmp_path, data, out="alone")
    begin(tmp_path, data, out="damaged")
    last, before = checkpoints.checkpoint_folders(tmp_path / "damaged")
    whole = (last / "state.safetensors").read_bytes()
    (last / "state.safetensors").write_bytes(whole[: len(whole) // 2])
    begin(tmp_path, data, out="damaged", resume=True)
    assert same_weights(tmp_path / "alone", tmp_path / "damaged")
    for folder in (last, before):
        (folder / "state.safetensors").write_bytes(b"")
    with pytest.raises(TrainingError, match="none of its checkpoints can be read"):
        begin(tmp_path, data, out="damaged", resume=True)


LIMITED = """
import resource, signal, sys
from pathlib import Path
from rich.console import Console
from facepipe.train import resolve
from facepipe.train import train, TrainingError
from facepipe.train.loop import checkpoint
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
write = checkpoint._write_state
def limited(folder, state):
    if state.step > 4:  # from the second checkpoint on, no file may grow beyond 2 KB
        sys.dont_write_bytecode = True
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
    write(folder, state)
checkpoint._write_state = limited
recipe, run = resolve(sys.argv[1], Path(sys.argv[3]), [sys.argv[2]], [], False)
try:
    train(recipe, run, device="cpu", console=Console(quiet=True))
except TrainingError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk_is_one_line_and_the_last_checkpoint_resumes(tmp_path, data):
    """The write itself fails, by the operating system's limit on file size."""
    begin(tmp_path, data, out="alone")
    arguments = [str(tmp_path / "tiny.toml"), str(data), str(tmp_path / "full")]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    lines = done.stdout.strip().splitlines()
    assert len(lines) == 1 and "the checkpoint of step 8 could not be written" in lines[0]
    assert "step-000000004 is intact: make room, then resume with resume=True" in lines[0]
    assert [path.name for path in (tmp_path / "full" / "checkpoints").iterdir()] == ["step-000000004"]
    begin(tmp_path, data, out="full", resume=True)
    assert same_weights(tmp_path / "alone", tmp_path / "full")


def test_no_room_for_the_model_keeps_the_checkpoint(tmp_path, data, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("facepipe.train.run.card.write_bytes", full)
    with pytest.raises(TrainingError, match=r"the model could not be written .*No space left"):
        begin(tmp_path, data)
    monkeypatch.undo()
    begin(tmp_path, data, resume=True)
    assert (tmp_path / "run" / "weights.safetensors").is_file()


def test_a_diverging_run_says_so_and_keeps_no_bad_checkpoint(tmp_path, data):
    overrides = ["loss.name=softmax", "optimiser.lr=1e30", "loop.checkpoint_every=1", "optimiser.groups=all"]
    with pytest.raises(TrainingError, match=r"not finite at step .*lower optimiser\.lr"):
        begin(tmp_path, data, *overrides)
    for folder in checkpoints.checkpoint_folders(tmp_path / "run"):
        tensors = load_file(folder / "state.safetensors")
        assert all(bool(value.isfinite().all()) for name, value in tensors.items() if name.startswith("net."))


def test_evaluation_is_called_and_logged(tmp_path, data):
    seen = []

    def make(recipe, device):
        def evaluate(net):
            seen.append(net.training)
            return {"lfw": 0.5 + 0.01 * len(seen)}

        return evaluate

    summary = begin(tmp_path, data, "evaluate.every=5", evaluation=make)
    assert seen == [False, False, False]
    events = [(line["step"], line["lfw"]) for line in log_of(tmp_path / "run") if line["event"] == "evaluation"]
    assert events == [(5, 0.51), (10, 0.52), (12, 0.53)]
    assert summary["evaluation"] == {"lfw": 0.53}


def test_tensorboard_gets_the_figures_or_a_hint_to_install_it(tmp_path, data, monkeypatch):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    begin(tmp_path, data, "loop.tensorboard=true")
    events = reader.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    logged = [line["loss"] for line in log_of(tmp_path / "run") if line["event"] == "train"]
    assert [event.value for event in events.Scalars("train/loss")] == pytest.approx(logged)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'facepipe\[train\]'"):
        begin(tmp_path, data, "loop.tensorboard=true", out="other")


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["loop.batch=9", "loop.accumulate=2"], RecipeError, "loop.batch = 9 cannot be split into 1 rank"),
        (["loss.name=arcfase"], RecipeError, "unknown loss 'arcfase'; did you mean 'arcface'"),
        (["loss.mm=3"], RecipeError, "has no option 'mm'"),
        (["model.backbone=sphereface5"], RecipeError, "unknown backbone 'sphereface5'"),
        (["model.input_size=[112, 96]"], DatasetError, "the crop is 16×16, the network takes 112×96"),
        (["data.min_images=6"], DatasetError, "no identity with at least 6 image"),
        (["data.paths=['nowhere']"], DatasetError, "nowhere: no such training data"),
        (["distributed.sample_rate=0.5", "loss.name=softmax"], RecipeError, "class biases cannot be sampled"),
        (["distributed.sample_rate=0.5", "loss.name=triplet"], TrainingError, "those of triplet cannot"),
    ],
)
def test_bad_requests_end_before_the_first_step(tmp_path, data, overrides, error, message):
    recipe = str(write_recipe(tmp_path / "tiny.toml"))
    given = [] if any("paths" in override for override in overrides) else [data]
    with pytest.raises(error) as caught:
        resolved, folder = resolve(recipe, tmp_path / "run", given, overrides, False)
        train(resolved, folder, device="cpu", console=QUIET)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_one_identity_only(tmp_path):
    with pytest.raises(DatasetError, match="only one identity with at least 2 image"):
        begin(tmp_path, write_folders(tmp_path / "one", identities=1))


def test_command_line(tmp_path, data):
    runner = CliRunner()
    listed = runner.invoke(command, ["--list", "--json"])
    assert json.loads(listed.stdout)["sphereface20-casia"]["backbone"] == "sphereface20"
    arguments = [str(write_recipe(tmp_path / "tiny.toml")), "-d", str(data), "-o", str(tmp_path / "run"), "--seed", "5"]
    done = runner.invoke(command, [*arguments, "--device", "cpu", "--json", "--set", "data.held_out=2"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["steps"] == 12
    assert "seed = 5" in (tmp_path / "run" / "recipe.toml").read_text()
    again = ["--resume", "-o", str(tmp_path / "run"), "--set", "evaluate.fars=[0.1]"]
    table = runner.invoke(command, again)
    assert table.exit_code == 0 and "threshold at FAR" in table.stdout
    assert Path(tmp_path / "run" / "card.toml").is_file()


def test_a_nan_loss_is_not_checkpointed(tmp_path, data, monkeypatch):
    """Its weights are numbers still where the step was skipped."""
    told = iter([1.0, float("nan")])
    monkeypatch.setattr("facepipe.train.run.run.RunningLoss.mean_loss", lambda _: next(told))
    with pytest.raises(TrainingError, match="not finite at step 2;"):
        begin(tmp_path, data, "loop.checkpoint_every=2", "loop.log_every=100")
    assert checkpoints.checkpoint_folders(tmp_path / "run") == []


def test_too_little_memory_says_what_to_change(tmp_path, data, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Trainer, "_forward", full)
    with pytest.raises(TrainingError, match=r"for loop\.batch = 8: halve it and double loop\.accumulate = 1"):
        begin(tmp_path, data)
