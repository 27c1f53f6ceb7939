"""Evaluation: from images or embeddings and a data set's lists to a protocol's typed result.

One function per protocol. Its first argument says where embeddings come from: a `Source`, or the path of a folder of
images or a file of embeddings, which stands for a source with default settings. Protocols are imported on first use;
those of installed packages are included.
"""

from typing import TYPE_CHECKING, Any

from facepipe.evaluation.source import Source
from facepipe.nearest import did_you_mean
from facepipe.registry import FileRegistry

if TYPE_CHECKING:
    from collections.abc import Callable

    from facepipe.evaluation.protocols.bin import bin
    from facepipe.evaluation.protocols.blufr import blufr
    from facepipe.evaluation.protocols.cfp import cfp
    from facepipe.evaluation.protocols.ijb import ijb
    from facepipe.evaluation.protocols.ijba import ijba
    from facepipe.evaluation.protocols.lfw import lfw
    from facepipe.evaluation.protocols.megaface import megaface
    from facepipe.evaluation.protocols.openset import openset
    from facepipe.evaluation.protocols.pairs import pairs
    from facepipe.evaluation.protocols.risk import risk
    from facepipe.evaluation.protocols.ytf import ytf

__all__ = [
    "PROTOCOLS", "Source", "bin", "blufr", "cfp", "ijb", "ijba", "lfw", "megaface", "openset", "pairs", "risk", "ytf",
]  # fmt: skip

PROTOCOLS: "FileRegistry[Callable[..., Any]]" = FileRegistry(
    "protocol",
    "facepipe.protocols",
    folder="facepipe.evaluation.protocols",
    first=("lfw", "cfp", "pairs", "bin", "ytf", "ijba", "ijb", "megaface", "blufr", "openset", "risk"),
)
"""Name → function of a protocol, which takes a `Source` and returns a `facepipe.protocols.Result`."""


def __getattr__(name: str) -> Any:
    if name not in PROTOCOLS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; {did_you_mean(name, PROTOCOLS)}")
    return PROTOCOLS[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *PROTOCOLS})
