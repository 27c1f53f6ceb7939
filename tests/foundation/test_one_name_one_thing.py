"""No two public things of one name, so that a name says which is meant wherever it is read."""

import ast
from collections import defaultdict
from pathlib import Path

import facepipe

ROOT = Path(facepipe.__file__).parent
PER_ROOM = {"create", "describe", "names", "register"}
"""What every table of things that are made by name has: they are called with their room, as ``losses.create``."""
PER_PAPER = {"pfe", "probface", "scf"}
"""A paper's loss, its head and its score have its name in their own table."""


def defined(tree):
    """Public names that a module defines at its top; no variables of types."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            called = node.value.func if isinstance(node.value, ast.Call) else None
            if not (isinstance(called, ast.Name) and called.id == "TypeVar"):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                yield from (part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name))


def test_no_two_public_things_have_one_name():
    """The command line is an edge, not a library: its options may be called like what they stand for."""
    places = defaultdict(list)
    for path in sorted(ROOT.rglob("*.py")):
        inside = path.relative_to(ROOT)
        if inside.parts[0] not in ("cli", "_shipped"):
            for name in defined(ast.parse(path.read_text(encoding="utf-8"))):
                places[name].append(str(inside))
    assert len(places) > 900
    twice = {
        name: found
        for name, found in places.items()
        if len(found) > 1 and not name.startswith("_") and name not in PER_ROOM | PER_PAPER
    }
    assert twice == {}, "rename one of each"
