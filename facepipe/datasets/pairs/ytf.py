"""YouTube Faces (Wolf et al. 2011): pairs of videos, and the frames of a video."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from facepipe.datasets.lines import image_path, read_lines, whole
from facepipe.datasets.mat_file import read_mat
from facepipe.datasets.pairs.lfw_pairs import PairRow, Pairs, make_pairs
from facepipe.errors import DatasetError, ImageError
from facepipe.images import list_images
from facepipe.tables import counted


def read_ytf_pairs(path: Path) -> Pairs:
    """Read the ten splits: ``splits.txt``, or ``meta_and_splits.mat`` if the name ends in ``.mat``.

    A line of ``splits.txt`` starts with ``split, pair, NAME/VIDEO, NAME/VIDEO, same``; splits are numbered from 1, and
    a header is skipped. In the ``.mat`` file ``Splits`` is 500×3×10 (video, video, same; 1-based) and ``video_names``
    names the videos.

    Returns:
        `Pairs` whose names are videos, such as ``Ann_Lee/3``.

    Raises:
        DatasetError: missing or malformed; gives the file and the line.
    """
    pairs = make_pairs(_from_mat(path) if path.suffix.lower() == ".mat" else _from_text(path))
    if not len(pairs):
        raise DatasetError(f"{path}: has no pairs of videos")
    if not np.bincount(pairs.fold).all():
        raise DatasetError(f"{path}: split {int(np.bincount(pairs.fold).argmin()) + 1} has no pairs; download it again")
    return pairs


def list_frames(root: Path, videos: Sequence[str], most: int | None = None, leave: bool = False) -> list[Path]:
    """The frames of the videos, video by video.

    Args:
        root: ``frame_images_DB`` or ``aligned_images_DB``, or a folder that contains one of them, such as
            ``YouTubeFaces`` or its parent.
        videos: such as ``Ann_Lee/3``.
        most: maximum frames per video, taken at equal distances.
        leave: whether a video may have no frames.

    Raises:
        DatasetError: a video has no frames, or none has.
    """
    names = "aligned_images_DB", "frame_images_DB"
    outer = [root, *sorted(path for path in root.iterdir() if path.is_dir() and path.name.startswith("YouTubeFaces"))]
    inside = [folder / name for folder in outer for name in names if (folder / name).is_dir()]
    if len(inside) > 1:
        raise DatasetError(f"{root}: has whole and aligned frames; name {inside[0].name} or {inside[1].name} in it")
    folder = inside[0] if inside else root
    frames: list[Path] = []
    for video in videos:
        try:
            found = sorted(list_images(folder / video), key=frame_number)
        except ImageError:
            found = []
        if not found and not leave:
            raise DatasetError(f"{folder / video}: no frames of this video; the folder must have all videos")
        frames += found if most is None else subsample(found, most)
    if not frames:
        wanted = counted(len(videos), "video")
        raise DatasetError(f"{folder}: no frames of any of the {wanted}; the folder must have them")
    return frames


def subsample(frames: list[Path], most: int) -> list[Path]:
    """At most ``most`` frames of a video, at equal distances, in order."""
    if len(frames) <= most:
        return frames
    return [frames[index] for index in np.linspace(0, len(frames) - 1, most).round().astype(int)]


def frame_number(path: Path) -> tuple[int, str]:
    """Sort key of a frame, named ``3.618.jpg`` or ``aligned_detect_3.618.jpg``; 618 is its number."""
    digits = path.stem.rpartition(".")[2]
    return int(digits) if digits.isdigit() else -1, path.name


def _from_text(path: Path) -> Iterator[PairRow]:
    for line in read_lines(path, "YouTube Faces' is splits.txt or meta_and_splits.mat"):
        words = [image_path(word) for word in line.words(commas=True)]
        split = whole(words[0])
        if line.number == 1 and split is None:
            continue
        videos = [column for column, word in enumerate(words) if "/" in word]
        after = words[videos[-1] + 1 :] if videos else []
        same = whole(after[0]) if after else None
        if len(videos) != 2 or split is None or split < 1 or same not in (0, 1):
            raise line.wrong("'split, pair, NAME/VIDEO, NAME/VIDEO, same'")
        yield PairRow(words[videos[0]], words[videos[1]], same == 1, split - 1, line)


def _from_mat(path: Path) -> Iterator[tuple[str, str, bool, int]]:
    content = read_mat(path, ("Splits", "video_names"), squeeze=True)
    try:
        splits = np.asarray(content["Splits"], np.int64)
        names = [str(name).replace("\\", "/") for name in content["video_names"]]
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{path}: not YouTube Faces' meta_and_splits.mat; download it again") from error
    if splits.ndim != 3 or splits.shape[1] != 3 or splits[:, :2].min() < 1 or splits[:, :2].max() > len(names):
        raise DatasetError(f"{path}: its Splits do not match its video_names; download it again")
    for fold in range(splits.shape[2]):
        for a, b, same in splits[:, :, fold].tolist():
            yield names[a - 1], names[b - 1], bool(same), fold
