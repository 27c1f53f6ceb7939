"""Every command that writes, made from the commands' own declarations: inputs and foreign files stay as they were."""

import threading

import click
import numpy as np
import pytest
from cli_commands import ALL, DOORS, words
from cli_run import refused, run
from train_tiny import write_recipe

from facepipe.cli import door, options
from facepipe.files import locked
from facepipe.images import write_rgb

FILES = [(name, output) for name, door in DOORS.items() for output in door.writes if output.suffixes]
FOLDERS = [(name, output) for name, door in DOORS.items() for output in door.writes if not output.suffixes]


def label(value):
    return getattr(value, "parameter", value)


files = pytest.mark.parametrize(("name", "output"), FILES, ids=label)
new_files = pytest.mark.parametrize(("name", "output"), [f for f in FILES if not f[1].changes], ids=label)
folders = pytest.mark.parametrize(("name", "output"), FOLDERS, ids=label)


@pytest.fixture
def other(tmp_path):
    path = tmp_path / "other.bin"
    path.write_bytes(b"other")
    return path


@pytest.mark.parametrize("name", ALL)
def test_every_command_declares_all_that_it_reads_and_writes(name):
    door = DOORS[name]
    paths = {parameter.name: parameter for parameter in ALL[name].params if isinstance(parameter.type, click.Path)}
    assert paths.keys() <= {*door.reads, *(output.parameter for output in door.writes)}
    written = {output.parameter for output in door.writes if not output.changes}
    for_outputs = (options.output_path, options.stored_output)
    assert {key for key, parameter in paths.items() if parameter.type in for_outputs} == written


def test_the_tables_are_not_empty():
    assert len(ALL) >= 35 and len(FILES) >= 27 and len(FOLDERS) >= 9


def linked(path, kind):
    """``path`` under another name."""
    link = path.with_name(f"link-{path.name}")
    if kind == "same":
        return path
    (link.symlink_to if kind == "symbolic link" else link.hardlink_to)(path)
    return link


@pytest.mark.parametrize("kind", ["same", "symbolic link", "hard link"])
@files
def test_no_output_replaces_an_input(tmp_path, other, name, output, kind):
    for read in DOORS[name].reads:
        if read == output.grows:
            continue
        named = tmp_path / read / f"input{output.suffixes[0]}"
        source = output.stands_for(named)[0]
        source.parent.mkdir()
        source.write_bytes(b"precious")
        target = linked(source, kind).with_name(f"{linked_stem(kind)}input{output.suffixes[0]}")
        line = words(name, {read: source, output.parameter: target}, other)
        told = refused(*line, *(() if output.changes else ("--overwrite",)))
        assert "would replace the input" in told
        assert source.read_bytes() == b"precious" and other.read_bytes() == b"other"


def linked_stem(kind):
    return "" if kind == "same" else "link-"


@files
def test_no_output_replaces_a_foreign_file(tmp_path, other, name, output):
    named = tmp_path / f"foreign{output.suffixes[0]}"
    foreign = output.stands_for(named)[-1]
    foreign.write_bytes(b"mine")
    told = refused(*words(name, {output.parameter: named}, other))
    assert str(foreign) in told
    assert output.changes or (told.startswith(f"{foreign}: already exists") and "--overwrite" in told)
    assert foreign.read_bytes() == b"mine" and {*tmp_path.iterdir()} == {foreign, other}


@pytest.fixture
def held_elsewhere(monkeypatch):
    """Hold the lock of a file as another process would; when somebody waits for it, do something and let go."""
    import filelock  # noqa: F401, so that the wait is not spent on loading it

    began, waited = threading.Event(), threading.Event()
    usual = door.note
    monkeypatch.setattr("facepipe.files.lock._PATIENCE", 0.05)
    monkeypatch.setattr(door, "note", lambda line: (usual(line), waited.set()))
    threads = []

    def hold(path, do=lambda: None, folder=False):
        def work():
            with locked(path, folder=folder):
                began.set()
                waited.wait(20)
                do()

        threads.append(threading.Thread(target=work))
        threads[0].start()
        began.wait(20)

    yield hold
    waited.set()
    threads[0].join()


