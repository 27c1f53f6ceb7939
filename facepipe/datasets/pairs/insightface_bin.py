"""insightface's ``.bin`` verification sets: a pickle of encoded images and pair labels."""

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.datasets.pairs.lfw_pairs import Pairs, make_pairs
from facepipe.errors import DatasetError
from facepipe.tables import counted

_FOLDS = 10
_BYTES = ("u1", "|u1")
_NUMBERS = frozenset((*_BYTES, "b1", "i1", "i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8"))
_LONG = {"uint8": "u1", "bool": "b1"}


@dataclass(frozen=True)
class BinSet:
    """A ``.bin`` file.

    Attributes:
        images: name → encoded image, without the duplicates in the file. The name is the first 16 digits of the
            image's SHA-256, since the file has no names.
        pairs: in ten contiguous folds.
    """

    images: dict[str, bytes]
    pairs: Pairs


def read_bin(path: Path) -> BinSet:
    """Read a ``.bin`` file as written by insightface's lfw2pack.py.

    Images 2i and 2i + 1 are pair i. Folds are those of scikit-learn's ``KFold`` without shuffling, as in
    verification.py: contiguous, with sizes that differ by at most one; with fewer than ten pairs, one pair each. The
    pickle may contain bytes, lists, booleans, arrays of bytes, and arrays of numbers, in which some writers store
    the booleans; anything else is refused, so no code in it is executed.

    Raises:
        DatasetError: missing, damaged, or not such a pickle.
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
        raise DatasetError(f"{path}: not one of insightface's .bin sets ({reason}); download it again") from error
    images, same = _parts(loaded, path)
    names = [hashlib.sha256(image).hexdigest()[:16] for image in images]
    rows = zip(names[::2], names[1::2], same.tolist(), _contiguous(len(same)).tolist(), strict=True)
    return BinSet(dict(zip(names, images, strict=True)), make_pairs(rows))


def _parts(loaded: Any, path: Path) -> tuple[list[bytes], np.ndarray]:
    def wrong(what: str) -> DatasetError:
        return DatasetError(f"{path}: not one of insightface's .bin sets: {what}; download it again")

    if not isinstance(loaded, tuple | list) or len(loaded) != 2:
        raise wrong("it should contain images and labels")
    images, same = loaded
    same = same.values() if isinstance(same, _Array) else same
    if not isinstance(images, tuple | list) or not isinstance(same, tuple | list) or not len(same):
        raise wrong("it should contain two lists")
    if len(images) != 2 * len(same):
        raise wrong(f"{counted(len(images), 'image')} for {counted(len(same), 'pair')}")
    if any(isinstance(image, _Array) and image.kind not in _BYTES for image in images):
        raise wrong("an image is an array of a type other than bytes")
    encoded = [image.content if isinstance(image, _Array) else image for image in images]
    if not all(isinstance(image, bytes) for image in encoded):
        raise wrong("an image is not bytes")
    truth = [value.values() if isinstance(value, _Array) else [value] for value in same]
    if not all(len(value) == 1 and value[0] in (True, False) for value in truth):
        raise wrong("a label is neither true nor false")
    return encoded, np.array([bool(value[0]) for value in truth], bool)


def _contiguous(count: int) -> np.ndarray:
    folds = min(_FOLDS, count)
    sizes = np.full(folds, count // folds)
    sizes[: count % folds] += 1
    return np.repeat(np.arange(folds), sizes)


class _Array:
    """Stand-in for a NumPy array or scalar: keeps its content without creating an array."""

    content = b""
    kind = "u1"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.kind, self.content = _kind(state[-3]), _content(state[-1])

    def values(self) -> list[Any]:
        """The values, flattened."""
        return list(np.frombuffer(self.content, self.kind).tolist())


class _Type:
    """Stand-in for a NumPy dtype: booleans and numbers only.

    Attributes:
        kind: in NumPy's notation, such as ``<i8``.
    """

    def __init__(self, name: Any, *_: Any) -> None:
        text = name.decode() if isinstance(name, bytes) else str(name)
        self.kind = _LONG.get(text, text)
        if self.kind.lstrip("|<>=") not in _NUMBERS:
            raise pickle.UnpicklingError("an array of a type other than bytes and numbers")

    def __setstate__(self, state: Any) -> None:
        """The second entry is the byte order."""
        order = state[1].decode() if isinstance(state[1], bytes) else state[1]
        if order in ("<", ">"):
            self.kind = order + self.kind.lstrip("|<>=")


def _kind(dtype: Any) -> str:
    if not isinstance(dtype, _Type):
        raise pickle.UnpicklingError("an array without a type")
    return dtype.kind


def _array(*_: Any) -> _Array:
    return _Array()


def _scalar(type_: _Type, content: bytes) -> _Array:
    array = _Array()
    array.kind, array.content = _kind(type_), _content(content)
    return array


def _from_buffer(content: Any, type_: _Type, *_: Any) -> _Array:
    """An array as NumPy pickles it with protocol 5."""
    return _scalar(type_, content)


def _content(data: Any) -> bytes:
    if not isinstance(data, bytes | bytearray):
        raise pickle.UnpicklingError("an array whose content is not bytes")  # bytes(number) would be that many zeros
    return bytes(data)


def _encode(text: str, encoding: Any) -> bytes:
    """Bytes as Python 3 pickles them with protocol 2."""
    if encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError("bytes in an encoding other than latin1")
    return text.encode("latin1") if isinstance(text, str) else text


_KNOWN = {
    "multiarray._reconstruct": _array,
    "multiarray.scalar": _scalar,
    "numeric._frombuffer": _from_buffer,
    "numpy.ndarray": _Array,
    "numpy.dtype": _Type,
    "_codecs.encode": _encode,
}


class _Restricted(pickle._Unpickler):  # in Python: the one in C allocates as much memory as a memo's number says
    """Creates only plain values and the stand-ins above."""

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in, or an error."""
        known = _KNOWN.get(f"{module.removeprefix('numpy.core.').removeprefix('numpy._core.')}.{name}")
        if known is None:
            raise pickle.UnpicklingError(f"it uses {module}.{name}, which no such set needs")
        return known
