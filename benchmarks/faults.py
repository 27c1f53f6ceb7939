"""kill -9 at random moments, and a full disk: are existing files intact, and does the next run give the right result?

    python benchmarks/faults.py PHOTOS [--kills 30] [--seed 0] [--only preprocess]

PHOTOS/identity/image.jpg, some thirty photos. Each command (preprocess, embed, train, gallery add) runs once
undisturbed, then until ``--kills`` runs have been killed, each after a random fraction of the CPU time of that run;
`gallery add`, which writes for a moment at its end only, at a random moment of that (a gallery of ``--gallery`` photos
makes it long enough). After each kill, every file with a final name must be readable, no process of the command may
survive, and the same command, run again, must give the same result as the undisturbed run. Then every command runs on a
disk that is full after a given number of bytes (RLIMIT_FSIZE): it must end with exit code 2, one line, and the old file
intact.

Prints a line of JSON per command: ``begun`` counts the kills after which the command's folder had something new,
``done`` those of them after which it had the complete result.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from memory import people

from facepipe.embedding.batches import load_embeddings
from facepipe.errors import FacepipeError
from facepipe.identification import load_gallery

TRAIN = (
    "schedule.length=40", "schedule.unit=steps", "schedule.warmup=0", "loop.batch=8", "loop.checkpoint_every=5",
    "optimiser.lr=0.01",
    "data.min_images=1", "data.held_out=0", "data.workers=1",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One command.

    Attributes:
        words: arguments of ``facepipe``, run in a folder of its own that `prepare` has filled.
        prepare: creates the command's inputs.
        outcome: the command's result, comparable; raises if it is damaged; None if there is none yet.
        writing: pattern of the temporary file while which exists the command is killed; empty: at any time.
    """

    words: tuple[str, ...]
    prepare: Callable[[Path], None]
    outcome: Callable[[Path], Any]
    writing: str = ""


@dataclass(frozen=True)
class Usual:
    """An undisturbed run: its CPU time, how long it was writing (both in seconds) and its outcome."""

    processor: float
    writing: float
    outcome: Any


def crops_of(folder: Path) -> Any:
    import pyarrow.parquet as pq

    manifest = folder / "crops" / "manifest.parquet"
    if not manifest.exists():
        return None
    rows = pq.read_table(manifest).to_pylist()
    files = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("crops/*/*.jpg"))}
    return sorted((row["path"], row["status"], str(row["boxes"])) for row in rows), files


def embeddings_of(folder: Path) -> Any:
    path = folder / "faces.parquet"
    if not path.exists():
        return None
    found = load_embeddings(path)
    order = np.argsort(found.paths)
    return [found.paths[index] for index in order], found.mu[order].round(4).tolist()


def gallery_of(folder: Path) -> Any:
    images = load_gallery(folder / "people.parquet").images
    order = np.argsort(images.paths)
    return [images.paths[index] for index in order], images.mu[order].round(4).tobytes()


def weights_of(folder: Path) -> Any:
    path = folder / "run" / "weights.safetensors"
    return path.read_bytes() if path.exists() else None


def facepipe(words: tuple[str, ...], folder: Path, limit: int | None = None) -> subprocess.Popen[str]:
    def before() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-m", "facepipe", *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, preexec_fn=before, env=os.environ | {"OMP_NUM_THREADS": "1"}, start_new_session=True,
    )  # fmt: skip


def cases(photos: Path, crops: Path, begun: Path) -> dict[str, Case]:
    def nothing(_: Path) -> None:
        pass

    def gallery(folder: Path) -> None:
        shutil.copy(begun, folder / "people.parquet")

    sets = [word for one in TRAIN for word in ("--set", one)]
    return {
        "preprocess": Case(("preprocess", str(photos), "crops"), nothing, crops_of),
        "embed": Case(("embed", str(photos), "-o", "faces.parquet"), nothing, embeddings_of),
        "train": Case(
            ("train", "sphereface4-small", "-d", str(crops), "-o", "run", "--device", "cpu", "--resume", *sets),
            nothing, weights_of,
        ),
        "gallery add": Case(
            ("gallery", "add", "people.parquet", str(photos)), gallery, gallery_of, ".people.parquet.*"
        ),
    }  # fmt: skip


