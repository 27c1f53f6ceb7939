"""Whether PyTorch is installed, which facepipe does without for short jobs; nothing here loads it."""

from importlib.util import find_spec

from facepipe.errors import MissingExtraError


def has_torch() -> bool:
    """Whether PyTorch is installed."""
    return find_spec("torch") is not None


def require_torch(what: str) -> None:
    """Refuse what needs PyTorch where it is not installed.

    Args:
        what: needs it; the message begins with that.

    Raises:
        MissingExtraError: it is not installed.
    """
    if not has_torch():
        raise MissingExtraError(f"{what} needs PyTorch, which is not installed: pip install 'torch>=2.6'")
