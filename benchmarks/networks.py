"""Each network in each library that can run it: PyTorch, ONNX Runtime, OpenVINO (pip install openvino).

    python benchmarks/networks.py [--rounds 30] [-m facepipe-mobilenet]

One thread, since images are spread over cores; libraries take turns, so that a busy moment affects all. Shapes are
those of the engines: two levels of P-Net's pyramid for LFW's photos, 64 candidates for R-Net, 16 for O-Net, 16 crops
(PyTorch) or 1 (the others) for the embedder. Prints a line of JSON per network: milliseconds of CPU time per image,
candidate or crop, the minimum of all rounds, and the largest difference of any output from PyTorch's.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file

from facepipe.detection.graphs import onet_graph, pnet_graph, rnet_graph
from facepipe.detection.torch_stages import TorchStages
from facepipe.embedding.torch_runner import TorchRunner
from facepipe.engines import open_session
from facepipe.graphs import Graph, graph_bytes
from facepipe.graphs.batch_norm import fold_norms
from facepipe.graphs.constants import fold_constants
from facepipe.weights import detector_weights
from facepipe.zoo import load
from facepipe.zoo.model_graph import model_graph

Run = Callable[[np.ndarray], list[np.ndarray]]
FORMATS = {"openvino float32": "f32", "openvino bfloat16": "bf16"}


def by_torch(network: Callable[[torch.Tensor], Iterable[torch.Tensor]]) -> Run:
    def run(x: np.ndarray) -> list[np.ndarray]:
        with torch.inference_mode():
            held = torch.from_numpy(x).contiguous(memory_format=torch.channels_last)
            return [one.numpy() for one in network(held)]

    return run


def by_openvino(graph: Graph, precision: str) -> Run:
    import openvino

    fold_constants(graph)
    fold_norms(graph)
    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision}
    compiled = core.compile_model(core.read_model(graph_bytes(graph)), "CPU", settings)
    return lambda x: [np.array(one) for one in compiled([x]).values()]


def libraries(torch_run: Run, graph: Callable[[], Graph]) -> dict[str, Run]:
    runs = {"torch": torch_run, "onnxruntime": open_session(graph(), 1)}
    try:
        return runs | {name: by_openvino(graph(), form) for name, form in FORMATS.items()}
    except ImportError:
        return runs


def measure(runs: dict[str, Run], x: np.ndarray, passes: dict[str, int], rounds: int) -> dict[str, Any]:
    """Milliseconds per item in each library, the best of all rounds, and the difference from PyTorch."""
    parts = {name: np.split(x, range(passes.get(name, len(x)), len(x), passes.get(name, len(x)))) for name in runs}
    right = runs["torch"](x)
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds):
        for name, run in runs.items():
            begin = time.process_time()
            for part in parts[name]:
                run(part)
            best[name] = min(best[name], time.process_time() - begin)
    away = {name: max(map(far, run(x), right)) for name, run in runs.items() if name != "torch"}
    return {"ms": {name: round(1000 * spent / len(x), 3) for name, spent in best.items()}, "difference": away}


def far(ours: np.ndarray, theirs: np.ndarray) -> float:
    theirs = theirs.reshape(len(theirs), -1)
    ours = ours.reshape(len(ours), -1)[:, -theirs.shape[1] :]  # of two probabilities PyTorch's side gives the face's
    return float(np.abs(ours - theirs).max())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("-m", "--model", default="facepipe-mobilenet")
    given = options.parse_args()
    torch.set_num_threads(1)
    random = np.random.default_rng(0)

    def noise(*shape: int) -> np.ndarray:
        return random.uniform(-1, 1, shape).astype(np.float32)

    stages, weights = TorchStages("cpu"), load_file(detector_weights("mtcnn"))
    for name, network, graph, shape in (
        ("P-Net, 150×150", stages.pnet, pnet_graph, (4, 3, 150, 150)),
        ("P-Net, 53×53", stages.pnet, pnet_graph, (16, 3, 53, 53)),
        ("R-Net", stages.rnet, rnet_graph, (64, 3, 24, 24)),
        ("O-Net", stages.onet, onet_graph, (16, 3, 48, 48)),
    ):
        runs = libraries(by_torch(network), lambda make=graph: make(weights))
        print(json.dumps({"network": name} | measure(runs, noise(*shape), {}, given.rounds)), flush=True)
    model = load(given.model, "cpu")
    runner = TorchRunner(model, "float32", 16)
    torch_run = by_torch(lambda x: runner._pass(x, len(x))[:1] if model.head is None else [runner.network(x)])
    runs = libraries(torch_run, lambda: model_graph(model))
    passes = dict.fromkeys(runs, 1) | {"torch": 16}
    told = measure(runs, noise(16, 3, *model.card.input.size), passes, max(3, given.rounds // 5))
    print(json.dumps({"network": given.model} | told))


if __name__ == "__main__":
    main()
