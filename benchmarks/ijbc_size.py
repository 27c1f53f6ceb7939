"""IJB-C 1:1 from embeddings to figures at full size, against a plain NumPy program written like the published one.

    python benchmarks/ijbc_size.py [--scale 1] [--threads 2] [--sides facepipe plain]

Embeddings are synthetic and the same for both: 469,375 faces of 23,124 templates in 512 dimensions, and 15,658,489
pairs, 19,557 of them genuine, over 3,531 gallery and 19,593 probe templates. Both sides start with the embeddings in
memory, pool them with the published switches (norm kept, detector score, media averaged), score all pairs and compute
TAR at the nearest of six FPRs. Each runs in its own process, whose peak memory is measured, including embeddings and
imports (``before``). The plain side is written after the description of insightface's ``ijb_11.py``: a search of the
whole list for each template, float64 features, products of 100,000 pairs at a time, scikit-learn's ROC. ``--scale 10``
uses a tenth of everything.
"""

import argparse
import json
import multiprocessing
import os
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

FACES, TEMPLATES, PAIRS, GENUINE, GALLERY, DIM = 469_375, 23_124, 15_658_489, 19_557, 3_531, 512
FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def make(scale: int) -> dict[str, Any]:
    """Faces, templates and pairs; the same for the same scale."""
    import numpy as np

    rng = np.random.default_rng(0)
    faces, gallery = FACES // scale, GALLERY // scale
    probes = TEMPLATES // scale - gallery
    subject = np.concatenate([np.arange(gallery), rng.integers(0, gallery, probes)])
    # Every template has a face, the rest fall where they may, as in IJB-C between one and some hundreds.
    weight = rng.exponential(size=gallery + probes)
    extra = rng.choice(gallery + probes, faces - gallery - probes, p=weight / weight.sum())
    template = np.sort(np.concatenate([np.arange(gallery + probes), extra]))
    media = rng.integers(0, 4, faces)
    centres = rng.standard_normal((gallery, DIM), np.float32)
    mu = rng.standard_normal((faces, DIM), np.float32)
    for first in range(0, faces, 10_000):
        part = slice(first, first + 10_000)
        mu[part] = 2.5 * mu[part] + centres[subject[template[part]]]
    genuine = np.stack([subject[gallery:], np.arange(gallery, gallery + probes)], 1)[: GENUINE // scale]
    # The density is IJB-C's when both sides shrink: a tenth of the templates on each has a hundredth of the pairs.
    count = PAIRS // scale**2 - len(genuine)
    left, right = rng.integers(0, gallery, 2 * count), rng.integers(gallery, gallery + probes, 2 * count)
    other = np.flatnonzero(subject[left] != subject[right])[:count]
    left, right = np.concatenate([genuine[:, 0], left[other]]), np.concatenate([genuine[:, 1], right[other]])
    order = np.argsort(left, kind="stable")  # by gallery template, as the published list
    return {
        "mu": mu,
        "template": template,
        "media": media,
        "detector": rng.uniform(0.5, 1, faces).astype(np.float32),
        "left": left[order].astype(np.int32),
        "right": right[order].astype(np.int32),
        "same": (subject[left] == subject[right])[order],
    }


def save(scale: int, folder: Path) -> None:
    """Write the data of `make` as NumPy files."""
    import numpy as np

    for name, values in make(scale).items():
        np.save(folder / f"{name}.npy", values)


def facepipe_side(data: dict[str, Any]) -> list[float | None]:
    """facepipe's functions, as ``facepipe eval ijb`` calls them."""
    from facepipe.datasets.templates.ijb import TemplatePairs
    from facepipe.embedding import Embeddings
    from facepipe.protocols.ijb.template_pooling import TemplateRecipe, pool_templates
    from facepipe.protocols.ijb.verification import evaluate_ijb_verification

    embeddings = Embeddings(data["mu"], "synthetic")
    count = int(data["template"].max()) + 1
    templates = pool_templates(
        embeddings, data["template"], count, data["media"], data["detector"], TemplateRecipe()
    )
    pairs = TemplatePairs(data["left"], data["right"], data["same"])
    result = evaluate_ijb_verification(templates, pairs, rule="nearest", fars=FARS)
    return [point["tar"] for point in result.to_dict()["tar"]]


def plain_side(data: dict[str, Any]) -> list[float | None]:
    """The published script's method in plain NumPy."""
    import numpy as np
    from sklearn.metrics import roc_curve

    faces = data["mu"] * data["detector"][:, None]
    numbers = np.unique(data["template"])
    templates = np.zeros((len(numbers), DIM))
    for row, number in enumerate(numbers):
        (mine,) = np.where(data["template"] == number)
        of_media = data["media"][mine]
        parts = [faces[mine[of_media == medium]].mean(0) for medium in np.unique(of_media)]
        templates[row] = np.sum(parts, 0)
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    scores = np.zeros(len(data["same"]))
    for first in range(0, len(scores), 100_000):
        part = slice(first, first + 100_000)
        scores[part] = (templates[data["left"][part]] * templates[data["right"][part]]).sum(-1)
    fpr, tpr, _ = roc_curve(data["same"].astype(int), scores)
    fpr, tpr = np.flipud(fpr), np.flipud(tpr)
    return [float(tpr[min(zip(abs(fpr - far), range(len(fpr)), strict=True))[1]]) for far in FARS]


SIDES = {"facepipe": facepipe_side, "plain": plain_side}


def measure(side: str, folder: Path, answer: Any) -> None:
    """Run one side in this process, and send its seconds, its peak memory and the memory used before."""
    import numpy as np
    import sklearn.metrics  # noqa: F401 - what is imported is not counted

    import facepipe.protocols.ijb.verification  # noqa: F401

    data = {path.stem: np.load(path) for path in folder.iterdir()}
    before = _resident()
    began, used = time.perf_counter(), time.process_time()
    figures = SIDES[side](data)
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    used_up = {"seconds": seconds, "cpu_seconds": cpu, "peak_gib": peak, "before_gib": before}
    answer.send({"side": side, **used_up, "tar": figures})


def _resident() -> float:
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024**3


def main() -> None:
    """Measure both sides and print a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scratch", help="Folder for 1.2 GB of made-up data [default: the system's].")
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    context = multiprocessing.get_context("spawn")
    rows = []
    with TemporaryDirectory(dir=options.scratch) as folder:
        save(options.scale, Path(folder))
        for side in options.sides:
            ours, theirs = context.Pipe()
            process = context.Process(target=measure, args=(side, Path(folder), theirs))
            load = os.getloadavg()[0]
            process.start()
            theirs.close()
            rows.append(ours.recv() | {"load_before": round(load, 2)})
            process.join()
    rates = ", ".join(f"{far:g}" for far in FARS)
    print(f"{'side':10} {'seconds':>9} {'CPU s':>8} {'peak GiB':>9} {'before':>9} {'load':>6}   TAR at FPR {rates}")
    for row in rows:
        shares = ", ".join("–" if tar is None else f"{100 * tar:.3f}" for tar in row["tar"])
        print(
            f"{row['side']:10} {row['seconds']:9.2f} {row['cpu_seconds']:8.2f} {row['peak_gib']:9.2f} "
            f"{row['before_gib']:9.2f} {row['load_before']:6.2f}   {shares}"
        )
    if len(rows) == 2:
        print(f"facepipe is {rows[1]['seconds'] / rows[0]['seconds']:.1f} times as fast")
    print(json.dumps({"scale": options.scale, "threads": options.threads, "rows": rows}))


if __name__ == "__main__":
    main()
