"""insightface's ``.bin`` verification sets: a pickle of encoded images and of whether pairs are of one person."""

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.datasets.pairs.lfw_pairs import Pairs, make_pairs
from facepipe.errors import DatasetError

_FOLDS = 10


@dataclass(frozen=True)
class BinSet:
    """A ``.bin`` file.

    Attributes:
        images: name → encoded image, each once, though the file repeats those that are in several pairs. The
            name is the first 16 digits of the image's SHA-256, since the file has none.
        pairs: in ten contiguous folds.
    """

    images: dict[str, bytes]
    pairs: Pairs


def read_bin(path: Path) -> BinSet:
    """Read a ``.bin`` file, as lfw2pack.py of insightface writes them.

    Images 2i and 2i + 1 are pair i. Folds are those of scikit-learn's ``KFold`` without shuffling, as
    verification.py uses it: contiguous, the first ones longer by one where they do not come out even; with
    fewer than ten pairs, one pair each. The pickle may hold bytes, lists, truth values and arrays of bytes;
    anything else is refused, so no code in it is run.

    Raises:
        DatasetError: missing, damaged, or something other than such a pickle.
    """
    try:
        with path.open("rb") as file:
            loaded = _Restricted(file, encoding="bytes").load()
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; insightface's validation sets are named like lfw.bin") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    # A damaged pickle raises almost anything.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DatasetError(f"{path}: not one of insightface's .bin sets ({reason}); fetch it again") from error
    images, same = _parts(loaded, path)
    names = [hashlib.sha256(image).hexdigest()[:16] for image in images]
    rows = zip(names[::2], names[1::2], same.tolist(), _contiguous(len(same)).tolist(), strict=True)
    return BinSet(dict(zip(names, images, strict=True)), make_pairs(rows))


def _parts(loaded: Any, path: Path) -> tuple[list[bytes], np.ndarray]:
    def wrong(what: str) -> DatasetError:
        return DatasetError(f"{path}: not one of insightface's .bin sets: {what}; fetch it again")

    if not isinstance(loaded, tuple | list) or len(loaded) != 2:
        raise wrong("it should hold images and truth values")
    images, same = loaded
    if not isinstance(images, tuple | list) or not isinstance(same, tuple | list) or not len(same):
        raise wrong("it should hold two lists")
    if len(images) != 2 * len(same):
        raise wrong(f"{len(images)} images for {len(same)} pairs")
    encoded = [image.content if isinstance(image, _Array) else image for image in images]
    if not all(isinstance(image, bytes) for image in encoded):
        raise wrong("an image is no bytes")
    truth = [value.content if isinstance(value, _Array) else value for value in same]
    if not all(value in (True, False, b"\0", b"\1") for value in truth):
        raise wrong("a truth value is neither true nor false")
    return encoded, np.array([value in (True, b"\1") for value in truth], bool)


def _contiguous(count: int) -> np.ndarray:
    folds = min(_FOLDS, count)
    sizes = np.full(folds, count // folds)
    sizes[: count % folds] += 1
    return np.repeat(np.arange(folds), sizes)


class _Array:
    """Stands in for a NumPy array or scalar of bytes: keeps its content, makes no array."""

    content = b""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.content = bytes(state[-1])


class _Type:
    """Stands in for a NumPy dtype: only single bytes and truth values are known."""

    def __init__(self, name: Any, *_: Any) -> None:
        if (name.decode() if isinstance(name, bytes) else name) not in ("u1", "b1", "|u1", "|b1", "uint8", "bool"):
            raise pickle.UnpicklingError("an array of another type than bytes")

    def __setstate__(self, state: Any) -> None:
        """Byte order and such, which single bytes do not have."""


def _array(*_: Any) -> _Array:
    return _Array()


def _scalar(_type: _Type, content: bytes) -> _Array:
    made = _Array()
    made.content = content
    return made


def _from_buffer(content: Any, type_: _Type, *_: Any) -> _Array:
    """How NumPy writes an array into a pickle of protocol 5."""
    return _scalar(type_, bytes(content))


def _encode(text: str, encoding: Any) -> bytes:
    """How Python 3 writes bytes into a pickle of protocol 2."""
    if encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError("bytes in another form than latin1")
    return text.encode("latin1") if isinstance(text, str) else text


_KNOWN = {
    "multiarray._reconstruct": _array,
    "multiarray.scalar": _scalar,
    "numeric._frombuffer": _from_buffer,
    "numpy.ndarray": _Array,
    "numpy.dtype": _Type,
    "_codecs.encode": _encode,
}


class _Restricted(pickle.Unpickler):
    """Makes nothing but plain values and the stand-ins above."""

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in, or an error."""
        known = _KNOWN.get(f"{module.removeprefix('numpy.core.').removeprefix('numpy._core.')}.{name}")
        if known is None:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no such set needs")
        return known
