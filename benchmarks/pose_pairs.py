"""Frontal against turned faces, from raw photos, with one or more ways of cropping.

    python benchmarks/pose_pairs.py PAIRS.csv -m sface -m facepipe-mobilenet [--cut 112x112 --cut 112x112-cp2tform]
        [--flip sum] [--search once|border|turns] [--resample 1000]

PAIRS.csv has the columns a, b and same; paths are relative to it, and the folder of a photo is its person. Detection
runs once per photo, so that cuts are compared on the same landmarks; the face nearest the centre is used, or, if there
is none, the photo's centre. --search says how photos in which nothing is found are searched again: not at
all, in a border, or also rotated, as in 'facepipe compare'. Without --cut each model gets its card's cut, without
--flip its card's flip rule.

Ten folds by people: people in alphabetical order are dealt to the folds in turn, and a pair belongs to the fold of its
first person, so that nobody's genuine pairs are on both sides. The threshold of a fold follows SphereFace's rule on the
cosines of all other folds (the mean of the best thresholds, no mean subtracted).

--resample draws the people anew, with replacement, so many times, and gives each further model's difference to the
first in TAR, with its 95 % interval.

Prints a table, or with --json one object: accuracy with its standard error (σ/√10), TAR at FAR 1e-2 and 1e-3, and the
photos without a face; over all pairs and, if they are fewer, over those with a face in both photos.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.alignment import TEMPLATES, Aligner, Template
from facepipe.datasets.pairs.csv import read_pairs_csv
from facepipe.datasets.pairs.lfw_pairs import Pairs
from facepipe.datasets.samples.find_image import find_images
from facepipe.detection import Detector, choose, create_detector, preset
from facepipe.embedding import Embedder
from facepipe.images import read_rgb
from facepipe.protocols.roc import tar_at_far
from facepipe.protocols.verification.tenfold import judge_scores
from facepipe.score import unit
from facepipe.zoo import load

CUTS = TEMPLATES | {
    "112x96-umeyama": replace(TEMPLATES["112x96"], fit="umeyama"),
    "112x96-umeyama-0": replace(TEMPLATES["112x96"], fit="umeyama", points=TEMPLATES["112x96"].points + 1),
    "112x112-umeyama-1": replace(TEMPLATES["112x112"], points=TEMPLATES["112x112"].points - 1),
}
"""facepipe's templates, and others for comparison: the other fit, and the numbers with and without 1 subtracted."""
SEARCHES = {"once": {"border": False}, "border": {}, "turns": {"turns": True}}
FOLDS, FARS = 10, (1e-2, 1e-3)
_TOGETHER = 32


@dataclass(frozen=True)
class Photos:
    """Paths, and the 0-based landmarks of one face in each (5×2), None if there is none."""

    paths: tuple[Path, ...]
    landmarks: tuple[np.ndarray | None, ...]


def find_faces(paths: Sequence[Path], detector: Detector) -> Photos:
    """The face nearest the centre of every photo."""
    landmarks: list[np.ndarray | None] = []
    for first in range(0, len(paths), _TOGETHER):
        images = [read_rgb(path) for path in paths[first : first + _TOGETHER]]
        for image, faces in zip(images, detector(images), strict=True):
            chosen = choose(faces, "centre", (image.shape[0], image.shape[1]))
            landmarks.append(faces.landmarks[chosen[0]] if len(chosen) else None)
    return Photos(tuple(paths), tuple(landmarks))


def embed(photos: Photos, cut: Template, embedder: Embedder) -> np.ndarray:
    """float32 N×D of crops cut so."""
    aligner = Aligner(cut)
    parts = []
    every = list(zip(photos.paths, photos.landmarks, strict=True))
    for first in range(0, len(every), _TOGETHER):
        crops = [_crop(aligner, read_rgb(path), landmarks) for path, landmarks in every[first : first + _TOGETHER]]
        parts.append(embedder(np.stack(crops)).mu)
    return np.concatenate(parts)


def _crop(aligner: Aligner, image: np.ndarray, landmarks: np.ndarray | None) -> np.ndarray:
    return aligner.centre(image) if landmarks is None else aligner(image, landmarks)


def by_people(pairs: Pairs) -> Pairs:
    """The pairs in ten folds by people."""
    people = [Path(name).parent.as_posix() for name in pairs.names]
    fold = {person: number % FOLDS for number, person in enumerate(sorted(set(people)))}
    return replace(pairs, fold=np.array([fold[people[row]] for row in pairs.left]))


def figures(mu: np.ndarray, pairs: Pairs) -> dict[str, Any]:
    """Accuracy and TAR at FAR of embeddings, one row per name of ``pairs``."""
    score = cosines(mu, pairs)
    accuracies = np.array([fold.accuracy for fold in judge_scores(score, pairs, "sphereface").folds])
    points = tar_at_far(score[pairs.same], score[~pairs.same], FARS)
    return {
        "pairs": len(pairs),
        "accuracy": float(accuracies.mean()),
        "std_error": float(accuracies.std(ddof=1) / len(accuracies) ** 0.5),
        **{f"tar_{point.far:g}": point.tar for point in points},
    }


