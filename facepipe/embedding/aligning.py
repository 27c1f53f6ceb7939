"""The aligner whose crops an embedder takes, on the host or on the embedder's device."""

from facepipe.alignment import Aligner
from facepipe.detection import Detector
from facepipe.detection.shared_tables import share_tables
from facepipe.embedding.embedder import Embedder
from facepipe.engines import choose_engine
from facepipe.errors import FacepipeError
from facepipe.nearest import did_you_mean
from facepipe.parameters import parameter

WARPS = ("host", "device")
"""Where crops are cut."""


def aligner_of(embedder: Embedder, warp: str = "host", detector: Detector | None = None) -> Aligner:
    """An aligner with the template of the embedder's model.

    Args:
        embedder: with ``device``, one that runs in PyTorch.
        warp: ``host``; or ``device``: crops are cut where the embedder runs and stay there.
        detector: finds the faces; with ``device``, MTCNN on the same device uploads the photos for both.

    Raises:
        FacepipeError: unknown value of ``warp``.
        DeviceError: the ONNX engine has no device.
    """
    if warp not in WARPS:
        raise FacepipeError(f"{parameter('warp', warp)}: {did_you_mean(warp, WARPS)}")
    cut = embedder.model.card.input.template
    if warp == "host":
        return Aligner(cut)
    choose_engine(embedder.engine, warp=warp)
    from facepipe.alignment.device_aligner import DeviceAligner

    device = embedder.model.device
    assert not isinstance(device, str)
    aligner = DeviceAligner(cut, device)
    if detector is not None:
        share_tables(detector, aligner.tables)
    return aligner
