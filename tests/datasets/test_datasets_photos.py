"""Photos in stores, tar shards and Parquet files: the same pictures, people and crops as from a folder."""

import json
import pickle
import shutil
import tarfile

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_run import run
from train_tiny import add, crop, encoded, write_folders, write_shard

from facepipe.datasets import open_samples
from facepipe.datasets.photos import list_photos_by_root
from facepipe.datasets.photos.parquet_rows import PhotoRow
from facepipe.embedding import load_embeddings
from facepipe.errors import DatasetError, ImageError, MissingExtraError
from facepipe.files import PassedOver, replacing
from facepipe.files.identity import identity_of
from facepipe.files.stored import StoredPath, StoreError, as_path, is_stored
from facepipe.images import Place, RemotePhoto, StoredPhoto, is_collection, read_rgb
from facepipe.preprocess import Plan, preprocess
from facepipe.preprocess.manifest import rows_of

SIDE = (112, 112)


@pytest.fixture
def folder(tmp_path):
    return write_folders(tmp_path / "faces", identities=3, images=2, size=SIDE)


@pytest.fixture
def memory():
    """A store in this process's memory, empty."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


def put(store, folder, where="/faces"):
    for path in sorted(folder.rglob("*.png")):
        store.pipe_file(f"{where}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def shard_of(folder, path, numbered=False):
    """Two shards' worth in one: keys that are numbers, and people in JSON."""
    samples = []
    for number, image in enumerate(sorted(folder.rglob("*.png"))):
        key = f"{number:05d}" if numbered else str(image.relative_to(folder).with_suffix(""))
        samples.append((key, image.read_bytes(), {"identity": image.parent.name} if numbered else None))
    return write_shard(path, samples)


def table_of(folder, path, rows=4):
    images = [{"bytes": image.read_bytes(), "path": image.name} for image in sorted(folder.rglob("*.png"))]
    people = [image.parent.name for image in sorted(folder.rglob("*.png"))]
    pq.write_table(pa.table({"image": images, "identity": people}), path, row_group_size=rows)
    return path


def listed(*roots):
    passed = PassedOver()
    found = list(list_photos_by_root(*roots, passed=passed))
    return found, passed


def test_every_way_gives_the_same_pictures_of_the_same_people(folder, tmp_path, memory):
    put(memory, folder)
    expected = [(identity_of(path.relative_to(folder)), read_rgb(path).tobytes()) for _, path in listed(folder)[0]]
    assert len(expected) == 6
    shard = shard_of(folder, tmp_path / "s.tar", numbered=True)
    named = shard_of(folder, tmp_path / "named.tar")
    table = table_of(folder, tmp_path / "t.parquet")
    memory.pipe_file("/shards/a.tar", shard.read_bytes())
    memory.pipe_file("/tables/a.parquet", table.read_bytes())
    addresses = ["memory://faces", "memory://shards/a.tar", "memory://shards", "memory://tables/a.parquet"]
    for root in [shard, named, table, *map(as_path, addresses)]:
        found, passed = listed(root)
        assert is_collection(root) and not passed
        assert [(identity_of(photo.inside), read_rgb(photo).tobytes()) for _, photo in found] == expected, root
        assert all(given == root and str(photo).startswith(f"{root}/") for given, photo in found)
        assert len({str(photo) for _, photo in found}) == 6


def test_photos_go_to_other_processes(folder, tmp_path):
    for root in (shard_of(folder, tmp_path / "s.tar"), table_of(folder, tmp_path / "t.parquet")):
        for _, photo in listed(root)[0]:
            again = pickle.loads(pickle.dumps(photo))
            assert again == photo and hash(again) == hash(photo) and again.read() == photo.read()
    remote = RemotePhoto("https://example.org/a.jpg?key=1")
    assert pickle.loads(pickle.dumps(remote)).address == remote.address
    stored = StoredPath("s3://bucket/a.tar")
    assert pickle.loads(pickle.dumps(stored)) == stored


def test_several_shards_and_tables_keep_names_apart(folder, tmp_path, memory):
    for name in ("a", "b"):
        memory.pipe_file(f"/two/{name}.tar", shard_of(folder, tmp_path / f"{name}.tar", numbered=True).read_bytes())
        memory.pipe_file(f"/four/{name}.parquet", table_of(folder, tmp_path / f"{name}.parquet").read_bytes())
    memory.pipe_file("/two/README.md", b"about")
    for address in ("memory://two", "memory://four"):
        found, passed = listed(as_path(address))
        assert len({photo.inside for _, photo in found}) == 12
        assert sorted({identity_of(photo.inside) for _, photo in found}) == ["person00", "person01", "person02"]
        assert dict(passed.counts) == ({"other file": 1} if "two" in address else {})


