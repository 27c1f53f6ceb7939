"""facepipe: an end-to-end face recognition pipeline.

The top-level API: `detect`, `align`, `embed`, `compare` and `identify` take a photo in any common form (a path, bytes,
a file object, a Pillow image, an array); `Pipeline` keeps a chosen detector and model for many photos; `load` loads a
model; `evaluate` holds the protocols; `FacepipeError` is the base of all errors. All are imported on first use;
``__init__.pyi`` gives type checkers their signatures.
"""

from importlib import import_module
from typing import Any

from facepipe.threads import prepare_threads

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Decide",
    "DetectorSettings",
    "Face",
    "FacepipeError",
    "Pipeline",
    "__version__",
    "align",
    "compare",
    "detect",
    "embed",
    "evaluate",
    "identify",
    "load",
]

_PLACES = {
    "Comparison": "facepipe.api.comparison",
    "Decide": "facepipe.api.comparison",
    "DetectorSettings": "facepipe.detection.settings",
    "Face": "facepipe.api.face",
    "FacepipeError": "facepipe.errors",
    "Pipeline": "facepipe.api.pipeline",
    "align": "facepipe.api.functions",
    "compare": "facepipe.api.functions",
    "detect": "facepipe.api.functions",
    "embed": "facepipe.api.functions",
    "identify": "facepipe.api.functions",
    "load": "facepipe.zoo.loading",
}

# Here, because OpenMP reads its environment only once, when torch loads it.
prepare_threads()


def __getattr__(name: str) -> Any:
    if name == "evaluate":
        return import_module("facepipe.evaluation")
    if name not in _PLACES:
        from facepipe.nearest import nearest

        meant = nearest(name, __all__)
        hint = "" if meant is None else f"; did you mean {meant!r}?"
        raise AttributeError(f"module 'facepipe' has no attribute {name!r}{hint}")
    value = globals()[name] = getattr(import_module(_PLACES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
