"""The registry: order, aliases, duplicates, the nearest name, and entries of installed packages."""

import sys

import pytest

from facepipe.errors import DatasetError, ModelError
from facepipe.registry import FileRegistry, Registry


@pytest.fixture
def colours():
    registry = Registry("colour", "facepipe_test.colours")
    registry.add("red", 1)
    registry.add("crimson", 2, alias="carmine")
    return registry


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a package with entry points on the path, as pip would."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(package, points, code=""):
        (tmp_path / f"{package}.py").write_text(code)
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = "\n".join(f"{name} = {value}" for name, value in points.items())
        (info / "entry_points.txt").write_text(f"[facepipe_test.colours]\n{lines}\n")

    yield put
    for name in [name for name in sys.modules if name.startswith("facepipe_test_")]:
        del sys.modules[name]


def test_entries_keep_their_order_and_aliases_are_no_names(colours):
    assert colours.names() == ["red", "crimson"]
    assert list(colours.items()) == [("red", 1), ("crimson", 2)]
    assert colours["carmine"] == 2 and colours.name_of("carmine") == "crimson"
    assert "red" in colours and "carmine" in colours and "blue" not in colours


@pytest.mark.parametrize(("name", "alias"), [("red", None), ("carmine", None), ("blue", "red"), ("blue", "carmine")])
def test_duplicates_are_refused(colours, name, alias):
    with pytest.raises(ModelError, match=r"^colour '(red|carmine)' exists already"):
        colours.add(name, 3, alias)
    assert colours.names() == ["red", "crimson"]


def test_removed_entries_can_be_defined_anew(colours):
    colours.remove("crimson")
    assert "carmine" not in colours
    colours.add("crimson", 5)
    assert colours["crimson"] == 5


def test_unknown_names(colours):
    with pytest.raises(ModelError, match=r"^unknown colour 'rde'; did you mean 'red'\?$"):
        colours["rde"]
    with pytest.raises(ModelError, match=r"^unknown colour 'q'; choose one of red, crimson, carmine$"):
        colours["q"]
    with pytest.raises(DatasetError, match="unknown shape 'round'"):
        Registry("shape", "facepipe_test.shapes", DatasetError)["round"]


def test_an_installed_package_adds_an_entry(install):
    registry = Registry("colour", "facepipe_test.colours")
    registry.add("red", 1)
    sys.modules["facepipe_test_registry"] = registry
    code = "import facepipe_test_registry\nfacepipe_test_registry.add('teal', 7)\n"
    install("facepipe_test_teal", {"teal": "facepipe_test_teal"}, code)
    assert registry.names() == ["red", "teal"] and "teal" in registry
    assert "facepipe_test_teal" not in sys.modules  # nothing is loaded before it is asked for
    assert registry["red"] == 1 and "facepipe_test_teal" not in sys.modules
    assert registry["teal"] == 7
    assert list(registry.items()) == [("red", 1), ("teal", 7)]
    with pytest.raises(ModelError, match="did you mean 'teal'"):
        registry["taal"]


def test_installed_packages_that_do_not_fit(install, colours):
    install("facepipe_test_bad", {"broken": "facepipe_test_none", "silent": "facepipe_test_bad"})
    assert colours["red"] == 1
    with pytest.raises(ModelError, match=r"colour 'broken' of package facepipe_test_bad cannot be loaded \(No module"):
        colours["broken"]
    with pytest.raises(ModelError, match="colour 'silent' of package facepipe_test_bad is not registered by"):
        colours["silent"]


def test_an_installed_package_cannot_take_a_name(install, colours):
    install("facepipe_test_thief", {"carmine": "facepipe_test_thief"})
    with pytest.raises(ModelError, match="package facepipe_test_thief adds colour 'carmine', which exists already"):
        colours.names()


