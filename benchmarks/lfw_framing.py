"""LFW with the face that compare chooses, and with photos cropped to their face, against standard LFW.

    python benchmarks/lfw_framing.py LFW PAIRS.txt -m sface -m facepipe-mobilenet [--folds 3]

Accuracy by SphereFace's rule over the first --folds folds of view 2, for each model and

- centre: the face nearest the photo's centre, as in 'facepipe eval lfw';
- compare: the largest face, with photos that have no confident face also searched rotated, as in 'facepipe compare';
- cut: each photo cropped to the box of its centre face and searched again;

the last two with the difference in points and the pairs on which they differ. The output first says in how many photos
compare chooses another face, for how many of these a rotated copy decided (all of LFW is upright), and in how many
cropped photos no face is found: their centre is used instead.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import binomtest
from tight_photos import cut_to_box

from facepipe.alignment import TEMPLATES, Aligner
from facepipe.datasets.pairs.lfw_pairs import Pairs, read_lfw_pairs
from facepipe.datasets.samples.find_image import find_images
from facepipe.detection import Faces, choose, create_detector, preset
from facepipe.embedding import Embedder
from facepipe.images import read_rgb
from facepipe.protocols.verification.accuracy_rules import ACCURACY_RULES
from facepipe.protocols.verification.tenfold import Judged, mean_and_error
from facepipe.zoo import load

_TOGETHER = 32


@dataclass(frozen=True)
class Framed:
    """One photo and its 0-based landmarks (5×2), None if there is no face.

    Attributes:
        centre, compare: in the whole photo.
        part: (left, top, right, bottom) in pixels to which the photo is cut, the last ones not included.
        cut: in that part.
        turned: whether compare's face was found in a turned copy.
    """

    path: Path
    centre: np.ndarray | None
    compare: np.ndarray | None
    part: tuple[int, int, int, int]
    cut: np.ndarray | None
    turned: bool


def search(paths: Sequence[Path]) -> list[Framed]:
    """The detections in the photos, whole and cropped."""
    turning, usual = create_detector(preset(turns=True), "cpu"), create_detector(preset(), "cpu")
    framed: list[Framed] = []
    for first in range(0, len(paths), _TOGETHER):
        part = paths[first : first + _TOGETHER]
        images = [read_rgb(path) for path in part]
        asked = turning(images)
        # Photos that were not turned were searched as usual.
        plain = [usual([image])[0] if _turned(faces) else faces for image, faces in zip(images, asked, strict=True)]
        cuts = [_cut(image, faces) for image, faces in zip(images, plain, strict=True)]
        found = usual([image[y:b, x:r] for image, (x, y, r, b) in zip(images, cuts, strict=True)])
        for path, image, before, faces, cut, inside in zip(part, images, plain, asked, cuts, found, strict=True):
            size, small = (image.shape[0], image.shape[1]), (cut[3] - cut[1], cut[2] - cut[0])
            taken = _one(before, "centre", size), _one(faces, "largest", size)
            framed.append(Framed(path, *taken, cut, _one(inside, "centre", small), _turned(faces)))
    return framed


def _turned(faces: Faces) -> bool:
    return "turned" in faces.search


def _one(faces: Faces, rule: str, size: tuple[int, int]) -> np.ndarray | None:
    chosen = choose(faces, rule, size)
    return faces.landmarks[chosen[0]] if len(chosen) else None


def _cut(image: np.ndarray, faces: Faces) -> tuple[int, int, int, int]:
    """The centre face's box, or the whole photo if there is none."""
    size = image.shape[0], image.shape[1]
    chosen = choose(faces, "centre", size)
    if not len(chosen):
        return 0, 0, size[1], size[0]
    pixels, landmarks = cut_to_box(image, faces.take(chosen), 0.0)
    left, top = np.round(faces.landmarks[chosen[0]] - landmarks)[0].astype(int).tolist()
    return left, top, left + pixels.shape[1], top + pixels.shape[0]


