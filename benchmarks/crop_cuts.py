"""LFW with crops cut in several ways from the same landmarks, for the bundled models.

    python benchmarks/crop_cuts.py LFW PAIRS.txt -m sface --cut 112x112 --cut 112x112-cp2tform [--folds 3]

SphereFace's rule (mean subtracted) over the first --folds folds of view 2. For the names of the cuts see pose_pairs.py,
which does the same for frontal and turned faces.
"""

import argparse
from pathlib import Path

import numpy as np
from pose_pairs import CUTS, cuts_for, embed, find_faces

from facepipe.datasets.pairs.lfw_pairs import read_lfw_pairs
from facepipe.datasets.samples.find_image import find_images
from facepipe.detection import create_detector
from facepipe.embedding import Embedder
from facepipe.protocols.verification.accuracy_rules import ACCURACY_RULES
from facepipe.zoo import load


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lfw", type=Path)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("-m", "--model", action="append", required=True)
    parser.add_argument("--cut", action="append", default=[], choices=sorted(CUTS))
    parser.add_argument("--folds", type=int, default=10)
    given = parser.parse_args()
    pairs = read_lfw_pairs(given.pairs)
    pairs = pairs.take(pairs.fold < given.folds)
    used = np.unique([pairs.left, pairs.right])
    photos = find_faces(find_images(given.lfw, [pairs.names[row] for row in used])[0], create_detector(device="cpu"))
    print(f"{len(used)} photos, {sum(x is None for x in photos.landmarks)} without a face, {len(pairs)} pairs")
    for model in given.model:
        embedder = Embedder(load(model, "cpu"), precision="float32")
        for name, cut in cuts_for(embedder, given.cut):
            mu = np.zeros((len(pairs.names), embedder.dim), np.float32)
            mu[used] = embed(photos, cut, embedder)
            accuracies = [100 * fold.accuracy for fold in ACCURACY_RULES["sphereface"].judge(mu, pairs).folds]
            error = np.std(accuracies, ddof=1) / len(accuracies) ** 0.5
            print(f"{model}, {name}: {np.mean(accuracies):.2f} ± {error:.2f} %", flush=True)


if __name__ == "__main__":
    main()
