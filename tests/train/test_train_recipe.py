"""Recipes: every field known, errors that name file and field, overrides, and the shipped ones."""

import pytest
from train_tiny import write_recipe

from facepipe import backbones, losses
from facepipe.train import RecipeError, load_recipe, resolve, save_recipe, shipped_recipes
from facepipe.train.recipe.file import differences

NAMES = {
    "sphereface20-casia",
    "sphereface64-casia",
    "arcface-r50",
    "arcface-r100-ms1m",
    "arcface-ir101-ms1m",
    "sphere64-amsoftmax",
    "resface64-arcface",
    "mobilefacenet-arcface",
    "sphereface4-small",
    "sphereface10-small",
}


def test_the_shipped_recipes_exist():
    assert set(shipped_recipes()) >= NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_shipped_recipes_fit_network_and_loss(name):
    recipe = load_recipe(name)
    info = backbones.describe(recipe.model.backbone)
    assert set(recipe.model.options) <= set(info.options)
    losses.create(recipe.loss.name, recipe.model.embedding_dim, 5, **recipe.loss.options)
    assert recipe.about


def test_sphereface20_is_the_published_solver():
    """Facts A2, A3, A5."""
    recipe = load_recipe("sphereface20-casia")
    assert (recipe.model.input_size, recipe.model.embedding_dim) == ((112, 96), 512)
    assert (recipe.model.channels, recipe.model.mean, recipe.model.scale) == ("bgr", 127.5, 128)
    assert (recipe.optimiser.lr, recipe.optimiser.momentum, recipe.optimiser.weight_decay) == (0.1, 0.9, 5e-4)
    assert recipe.schedule.milestones == [16000, 24000] and recipe.schedule.length == 28000
    assert (recipe.schedule.unit, recipe.schedule.factor, recipe.loop.batch) == ("steps", 0.1, 512)
    loss = {"m": 4, "gradient": "official", "base": 1000, "gamma": 0.12, "power": 1, "lambda_min": 5}
    assert recipe.loss.options == loss
    assert len(recipe.data.exclude) == 3 and recipe.augment.only_mirror and recipe.augment.mirror == 0.5


@pytest.mark.parametrize("change", [["loss.name=softmax"], ["loss.m=1"], ["loss.name=arcface", "loss.m=0.4"]])
def test_small_recipes_take_other_losses(change):
    recipe = load_recipe("sphereface4-small", change)
    losses.create(recipe.loss.name, 8, 5, **recipe.loss.options)


def test_a_changed_loss_name_drops_the_other_losses_options():
    assert load_recipe("sphereface20-casia", ["loss.name=softmax"]).loss.options == {}
    assert load_recipe("sphereface20-casia", ["loss.name=a_softmax"]).loss.options["m"] == 4


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("optimiser.lr=0.25", ("optimiser", "lr"), 0.25),
        ("schedule.milestones=[1, 2]", ("schedule", "milestones"), [1, 2]),
        ("data.paths=['/a b', \"/c\"]", ("data", "paths"), ["/a b", "/c"]),
        ("loop.precision = bfloat16", ("loop", "precision"), "bfloat16"),
        ("loop.compile=true", ("loop", "compile"), True),
        ("augment.blur=0.5", ("augment", "blur"), 0.5),
    ],
)
def test_overrides(tmp_path, override, field, value):
    recipe = load_recipe(str(write_recipe(tmp_path / "r.toml")), [override])
    assert getattr(getattr(recipe, field[0]), field[1]) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[loop]\nbatch = 8\n[optimizer]\nlr = 1\n", "unknown field optimizer; did you mean 'optimiser'?"),
        ("[loop]\nbatch = 8\nbatchsize = 9\n", "unknown field loop.batchsize; did you mean 'loop.batch'?"),
        ("[loop]\nbatch = 8\nweight_decay = 1\n", "unknown field loop.weight_decay; did you mean 'optimiser.weight_"),
        ("[loop]\nbatch = 8\nqqqq = 1\n", "unknown field loop.qqqq; loop has batch, accumulate"),
        ("[loop]\nbatch = 0\n", "loop.batch: input should be greater than or equal to 1"),
        ("[loop]\nbatch = 'x'\n", "loop.batch: input should be a valid integer"),
        ("[loop]\n", "field loop.batch is missing"),
        ("[loop]\nbatch = 8\n[augment]\nmirror = 2.0\n", "augment.mirror: input should be less than or equal to 1"),
        ("[loop]\nbatch = 8\n[optimiser]\nname = 'adamw'\nnesterov = true\n", "optimiser: lr_in_velocity and nest"),
        ("[loop]\nbatch = 8\n[evaluate]\nimages = 'x'\n", "evaluate: images and pairs go together"),
        ("[loop]\nbatch = 8\n[distributed]\nsample_rate = 0.5\n[optimiser]\nname = 'adamw'\n", "needs optimiser sgd"),
        ("loop = \n", "not valid TOML"),
    ],
)
def test_bad_recipes_name_file_and_field(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    head = '[model]\nbackbone = "sphereface4"\n[loss]\nname = "softmax"\n[schedule]\nlength = 3\n'
    path.write_text(head + text)
    with pytest.raises(RecipeError) as error:
        load_recipe(str(path))
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("lr=1", "overrides='lr=1': write section.field=value"),
        ("optimiser.lr", "overrides='optimiser.lr': write section.field=value"),
        ("optimiser.learning_rate=1", "unknown field optimiser.learning_rate"),
        ("optimiser.lr=fast", "optimiser.lr: input should be a valid number"),
    ],
)
def test_bad_overrides(override, message):
    with pytest.raises(RecipeError, match=message.replace(".", r"\.")):
        load_recipe("sphereface4-small", [override])


def test_unknown_recipes_name_the_nearest():
    with pytest.raises(RecipeError, match="sphereface20: no such recipe; did you mean 'sphereface20-casia'"):
        load_recipe("sphereface20")
    with pytest.raises(RecipeError, match=r"absent\.toml: no such recipe file"):
        load_recipe("absent.toml")


def test_a_saved_recipe_is_the_same_recipe(tmp_path):
    for name in shipped_recipes():
        recipe = load_recipe(name, ["data.paths=['/ünï \"code\"']", "optimiser.weight_decay=1e-7"])
        save_recipe(recipe, tmp_path / "saved.toml")
        assert load_recipe(str(tmp_path / "saved.toml")) == recipe


def test_resolve_begins_and_resumes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = str(write_recipe(tmp_path / "mine.toml"))
    recipe, folder = resolve(mine, None, ["faces"], [], resume=False)
    assert str(folder).replace("\\", "/") == "runs/mine"
    assert recipe.data.paths == [str(tmp_path / "faces")]
    save_recipe(recipe, folder / "recipe.toml")
    assert resolve(None, folder, [], [], resume=True) == (recipe, folder)
    assert resolve(mine, folder, ["faces"], [], resume=True) == (recipe, folder)
    longer, _ = resolve(None, folder, [], ["schedule.length=20"], resume=True)
    assert differences(longer, recipe) == ["schedule.length"]
    with pytest.raises(RecipeError, match=r"started with another recipe .*model\.input_size"):
        resolve("sphereface4-small", folder, [], [], resume=True)
    with pytest.raises(RecipeError, match="no recipe: name one"):
        resolve(None, folder, [], [], resume=False)
    with pytest.raises(RecipeError, match="no run to resume"):
        resolve(None, tmp_path / "nowhere", [], [], resume=True)
    with pytest.raises(RecipeError, match="name the folder of the run with run"):
        resolve(None, None, [], [], resume=True)
