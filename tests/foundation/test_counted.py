"""Numbers with nouns: one function, so that nothing says "1 images"."""

import ast
import re
from pathlib import Path

import pytest

from facepipe.tables import counted

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2] / "facepipe"
NOUNS = (
    "images|photos|faces|people|persons|crops|pairs|files|rows|records|tensors|frames|videos|embeddings|identities|"
    "distractors|probes|packs|pages|folders|shards|groups|scores|samples|templates|strangers|comparisons"
)
BARE = re.compile(rf"[ ,]*\b(?:genuine |impostor |identity )?(?:{NOUNS})\b|[a-z ]*\((?:s|es|ies)\)")
MANY = {
    ("calibration/calibrate.py", "{score} scores"), ("cli/commands/inspect/reliability.py", "{score} scores"),
    ("zoo/card.py", "{score} scores"), ("protocols/risk/join_results.py", "{other.settings.get('model')} scores"),
    ("cli/commands/inspect/reliability.py", "{one['pairs']:6} pairs"),
    ("datasets/samples/splits.py", "{min_images} images"), ("embedding/embeddings.py", "{len(self.mu)} embeddings"),
    ("preprocess/merge.py", "{numbers} shards"), ("protocols/verification/outcomes.py", "{count} pairs"),
    ("protocols/verification/outcomes.py", "{len(values)} scores"), ("protocols/verification/outcomes.py",
    "{pairs} pairs"), ("score/cluster.py", "{len(mu):,} faces"), ("score/pool.py", "{rows} embeddings"),
    ("train/data/crops.py", "{min(len(self.samples), ATTEMPTS)} images"), ("train/data/crops.py",
    "{ATTEMPTS} samples"), ("train/heads/centres.py", "{len(ready.samples):,} images"),
    ("train/heads/centres.py", "{len(samples.identities)} identities"), ("train/loop/progress.py",
    "{samples_per_second:,.0f} samples"), ("train/run/run.py", "{speed:.0f} samples"),
    ("train/run/run.py", "{READ_OF_MANY} images"),
}  # fmt: skip
"""Where it is no number, or none that can be 1 when people read it."""


@pytest.mark.parametrize(("number", "noun", "words"), [
    (0, "photo", "0 photos"), (1, "photo", "1 photo"), (1200, "photo", "1,200 photos"), (2, "person", "2 people"),
    (1, "identity", "1 identity"), (3, "identity", "3 identities"), (2, "day", "2 days"), (2, "matrix", "2 matrices"),
    (2, "photo without a face", "2 photos without a face"), (2, "file reached twice", "2 files reached twice"),
    (1, "pair of different people", "1 pair of different people"), (2, "match", "2 matches"),
])  # fmt: skip
def test_counted(number, noun, words):
    assert counted(number, noun) == words


def bare(source):
    """Figures that stand before a plural as they are, as their f-strings have them."""
    for node in ast.walk(ast.parse(source)):
        for part, text in zip(getattr(node, "values", ()), getattr(node, "values", ())[1:], strict=False):
            if isinstance(part, ast.FormattedValue) and isinstance(text, ast.Constant):
                found = BARE.match(str(text.value))
                if found and "counted(" not in ast.unparse(part.value) and found[0].startswith(" "):
                    form = f":{part.format_spec.values[0].value}" if part.format_spec else ""
                    yield f"{{{ast.unparse(part.value)}{form}}}{found[0]}"


def test_the_scan_sees():
    assert list(bare('f"{n} photos left out"; f"{len(x):,} pair(s)"; f"{name} has photos"')) == [
        "{n} photos", "{len(x):,} pair(s)",
    ]  # fmt: skip
    assert not list(bare("f\"{counted(n, 'photo')} left out, {path}\""))


def test_no_plural_stands_behind_a_bare_number():
    found = {
        (path.relative_to(ROOT).as_posix(), words)
        for path in ROOT.rglob("*.py")
        for words in bare(path.read_text(encoding="utf-8"))
    }
    assert found - MANY == set(), "facepipe.tables.counted knows when it is one"
    assert MANY - found == set(), "gone since"