def embeddings(framed: Sequence[Framed], embedder: Embedder) -> dict[str, np.ndarray]:
    """float32 N×D for each way; faces that are the same are embedded once."""
    aligner = Aligner(TEMPLATES[embedder.model.card.input.template])
    centre = _embed([(one.path, None, one.centre) for one in framed], aligner, embedder)
    compare = centre.copy()
    other = other_faces(framed)
    compare[other] = _embed([(framed[row].path, None, framed[row].compare) for row in other], aligner, embedder)
    cut = _embed([(one.path, one.part, one.cut) for one in framed], aligner, embedder)
    return {"centre": centre, "compare": compare, "cut": cut}


def other_faces(framed: Sequence[Framed]) -> list[int]:
    """The photos in which compare chooses another face."""
    return [row for row, one in enumerate(framed) if not _equal(one.centre, one.compare)]


def _equal(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return one is other if one is None or other is None else bool(np.array_equal(one, other))


def _embed(
    crops: Sequence[tuple[Path, tuple[int, int, int, int] | None, np.ndarray | None]],
    aligner: Aligner,
    embedder: Embedder,
) -> np.ndarray:
    parts = [np.zeros((0, embedder.dim), np.float32)]
    for first in range(0, len(crops), _TOGETHER):
        images = []
        for path, part, landmarks in crops[first : first + _TOGETHER]:
            pixels = read_rgb(path)
            if part is not None:
                pixels = np.ascontiguousarray(pixels[part[1] : part[3], part[0] : part[2]])
            images.append(aligner.centre(pixels) if landmarks is None else aligner(pixels, landmarks))
        parts.append(embedder(np.stack(images)).mu)
    return np.concatenate(parts)


def of_folds(pairs: Pairs, folds: int) -> tuple[Pairs, np.ndarray]:
    """The pairs of the first folds over the names that they use, and which names of all those are, int64."""
    some = pairs.take(pairs.fold < folds)
    used, rows = np.unique(np.concatenate([some.left, some.right]), return_inverse=True)
    left, right = np.split(rows.ravel(), 2)
    return replace(some, names=tuple(some.names[row] for row in used), left=left, right=right), used


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lfw", type=Path)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("-m", "--model", action="append", required=True)
    parser.add_argument("--folds", type=int, default=10)
    given = parser.parse_args()
    pairs, _ = of_folds(read_lfw_pairs(given.pairs), given.folds)
    framed = search(find_images(given.lfw, pairs.names)[0])
    print(
        f"{len(framed)} photos, {len(pairs)} pairs; without a face {sum(one.centre is None for one in framed)}, cut to "
        f"it {sum(one.cut is None for one in framed)}; compare takes another face in {len(other_faces(framed))}, "
        f"{sum(one.turned for one in framed)} of them in a turned copy",
        flush=True,
    )
    for model in given.model:
        found = embeddings(framed, Embedder(load(model, "cpu"), precision="float32"))
        judged = {name: ACCURACY_RULES["sphereface"].judge(mu, pairs) for name, mu in found.items()}
        for name, one in judged.items():
            beside = "" if name == "centre" else _beside(judged["centre"], one)
            mean, error = mean_and_error(one.folds)
            print(f"{model}, {name}: {100 * mean:.2f} ± {100 * error:.2f} %{beside}", flush=True)


def _beside(before: Judged, after: Judged) -> str:
    """The difference in points, and the pairs that only one of the two gets right, with McNemar's exact test."""
    lost, won = int((before.right & ~after.right).sum()), int((after.right & ~before.right).sum())
    p = binomtest(min(lost, won), lost + won).pvalue if lost + won else 1.0
    points = 100 * (mean_and_error(after.folds)[0] - mean_and_error(before.folds)[0])
    return f", {points:+.2f} ({lost} pairs lost, {won} won, p = {p:.2g})"


if __name__ == "__main__":
    main()
