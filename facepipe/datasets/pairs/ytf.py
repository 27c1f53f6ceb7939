"""YouTube Faces (Wolf et al. 2011): pairs of videos, and the frames of a video."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from facepipe.datasets.mat_file import read_mat
from facepipe.datasets.pairs.lfw_pairs import Pairs, make_pairs, read_lines
from facepipe.errors import DatasetError, ImageError
from facepipe.images import list_images


def read_ytf_pairs(path: Path) -> Pairs:
    """Read the ten splits: ``splits.txt``, or ``meta_and_splits.mat`` where the name ends in ``.mat``.

    A line of ``splits.txt`` begins ``split, pair, NAME/VIDEO, NAME/VIDEO, same``; splits count from 1, a first
    line of headings is passed over. In the ``.mat`` file ``Splits`` is 500×3×10 (video, video, same; counted
    from 1) and ``video_names`` names the videos.

    Returns:
        `Pairs` whose names are videos, such as ``Ann_Lee/3``.

    Raises:
        DatasetError: missing or malformed; names the file and the line.
    """
    pairs = make_pairs(_from_mat(path) if path.suffix.lower() == ".mat" else _from_text(path))
    if not len(pairs):
        raise DatasetError(f"{path}: no pairs of videos in it")
    if not np.bincount(pairs.fold).all():
        raise DatasetError(f"{path}: split {int(np.bincount(pairs.fold).argmin()) + 1} has no pairs; fetch it again")
    return pairs


def list_frames(root: Path, videos: Sequence[str], most: int | None = None) -> list[Path]:
    """The frames of the videos, video by video.

    Args:
        root: ``frame_images_DB`` or ``aligned_images_DB``, or their parent folder.
        videos: such as ``Ann_Lee/3``.
        most: of more frames than this, so many are taken at equal distances.

    Raises:
        DatasetError: a video has no frames.
    """
    inside = [root / name for name in ("aligned_images_DB", "frame_images_DB") if (root / name).is_dir()]
    if len(inside) > 1:
        raise DatasetError(f"{root}: holds whole and aligned frames; name {inside[0].name} or {inside[1].name} in it")
    folder = inside[0] if inside else root
    frames: list[Path] = []
    for video in videos:
        try:
            found = sorted(list_images(folder / video), key=frame_number)
        except ImageError:
            found = []
        if not found:
            raise DatasetError(f"{folder / video}: no frames of this video; the folder must hold all of the splits")
        frames += found if most is None else spread(found, most)
    return frames


def spread(frames: list[Path], most: int) -> list[Path]:
    """At most so many frames of one video, at equal distances; in their order."""
    if len(frames) <= most:
        return frames
    return [frames[index] for index in np.linspace(0, len(frames) - 1, most).round().astype(int)]


def frame_number(path: Path) -> tuple[int, str]:
    """Frames are called ``3.618.jpg``, or ``aligned_detect_3.618.jpg``; 618 is the number."""
    digits = path.stem.rpartition(".")[2]
    return int(digits) if digits.isdigit() else -1, path.name


def _from_text(path: Path) -> Iterator[tuple[str, str, bool, int]]:
    for number, line in enumerate(read_lines(path, "YouTube Faces' is splits.txt or meta_and_splits.mat"), 1):
        words = [word.strip() for word in line.split(",")]
        if not line.strip() or (number == 1 and not words[0].isdigit()):
            continue
        videos = [place for place, word in enumerate(words) if "/" in word]
        after = words[videos[-1] + 1 :] if videos else []
        if len(videos) != 2 or not words[0].isdigit() or int(words[0]) < 1 or not after or after[0] not in ("0", "1"):
            raise DatasetError(f"{path}, line {number}: must be 'split, pair, NAME/VIDEO, NAME/VIDEO, same'")
        yield words[videos[0]], words[videos[1]], after[0] == "1", int(words[0]) - 1


def _from_mat(path: Path) -> Iterator[tuple[str, str, bool, int]]:
    content = read_mat(path, ("Splits", "video_names"), squeeze=True)
    try:
        splits = np.asarray(content["Splits"], np.int64)
        names = [str(name).replace("\\", "/") for name in content["video_names"]]
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{path}: not YouTube Faces' meta_and_splits.mat; fetch it again") from error
    if splits.ndim != 3 or splits.shape[1] != 3 or splits[:, :2].min() < 1 or splits[:, :2].max() > len(names):
        raise DatasetError(f"{path}: its Splits do not fit its video_names; fetch it again")
    for fold in range(splits.shape[2]):
        for a, b, same in splits[:, :, fold].tolist():
            yield names[a - 1], names[b - 1], bool(same), fold
