"""Workers of Ray: results in order, bounded, and row for row those of one process, whoever is killed."""

import os
import signal
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from train_tiny import crop

from facepipe import ensemble, pipeline
from facepipe.alignment import Aligner
from facepipe.detection import DetectorSettings, create_detector
from facepipe.embedding import Embedder, join
from facepipe.ensemble import embed_ensemble, embed_ensemble_on
from facepipe.errors import DatasetError, MissingExtraError
from facepipe.evaluation import Source
from facepipe.pipeline import Cropper
from facepipe.preprocess import Plan, preprocess, processing
from facepipe.preprocess.manifest import rows_of
from facepipe.workers import OnRay, WorkerError, on_ray
from facepipe.zoo import DEFAULT, load

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'facepipe[ray]'")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """One Ray of two cores for all tests here, where each start takes seconds."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not see the tests
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20)
    yield
    ray.shutdown()


class Doubling:
    """Doubles; does what it is told the first time that it meets a unit."""

    def __init__(self, folder: Path, kills: int = 0, times: int = 1, raises: Exception | None = None) -> None:
        self.folder, self.kills, self.times, self.raises = folder, kills, times, raises

    def __call__(self):
        (self.folder / f"loaded-{os.getpid()}").touch()
        return self.work

    def work(self, unit: int) -> int:
        if unit == self.kills and len(list(self.folder.glob("killed-*"))) < self.times:
            (self.folder / f"killed-{os.getpid()}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if unit == 3 and self.raises is not None:
            raise self.raises
        return 2 * unit


def test_results_come_in_order_from_workers_that_load_once_and_units_are_taken_as_needed(tmp_path):
    taken = []

    def units():
        for unit in range(1, 60):
            taken.append(unit)
            yield unit

    results = OnRay().map(Doubling(tmp_path), units(), "cpu")
    assert next(results) == 2
    assert len(taken) <= 2 * on_ray._AHEAD
    assert list(results) == list(range(4, 120, 2))
    assert len(list(tmp_path.glob("loaded-*"))) == 2


@pytest.mark.parametrize("unit", [1, 5])  # the first one of a worker, and a later one
def test_a_killed_worker_changes_nothing_and_is_told(tmp_path, unit):
    told = []
    results = OnRay(workers=2, note=told.append).map(Doubling(tmp_path, kills=unit), range(1, 12), "cpu")
    assert list(results) == list(range(2, 24, 2))
    assert len(list(tmp_path.glob("loaded-*"))) == 3
    assert len(told) == 1 and "died" in told[0] and "processed again" in told[0]


def test_a_unit_over_which_workers_die_again_and_again_ends_the_work(tmp_path):
    deadly = Doubling(tmp_path, kills=2, times=99)
    results = OnRay(workers=1).map(deadly, range(1, 5), "cpu", lambda unit: f"photo {unit}")
    with pytest.raises(WorkerError, match=r"photo \d: workers died 4 times"):
        list(results)


@pytest.mark.parametrize("error", [DatasetError("a.jpg: no such image"), OSError(28, "No space left", "b.tar")])
def test_what_the_work_raises_reaches_the_caller_as_it_is(tmp_path, error):
    with pytest.raises(type(error), match=r"no such image|No space left"):
        list(OnRay().map(Doubling(tmp_path, raises=error), range(1, 9), "cpu"))


def test_more_workers_than_there_is_room_for_are_refused(tmp_path):
    with pytest.raises(WorkerError, match="workers=99: Ray has room for 2"):
        list(OnRay(workers=99).map(Doubling(tmp_path), range(3), "cpu"))
    with pytest.raises(WorkerError, match="no machine in the Ray cluster has a GPU"):
        list(OnRay().map(Doubling(tmp_path), range(3), "cuda"))


def test_what_ray_would_print_has_the_name_that_it_is_silenced_by(monkeypatch, capsys):
    monkeypatch.setattr(ray._private.worker, "print_worker_logs", ray._private.worker.print_worker_logs)
    on_ray._silence(ray)
    ray._private.worker.print_to_stdstream({"lines": ["a worker died"], "pid": "raylet", "is_err": False}, False)
    assert capsys.readouterr().out == ""


def test_without_ray_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"facepipe\[ray\]"):
        list(OnRay().map(Doubling(tmp_path), range(3), "cpu"))


@pytest.fixture
def units_of_four(monkeypatch):
    for module in (pipeline, ensemble, processing):
        monkeypatch.setattr(module, "STEP", 4)