@pytest.mark.parametrize(
    ("name", "output"), [f for f in FILES if not (f[1].changes or f[1].shared)], ids=label
)
def test_what_another_process_writes_is_waited_for_and_looked_at(tmp_path, other, name, output, held_elsewhere):
    """The file is not there when the command begins; then it is, and is nobody's to replace."""
    named = tmp_path / f"foreign{output.suffixes[0]}"
    foreign = output.stands_for(named)[-1]
    held_elsewhere(named, lambda: foreign.write_bytes(b"mine"))
    ended = run(*words(name, {output.parameter: named}, other))
    first, last = ended.err.splitlines()
    assert ended.code == 2 and f"{named}: another process is changing it" in first
    assert last.startswith(f"facepipe: {foreign}: already exists")
    assert foreign.read_bytes() == b"mine" and {*tmp_path.iterdir()} == {foreign, other}


@pytest.mark.parametrize(("name", "output"), [f for f in FOLDERS if not f[1].shared], ids=label)
def test_whoever_writes_into_a_folder_is_waited_for(tmp_path, other, name, output, held_elsewhere):
    """All that is named beside it is no picture and no model, so nothing comes of it."""
    out = tmp_path / "out"
    held_elsewhere(out, lambda: (out / "theirs").write_bytes(b"mine"), folder=True)
    ended = run(*words(name, {output.parameter: out}, other))
    assert ended.code == 2 and f"{out}: another process is changing it" in ended.err.splitlines()[0]
    assert [path.name for path in out.iterdir()] == ["theirs"], "the lock is gone, and nothing was written"


def test_who_waited_for_a_folder_replaces_nothing_in_it(tmp_path, held_elsewhere):
    write_rgb(tmp_path / "photos" / "a.png", np.zeros((112, 112, 3), np.uint8))
    crop = tmp_path / "crops" / "a.png"
    held_elsewhere(crop.parent, lambda: crop.write_bytes(b"mine"), folder=True)
    ended = run("align", tmp_path / "photos", "-o", crop.parent)
    assert ended.code == 2 and f"{crop}: already exists" in ended.err and crop.read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["film.mp4", "a.jpg"])
def test_identify_waits_for_whoever_writes_its_copy(tmp_path, name, held_elsewhere):
    (tmp_path / "g.parquet").write_bytes(b"gallery")
    (tmp_path / f"in-{name}").write_bytes(b"media")
    held_elsewhere(tmp_path / name, lambda: (tmp_path / name).write_bytes(b"mine"))
    ended = run("identify", tmp_path / f"in-{name}", tmp_path / "g.parquet", "--save", tmp_path / name)
    assert ended.code == 2 and "another process is changing it" in ended.err and "already exists" in ended.err
    assert (tmp_path / name).read_bytes() == b"mine"


def test_two_trainings_in_one_folder(tmp_path, held_elsewhere):
    write_rgb(tmp_path / "crops" / "a" / "1.png", np.zeros((112, 112, 3), np.uint8))
    held_elsewhere(tmp_path / "run" / "recipe.toml")
    words = ["-d", tmp_path / "crops", "-o", tmp_path / "run", "--set", "data.held_out=0", "--device", "cpu"]
    told = refused("train", write_recipe(tmp_path / "r.toml"), *words)
    assert "another process trains in it" in told and not (tmp_path / "run" / "recipe.toml").exists()


@new_files
def test_unknown_extensions_are_refused_before_work(tmp_path, other, name, output):
    told = refused(*words(name, {output.parameter: tmp_path / "out.xyz"}, other))
    assert told.startswith(f"{tmp_path / 'out.xyz'}: cannot write .xyz") and output.suffixes[0] in told


@pytest.mark.parametrize("kind", ["same", "symbolic link"])
@folders
def test_no_folder_of_outputs_is_a_folder_of_inputs(tmp_path, other, name, output, kind):
    out = tmp_path / "out"
    photos = output.stands_for(out)[-1]
    photos.mkdir(parents=True)
    (photos / "a.jpg").write_bytes(b"precious")
    for read in DOORS[name].reads:
        source = photos if kind == "same" else tmp_path / f"to-{read}"
        if kind != "same":
            source.symlink_to(photos)
        told = refused(*words(name, {read: source, output.parameter: out}, other))
        assert "choose another folder" in told
    assert list(photos.iterdir()) == [photos / "a.jpg"] and (photos / "a.jpg").read_bytes() == b"precious"


