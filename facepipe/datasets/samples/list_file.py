"""A text file with one image and its label per line, as SphereFace's get_list.m and mxnet's im2rec write."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from facepipe.datasets.lines import Line, each_line, image_path, is_image, whole, without_headings
from facepipe.datasets.samples.find_image import as_written
from facepipe.datasets.samples.samples import Samples, from_names, size_of
from facepipe.errors import DatasetError
from facepipe.images import read_encoded

_LOOKED_AT, _TRIED = 100, 3
_BLOCK = 1 << 16
_WANTED = "'IMAGE LABEL'"


def open_list(path: str | os.PathLike[str]) -> Samples:
    """Lines ``IMAGE LABEL`` (tab, comma, else the last blank divides), or of three columns and more.

    Those are mxnet's ``NUMBER<tab>LABEL<tab>IMAGE`` and insightface's ``NUMBER<tab>IMAGE<tab>LABEL`` with or without
    box and landmarks behind it. A list of nothing but paths with folders, as VGGFace2 has it, takes the folder of an
    image for its label. A relative image path counts from the folder of the list. A label is a name or a number;
    numbers need not be gapless. Empty lines, lines that begin with ``#`` and a first line of headings are skipped.

    Raises:
        DatasetError: a line has no label, a numeric label is negative, or none of the first images is there; names the
            line and what it holds.
    """
    path = Path(path)
    lines = (line for line in each_line(path, "a list has one 'IMAGE LABEL' per line") if line.text[0] != "#")
    some = list(islice(lines, _LOOKED_AT))
    begin, note = without_headings(some, [_has_image(line) for line in some[:2]])
    form = _form(begin)
    table, names = _columns(form(line) for line in chain(begin, lines))
    root = path.parent
    _require_some(root, begin, table[:_TRIED].to_pylist())

    def place(index: int) -> Path:
        return as_written(root / table[index].as_py())

    samples = from_names(
        str(path),
        names,
        lambda index: read_encoded(place(index)),
        lambda index: str(root / table[index].as_py()),
        (note,) if note else (),
        size=lambda index: size_of(place(index)),
    )
    return _in_numeric_order(samples)


def _columns(rows: Iterable[tuple[str, str]]) -> tuple[pa.Array, list[str]]:
    """Images and labels of a list of perhaps millions: of each image the bytes are kept, of each label one object."""
    parts: list[pa.Array] = []
    names: list[str] = []
    known: dict[str, str] = {}
    rest = iter(rows)
    while block := list(islice(rest, _BLOCK)):
        parts.append(pa.array([image for image, _ in block], type=pa.large_string()))
        names += [known.setdefault(name, name) for _, name in block]
    return pa.concat_arrays(parts) if parts else pa.array([], type=pa.large_string()), names


def _form(lines: Sequence[Line]) -> Callable[[Line], tuple[str, str]]:
    """How a list is read of which these are the first lines: by folders where all of them are nothing but paths."""
    bare = [
        is_image(line.text) and "/" in image_path(line.text) and len(line.words(commas=True)) == 1 for line in lines
    ]
    return _by_folder if bare and all(bare) else _labelled


def _by_folder(line: Line) -> tuple[str, str]:
    image = image_path(line.text)
    if len(line.words(commas=True)) != 1 or "/" not in image:
        raise line.wrong("'FOLDER/IMAGE', as the lines before")
    return image, image.split("/")[-2]


def _labelled(line: Line) -> tuple[str, str]:
    words = line.words()
    if len(words) >= 3 and whole(words[0]) is not None and "\t" in line.text:
        image, name = _numbered(line, words)
    elif "\t" in line.text and len(words) == 2:
        image, name = words
    else:
        image, name = _divided(line)
    number = whole(name)
    if number is not None and number < 0:
        raise DatasetError(f"{line.where}: label {name} is out of range; numbers start at 0")
    if not image or not name:
        raise line.wrong(_WANTED)
    return image_path(image), name if number is None else str(number)


def _divided(line: Line) -> tuple[str, str]:
    """Of one comma or semicolon, or the last blank."""
    for divider in ",;":
        words = line.text.rsplit(divider, 1)
        if len(words) == 2 and is_image(words[0]):
            return words[0].strip(), words[1].strip()
    words = line.text.rsplit(None, 1)
    if "\t" in line.text or len(words) != 2:
        raise line.wrong(_WANTED)
    return words[0], words[1]


def _numbered(line: Line, words: list[str]) -> tuple[str, str]:
    """mxnet's order or insightface's, told apart by which column is the image's."""
    if is_image(words[1]) and not (len(words) == 3 and is_image(words[2])):
        return words[1], words[2]
    if len(words) == 3 and whole(words[1]) is not None and not is_image(words[1]):
        return words[2], words[1]
    raise line.wrong("'NUMBER LABEL IMAGE' or 'NUMBER IMAGE LABEL' with tabs, the image with its extension")


def _has_image(line: Line) -> bool:
    """Whether any column could name an image."""
    return is_image(line.text) or any(is_image(word) for word in (*line.words(), *line.words(commas=True)))


def _require_some(root: Path, lines: Sequence[Line], images: Sequence[str]) -> None:
    """Of a list whose images lie elsewhere, the first ones tell it."""
    first = [as_written(root / image) for image in images[:_TRIED]]
    if first and not any(place.exists() for place in first):
        raise DatasetError(
            f"{lines[0].where}: {first[0]}: no such image, nor are the {len(first) - 1} behind it; a relative path "
            "counts from the folder of the list"
        )


def _in_numeric_order(samples: Samples) -> Samples:
    if not all(name.isdigit() for name in samples.identities):
        return samples
    order = np.argsort([int(name) for name in samples.identities], kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    names = [samples.identities[index] for index in order]
    return replace(samples, labels=place[samples.labels], identities=names)
