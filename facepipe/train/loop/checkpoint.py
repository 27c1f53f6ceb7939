"""Checkpoints: a folder for each, whole or not there; the last two are kept.

What is the same on all ranks is one safetensors file. Class weights that are spread over ranks lie beside it,
written by all ranks with torch.distributed.checkpoint, which reads them back onto any number of ranks.
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
    """A run cannot start, go on, or be written."""


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on.

    Attributes:
        step: steps done.
        tensors: the same on all ranks, by name.
        values: plain values, such as the fingerprint of the data.
        sharded: this rank's rows of tensors that are spread over ranks, by name.
        classes: rows of all ranks together.
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
    """The plain values of a checkpoint; none where it is damaged."""
    try:
        with safe_open(folder / STATE, framework="pt") as file:
            return dict(json.loads(file.metadata()["facepipe"]))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return {}


def save_checkpoint(run: Path, checkpoint: Checkpoint, ranks: Ranks) -> Path:
    """Write a checkpoint next to the others and take away all but the last two.

    Raises:
        TrainingError: the disk is full or not writable; names the last checkpoint that is whole.
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
                save_sharded,  # slow to import, and needed by several ranks only
            )

            save_sharded(temporary / CLASSES_FOLDER, checkpoint.sharded, checkpoint.classes, ranks)
        except Exception as error:  # torch wraps what a rank met in an error of its own
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
    if target.exists():  # written by a run that was stopped here and went on from an earlier one
        shutil.rmtree(target)
    temporary.rename(target)


def _clear_unfinished(folder: Path) -> None:
    """Take away what a killed run left."""
    for path in folder.glob(".step-*.tmp"):
        shutil.rmtree(path, ignore_errors=True)


def _all_or_none(failure: str, run: Path, step: int, ranks: Ranks) -> None:
    if not ranks.any(bool(failure)):
        return
    if ranks.first:
        _clear_unfinished(run / "checkpoints")
    kept = checkpoint_folders(run)
    last = "there is none before"
    if kept:
        last = f"{kept[0].name} is whole: make room, then go on with {parameter('resume', True)}"
    raise TrainingError(
        f"{run}: the checkpoint of step {step} could not be written ({failure or 'on another rank'}); {last}"
    )


def _reason(error: Exception) -> str:
    text = str(getattr(error, "strerror", None) or error).strip()
    return (text.splitlines() or [type(error).__name__])[-1][:160]


def load_checkpoint(
    run: Path, fingerprint: str, sharded: dict[str, Tensor], ranks: Ranks, contents: str = ""
) -> tuple[Checkpoint, list[str]] | None:
    """The latest checkpoint that can be read, and a note on each that cannot; nothing where there is none.

    Args:
        run: the folder of the run.
        fingerprint: of the data; must be the checkpoint's ``values["fingerprint"]``.
        sharded: name → this rank's rows (float32), to be filled; empty where classes are not spread.
        ranks: the processes.
        contents: of the images; compared where the checkpoint has it.

    Raises:
        TrainingError: there are checkpoints, but none is whole, or they are of other data.
    """
    notes: list[str] = []
    folders = checkpoint_folders(run)
    for folder in folders:
        try:
            return _load(folder, fingerprint, sharded, ranks, contents), notes
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            notes.append(f"{folder}: damaged ({_reason(error)}); trying the one before")
    if folders:
        raise TrainingError(f"{run}: none of its checkpoints can be read; start anew in another folder")
    return None


def require_data(folder: Path, values: dict[str, Any], fingerprint: str, contents: str) -> None:
    """Refuse data other than those of a checkpoint.

    Args:
        folder: of the checkpoint.
        values: its own.
        fingerprint, contents: of the data, as of `load_checkpoint`.

    Raises:
        TrainingError: they are other people, or other images.
    """
    if values.get("fingerprint") != fingerprint:
        raise TrainingError(
            f"{folder}: made with other data (images, people, data.min_images, data.held_out or seed); "
            "give the same, or begin anew in another folder"
        )
    if contents and not same_contents(values.get("contents", contents), contents):
        raise TrainingError(
            f"{folder}: made with other images under the same names; give the same, or begin anew in another folder"
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