@folders
def test_a_file_is_no_folder_of_outputs(tmp_path, other, name, output):
    for named in output.stands_for(tmp_path / "out"):
        named.parent.mkdir(exist_ok=True)
        named.write_bytes(b"mine")
        told = refused(*words(name, {output.parameter: tmp_path / "out"}, other))
        assert "is a file" in told or "Not a directory" in told or "would be" in told
        assert named.read_bytes() == b"mine"


def test_derived_names_are_compared(tmp_path):
    """A copy of a.png would be called a.jpg, which is an input too; and one that is there is nobody's."""
    photos, out = tmp_path / "photos", tmp_path / "out"
    for folder in (photos, out):
        folder.mkdir()
    (photos / "a.png").write_bytes(b"photo")
    (out / "a.png").write_bytes(b"precious")
    assert "would replace the input" in refused("align", photos, out / "a.png", "-o", out, "--overwrite")
    assert "already exists" in refused("align", photos, "-o", out)
    (out / "a.jpg").write_bytes(b"precious")
    assert "already exists" in refused("detect", photos, "--save", out)
    assert (out / "a.png").read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["film.mp4", "a.jpg"])
@pytest.mark.parametrize("kind", ["same", "symbolic link", "hard link"])
def test_identify_compares_the_copy_that_it_draws(tmp_path, name, kind):
    """Nothing is loaded before."""
    media = tmp_path / name
    media.write_bytes(b"precious")
    copy = linked(media, kind)
    (tmp_path / "g.parquet").write_bytes(b"gallery")
    told = refused("identify", media, tmp_path / "g.parquet", "--save", copy, "--overwrite")
    assert "would replace the input" in told and media.read_bytes() == b"precious"
    more = tmp_path / "more" / name
    more.parent.mkdir()
    more.write_bytes(b"precious")
    told = refused("identify", media, more, tmp_path / "g.parquet", "--save", more.parent, "--overwrite")
    assert "would" in told and more.read_bytes() == media.read_bytes() == b"precious"


def test_one_file_for_two_outputs(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "p.txt").write_bytes(b"x")
    ended = run("identify", tmp_path / "a.jpg", tmp_path / "a.jpg", "--summary", tmp_path / "no" / "s.json")
    assert ended.code == 2 and not (tmp_path / "no" / "s.json").exists()
    told = refused("eval", "risk", tmp_path, "--pairs", tmp_path / "p.txt", "--plot", tmp_path / "x.png",
                   "--sheet", tmp_path / "x.png")  # fmt: skip
    assert "would be written twice" in told


@pytest.mark.parametrize("name", sorted(ALL))
def test_no_option_stands_twice_in_one_command(name):
    names = [word for parameter in ALL[name].params for word in (*parameter.opts, *parameter.secondary_opts)]
    assert len(names) == len(set(names))


INPUTS = [
    (name, read)
    for name, door in DOORS.items()
    for read in (*door.reads, *(output.parameter for output in door.writes if output.changes))
    if read not in door.optional
]


@pytest.mark.parametrize(("name", "read"), INPUTS)
def test_what_is_missing_is_refused_before_anything_else(monkeypatch, tmp_path, other, name, read):
    """One line that names it, and no model, detector or gallery is opened for it."""

    def loaded(*_, **__):
        raise AssertionError("loaded before the inputs were checked")

    for place in ("zoo.load", "detection.create_detector", "identification.load_gallery", "embedding.load_embeddings"):
        monkeypatch.setattr(f"facepipe.{place}", loaded)
    gone = tmp_path / "gone.jpg"
    assert refused(*words(name, {read: gone}, other)).startswith(f"{gone}: no such file or folder; ")
    assert set(tmp_path.iterdir()) == {other}


def test_the_door_checks_most_of_what_is_read():
    assert len(INPUTS) >= 35
    assert {name for name, door in DOORS.items() if door.optional} <= {"preprocess", "train", "ablate"}