def test_every_file_of_a_folder_is_an_entry(tmp_path, monkeypatch):
    """Whichever was imported first, the order is that of the names; a new file is a new entry."""
    folder = tmp_path / "facepipe_test_folder"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from facepipe.registry import Registry\n"
        "SHAPES = Registry('shape', 'facepipe_test.shapes', folders=('facepipe_test_folder',))\n"
    )
    for name in ("net10", "net4", "disc"):
        (folder / f"{name}.py").write_text(
            f"from facepipe_test_folder import SHAPES\nSHAPES.add('{name}', len('{name}'))\n"
        )
    monkeypatch.syspath_prepend(str(tmp_path))
    from facepipe_test_folder import net10  # noqa: F401, I001
    from facepipe_test_folder import SHAPES

    assert "disc" in SHAPES
    assert list(SHAPES) == ["disc", "net4", "net10"] and SHAPES["net10"] == 5
    SHAPES.add("arc", 1)
    assert SHAPES.names() == ["disc", "net4", "net10", "arc"]
    for name in [name for name in sys.modules if name.startswith("facepipe_test_folder")]:
        monkeypatch.delitem(sys.modules, name)


def test_names_are_checked_for_pydantic(colours):
    assert colours.checked("carmine") == "carmine"
    with pytest.raises(ValueError, match="must be one of red, crimson"):
        colours.checked("blue")


def test_what_was_imported_before_the_registry_is_asked_is_entered(install):
    """A person who imports a package whose loss is to be used has entered it."""
    registry = Registry("colour", "facepipe_test.colours")
    sys.modules["facepipe_test_registry"] = registry
    code = "import facepipe_test_registry\nfacepipe_test_registry.add('teal', 7)\n"
    install("facepipe_test_teal", {"teal": "facepipe_test_teal"}, code)
    import facepipe_test_teal  # noqa: F401

    assert registry["teal"] == 7 and registry.names() == ["teal"]


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A folder whose files are entries, and its registry; importing one of the files fails."""
    folder = tmp_path / "facepipe_test_tools"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Tools."""\n')
    (folder / "saw.py").write_text('# A comment.\n\n"""Cuts wood.\n\nSlowly.\n"""\n\ntool = "a saw"\n')
    (folder / "awl.py").write_text("raise AssertionError('nobody asked')\n")
    (folder / "_grip.py").write_text("")
    (folder / "with_.py").write_text('"""Binds."""\ntool = "a withe"\n')
    (folder / "vice").mkdir()
    (folder / "vice" / "__init__.py").write_text("'''Holds.'''\ntool = 'a vice'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield FileRegistry(
        "tool", "facepipe_test.colours", folder="facepipe_test_tools", attribute="tool", first=("vice", "plane")
    )
    for name in [name for name in sys.modules if name.startswith("facepipe_test_")]:
        del sys.modules[name]


def test_files_are_entries_and_are_listed_without_being_imported(tools):
    assert tools.names() == ["vice", "awl", "saw", "with"]
    assert tools.lines() == {"vice": "Holds.", "awl": "", "saw": "Cuts wood.", "with": "Binds."}
    assert "saw" in tools and "_grip" not in tools and "facepipe_test_tools.saw" not in sys.modules
    assert tools["saw"] == "a saw" and tools["vice"] == "a vice" and tools["with"] == "a withe"
    with pytest.raises(ModelError, match=r"^unknown tool 'sew'; did you mean 'saw'\?$"):
        tools["sew"]
    with pytest.raises(AssertionError, match="nobody asked"):
        tools["awl"]


def test_an_installed_package_adds_to_files(install, tools):
    install("facepipe_test_plane", {"plane": "facepipe_test_plane:made"}, '"""Smooths."""\nmade = "a plane"\n')
    assert tools.names() == ["vice", "awl", "saw", "with", "plane"] and tools.line("plane") == "Smooths."
    assert "facepipe_test_plane" not in sys.modules
    assert tools["plane"] == "a plane"
    assert tools.names() == ["vice", "awl", "saw", "with", "plane"]


def test_an_installed_package_cannot_take_the_name_of_a_file(install, tools):
    install("facepipe_test_thief", {"saw": "facepipe_test_thief:made"})
    assert tools["saw"] == "a saw"
    with pytest.raises(ModelError, match="package facepipe_test_thief adds tool 'saw', which exists already"):
        tools.names()


def test_installed_packages_that_lack_their_file(install, tools):
    install("facepipe_test_bad", {"broken": "facepipe_test_none:made"})
    assert tools.line("broken") == ""
    with pytest.raises(ModelError, match=r"tool 'broken' of package facepipe_test_bad cannot be loaded \(No module"):
        tools["broken"]
    with pytest.raises(ModelError, match="unknown tool 'hammer'"):
        tools.line("hammer")
