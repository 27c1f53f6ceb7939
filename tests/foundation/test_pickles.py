"""No file can make facepipe run code: pickles are read by unpicklers that name what they create, or not at all."""

import ast
from pathlib import Path

import pytest

import facepipe
from facepipe.datasets import mat_file
from facepipe.errors import DatasetError

ROOT = Path(facepipe.__file__).parent
UNRESTRICTED = {
    "pickle.load", "pickle.loads", "pickle.Unpickler", "pickle._Unpickler", "marshal.load", "marshal.loads",
    "shelve.open", "joblib.load", "pandas.read_pickle", "torch.jit.load", "torch.hub.load",
}  # fmt: skip


def risky(call):
    name, options = ast.unparse(call.func), {word.arg: ast.unparse(word.value) for word in call.keywords}
    if name in ("np.load", "numpy.load"):
        return options.get("allow_pickle", "False") != "False"
    return name in UNRESTRICTED or (name == "torch.load" and options.get("weights_only") != "True")


def test_nothing_unpickles_without_a_restriction():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted(ROOT.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and risky(node)
    ]
    assert found == []


@pytest.mark.parametrize("call", ["pickle.load(f)", "torch.load(f)", "np.load(f, allow_pickle=True)"])
def test_what_is_looked_for_is_found(call):
    assert risky(ast.parse(call).body[0].value)


def test_a_corrupted_reader_of_matlab_files_runs_nothing(tmp_path, monkeypatch):
    payload = "import os, sys, pickle\nclass Harm:\n"
    payload += f"    def __reduce__(self): return os.mkdir, ({str(tmp_path / 'harm')!r},)\n"
    monkeypatch.setattr(mat_file, "_CHILD", payload + "sys.stdout.buffer.write(pickle.dumps(Harm()))")
    (tmp_path / "a.mat").write_bytes(b"")
    with pytest.raises(DatasetError, match="not a readable MATLAB file"):
        mat_file.read_mat(tmp_path / "a.mat", ("x",))
    assert not (tmp_path / "harm").exists()
