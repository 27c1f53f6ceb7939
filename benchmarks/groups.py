"""False matches, equal error rates and accuracy by group, age and image damage.

    facepipe preprocess LFW crops/lfw --format png --on-miss centre
    facepipe preprocess STRANGERS crops/strangers --format png
    python benchmarks/groups.py -m facepipe-mobilenet -m sface --lfw crops/lfw --pairs lfw_pairs.txt \\
        --strangers crops/strangers --shards UNLABELLED --held-out-images aaf=1500 --held-out-images utk=1500 \\
        --one-person benchmarks/one_person.csv --keep kept

Every model is evaluated at its own threshold: the one that one in a thousand of all pairs of different people in LFW
reach, the same pairs for all. STRANGERS has a folder of photos for each group; the shards have age, sex and possibly
origin with each crop, and only crops held out of training are used. Pairs are all pairs within a group. The output also
has the false matches at the card's own thresholds for 1 in 1,000, among random strangers and among strangers who look
alike, and the cost of the latter in TAR on LFW's genuine pairs.

Equal error rates are between a group's impostor pairs and LFW's genuine pairs, since no set has genuine pairs with such
labels. Damage: the right image of each pair of some folds of LFW gets damage of one kind with a randomly drawn level,
and accuracy is by SphereFace's rule. With --keep, embeddings are stored there and reused. Prints Markdown, or JSON
(--json).
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.alignment import Aligner
from facepipe.calibration.groups import group_of
from facepipe.calibration.sources import HeldOut, open_crops, read_one_person
from facepipe.datasets import Samples
from facepipe.datasets.damage import DAMAGE_KINDS, apply, damage_of
from facepipe.datasets.pairs.lfw_pairs import Pairs, read_lfw_pairs
from facepipe.datasets.samples.demographics import age_of, image_source
from facepipe.datasets.samples.digest import image_digest
from facepipe.embedding import Embedder, Embeddings, join, load_embeddings, save_embeddings
from facepipe.errors import FacepipeError
from facepipe.images import list_images, read_rgb
from facepipe.protocols import evaluate_lfw
from facepipe.protocols.roc import equal_error_rate
from facepipe.protocols.rows import find_rows
from facepipe.score import threshold_at_far, unit
from facepipe.zoo import load

FAR = 1e-3
BANDS = (("0 to 4 years", 0, 4), ("5 to 11 years", 5, 11), ("12 to 19 years", 12, 19), ("61 and older", 61, 200))
_TOGETHER = 64


@dataclass(frozen=True)
class Maker:
    """Embeds crops with one model, and stores the embeddings."""

    embedder: Embedder
    keep: Path | None

    def __call__(
        self, what: str, names: list[str], read: Callable[[int], np.ndarray]
    ) -> Embeddings:
        """Embeddings of crops; from the stored file if it is of this model and these names."""
        card = self.embedder.model.card
        file = None if self.keep is None else self.keep / f"{card.name}-{card.weights.sha256[:12]}-{what}.parquet"
        if file is not None and file.is_file():
            kept = load_embeddings(file)
            if kept.paths == tuple(names) and kept.flip == self.embedder.flip:
                return kept
        aligner = Aligner(card.input.template)
        parts = [
            self.embedder(np.stack([aligner.accept(read(i)) for i in range(k, min(k + _TOGETHER, len(names)))]))
            for k in range(0, len(names), _TOGETHER)
        ]
        made = join(parts).with_paths(names)
        if file is not None:
            save_embeddings(file, made)
        return made


def folder(make: Maker, what: str, root: Path) -> Embeddings:
    """Embeddings of the crops below a folder, paths relative to it."""
    files = sorted(list_images(root))
    return make(what, [path.relative_to(root).as_posix() for path in files], lambda i: read_rgb(files[i]))


def shards(make: Maker, samples: Samples, twins: set[str]) -> tuple[Embeddings, list[Mapping[str, Any]]]:
    """Embeddings of crops in shards, with their labels; without duplicates of people."""
    digests = [image_digest(samples.read(i)) for i in range(len(samples))]
    rows = [i for i, digest in enumerate(digests) if digest not in twins]
    made = make("shards", [digests[i] for i in rows], lambda i: read_rgb(samples.read(rows[i])))
    return made, [samples.about(i) for i in rows]


def among(mu: np.ndarray) -> np.ndarray:
    """Cosines of all pairs of rows, float32."""
    directions = unit(mu).astype(np.float32)
    return (directions @ directions.T)[np.triu_indices(len(mu), 1)]


def of_different_people(embeddings: Embeddings) -> np.ndarray:
    """Cosines of all pairs of images in different folders."""
    person = np.unique([Path(path).parent.as_posix() for path in embeddings.paths], return_inverse=True)[1]
    directions = unit(embeddings.mu).astype(np.float32)
    parts = [directions[k] @ directions[k + 1 :][person[k + 1 :] != person[k]].T for k in range(len(person) - 1)]
    return np.concatenate(parts)


def groups_of(
    strangers: Embeddings | None, crops: tuple[Embeddings, list[Mapping[str, Any]]] | None
) -> dict[str, np.ndarray]:
    """Name of a group → its embeddings: folders of strangers, adults of the shards, and their bands of age."""
    found: dict[str, np.ndarray] = {}
    if strangers is not None:
        names = np.array([Path(path).parts[0] for path in strangers.paths])
        found |= {f"strangers, {name}": strangers.mu[names == name] for name in sorted(set(names))}
    if crops is not None:
        embeddings, about = crops
        names = np.array([group_of(one) for one in about])
        found |= {name: embeddings.mu[names == name] for name in sorted(set(names) - {""})}
        age = np.array([age_of(one) for one in about])
        source = np.array([image_source(one) for one in about])
        for band, low, high in BANDS:
            for name in sorted(set(source)):
                rows = (age >= low) & (age <= high) & (source == name)
                found[f"{band} ({name})"] = embeddings.mu[rows]
    return {name: mu for name, mu in found.items() if len(mu) > 1}


def by_damage(make: Maker, lfw: Embeddings, root: Path, pairs: Pairs) -> dict[str, float]:
    """Kind of damage of the right image → accuracy in ten folds."""
    files = {path.relative_to(root).with_suffix("").as_posix(): path for path in list_images(root)}
    used = sorted(set(pairs.right.tolist()))
    found = {"none": evaluate_lfw(lfw, pairs).accuracy}
    for kind in DAMAGE_KINDS:
        names = [f"{pairs.names[k]}#{kind}" for k in used]

        def damaged(i: int, kind: str = kind) -> np.ndarray:
            name = pairs.names[used[i]]
            return apply(read_rgb(files[name]), replace(damage_of(name), kind=kind))

        embeddings = join([lfw, make(f"damage-{kind}", [f"{name}.png" for name in names], damaged)])
        index = {number: len(pairs.names) + place for place, number in enumerate(used)}
        right = np.array([index[k] for k in pairs.right.tolist()])
        both = Pairs((*pairs.names, *names), pairs.left, right, pairs.same, pairs.fold)
        found[kind] = evaluate_lfw(embeddings, both).accuracy
    return found


def measure(model: str, given: argparse.Namespace) -> dict[str, Any]:
    """All figures of one model."""
    make = Maker(Embedder(load(model, "cpu"), precision="float32"), given.keep)
    card = make.embedder.model.card
    lfw = folder(make, "lfw", given.lfw)
    pairs = read_lfw_pairs(given.pairs)
    rows = find_rows(lfw, pairs.names)
    directions = unit(lfw.mu)
    scores = np.einsum("nd,nd->n", directions[rows[pairs.left]], directions[rows[pairs.right]])
    genuine = scores[pairs.same]
    own = threshold_at_far(of_different_people(lfw), FAR)
    marks = {"lfw": own}
    for population in ("random", "alike"):
        try:
            marks[population] = card.threshold_at(FAR, population=population).value
        except FacepipeError:
            continue
    strangers = None if given.strangers is None else folder(make, "strangers", given.strangers)
    crops = None
    if given.shards:
        counts = dict(word.split("=") for word in given.held_out_images)
        kept = HeldOut(0, {source: int(number) for source, number in counts.items()}) if counts else None
        same = read_one_person(given.one_person) if given.one_person else []
        crops = shards(make, open_crops(given.shards, kept), {second for _, second in same})
    table = {}
    for name, mu in groups_of(strangers, crops).items():
        impostor = among(mu)
        passed = {f"at_{mark}": float((impostor >= value).mean()) for mark, value in marks.items()}
        table[name] = {"pairs": len(impostor), **passed, "eer": equal_error_rate(genuine, impostor)}
    return {
        "model": card.identity,
        "thresholds": marks,
        "tar_on_lfw": {mark: float((genuine >= value).mean()) for mark, value in marks.items()},
        "groups": table,
        "damage": by_damage(make, lfw, given.lfw, pairs.take(pairs.fold < given.damage)) if given.damage else {},
    }


def show(results: list[dict[str, Any]]) -> None:
    """Markdown: false matches in 1,000 at LFW's, the card's and the card's alike threshold, and equal error rates."""
    names = [result["model"].split("@")[0] for result in results]
    print("| | pairs |" + "".join(f" {name}: LFW's 1 in 1,000 | card, random | card, alike | EER |" for name in names))
    print("|---|---|" + "---|" * 4 * len(names))
    for group, first in results[0]["groups"].items():
        cells = [group, f"{first['pairs']:,}"]
        for result in results:
            row = result["groups"][group]
            cells += [f"{1000 * row[key]:.1f}" if key in row else "–" for key in ("at_lfw", "at_random", "at_alike")]
            cells.append("–" if row["eer"] is None else f"{100 * row['eer']:.2f} %")
        print(f"| {' | '.join(cells)} |")
    for name, result in zip(names, results, strict=True):
        tars = ", ".join(f"{mark} {value:.4f} (TAR on LFW {100 * result['tar_on_lfw'][mark]:.2f} %)"
                         for mark, value in result["thresholds"].items())  # fmt: skip
        print(f"\n{name}: thresholds {tars}")
        if result["damage"]:
            print(", ".join(f"{kind} {100 * value:.2f} %" for kind, value in result["damage"].items()))


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model", action="append", required=True)
    parser.add_argument("--lfw", type=Path, required=True, help="crops of LFW, NAME/NAME_0001.png")
    parser.add_argument("--pairs", type=Path, required=True, help="LFW's pairs.txt")
    parser.add_argument("--strangers", type=Path, help="crops, GROUP/*.png")
    parser.add_argument("--shards", type=Path, nargs="*", default=[])
    parser.add_argument("--held-out-images", action="append", default=[], metavar="SOURCE=N")
    parser.add_argument("--one-person", type=Path)
    parser.add_argument("--damage", type=int, default=0, metavar="FOLDS", help="of LFW, 2 to 10; none by default")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    results = [measure(model, given) for model in given.model]
    if given.json:
        print(json.dumps(results, indent=2))
    else:
        show(results)


if __name__ == "__main__":
    main()
