"""A text file with one image and its label per line, as written by SphereFace's get_list.m and mxnet's im2rec."""

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from facepipe.datasets.lines import Line, each_line, image_path, is_image, whole, without_headings
from facepipe.datasets.samples.find_image import as_written
from facepipe.datasets.samples.samples import Samples, from_names, size_of
from facepipe.errors import DatasetError
from facepipe.files.identity import TOP, Layout, below, common_root
from facepipe.images import read_encoded
from facepipe.parameters import parameter

_INSPECTED, _TRIED = 100, 3
_BLOCK = 1 << 16
_WANTED = "'IMAGE LABEL'"


def open_list(path: str | os.PathLike[str], identity_depth: int = TOP) -> Samples:
    """Lines ``IMAGE LABEL`` (separated by a tab, a comma, or the last space), or of three or more columns.

    The latter are mxnet's ``NUMBER<tab>LABEL<tab>IMAGE`` and insightface's ``NUMBER<tab>IMAGE<tab>LABEL``, optionally
    followed by box and landmarks. In a list of paths alone, as VGGFace2's, the label is the folder of the identity, see
    `facepipe.files.identity_of`, below the folder that all paths share. Relative paths are relative to the folder of
    the list. A label is a name or a number; numbers may have gaps. Empty lines, lines starting with ``#`` and a header
    are skipped.

    Raises:
        DatasetError: a line has no label, a numeric label is negative, or all of the first images are missing; gives
            the line and its text.
    """
    path = Path(path)
    lines = (line for line in each_line(path, "a list has one 'IMAGE LABEL' per line") if line.text[0] != "#")
    head = list(islice(lines, _INSPECTED))
    first, note = without_headings(head, [_has_image(line) for line in head[:2]])
    form = _form(first)
    table, names = _columns(form(line) for line in chain(first, lines))
    notes: tuple[str, ...] = (note,) if note else ()
    if form is _by_folder:
        # Until here the names are folders.
        people, remark = _people(path, set(names), identity_depth)
        names = [people[folder] for folder in names]
        notes += (f"{path}: {remark}",) if remark else ()
    root = path.parent
    _require_some(root, first, table[:_TRIED].to_pylist())

    def path_of(index: int) -> Path:
        return as_written(root / table[index].as_py())

    samples = from_names(
        str(path),
        names,
        lambda index: read_encoded(path_of(index)),
        lambda index: str(root / table[index].as_py()),
        notes,
        size=lambda index: size_of(path_of(index)),
    )
    return _in_numeric_order(samples)


def _columns(rows: Iterable[tuple[str, str]]) -> tuple[pa.Array, list[str]]:
    """Images and labels, compact for lists of millions: paths as Arrow text, one string object per label."""
    parts: list[pa.Array] = []
    names: list[str] = []
    known: dict[str, str] = {}
    rest = iter(rows)
    while block := list(islice(rest, _BLOCK)):
        parts.append(pa.array([image for image, _ in block], type=pa.large_string()))
        names += [known.setdefault(name, name) for _, name in block]
    return pa.concat_arrays(parts) if parts else pa.array([], type=pa.large_string()), names


def _form(lines: Sequence[Line]) -> Callable[[Line], tuple[str, str]]:
    """The parser for a list with these first lines: labels are folders if all of them are bare paths."""
    bare = [
        is_image(line.text) and "/" in image_path(line.text) and len(line.words(commas=True)) == 1 for line in lines
    ]
    return _by_folder if bare and all(bare) else _labelled


def _by_folder(line: Line) -> tuple[str, str]:
    image = image_path(line.text)
    if len(line.words(commas=True)) != 1 or "/" not in image:
        raise line.wrong("'FOLDER/IMAGE' as the previous lines")
    return image, image.rpartition("/")[0]


def _people(path: Path, folders: Collection[str], identity_depth: int) -> tuple[dict[str, str], str]:
    """The identity of the images in each folder of a list of paths, and a remark on the folders."""
    layout, root = Layout(identity_depth), (common_root([f"{folder}/image" for folder in folders]),)
    people = {folder: layout.identity(below(f"{folder}/image", root)) for folder in folders}
    nobody = sorted(folder for folder, person in people.items() if not person)
    if nobody:
        deep = f"no folder {identity_depth} deep; see {parameter('identity_depth')}"
        raise DatasetError(f"{path}: images of {nobody[0]} are in {deep}")
    return people, layout.remark()


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
        raise DatasetError(f"{line.where}: label {name} is out of range; numbers start from 0")
    if not image or not name:
        raise line.wrong(_WANTED)
    if is_image(name) and is_image(image):
        raise line.wrong(f"{_WANTED}, and here both are images")
    return image_path(image), name if number is None else str(number)


def _divided(line: Line) -> tuple[str, str]:
    """Split at a comma or semicolon, or at the last space."""
    for divider in ",;":
        words = line.text.rsplit(divider, 1)
        if len(words) == 2 and is_image(words[0]):
            return words[0].strip(), words[1].strip()
    words = line.text.rsplit(None, 1)
    if "\t" in line.text or len(words) != 2:
        raise line.wrong(_WANTED)
    return words[0], words[1]


def _numbered(line: Line, words: list[str]) -> tuple[str, str]:
    """mxnet's or insightface's order, distinguished by the column of the image."""
    if is_image(words[1]) and not (len(words) == 3 and is_image(words[2])):
        return words[1], words[2]
    if len(words) == 3 and whole(words[1]) is not None and not is_image(words[1]):
        return words[2], words[1]
    raise line.wrong("'NUMBER LABEL IMAGE' or 'NUMBER IMAGE LABEL' with tabs, the image with its extension")


def _has_image(line: Line) -> bool:
    """Whether any column can be an image name."""
    return is_image(line.text) or any(is_image(word) for word in (*line.words(), *line.words(commas=True)))


def _require_some(root: Path, lines: Sequence[Line], images: Sequence[str]) -> None:
    """Fail early if the images are elsewhere: one of the first must exist."""
    first = [as_written(root / image) for image in images[:_TRIED]]
    if first and not any(path.exists() for path in first):
        raise DatasetError(
            f"{lines[0].where}: {first[0]}: no such image, nor the next {len(first) - 1}; paths must be absolute or "
            "relative to the folder of the list"
        )


def _in_numeric_order(samples: Samples) -> Samples:
    if not all(name.isdigit() for name in samples.identities):
        return samples
    order = np.argsort([int(name) for name in samples.identities], kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    names = [samples.identities[index] for index in order]
    return replace(samples, labels=rank[samples.labels], identities=names)
