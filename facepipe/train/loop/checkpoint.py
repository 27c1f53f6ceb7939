"""Checkpoints: one folder each, written atomically; the last two are kept.

State that is equal on all ranks is one safetensors file. Sharded class weights are in a subfolder, written by all
ranks with torch.distributed.checkpoint, which can load them onto any number of ranks.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from facepipe.datasets.samples.samples import same_contents
from facepipe.errors import FacepipeError
from facepipe.parameters import parameter
from facepipe.train.distributed.ranks import Ranks

STATE = "state.safetensors"
CLASSES_FOLDER = "classes"
KEPT = 2


class TrainingError(FacepipeError):
    """A run cannot start, continue or be written."""


@dataclass(frozen=True)
class Checkpoint:
    """The state needed to resume a run.

    Attributes:
        step: steps done.
        tensors: tensors equal on all ranks, by name.
        values: plain values, such as the fingerprint of the data.
        sharded: this rank's rows of sharded tensors, by name.
        classes: number of rows of all ranks together.
    """

    step: int
    tensors: dict[str, Tensor]
    values: dict[str, Any]
    sharded: dict[str, Tensor]
    classes: int


def checkpoint_folders(run: Path) -> list[Path]:
    """The checkpoints of a run, latest first."""
    return sorted((run / "checkpoints").glob("step-*"), reverse=True)


def read_values(folder: Path) -> dict[str, Any]:
    """The plain values of a checkpoint; empty if it is damaged."""
    try:
        with safe_open(folder / STATE, framework="pt") as file:
            return dict(json.loads(file.metadata()["facepipe"]))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return {}


def save_checkpoint(run: Path, checkpoint: Checkpoint, ranks: Ranks) -> Path:
    """Write a checkpoint and delete all but the last two.

    Raises:
        TrainingError: the disk is full or not writable; names the last intact checkpoint.
    """
    target = run / "checkpoints" / f"step-{checkpoint.step:09d}"
    temporary = target.with_name(f".{target.name}.tmp")
    failure = ""
    try:
        if ranks.first:
            _clear_unfinished(target.parent)
            _write_state(temporary, checkpoint)
    except (OSError, SafetensorError) as error:
        failure = _reason(error)
    _all_or_none(failure, run, checkpoint.step, ranks)
    if ranks.count > 1 and checkpoint.sharded:
        try:
            from facepipe.train.distributed.sharded_tensors import (
                save_sharded,  # slow to import, and needed only with several ranks
            )

            save_sharded(temporary / CLASSES_FOLDER, checkpoint.sharded, checkpoint.classes, ranks)
        except Exception as error:  # torch wraps the error of a rank in an exception of its own
            failure = _reason(error)
        _all_or_none(failure, run, checkpoint.step, ranks)
    if ranks.first:
        _put_in_place(temporary, target)
        for old in checkpoint_folders(run)[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)
    ranks.barrier()
    return target


def _write_state(folder: Path, checkpoint: Checkpoint) -> None:
    folder.mkdir(parents=True)
    tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in checkpoint.tensors.items()}
    note = {**checkpoint.values, "step": checkpoint.step, "classes": checkpoint.classes}
    path = folder / STATE
    save_file(tensors, path, metadata={"facepipe": json.dumps(note)})
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _put_in_place(temporary: Path, target: Path) -> None:
    if target.exists():  # left by a run that stopped here and was resumed from an earlier checkpoint
        shutil.rmtree(target)
    temporary.rename(target)


def _clear_unfinished(folder: Path) -> None:
    """Delete what a killed run left behind."""
    for path in folder.glob(".step-*.tmp"):
        shutil.rmtree(path, ignore_errors=True)


def _all_or_none(failure: str, run: Path, step: int, ranks: Ranks) -> None:
    if not ranks.any(bool(failure)):
        return
    if ranks.first:
        _clear_unfinished(run / "checkpoints")
    kept = checkpoint_folders(run)
    last = "there is no earlier one"
    if kept:
        last = f"{kept[0].name} is intact: make room, then resume with {parameter('resume', True)}"
    raise TrainingError(
        f"{run}: the checkpoint of step {step} could not be written ({failure or 'on another rank'}); {last}"
    )


def _reason(error: Exception) -> str:
    text = str(getattr(error, "strerror", None) or error).strip()
    return (text.splitlines() or [type(error).__name__])[-1][:160]


def load_checkpoint(
    run: Path, fingerprint: str, sharded: dict[str, Tensor], ranks: Ranks, contents: str = ""
) -> tuple[Checkpoint, list[str]] | None:
    """The latest readable checkpoint, and a note on each unreadable one; None if there is no checkpoint.

    Args:
        run: the run folder.
        fingerprint: fingerprint of the data, which must equal the checkpoint's ``values["fingerprint"]``.
        sharded: name → this rank's rows (float32), loaded in place; empty if classes are not sharded.
        ranks: the processes.
        contents: digest of the images; compared if the checkpoint has one.

    Raises:
        TrainingError: there are checkpoints, but none is intact, or they belong to other data.
    """
    notes: list[str] = []
    folders = checkpoint_folders(run)
    for folder in folders:
        try:
            return _load(folder, fingerprint, sharded, ranks, contents), notes
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            notes.append(f"{folder}: damaged ({_reason(error)}); trying the previous one")
    if folders:
        raise TrainingError(f"{run}: none of its checkpoints can be read; start again in another folder")
    return None


def require_data(folder: Path, values: dict[str, Any], fingerprint: str, contents: str) -> None:
    """Refuse data other than those of a checkpoint.

    Args:
        folder: the checkpoint.
        values: its plain values.
        fingerprint, contents: of the data, as for `load_checkpoint`.

    Raises:
        TrainingError: the people or the images differ.
    """
    if values.get("fingerprint") != fingerprint:
        raise TrainingError(
            f"{folder}: trained on other data (images, people, data.min_images, data.held_out or seed); "
            "use the same, or start again in another folder"
        )
    if contents and not same_contents(values.get("contents", contents), contents):
        raise TrainingError(
            f"{folder}: trained on other images with the same names; use the same, or start again in another folder"
        )


def _load(
    folder: Path, fingerprint: str, sharded: dict[str, Tensor], ranks: Ranks, contents: str
) -> Checkpoint:
    with safe_open(folder / STATE, framework="pt") as file:
        values = json.loads(file.metadata()["facepipe"])
        require_data(folder, values, fingerprint, contents)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    classes = int(values.get("classes", 0))
    if (folder / CLASSES_FOLDER).is_dir():
        from facepipe.train.distributed.sharded_tensors import load_sharded

        tensors |= load_sharded(folder / CLASSES_FOLDER, sharded, classes, ranks)
    return Checkpoint(int(values.pop("step")), tensors, values, sharded, classes)