@pytest.fixture
def photos(tmp_path, astronaut):
    """Ten photos of one face at several sizes, one without a face, one that cannot be read."""
    for number in range(10):
        folder = tmp_path / "photos" / f"person{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        side = 96 + 8 * number
        Image.fromarray(astronaut).crop((60, 0, 400, 340)).resize((side, side)).save(folder / f"{number}.png")
    Image.fromarray(crop(1, 1, (90, 90))).save(tmp_path / "photos" / "person0" / "nobody.png")
    (tmp_path / "photos" / "person1" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return tmp_path / "photos"


def members():
    embedder = Embedder(load(DEFAULT, "cpu"), precision="float32")
    return [(Cropper(Aligner(embedder.model.card.input.template), create_detector(device="cpu"), "largest"), embedder)]


def same(ours, theirs):
    assert ours.paths == theirs.paths and ours.failed == theirs.failed
    assert (ours.mu == theirs.mu).all() and (ours.detection_score == theirs.detection_score).all()
    assert (ours.detected == theirs.detected).all() and ours.model == theirs.model


def test_embeddings_are_those_of_one_process_to_the_bit(photos, units_of_four):
    files = sorted(photos.rglob("*.*"))
    seen, shown, done = [], [], []
    alone = join(list(embed_ensemble(files, members(), see=lambda image: shown.append(image.path))))
    batches = embed_ensemble_on(
        OnRay(), files, members, "cpu", done.append, see=lambda image: seen.append((image.path, image.pixels))
    )
    same(join(list(batches)), alone)
    assert len(alone) == 10 and {Path(name).name for name, _ in alone.failed} == {"nobody.png", "broken.jpg"}
    assert seen == [(path, None) for path in files] and shown == files
    assert done == [4, 4, 4]


def test_an_evaluation_embeds_at_workers(photos, units_of_four):
    names = [f"person{number % 3}/{number}" for number in range(10)]
    usual = Source((photos,), precision="float32", device="cpu")
    alone = usual.embeddings(names, "photos")
    at_workers = Source((photos,), precision="float32", device="cpu", on=OnRay(), note=pytest.fail)
    same(at_workers.embeddings(names, "photos"), alone)


class DyingCropper:
    """A cropper whose process is killed over a batch of person1, the first time."""

    def __init__(self, mark: Path, cropper: Cropper) -> None:
        self.mark, self.cropper = mark, cropper

    def __call__(self, batch):
        if "person1" in str(batch[0].path) and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.cropper(batch)

    def __getattr__(self, name):
        return getattr(self.cropper, name)


def dying_members(mark):
    return [(DyingCropper(mark, cropper), embedder) for cropper, embedder in members()]


def test_embeddings_are_the_same_though_a_worker_is_killed(photos, tmp_path, units_of_four):
    files = sorted(photos.rglob("*.*"))
    told, done, mark = [], [], tmp_path / "killed"
    alone = join(list(embed_ensemble(files, members())))
    batches = embed_ensemble_on(OnRay(note=told.append), files, partial(dying_members, mark), "cpu", done.append)
    same(join(list(batches)), alone)
    assert mark.exists() and len(told) == 1 and done == [4, 4, 4]


def test_an_evaluation_is_the_same_though_a_worker_is_killed(photos, tmp_path, units_of_four):
    names = [f"person{number % 3}/{number}" for number in range(10)]
    told, mark = [], tmp_path / "killed"
    alone = Source((photos,), precision="float32", device="cpu").embeddings(names, "photos")
    on = OnRay(note=told.append)
    dying = Source((photos,), precision="float32", device="cpu", on=on, wrap=partial(DyingCropper, mark))
    same(dying.embeddings(names, "photos"), alone)
    assert mark.exists() and len(told) == 1


def test_preprocessing_writes_the_same_bytes_though_a_worker_is_killed(photos, tmp_path, units_of_four, monkeypatch):
    def run(name, **more):
        out = tmp_path / name
        report = preprocess(Plan(photos, out, detection=DetectorSettings()), "cpu", **more)
        return report, {path.relative_to(out): path.read_bytes() for path in out.rglob("*.jpg")}

    alone, crops = run("alone")
    told, counted = [], []
    worker = processing._worker
    monkeypatch.setattr(processing, "_worker", partial(_killed_once, worker, tmp_path / "killed"))
    report, others = run("rayed", on=OnRay(note=told.append), advance=counted.append)
    assert (tmp_path / "killed").exists() and len(told) == 1
    assert others == crops and len(crops) == 10
    assert report.statuses == alone.statuses == {"ok": 10, "no_face": 1, "error": 1}
    assert sum(counted) == 12
    manifest = [rows_of(tmp_path / name / "manifest.parquet") for name in ("alone", "rayed")]
    assert list(manifest[0]) == list(manifest[1])


def _killed_once(worker, mark, plan, device):
    """A worker that is killed in the middle of the unit of person1."""
    work = worker(plan, device)

    def dying(unit):
        number, images = unit
        if "person1" in images[0].path and not mark.exists():
            mark.touch()
            work((number, images[:2]))
            os.kill(os.getpid(), signal.SIGKILL)
        return work(unit)

    return dying


def test_crops_of_workers_are_arrays_of_numbers(photos):
    """Guards the tests above against comparing nothing with nothing."""
    alone = join(list(embed_ensemble(sorted(photos.rglob("person0/*.png")), members())))
    assert np.isfinite(alone.mu).all() and np.linalg.norm(alone.mu, axis=1).min() > 0.1
