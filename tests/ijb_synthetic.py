"""A small IJB-B or IJB-C without a real face: lists in the published formats, features and, if asked for, images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

GALLERIES = {"B": ("S1", "S2"), "C": ("G1", "G2")}


@dataclass(frozen=True)
class Synthetic:
    """What was written, for those who check: the subject of each template, and features of each face."""

    root: Path
    names: list[str]
    template: np.ndarray
    media: np.ndarray
    detector: np.ndarray
    features: np.ndarray
    pairs: np.ndarray
    subject_of: dict[int, int]
    galleries: list[list[int]]
    probes: list[int]


def write_ijb(
    root: Path, subset: str = "C", people: int = 12, dim: int = 8, seed: int = 0, noise: float = 0.8
) -> Synthetic:
    """Each person has three templates: one in a gallery, two probes; template numbers have gaps, as the real ones."""
    rng = np.random.default_rng(seed)
    folder, prefix = root / f"IJB{subset}" / "meta", f"ijb{subset.lower()}_"
    folder.mkdir(parents=True)
    (folder.parent / "loose_crop").mkdir()
    numbers = 1 + rng.permutation(people * 5)[: people * 3]
    subject_of = {int(number): 100 + place % people for place, number in enumerate(numbers)}
    template, media, owner = [], [], []
    for number in numbers.tolist():
        for medium in rng.integers(1, 1000, rng.integers(1, 4)).tolist():
            for _ in range(rng.integers(1, 4)):
                template.append(number), media.append(medium), owner.append(subject_of[number])
    order = rng.permutation(len(template))
    template, media, owner = (np.array(column)[order] for column in (template, media, owner))
    names = [f"{place + 1}.jpg" for place in range(len(template))]
    detector = np.round(rng.uniform(0.1, 1, len(names)), 3).astype(np.float32)
    points = rng.uniform(20, 100, (len(names), 10)).round(3)
    centres = rng.normal(size=(people, dim))
    features = centres[owner - 100] + noise * rng.normal(size=(len(names), dim))
    features *= rng.uniform(0.5, 2, (len(names), 1))

    def write(name, lines):
        (folder / f"{prefix}{name}").write_text("".join(f"{line}\n" for line in lines))

    write("face_tid_mid.txt", (f"{n} {t} {m}" for n, t, m in zip(names, template, media, strict=True)))
    rows = zip(names, points, detector, strict=True)
    write("name_5pts_score.txt", (f"{n} {' '.join(f'{x:.3f}' for x in p)} {s:.3f}" for n, p, s in rows))
    gallery, probes = numbers[:people], numbers[people:]
    pairs = np.array([(g, p, subject_of[int(g)] == subject_of[int(p)]) for g in gallery for p in probes], int)
    pairs = pairs[rng.permutation(len(pairs))[: len(pairs) * 3 // 4]]
    write("template_pair_label.txt", (f"{a} {b} {same}" for a, b, same in pairs))
    halves = [gallery[: people // 2].tolist(), gallery[people // 2 :].tolist()]

    def enrolment(wanted):
        yield "TEMPLATE_ID,SUBJECT_ID,FILENAME,SIGHTING_ID"
        for number in wanted:
            for name in (n for n, t in zip(names, template, strict=True) if t == number):
                yield f"{number},{subject_of[number]},img/{name},1"

    for name, wanted in zip(GALLERIES[subset], halves, strict=True):
        write(f"1N_gallery_{name}.csv", enrolment(wanted))
    write("1N_probe_mixed.csv", enrolment(probes.tolist()))
    return Synthetic(
        root, names, template, media, detector, features.astype(np.float32), pairs, subject_of, halves, probes.tolist()
    )