def test_equal_names_in_a_shard_and_paths_that_climb_out_are_harmless(tmp_path):
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        for name in ("ada/1.png", "ada/1.png", "../../etc/1.png", "/root/1.png"):
            add(tar, name, encoded(crop(1, 1)))
    found = [photo.inside for _, photo in listed(tmp_path / "s.tar")[0]]
    assert found == ["ada/1.png", "ada/1-2.png", "etc/1.png", "root/1.png"]
    row = {"image": [b"x"], "path": ["../../ada/1.png"], "label": ["a/../b"]}
    pq.write_table(pa.table(row), tmp_path / "t.parquet")
    (_, photo), = listed(tmp_path / "t.parquet")[0]
    assert photo.inside == "a%2F..%2Fb/000000-1.png"


@pytest.mark.parametrize("kind", ["memory", "tar", "parquet"])
def test_preprocessing_gives_the_crops_of_the_folder(folder, tmp_path, memory, kind):
    put(memory, folder)
    raw = {
        "memory": lambda: as_path("memory://faces"),
        "tar": lambda: shard_of(folder, tmp_path / "s.tar"),
        "parquet": lambda: table_of(folder, tmp_path / "t.parquet"),
    }[kind]()

    def run(root, out):
        report = preprocess(Plan(root, tmp_path / out, detection=None), "cpu")
        crops = {path.relative_to(tmp_path / out): path.read_bytes() for path in (tmp_path / out).rglob("*.jpg")}
        return report, crops

    alone, expected = run(folder, "alone")
    report, crops = run(raw, "other")
    assert report.statuses == alone.statuses == {"aligned": 6} and report.identities == 3
    assert sorted(crops.values()) == sorted(expected.values())
    if kind != "parquet":
        assert crops == expected
    again, _ = run(raw, "other")
    assert again.changes == {"new": 0, "changed": 0, "vanished": 0, "touched": 0}
    assert [row["identity"] for row in rows_of(report.manifest)] == [f"person{n // 2:02d}" for n in range(6)]


def test_what_comes_later_in_a_store_is_done_and_what_has_gone_is_dropped(folder, tmp_path, memory):
    put(memory, folder)
    plan = Plan(as_path("memory://faces"), tmp_path / "out", detection=None)
    preprocess(plan, "cpu")
    memory.pipe_file("/faces/person09/0.png", encoded(crop(9, 0, SIDE)))
    memory.rm_file("/faces/person00/0.png")
    report = preprocess(plan, "cpu")
    assert report.changes["new"] == 1 and report.changes["vanished"] == 1
    assert (tmp_path / "out/person09/0.jpg").is_file() and not (tmp_path / "out/person00/0.jpg").exists()


def test_training_reads_shards_of_a_store(folder, tmp_path, memory):
    shard = shard_of(folder, tmp_path / "s.tar", numbered=True)
    memory.pipe_file("/train/s.tar", shard.read_bytes())
    ours, theirs = open_samples(["memory://train"]), open_samples([shard])
    assert ours.identities == theirs.identities and (ours.labels == theirs.labels).all()
    assert [ours.read(i) for i in range(6)] == [theirs.read(i) for i in range(6)]
    assert [dict(ours.about(i)) for i in range(6)] == [dict(theirs.about(i)) for i in range(6)]


def test_a_file_is_sent_to_a_store_whole_or_not_at_all(memory, tmp_path):
    where = as_path("memory://out/a/b.parquet")
    with replacing(where) as temporary:
        temporary.write_bytes(b"first")
        assert not where.exists()
    assert where.read_bytes() == b"first" and where.is_file() and where.size() == 5
    with pytest.raises(RuntimeError), replacing(where) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert where.read_bytes() == b"first"
    assert not temporary.exists() and not temporary.parent.exists()


@pytest.mark.slow
def test_the_command_line_embeds_from_a_store_into_one(folder, memory, tmp_path, one_thread):
    put(memory, folder)
    words = ("embed", "memory://faces", "--already-aligned", "--device", "cpu", "--json")
    done = run(*words, "-o", "memory://out/e.parquet")
    assert done.json["embedded"] == 6 and done.json["out"] == "memory://out/e.parquet"
    assert run("embed", folder, *words[2:], "-o", tmp_path / "e.parquet").json["embedded"] == 6
    (tmp_path / "stored.parquet").write_bytes(as_path("memory://out/e.parquet").read_bytes())
    ours, theirs = load_embeddings(tmp_path / "stored.parquet"), load_embeddings(tmp_path / "e.parquet")
    assert (ours.mu == theirs.mu).all() and ours.roots == ("memory://faces",)
    assert ours.paths == tuple(path.replace(str(folder), "memory://faces") for path in theirs.paths)
    again = run(*words, "-o", "memory://out/e.parquet")
    assert again.code == 0 and again.json["embedded"] == 6, "replaced like a file on this machine"
    memory.pipe_file("/out/other.parquet", b"PAR1 of something else")
    other = run(*words, "-o", "memory://out/other.parquet")
    assert other.code == 2 and "already exists" in other.err
    elsewhere = run("align", "memory://faces", "-o", "memory://crops")
    assert elsewhere.code == 2 and "only be written on this machine" in elsewhere.err


