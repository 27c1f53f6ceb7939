"""Every ``facepipe eval`` command on a small data set of its own: made-up embeddings, lists in the published formats.

``write_cases`` puts the data in a folder and gives the words of each command; ``account`` runs one and gives what it
said. Golden copies of these accounts lie in ``tests/evaluation/golden``.
"""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from cli_run import run
from ijb_synthetic import write_ijb
from scipy.io import savemat

from facepipe.embedding import Embeddings, save_embeddings
from facepipe.images import encode_rgb

DIM = 6


def write_cases(root: Path) -> dict[str, list[object]]:
    """Name → words after ``facepipe eval``."""
    return (
        _pairs(root / "pairs")
        | _cfp(root / "cfp")
        | _bin(root / "bin")
        | _ytf(root / "ytf")
        | _ijb(root / "ijb")
        | _ijba(root / "ijba")
        | _megaface(root / "megaface")
        | _blufr(root / "blufr")
        | _openset(root / "openset")
    )


def _without_folder(line):
    """What is said of a file without the folder, which is another one in each run."""
    return line.rpartition("/")[2] if line.startswith("/") else line


def account(words: list[object]) -> dict[str, Any]:
    """JSON without the versions of packages, and what people see."""
    told = run("eval", *words, "--json").json
    told["settings"].pop("versions")
    if str(words[0]) in ("blufr", "openset"):
        told["settings"]["data"] = "of files that hold their date"
    shown = run("eval", *words)
    assert shown.code == 0, shown.err
    notes = [_without_folder(line) for line in shown.err.splitlines()]
    return {"json": told, "stdout": shown.out.splitlines(), "stderr": notes}


def compare_account(root: Path, words: list[list[object]]) -> dict[str, Any]:
    """The account of ``eval compare`` on the results of other commands."""
    files = []
    for number, some in enumerate(words):
        files.append(root / f"run{number}.json")
        files[-1].write_text(run("eval", *some, "--json").out)
    told = run("eval", "compare", *files, "--resamples", "100", "--json").json
    for one in told["runs"]:
        one["settings"].pop("versions")
        one["file"] = Path(one["file"]).name
    for one in told["against_first"]:
        one["file"] = Path(one["file"]).name
    shown = run("eval", "compare", *files, "--resamples", "100")
    return {"json": told, "stdout": shown.out.splitlines()}


