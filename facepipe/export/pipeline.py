"""Exporting a complete pipeline: four ONNX files, their settings, and one module that needs only NumPy and OpenCV."""

import json
from pathlib import Path
from typing import Any

from facepipe.alignment import template
from facepipe.detection import DetectorSettings, preset
from facepipe.errors import ModelError
from facepipe.export.mtcnn import NETWORKS, export_mtcnn
from facepipe.export.onnx import OnnxExport, export_onnx
from facepipe.files import require_apart, write_text
from facepipe.graphs import read_graph
from facepipe.zoo import Card
from facepipe.zoo.catalogue import DEFAULT, detector_cards
from facepipe.zoo.onnx_card import card_of

_MODULE = Path(__file__).with_name("face_pipeline.py")


def export_pipeline(
    name_or_path: str | Path = DEFAULT,
    folder: Path = Path("pipeline"),
    numbers: str = "float32",
    detection: DetectorSettings | None = None,
    overwrite: bool = False,
) -> OnnxExport:
    """Write detector, embedder, settings and ``face_pipeline.py``, which needs only NumPy and OpenCV.

    Args:
        name_or_path: of the model, as in `facepipe.load`.
        folder: to write to; created if necessary.
        numbers: see `export_onnx`.
        detection: settings of the search for faces, with MTCNN; None means those of ``facepipe compare``.
        overwrite: replace existing files.

    Raises:
        ModelError: see `export_onnx`; also if the detector is not MTCNN.
        OutputError: a file exists already.
    """
    detection = detection or preset(turns=True)
    if detection.detector != "mtcnn":
        raise ModelError(f"detector {detection.detector}: a pipeline can be exported with mtcnn only")
    files = [folder / name for name in ("embedder.onnx", "pipeline.json", _MODULE.name)]
    require_apart([*files, *(folder / f"{name}.onnx" for name in NETWORKS)], [], overwrite)
    made = export_onnx(name_or_path, files[0], whole=True, numbers=numbers, overwrite=overwrite)
    networks = {path.stem: _outputs(path) for path in export_mtcnn(folder, overwrite)}
    networks["embedder"] = _outputs(files[0])
    settings = _settings(card_of(files[0]), networks, detection)
    write_text(files[1], json.dumps(settings, indent=2) + "\n")
    write_text(files[2], _MODULE.read_text(encoding="utf-8"))
    return made


def _outputs(path: Path) -> list[str]:
    return [value.name for value in read_graph(path).outputs]


def _settings(card: Card, networks: dict[str, list[str]], detection: DetectorSettings) -> dict[str, Any]:
    cut = template(card.input.template)
    height, width = card.input.size
    if (height, width) != (cut.height, cut.width):
        raise ModelError(f"{card.name}: its crops do not follow a known template, so a pipeline cannot produce them")
    return {
        "model": card.name,
        "identity": card.identity,
        "outputs": networks["embedder"],
        "networks": networks,
        "detector": detection.to_dict(),
        "template": {
            "height": height,
            "width": width,
            "points": cut.points.tolist(),
            "fit": cut.fit,
            "landmark_shift": cut.landmark_shift,
        },
        "thresholds": [
            {"far": one.far, "value": one.value, "calibrated_on": one.calibrated_on} for one in card.thresholds_of()
        ],
        "licences": {
            "embedder": card.source.to_dict(),
            "mtcnn": detector_cards()["mtcnn"].source.to_dict(),
        },
    }