def cosines(mu: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Of every pair, float M."""
    normed = unit(mu)
    return np.asarray(np.einsum("nd,nd->n", normed[pairs.left], normed[pairs.right]))


def differences(
    first: np.ndarray, other: np.ndarray, pairs: Pairs, times: int, seed: int = 0
) -> dict[str, list[float]]:
    """TAR of ``other`` minus that of ``first`` at each FAR: as measured, and the 95 % interval over drawn people.

    A pair of two people counts as often as both were drawn, multiplied; a genuine pair as often as its person.
    """
    people = np.unique([Path(name).parent.as_posix() for name in pairs.names], return_inverse=True)[1]
    left, right, count = people[pairs.left], people[pairs.right], people.max() + 1
    random = np.random.default_rng(seed)
    drawn = np.stack([np.bincount(random.integers(0, count, count), minlength=count) for _ in range(times)])
    weights = np.concatenate(
        [np.ones((1, len(left))), np.where(pairs.same, drawn[:, left], drawn[:, left] * drawn[:, right])]
    )
    found: dict[str, list[float]] = {}
    for far in FARS:
        tars = [[_weighted_tar(scores, pairs.same, row, far) for row in weights] for scores in (first, other)]
        apart = np.subtract(tars[1], tars[0])
        found[f"tar_{far:g}"] = [float(apart[0]), *np.quantile(apart[1:], (0.025, 0.975)).tolist()]
    return found


def _weighted_tar(scores: np.ndarray, same: np.ndarray, weight: np.ndarray, far: float) -> float:
    """Share of the genuine pairs' weight at or above the lowest threshold that ``far`` of the impostors' reach."""
    order = np.argsort(-scores[~same], kind="stable")
    passed = np.cumsum(weight[~same][order]) / weight[~same].sum()
    allowed = int(np.searchsorted(passed, far, side="right"))
    threshold = scores[~same][order][allowed - 1] if allowed else np.inf
    return float(np.average(scores[same] >= threshold, weights=weight[same]))


def cuts_for(embedder: Embedder, named: Sequence[str]) -> Iterable[tuple[str, Template]]:
    """The cuts asked for that have the size of the model's, or that of its card."""
    own = embedder.model.card.input.template
    for name in named or [own]:
        if (CUTS[name].height, CUTS[name].width) == (CUTS[own].height, CUTS[own].width):
            yield name, CUTS[name]


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("-m", "--model", action="append", required=True)
    parser.add_argument("--cut", action="append", default=[], choices=sorted(CUTS))
    parser.add_argument("--flip", choices=["none", "sum", "concat"])
    parser.add_argument("--search", choices=SEARCHES, default="border")
    parser.add_argument("--resample", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    pairs = by_people(read_pairs_csv(given.pairs))
    detector = create_detector(preset(**SEARCHES[given.search]), "cpu")
    photos = find_faces(find_images(given.pairs.parent, pairs.names)[0], detector)
    found = np.array([landmarks is not None for landmarks in photos.landmarks])
    both = found[pairs.left] & found[pairs.right]
    missed = sum(landmarks is None for landmarks in photos.landmarks)
    if not given.json:
        print(f"{len(photos.paths)} photos, {missed} without a face, {len(pairs)} pairs", flush=True)
    results: list[dict[str, Any]] = []
    first: np.ndarray | None = None
    for model in given.model:
        embedder = Embedder(load(model, "cpu"), flip=given.flip, precision="float32")
        for name, cut in cuts_for(embedder, given.cut):
            mu = embed(photos, cut, embedder)
            for some in [pairs] if both.all() else [pairs, pairs.take(both)]:
                results.append({"model": model, "cut": name, "flip": embedder.flip, **figures(mu, some)})
                if not given.json:
                    print(_line(results[-1]), flush=True)
            if first is None:
                first = cosines(mu, pairs)
            elif given.resample:
                apart = differences(first, cosines(mu, pairs), pairs, given.resample)
                results[-1]["differences"] = apart
                if not given.json:
                    print(_apart(apart), flush=True)
    if given.json:
        print(json.dumps({"photos": len(photos.paths), "without_a_face": missed, "results": results}, indent=2))


def _line(told: dict[str, Any]) -> str:
    tars = ", ".join(f"TAR at FAR {far:g} {100 * told[f'tar_{far:g}']:.1f} %" for far in FARS)
    accuracy = f"{100 * told['accuracy']:.2f} ± {100 * told['std_error']:.2f} %"
    return f"{told['model']}, {told['cut']}, flip {told['flip']}, {told['pairs']} pairs: {accuracy}, {tars}"


def _apart(told: dict[str, list[float]]) -> str:
    parts = [
        f"at FAR {far:g} {100 * value:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
        for far, (value, low, high) in zip(FARS, told.values(), strict=True)
    ]
    return f"  TAR less the first model's: {', '.join(parts)}"


if __name__ == "__main__":
    main()