def finished(case: Case, folder: Path) -> Usual:
    """An undisturbed run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = facepipe(case.words, folder)
    writing = 0.0
    if case.writing:
        wait_for(process, lambda: there(case, folder))
        began = time.monotonic()
        wait_for(process, lambda: not there(case, folder))
        writing = time.monotonic() - began
    _, err = process.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(f"{' '.join(case.words)}: exit code {process.returncode}: {err[-500:]}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Usual(processor, writing, case.outcome(folder))


def there(case: Case, folder: Path) -> bool:
    return any(folder.glob(case.writing))


def wait_for(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    """Until it holds, or the process has ended."""
    while process.poll() is None and not condition():
        time.sleep(0.001)


def killed(case: Case, folder: Path, usual: Usual, random: np.random.Generator) -> subprocess.Popen[str] | None:
    """The process, killed at a random moment while it was still running."""
    process = facepipe(case.words, folder)
    if case.writing:
        wait_for(process, lambda: there(case, folder))
        time.sleep(usual.writing * random.uniform(0, 1.1))
    else:
        after = usual.processor * random.uniform(0.15, 1)
        wait_for(process, lambda: processor_time(process.pid) >= after)
    process.kill()
    return process if process.wait() == -signal.SIGKILL else None


def processor_time(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def survivors(session: int, patience: float = 10) -> list[int]:
    """Processes of a command that survive its first one by more than ``patience`` seconds."""
    end = time.monotonic() + patience
    while found := [number for number in processes() if session_of(number) == session]:
        if time.monotonic() > end:
            return found
        time.sleep(0.1)
    return []


def processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def session_of(process: int) -> int | None:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[3])


def everything(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def measure(case: Case, kills: int, random: np.random.Generator) -> dict[str, Any]:
    told: dict[str, Any] = {"kills": 0, "begun": 0, "done": 0, "damaged": [], "wrong": [], "leftovers": [], "alive": []}
    with tempfile.TemporaryDirectory() as name:
        case.prepare(Path(name))
        usual = finished(case, Path(name))
    told["processor seconds"] = round(usual.processor, 1)
    told["writing seconds"] = round(usual.writing, 3)
    for number in range(3 * kills):
        if told["kills"] == kills:
            break
        with tempfile.TemporaryDirectory() as name:
            once(case, Path(name), usual, random, number, told)
    return told | {"full disk": [full_disk(case, limit) for limit in (0, 200, 3000)]}


def once(
    case: Case, folder: Path, usual: Usual, random: np.random.Generator, number: int, told: dict[str, Any]
) -> None:
    """Kill the command once, run it again, and count what was found."""
    case.prepare(folder)
    before, files = case.outcome(folder), everything(folder)
    process = killed(case, folder, usual, random)
    if process is None:
        return
    told["kills"] += 1
    told["begun"] += everything(folder) != files
    told["alive"] += survivors(process.pid)
    try:
        found = case.outcome(folder)
        told["done"] += found == usual.outcome
        if found not in (before, usual.outcome):
            told["damaged"].append([number, "partial"])
        if finished(case, folder).outcome != usual.outcome:
            told["wrong"].append(number)
    except (FacepipeError, OSError, ValueError) as error:
        told["damaged"].append([number, str(error)])
    except SystemExit as error:
        told["wrong"].append([number, str(error)])
    told["leftovers"] += [path.name for path in folder.rglob(".*") if path.is_file() and "tmp" in path.name]


def full_disk(case: Case, limit: int) -> str:
    """The result of a command on a disk that accepts no file larger than ``limit`` bytes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        case.prepare(folder)
        before = case.outcome(folder)
        process = facepipe(case.words, folder, limit)
        _, err = process.communicate(timeout=600)
        lines = [line for line in err.splitlines() if line.strip()]
        kept = case.outcome(folder) == before
        clear = "Traceback" not in err and process.returncode == 2
        return "refused, all kept" if clear and kept else f"exit {process.returncode}, kept {kept}: {lines[-1:]}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("photos", type=Path)
    options.add_argument("--kills", type=int, default=30)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only")
    options.add_argument("--gallery", type=int, default=20_000, help="photos of the gallery added to")
    given = options.parse_args()
    random = np.random.default_rng(given.seed)
    photos = given.photos.resolve()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        if facepipe(("preprocess", str(photos), "crops"), base).wait():
            raise SystemExit("facepipe preprocess failed")
        known = people(base, given.gallery)
        for what, case in cases(photos, base / "crops", known).items():
            if given.only in (None, what):
                print(json.dumps({"command": what} | measure(case, given.kills, random)), flush=True)


if __name__ == "__main__":
    main()
