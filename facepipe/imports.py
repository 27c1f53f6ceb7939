"""What is imported when: names of a package on first use (PEP 562), and whether PyTorch is installed.

Nothing here imports PyTorch, which facepipe does without for short jobs.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from facepipe.errors import MissingExtraError


def lazy(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a package's ``__getattr__``, so that PyTorch or Arrow is imported only by what needs it.

    Args:
        package: ``__name__`` of the package.
        places: name → the module in the package that defines it, such as ``verification.lfw``.
    """

    def get(name: str) -> Any:
        if name in places:
            return getattr(import_module(f"{package}.{places[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get


def has_torch() -> bool:
    """Whether PyTorch is installed."""
    return find_spec("torch") is not None


def require_torch(what: str) -> None:
    """Refuse something that needs PyTorch if it is not installed.

    Args:
        what: the thing that needs it, with which the message begins.

    Raises:
        MissingExtraError: PyTorch is not installed.
    """
    if not has_torch():
        raise MissingExtraError(f"{what} needs PyTorch, which is not installed: pip install 'torch>=2.6'")
