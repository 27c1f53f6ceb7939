"""Every command that writes, made from the commands' own declarations: inputs and foreign files stay as they were."""

from importlib import import_module

import click
import pytest
from cli_run import refused, run

from facepipe.cli import options
from facepipe.cli.main import COMMANDS

# Commands that make a folder of their own and keep watch over it themselves.
OWN_FOLDER = {("ablate", "folder"), ("train", "run"), ("preprocess", "out")}
# They change a gallery in place, or compare several galleries themselves.
IN_PLACE = {("gallery merge", "gallery")}


def commands(group=None, name=""):
    """Name and click command of all commands but the protocols."""
    if group is None:
        for name in COMMANDS:
            if name != "eval":
                yield from commands(import_module(f"facepipe.cli.{name}").command, name)
    elif isinstance(group, click.Group):
        context = click.Context(group)
        for inner in group.list_commands(context):
            yield from commands(group.get_command(context, inner), f"{name} {inner}")
    else:
        yield name, group


ALL = dict(commands())
DOORS = {name: command.callback.door for name, command in ALL.items() if hasattr(command.callback, "door")}
FILES = [
    (name, output.parameter, output.suffixes[0])
    for name, door in DOORS.items()
    for output in door.writes
    if output.suffixes
]
FOLDERS = [
    (name, output.parameter) for name, door in DOORS.items() for output in door.writes if not output.suffixes
]


def test_no_command_that_writes_is_forgotten():
    writing = {
        (name, parameter.name)
        for name, command in ALL.items()
        for parameter in command.params
        if parameter.type is options.output_path
    }
    declared = {(name, output.parameter) for name, door in DOORS.items() for output in door.writes}
    assert writing - declared - OWN_FOLDER - IN_PLACE == set()
    assert len(FILES) >= 8 and len(FOLDERS) >= 4


def words(name, given):
    """A command line in which each parameter of ``given`` has its value, and each other argument some file."""
    line = name.split()
    for parameter in ALL[name].params:
        value = given.get(parameter.name)
        if isinstance(parameter, click.Argument):
            line.append(value or given["other"])
        elif value is not None:
            line += [parameter.opts[0], value]
        elif parameter.required:
            line += [parameter.opts[0], given["other"]]
    return line


def linked(path, kind):
    """``path`` under another name."""
    other = path.with_name(f"link{path.suffix}")
    if kind == "same":
        return path
    (other.symlink_to if kind == "symbolic link" else other.hardlink_to)(path)
    return other


@pytest.mark.parametrize("kind", ["same", "symbolic link", "hard link"])
@pytest.mark.parametrize(("name", "parameter", "suffix"), FILES)
def test_no_output_replaces_an_input(tmp_path, name, parameter, suffix, kind):
    other = tmp_path / "other.bin"
    other.write_bytes(b"other")
    for read in DOORS[name].reads:
        source = tmp_path / read / f"input{suffix}"
        source.parent.mkdir()
        source.write_bytes(b"precious")
        told = refused(*words(name, {"other": other, read: source, parameter: linked(source, kind)}), "--overwrite")
        assert "would replace the input" in told
        assert source.read_bytes() == b"precious" and other.read_bytes() == b"other"


@pytest.mark.parametrize(("name", "parameter", "suffix"), FILES)
def test_no_output_replaces_a_foreign_file(tmp_path, name, parameter, suffix):
    other, foreign = tmp_path / "other.bin", tmp_path / f"foreign{suffix}"
    other.write_bytes(b"other")
    foreign.write_bytes(b"mine")
    if suffix == ".npy":  # see the names beside it
        foreign.with_suffix(".arrow").unlink(missing_ok=True)
    told = refused(*words(name, {"other": other, parameter: foreign}))
    assert told.startswith(f"{foreign}: is there already") and "--overwrite" in told
    assert foreign.read_bytes() == b"mine" and set(tmp_path.iterdir()) == {foreign, other}


@pytest.mark.parametrize(("name", "parameter", "suffix"), FILES)
def test_unknown_extensions_are_refused_before_work(tmp_path, name, parameter, suffix):
    other = tmp_path / "other.bin"
    other.write_bytes(b"other")
    told = refused(*words(name, {"other": other, parameter: tmp_path / "out.xyz"}))
    assert told.startswith(f"{tmp_path / 'out.xyz'}: cannot write .xyz") and suffix in told


@pytest.mark.parametrize("kind", ["same", "symbolic link"])
@pytest.mark.parametrize(("name", "parameter"), FOLDERS)
def test_no_folder_of_outputs_is_a_folder_of_inputs(tmp_path, name, parameter, kind):
    photos, other = tmp_path / "photos", tmp_path / "other.bin"
    photos.mkdir()
    other.write_bytes(b"other")
    (photos / "a.jpg").write_bytes(b"precious")
    for read in DOORS[name].reads:
        target = photos if kind == "same" else tmp_path / f"to-{read}"
        if kind != "same":
            target.symlink_to(photos)
        told = refused(*words(name, {"other": other, read: photos, parameter: target}), "--overwrite")
        assert "choose another folder" in told
    assert list(photos.iterdir()) == [photos / "a.jpg"] and (photos / "a.jpg").read_bytes() == b"precious"


def test_derived_names_are_compared(tmp_path):
    """A copy of a.png would be called a.jpg, which is an input too; and one that is there is nobody's."""
    photos, out = tmp_path / "photos", tmp_path / "out"
    for folder in (photos, out):
        folder.mkdir()
    (photos / "a.png").write_bytes(b"photo")
    (out / "a.png").write_bytes(b"precious")
    assert "would replace the input" in refused("align", photos, out / "a.png", "-o", out, "--overwrite")
    assert "is there already" in refused("align", photos, "-o", out)
    copy = "_".join([*photos.parts[-1:], "a.jpg"])
    (out / f"{tmp_path.name}_{copy}").write_bytes(b"precious")
    assert "is there already" in refused("detect", photos, "--save", out)
    assert (out / "a.png").read_bytes() == b"precious"


def test_one_file_for_two_outputs(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    ended = run("identify", tmp_path / "a.jpg", tmp_path / "a.jpg", "--summary", tmp_path / "no" / "s.json")
    assert ended.code == 2 and not (tmp_path / "no" / "s.json").exists()
