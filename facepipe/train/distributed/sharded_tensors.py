"""Tensors whose rows are sharded over ranks, as DTensors in a torch.distributed.checkpoint folder."""

import warnings
from pathlib import Path

import torch
from torch import Tensor
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard

from facepipe.train.distributed.ranks import Ranks


def _as_dtensors(local: dict[str, Tensor], rows: int, ranks: Ranks) -> dict[str, DTensor]:
    mesh = init_device_mesh(ranks.device.type, (ranks.count,))
    sharded = {}
    for name, tensor in local.items():
        shape = torch.Size((rows, *tensor.shape[1:]))
        stride = torch.empty(shape, device="meta").stride()
        sharded[name] = DTensor.from_local(
            tensor, mesh, [Shard(0)], run_check=False, shape=shape, stride=stride
        )
    return sharded


def whole_rows(local: Tensor, rows: int, ranks: Ranks) -> Tensor:
    """All rows of a tensor of which each rank holds its shard; collective, the result is on every rank."""
    return _as_dtensors({"rows": local}, rows, ranks)["rows"].full_tensor()


def save_sharded(folder: Path, local: dict[str, Tensor], rows: int, ranks: Ranks) -> None:
    """Write this rank's rows of each tensor; collective, with the shards of ``shard_of``."""
    save(dict(_as_dtensors(local, rows, ranks)), storage_writer=FileSystemWriter(folder))


def load_sharded(folder: Path, local: dict[str, Tensor], rows: int, ranks: Ranks) -> dict[str, Tensor]:
    """Read tensors written by any number of ranks.

    With one rank, returns all tensors of the folder. With several, returns this rank's rows of the tensors named in
    ``local``, overwriting its values; names missing from the folder are omitted.

    Raises:
        ValueError: a file is damaged or missing.
    """
    try:
        stored = FileSystemReader(folder).read_metadata().state_dict_metadata
        if ranks.count == 1:
            whole = {
                name: torch.empty(entry.size, dtype=entry.properties.dtype)
                for name, entry in stored.items()
                if isinstance(entry, TensorStorageMetadata)
            }
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns that there is no process group, as intended
                load(whole, storage_reader=FileSystemReader(folder))
            return whole
        known = {name: tensor for name, tensor in local.items() if name in stored}
        load(dict(_as_dtensors(known, rows, ranks)), storage_reader=FileSystemReader(folder))
        return known
    except Exception as error:  # torch raises many types here, some of them wrapped
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1][:120]
        raise ValueError(f"{folder.name} cannot be read: {reason}") from error