@pytest.mark.slow
def test_single_photos_of_a_store_are_compared(memory, astronaut):
    memory.pipe_file("/a/1.png", encoded(astronaut[:300, 60:400]))
    memory.pipe_file("/a/2.png", encoded(astronaut[:320, 50:410]))
    done = run("compare", "memory://a/1.png", "memory://a/2.png", "--json")
    assert done.json["score"] > 0.7
    missing = run("compare", "memory://a/1.png", "memory://a/3.png")
    assert missing.code == 2 and "memory://a/3.png: no such file" in missing.err
    people = run("gallery", "build", "memory://a", "g.parquet")
    assert people.code == 2 and "memory://a" in people.err and len(people.err.splitlines()) == 1


def test_faults_are_one_line(tmp_path, memory, folder):
    with pytest.raises(DatasetError, match="memory://nothing: no files"):
        listed(as_path("memory://nothing"))
    with pytest.raises(StoreError, match="nosuch://a/b"):
        listed(as_path("nosuch://a/b"))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no table")
    with pytest.raises(DatasetError, match="not a readable Parquet file"):
        listed(tmp_path / "bad.parquet")
    pq.write_table(pa.table({"path": ["a"]}), tmp_path / "none.parquet")
    with pytest.raises(DatasetError, match="no column 'image'"):
        listed(tmp_path / "none.parquet")
    shard = shard_of(folder, tmp_path / "s.tar")
    shard.write_bytes(shard.read_bytes()[:-40_000])
    with pytest.raises(DatasetError, match="truncated"):
        listed(shard)
    with pytest.raises(ImageError, match="truncated"):
        StoredPhoto("s.tar", "a.png", Place(str(shard), 0, 10**6)).read()
    with pytest.raises(ImageError, match=r"t\.parquet/a\.png: cannot be read"):
        StoredPhoto("t.parquet", "a.png", PhotoRow(str(tmp_path / "gone.parquet"), 0, 0)).read()


def test_a_store_without_its_package_names_the_extra(monkeypatch):
    def missing(_):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(MissingExtraError, match=r"s3://bucket/a: .*facepipe\[s3\]"):
        StoredPath("s3://bucket/a").exists()


def test_what_is_an_address_of_a_store():
    assert all(map(is_stored, ("s3://b/a", "gs://b", "hf://datasets/a/b", "memory://x", "abfs://c/d")))
    assert not any(map(is_stored, ("http://a/b", "https://a", "file:///a", "rtsp://cam", "C:/a", "a/b", "://a", "s3://")))
    assert as_path("file:///tmp/a b").as_posix() == "/tmp/a b"
    path = StoredPath("s3://bucket/faces/a.tar")
    assert (path.name, path.suffix, path.stem, str(path)) == ("a.tar", ".tar", "a", "s3://bucket/faces/a.tar")
    assert path / "b.jpg" == StoredPath("s3://bucket/faces/a.tar/b.jpg")


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """A bucket of an S3 server on the loopback."""
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'facepipe[s3]'")
    server = pytest.importorskip("moto.server", reason="moto, whose S3 server is talked to, is not installed")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    patch = pytest.MonkeyPatch()
    words = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in {**words, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
        patch.setenv(name, value)
    files = fsspec.filesystem("s3")
    files.mkdir("bucket")
    yield files
    patch.undo()
    running.stop()


@pytest.mark.slow
def test_an_s3_server_gives_and_takes(s3, folder, tmp_path):
    put(s3, folder, "bucket/faces")
    s3.pipe_file("bucket/shards/s.tar", shard_of(folder, tmp_path / "s.tar", numbered=True).read_bytes())
    s3.pipe_file("bucket/t.parquet", table_of(folder, tmp_path / "t.parquet").read_bytes())
    expected = [(identity_of(path.relative_to(folder)), read_rgb(path).tobytes()) for _, path in listed(folder)[0]]
    for address in ("s3://bucket/faces", "s3://bucket/faces/", "s3://bucket/shards/s.tar", "s3://bucket/t.parquet"):
        found, _ = listed(as_path(address))
        assert [(identity_of(photo.inside), read_rgb(photo).tobytes()) for _, photo in found] == expected, address
    assert open_samples(["s3://bucket/shards"]).identities == ["person00", "person01", "person02"]
    report = preprocess(Plan(as_path("s3://bucket/faces"), tmp_path / "out", detection=None), "cpu")
    assert report.statuses == {"aligned": 6}
    with replacing(as_path("s3://bucket/out.json")) as temporary:
        temporary.write_text(json.dumps([1]))
    assert as_path("s3://bucket/out.json").read_bytes() == b"[1]"
    with pytest.raises(StoreError, match="s3://nobodys-bucket"):
        listed(as_path("s3://nobodys-bucket/faces"))
    shutil.rmtree(tmp_path / "out")
