"""Names with brackets, colons and markup are shown as they are, wherever people see them."""

import cv2
import numpy as np
import pytest
from cli_run import run, tiny_model

from facepipe.cli import screen
from facepipe.cli.table import show_table
from facepipe.images import write_rgb
from facepipe.tables import Column

NAMES = ["Ann [mum]", "[red]Bo[/red]", "[/]", "Cy :smile:", "[link=x]Di", r"\[b]Ed"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def people(tmp_path_factory, astronaut):
    root = tmp_path_factory.mktemp("people [of]") / "[bold]all"
    for number, name in enumerate(name for name in NAMES if "/" not in name):
        face = cv2.resize(astronaut[:300, 80:380], (120, 120), interpolation=cv2.INTER_AREA)
        write_rgb(root / name / "1.png", np.clip(face.astype(int) + 9 * number, 0, 255).astype(np.uint8))
    return root


@pytest.mark.parametrize("name", NAMES)
def test_every_way_to_the_screen(capsys, name):
    show_table([Column("who"), Column("prose", prose=True)], [(name, name)], title=name, footer=[(name, "")])
    screen.say(name)
    shown = capsys.readouterr().out
    assert shown.count(name) == 5 if "\\" not in name else name in shown


def test_commands(people, model, tmp_path):
    shown = [path.name for path in people.iterdir()]
    assert run("embed", people, "-o", tmp_path / "[dim]e.parquet", "-m", model, "--already-aligned").code == 0
    assert run("gallery", "build", people, tmp_path / "g[1].parquet", "-m", model, "--no-turns").code == 0
    for words in (
        ["gallery", "list", tmp_path / "g[1].parquet"],
        ["search", people / "Ann [mum]" / "1.png", tmp_path / "[dim]e.parquet", "-m", model],
        ["cluster", tmp_path / "[dim]e.parquet", "--threshold", 0.9],
        ["detect", people],
        ["identify", tmp_path / "g[1].parquet", people, "-m", model, "--threshold", 0.9],
    ):
        ended = run(*words)
        assert ended.code == 0, ended
        missing = [name for name in shown if name not in ended.out]
        assert words[0] == "identify" or not missing, (words[0], missing, ended.out)
        assert str(people) in ended.out or words[0] == "gallery"
    compared = run("compare", people / "Ann [mum]" / "1.png", people / "[link=x]Di" / "1.png", "-m", model)
    assert "Ann [mum]/1.png" in compared.out and "[link=x]Di/1.png" in compared.out


def test_a_card_with_brackets(model, tmp_path):
    folder = tmp_path / "[i]m"
    folder.mkdir()
    for path in model.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    card = folder / "card.toml"
    card.write_text(card.read_text().replace('"an untrained network"', '"[bold]a [mum] of :smile:"'))
    ended = run("models", "show", folder)
    assert "tiny: [bold]a [mum] of :smile:" in ended.out and f"file: {folder}" in ended.out
