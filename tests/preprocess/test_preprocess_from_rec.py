"""RecordIO to identity folders: whole files, bad records listed, nothing written twice."""

import csv

import numpy as np
import pytest
from cli_run import refused, run
from image_bytes import encode

from facepipe.datasets import open_samples
from facepipe.datasets.samples.recordio import write_recordio
from facepipe.errors import DatasetError
from facepipe.preprocess import unpack_records


def picture(shade, form="JPEG"):
    return encode(np.full((16, 12, 3), shade, np.uint8), form)


IMAGES = [(0, picture(10)), (0, picture(20, "PNG")), (2, picture(30)), (11, picture(40, "WEBP")), (11, picture(50))]
FILES = ["00/0.jpg", "00/1.png", "02/2.jpg", "11/3.webp", "11/4.jpg"]


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "data" / "train.rec"
    write_recordio(path, IMAGES, (16, 12))
    return path


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_images_come_out_as_they_went_in(record, tmp_path):
    out = tmp_path / "out"
    done = unpack_records(record.parent, out)
    assert vars(done) == {
        "records": 5, "written": 5, "kept": 0, "skipped": 0, "identities": 3, "skipped_list": None,
    }
    assert files(out) == dict(zip(FILES, [data for _, data in IMAGES], strict=True))
    # The folders are the same training data.
    there, here = open_samples([record]), open_samples([out])
    assert there.labels.tolist() == here.labels.tolist()
    assert [there.read(i) for i in range(5)] == [here.read(i) for i in range(5)]


def test_again_writes_only_what_is_missing_or_cut(record, tmp_path):
    out = tmp_path / "out"
    unpack_records(record, out)
    (out / FILES[1]).unlink()
    (out / FILES[2]).write_bytes(IMAGES[2][1][:50])
    before = {name: (out / name).stat().st_mtime_ns for name in (FILES[0], FILES[3], FILES[4])}
    done = unpack_records(record, out)
    assert (done.written, done.kept) == (2, 3)
    assert files(out) == dict(zip(FILES, [data for _, data in IMAGES], strict=True))
    assert {name: (out / name).stat().st_mtime_ns for name in before} == before


def test_bad_records_are_left_out_and_listed(tmp_path):
    bad = [b"", b"text", picture(60)[:-40], picture(70, "PNG")[:60]]
    images = [(0, picture(10)), *((1, data) for data in bad), (2, picture(20))]
    write_recordio(tmp_path / "x.rec", images)
    out = tmp_path / "out"
    done = unpack_records(tmp_path / "x.rec", out)
    assert (done.written, done.skipped, done.skipped_list) == (2, 4, out / "skipped.csv")
    rows = list(csv.DictReader((out / "skipped.csv").open()))
    assert [row["identity"] for row in rows] == ["1"] * 4 and all("x.rec, byte" in row["record"] for row in rows)
    assert "no JPEG" in rows[0]["reason"] and "truncated" in rows[2]["reason"]
    assert set(files(out)) == {"0/0.jpg", "2/5.jpg", "skipped.csv"}
    # Mended, the list goes away.
    write_recordio(tmp_path / "x.rec", [(label, picture(90)) for label, _ in images])
    assert unpack_records(tmp_path / "x.rec", out).skipped_list is None
    assert not (out / "skipped.csv").exists()


def test_an_interruption_leaves_whole_files_only(record, tmp_path, monkeypatch):
    from facepipe.preprocess import from_rec

    written = []

    def failing(path, data):
        if len(written) == 2:
            raise OSError(28, "No space left on device", str(path))
        written.append(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    out = tmp_path / "out"
    monkeypatch.setattr(from_rec, "write_bytes", failing)
    with pytest.raises(OSError, match="No space left"):
        unpack_records(record, out)
    assert len(files(out)) <= 3 and not list(out.rglob("*.tmp")) and not list(out.rglob("*.csv"))
    monkeypatch.undo()
    assert unpack_records(record, out).kept == len(written)
    assert files(out) == dict(zip(FILES, [data for _, data in IMAGES], strict=True))


def test_shards_together_are_the_whole(tmp_path, monkeypatch):
    from facepipe.preprocess import from_rec

    monkeypatch.setattr(from_rec, "_UNIT", 2)
    images = [(label, picture(10 * label + 5)) for label in range(7)]
    write_recordio(tmp_path / "x.rec", images)
    seen = []
    done = [unpack_records(tmp_path / "x.rec", tmp_path / "a", (k, 3), seen.append) for k in (1, 2, 3)]
    assert [part.records for part in done] == seen == [3, 2, 2]
    unpack_records(tmp_path / "x.rec", tmp_path / "b")
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_progress(record, tmp_path):
    begun, advanced = [], []
    unpack_records(record, tmp_path / "out", begun=begun.append, advance=advanced.append)
    assert begun == [5] and sum(advanced) == 5


def test_errors(record, tmp_path):
    with pytest.raises(DatasetError, match="must be i/n"):
        unpack_records(record, tmp_path / "out", (4, 3))
    with pytest.raises(DatasetError, match=r"x\.idx: cannot be read"):
        unpack_records(tmp_path / "x.rec", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_command(record, tmp_path):
    out = tmp_path / "out"
    told = run("preprocess", "--from-rec", record, out, "--json").json
    assert told == {"records": 5, "written": 5, "kept": 0, "skipped": 0, "identities": 3, "skipped_list": None}
    text = run("preprocess", "--from-rec", record, out).out
    assert text == f"5 records of 3 identities in {out}: 0 written, 5 already present, 0 skipped\n"
    line = refused("preprocess", "--from-rec", record, out, "--quality", 90)
    assert line == f"{record}: --quality does not apply to --from-rec, which copies images"
    assert "no such file" in refused("preprocess", "--from-rec", tmp_path / "none.rec", out)
