"""A real clip searched in longer and longer steps: the same people, seen for the same time but for one step, and nobody
who takes over a name where the picture changes."""

import json
from itertools import combinations

import pytest
from cli_run import run

from facepipe.cli.face_tools import FaceTools

FPS = 29.97
LAST_CUT = 211
"""The frame from which only the audience is seen, one of them where somebody of the gallery was."""


@pytest.mark.slow
def test_steps_of_a_clip(shared, tmp_path, monkeypatch):
    """Its frames are searched once, and what was found is used for each step."""
    found = {}
    usual = FaceTools.frame_detector

    def remembering(tools, engine):
        detector = usual(tools, engine)

        def detect(images):
            keys = [hash(image.tobytes()) for image in images]
            wanted = {key: image for key, image in zip(keys, images, strict=True) if key not in found}
            found.update(zip(wanted, detector(list(wanted.values())), strict=True))
            return [found[key] for key in keys]

        detect.settings = detector.settings
        return detect

    monkeypatch.setattr(FaceTools, "frame_detector", remembering)
    gallery, clip = tmp_path / "g.parquet", shared / "data" / "video" / "hamilton.mp4"
    assert run("gallery", "build", shared / "data" / "video" / "gallery", gallery).code == 0
    seen = {}
    for every in (1, 7, 31, 60):
        words = ["identify", clip, gallery, "--every", every, "--seconds", 7.2, "--summary", tmp_path / f"{every}.json"]
        ended = run(*words, "--json")
        assert ended.code == 0, ended.err
        rows = [json.loads(line) for line in ended.out.splitlines()]
        after = {row["name"] for row in rows if row["frame"] >= LAST_CUT}
        assert after == ({"unknown"} if every == 1 else set()), "longer steps search no frame there; no name goes on"
        people = json.loads((tmp_path / f"{every}.json").read_text())["people"]
        seen[every] = {name: person["seconds"] for name, person in people.items() if name != "unknown"}
    assert all(set(people) == {"alex-lacamoire", "lin-manuel-miranda"} for people in seen.values())
    for fine, coarse in combinations(seen, 2):
        for name in seen[fine]:
            assert seen[coarse][name] == pytest.approx(seen[fine][name], abs=coarse / FPS), (fine, coarse, name, seen)
