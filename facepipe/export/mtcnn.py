"""MTCNN's three networks as ONNX files."""

from pathlib import Path

from facepipe.detection.graphs import onet_graph, pnet_graph, rnet_graph
from facepipe.files import require_apart, write_bytes
from facepipe.graphs import graph_bytes
from facepipe.weights import detector_weights

NETWORKS = {"pnet": pnet_graph, "rnet": rnet_graph, "onet": onet_graph}


def export_mtcnn(folder: Path, overwrite: bool = False) -> list[Path]:
    """Write ``pnet.onnx``, ``rnet.onnx`` and ``onet.onnx``, which take RGB crops scaled as (x − 127.5)/128.

    Args:
        folder: to write to; created if necessary.
        overwrite: replace existing files.

    Raises:
        ModelError: the weights are missing or damaged.
        OutputError: a file exists already.
    """
    from safetensors.numpy import load_file

    path = detector_weights("mtcnn")
    files = [folder / f"{name}.onnx" for name in NETWORKS]
    require_apart(files, [path], overwrite)
    weights = load_file(path)
    folder.mkdir(parents=True, exist_ok=True)
    for file, graph in zip(files, NETWORKS.values(), strict=True):
        write_bytes(file, graph_bytes(graph(weights)))
    return files