def _faces(path: Path, names: list[str], person: list[int], seed: int = 0, noise: float = 0.8) -> Path:
    """A file of embeddings with kappa, sigma2 and detection scores; one face in eleven was not detected."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(person) + 1, DIM))
    mu = (centres[person] + noise * rng.normal(size=(len(names), DIM))) * rng.uniform(0.5, 2, (len(names), 1))
    detected = np.arange(len(names)) % 11 != 5
    embeddings = Embeddings(
        mu.round(3).astype(np.float32),
        "m@1/112x96",
        paths=tuple(f"{name}.jpg" for name in names),
        detected=detected,
        kappa=rng.uniform(1, 9, len(names)).round(3).astype(np.float32),
        sigma2=rng.uniform(0.1, 1, (len(names), 1)).round(3).astype(np.float32),
        trained_dim=DIM,
        detection_score=np.where(detected, rng.uniform(0.7, 1, len(names)).round(3), np.nan).astype(np.float32),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    save_embeddings(path, embeddings)
    return path


def _pairs(root: Path) -> dict[str, list[object]]:
    people, images = 10, 2
    names = [f"P{who}/P{who}_{image:04d}" for who in range(people) for image in range(1, images + 1)]
    person = [who for who in range(people) for _ in range(images)]
    clean = _faces(root / "faces.parquet", names, person)
    copies = [f"{name}#standard" for name in names]
    both = _faces(root / "damaged.parquet", names + copies, person + person, seed=1)
    lines = ["10 3"]
    for fold in range(10):
        lines += [f"P{(fold + k) % 10} 1 2" for k in range(3)]
        lines += [f"P{fold} {1 + k % 2} P{(fold + k + 1) % 10} 2" for k in range(3)]
    lfw, table, single = root / "pairs.txt", root / "pairs.csv", root / "single.csv"
    lfw.write_text("\n".join(lines) + "\n")
    rows = [f"{names[2 * k]},{names[2 * k + 1]},1,{k % 3}" for k in range(10)]
    rows += [f"{names[k]},{names[(k + 7) % 20]},0,{k % 3}" for k in range(20)]
    table.write_text("a,b,same,fold\n" + "\n".join(rows) + "\n")
    single.write_text("a,b,same\n" + "\n".join(f"{names[2 * k]},{names[2 * k + 1]},1" for k in range(10)) + "\n")
    risk = ["risk", both, "--pairs", lfw, "--fmr", "0.1"]
    return {
        "lfw": ["lfw", clean, "--pairs", lfw],
        "lfw-skip": ["lfw", clean, "--pairs", lfw, "--on-miss", "skip", "--rule", "insightface", "--far", "0.1"],
        "lfw-damage": ["lfw", both, "--pairs", lfw, "--damage", "standard"],
        "pairs": ["pairs", clean, "--pairs", table],
        "pairs-mls": ["pairs", clean, "--pairs", table, "--score", "mls", "--rule", "sphereface"],
        "pairs-one-class": ["pairs", clean, "--pairs", single],
        "pairs-ensemble": ["pairs", clean, both, "--pairs", table],
        "risk": ["risk", clean, "--pairs", lfw, "--fmr", "0.1"],
        "risk-damage": [*risk, "--damage", "standard", "--confidence", "kappa", "--pair-rule", "sum", "--score", "scf"],
    }


def _cfp(root: Path) -> dict[str, list[object]]:
    listed: dict[str, list[str]] = {"F": [], "P": []}
    for who in range(1, 5):
        listed["F"] += [f"{who:03d}/frontal/{image:02d}" for image in range(1, 4)]
        listed["P"] += [f"{who:03d}/profile/{image:02d}" for image in range(1, 3)]
    names = listed["F"] + listed["P"]
    faces = _faces(root / "faces.parquet", names, [int(name[:3]) for name in names])
    for letter, some in listed.items():
        lines = [f"{number} ../Data/Images/{name}.jpg" for number, name in enumerate(some, 1)]
        (root / f"Pair_list_{letter}.txt").write_text("\n".join(lines) + "\n")
    for split in range(2):
        for part, same, diff in (
            ("FF", [f"{3 * p + 1},{3 * p + 2 + split}" for p in range(4)], ["1,4", "4,8", "7,11", "10,3"]),
            ("FP", [f"{3 * p + 1},{2 * p + 1 + split}" for p in range(4)], ["1,3", "4,5", "7,8", "10,2"]),
        ):
            folder = root / "Split" / part / f"{split + 1:02d}"
            folder.mkdir(parents=True)
            (folder / "same.txt").write_text("\n".join(same) + "\n")
            (folder / "diff.txt").write_text("\n".join(diff) + "\n")
    return {
        "cfp-fp": ["cfp", faces, "--protocol", root],
        "cfp-ff": ["cfp", faces, "--protocol", root, "--part", "FF", "--score", "scf"],
    }


def _bin(root: Path) -> dict[str, list[object]]:
    root.mkdir(parents=True)
    images = [encode_rgb(np.full((8, 8, 3), 8 * number, np.uint8), ".png") for number in range(24)]
    file = root / "agedb_30.bin"
    pairs = [image for number in range(20) for image in (images[number], images[(number + 1 + number % 3) % 24])]
    file.write_bytes(pickle.dumps((pairs, [number % 3 == 0 for number in range(20)])))
    from facepipe.datasets.pairs.insightface_bin import read_bin

    names = list(read_bin(file).pairs.names)
    faces = _faces(root / "faces.parquet", names, [number // 3 for number in range(len(names))])
    return {"bin": ["bin", file, "--embeddings", faces]}


def _ytf(root: Path) -> dict[str, list[object]]:
    names = [f"P{who}/{video}/{video}.{k}" for who in range(4) for video in range(2) for k in range(8, 12)]
    faces = _faces(root / "faces.parquet", names, [int(name[1]) for name in names])
    lines = ["split number, pair, first name, second name, is same"]
    for split in (1, 2):
        for who in range(4):
            lines.append(f"{split}, {len(lines)}, P{who}/0, P{who}/1, 1")
            lines.append(f"{split}, {len(lines)}, P{who}/0, P{(who + split) % 4}/1, 0")
    (root / "splits.txt").write_text("\n".join(lines) + "\n")
    words: list[object] = ["ytf", faces, "--splits", root / "splits.txt"]
    return {"ytf": words, "ytf-sigma2": [*words, "--pool", "sigma2", "--frames", "2", "--score", "mls"]}


def _ijb(root: Path) -> dict[str, list[object]]:
    made = write_ijb(root, people=6, noise=1.0)
    owner = [made.subject_of[int(template)] - 100 for template in made.template]
    faces = _faces(root / "faces.parquet", [name.removesuffix(".jpg") for name in made.names], owner)
    words: list[object] = ["ijb", faces, "--lists", root]
    return {
        "ijb": words,
        "ijb-nearest": [*words, "--rule", "nearest", "--pool", "kappa", "--score", "scf", "--far", "0.1"],
        "ijb-open": [*words, "--task", "1:N"],
        "ijb-closed": [*words, "--task", "1:N", "--reading", "closed", "--pool", "mean", "--no-detector-score"],
    }


def _ijba(root: Path) -> dict[str, list[object]]:
    header = "TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT\n"
    rows = [f"{t},{t % 4},img/{t}.jpg,{t},{10 + t},20,40,30\n" for t in range(1, 13)]
    for number in (1, 2):
        for kind, parts in (("11_sets", ("verify_metadata",)), ("1N_sets", ("search_gallery", "search_probe"))):
            folder = root / f"IJB-A_{kind}" / f"split{number}"
            folder.mkdir(parents=True)
            for part in parts:
                chosen = {"search_gallery": rows[number : number + 3], "search_probe": rows[4:]}.get(part, rows)
                (folder / f"{part}_{number}.csv").write_text(header + "".join(chosen))
        pairs = [f"{a},{b}\n" for a in range(number, 13) for b in range(a + 1, 13)]
        (root / "IJB-A_11_sets" / f"split{number}" / f"verify_comparisons_{number}.csv").write_text("".join(pairs))
    faces = _faces(root / "faces.parquet", [f"{t % 4}/img_{t}" for t in range(1, 13)], [t % 4 for t in range(1, 13)])
    words: list[object] = ["ijba", faces, "--lists", root]
    return {
        "ijba-verify": words,
        "ijba-rounded": [*words, "--rule", "rounded", "--pool", "sigma2", "--score", "mls"],
        "ijba-search": [*words, "--task", "search"],
    }


def _megaface(root: Path) -> dict[str, list[object]]:
    probes = [f"{who}/{image}" for who in ("Ann", "Bo", "Cy") for image in range(3)]
    others = [f"a/b{who}/{image}" for who in range(14) for image in range(3)]
    known = _faces(root / "probes.parquet", probes, [number // 3 for number in range(9)], noise=0.4)
    unknown = _faces(root / "distractors.parquet", others, [number // 3 for number in range(42)], seed=3)
    (root / "noise.txt").write_text(f"{others[4]}.jpg\n{others[20]}.jpg\n")
    words: list[object] = ["megaface", known, unknown, "--distractor-noises", root / "noise.txt"]
    return {"megaface": words, "megaface-scf": ["megaface", known, unknown, "--size", "12", "--score", "scf"]}


def _lfw_names() -> tuple[list[str], list[int]]:
    return (
        [f"{who}_{number:04d}.jpg" for who in "ABCDEFGH" for number in (1, 2, 3)],
        [who for who in range(8) for _ in range(3)],
    )


def _lfw_faces(path: Path) -> Path:
    names, person = _lfw_names()
    return _faces(path, [f"{name[0]}/{name.removesuffix('.jpg')}" for name in names], person, noise=0.5)


def _blufr(root: Path) -> dict[str, list[object]]:
    faces = _lfw_faces(root / "faces.parquet")
    names, person = _lfw_names()
    files, cells = np.empty((24, 1), object), {}
    files[:, 0] = names
    index = {"trainIndex": [1, 2], "testIndex": range(4, 25), "galIndex": [4, 7, 10], "probIndex": range(11, 25)}
    for key, values in index.items():
        cells[key] = np.empty((2, 1), object)
        cells[key][:, 0] = [np.array(values)[shift:, None] for shift in (0, 1)]
    savemat(root / "lists.mat", {"imageList": files, "labels": np.array(person)[:, None] + 1, **cells})
    return {"blufr": ["blufr", faces, "--lists", root / "lists.mat"]}


def _openset(root: Path) -> dict[str, list[object]]:
    faces = _lfw_faces(root / "faces.parquet")
    names, person = _lfw_names()
    files = np.empty((24, 1), object)
    files[:, 0] = names
    savemat(root / "imagelist_lfw.mat", {"imagelist_lfw": files})
    savemat(root / "id_lfw.mat", {"id_lfw": np.array(person)[:, None] + 1})
    rng = np.random.default_rng(0)
    for ending, gallery in (("", 4), ("_close", 8)):
        parts: dict[str, dict[str, np.ndarray]] = {"gallery": {}, "genuine_probe": {}, "impostor_probe": {}}
        for trial in range(1, 11):
            enrolled = np.array([3 * who + rng.integers(3) + 1 for who in range(gallery)])
            own = np.array([3 * who + k + 1 for who in range(4) for k in range(3)])
            others = np.arange(13, 25) if not ending else np.zeros(0, int)
            for part, rows in zip(parts, (enrolled, np.setdiff1d(own, enrolled), others), strict=True):
                parts[part][f"{part}_index_{trial}"] = rows[:, None]
        for part, found in parts.items():
            savemat(root / f"lfw_{part}_index{ending}.mat", found)
    return {
        "openset": ["openset", faces, "--lists", root],
        "openset-closed": ["openset", faces, "--lists", root, "--closed", "--score", "scf"],
    }


def write_golden(folder: Path) -> None:
    """Write the golden copies anew; only where a change of what commands say is meant."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as root:
        cases = write_cases(Path(root))
        told = {name: account(words) for name, words in cases.items()}
        told["compare"] = compare_account(Path(root), [cases["lfw"], cases["lfw-damage"], cases["pairs"]])
        for name, one in told.items():
            (folder / f"{name}.json").write_text(json.dumps(one, indent=1, ensure_ascii=False) + "\n")
