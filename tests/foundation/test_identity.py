"""Who is who by the folders: one rule."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facepipe.files import Layout, folder_of, identity_of, person_of_folder
from facepipe.files.identity import below, common_root

NAMES = st.sampled_from(["ada", "bo", "train", "ö", "x y"])


@given(st.lists(NAMES, max_size=5), st.integers(1, 6))
def test_the_folder_at_a_depth(folders, depth):
    expected = dict(enumerate(folders, 1)).get(depth, "")
    assert identity_of("/".join([*folders, "a.jpg"]), depth) == expected
    assert identity_of(Path(*folders, "a.jpg"), depth) == expected


def remark(paths, depth=1):
    layout = Layout(depth)
    for path in paths:
        layout.identity(path)
    return layout.remark()


SPLITS = [f"{part}/{name}/{n}.jpg" for part in ("train", "test") for name in ("ada", "bo") for n in range(2)]
CFP = [f"{name:03d}/{pose}/{n:02d}.jpg" for name in range(9) for pose in ("frontal", "profile") for n in range(2)]


@pytest.mark.parametrize("paths", [
    SPLITS,
    [f"lfw/{name}/{n}.jpg" for name in ("ada", "bo", "cy") for n in range(2)],
    [f"{place}/person{n}/1.jpg" for place in ("berlin", "rome") for n in range(9)],
])
def test_people_one_folder_down_are_remarked_on(paths):
    assert "if those are the people, use identity_depth=2" in remark(paths)
    assert remark(paths, 2) == ""


@pytest.mark.parametrize("paths", [
    CFP,
    [f"{name}/{n}.jpg" for name in ("train", "test") for n in range(3)],
    [f"ada/{year}/1.jpg" for year in (2001, 2002)],
    ["ada/1.jpg", *(f"ada/{year}/1.jpg" for year in range(9))],
    [f"person{n}/video{v}/1.jpg" for n in range(30) for v in range(4)],
    ["a.jpg", "b.jpg"],
    [],
])
def test_people_at_the_top_are_not(paths):
    assert remark(paths) == ""


@pytest.mark.parametrize(("paths", "root"), [
    (["photos/ada/1.jpg", "photos/bo/1.jpg"], "photos"),
    (["photos/ada/1.jpg", "photos/ada/2.jpg"], "photos"),
    (["/home/me/photos/ada/1.jpg", "/home/me/photos/ada/deep/2.jpg"], "/home/me/photos"),
    (["ada/1.jpg", "bo/1.jpg"], ""),
    (["a.jpg", "ada/1.jpg"], ""),
    (["/ada/1.jpg", "/bo/1.jpg"], "/"),
    ([], ""),
])
def test_the_root_where_nobody_kept_it(paths, root):
    assert common_root(paths) == root


def test_below_the_innermost_root():
    roots = ["photos", "photos/more", "one/ada/7.jpg"]
    assert str(below("photos/ada/x/1.jpg", roots)) == "ada/x/1.jpg"
    assert str(below("photos/more/bo/1.jpg", roots)) == "bo/1.jpg"
    assert str(below("one/ada/7.jpg", roots)) == "ada/7.jpg", "of a single photo its folder"
    assert str(below("photos/more/1.jpg", roots)) == "more/1.jpg", "a root that holds photos is a person's folder"
    assert str(below("elsewhere/cy/1.jpg", roots)) == "elsewhere/cy/1.jpg"
    assert str(below("ada/1.jpg", ["."])) == "ada/1.jpg"


@given(st.text(st.sampled_from("aZ/%25F2E0.\0ö")))
def test_every_name_has_a_folder(person):
    """One part of a path, and the way back; two names never share a folder, since each comes back."""
    name = folder_of(person)
    assert "/" not in name and "\0" not in name and name not in (".", "..")
    assert person_of_folder(name) == person


@pytest.mark.parametrize(("person", "name"), [
    ("AC/DC", "AC%2FDC"), ("AC%2FDC", "AC%252FDC"), ("..", "%2E%2E"), ("100%", "100%"), ("a.b", "a.b"), ("Ann", "Ann"),
])
def test_names_that_no_folder_can_have(person, name):
    assert folder_of(person) == name
    assert identity_of(f"{name}/1.jpg") == person
