"""Training: recipes, data in order, the loop, checkpoints, and the model at the end."""

from facepipe.train.checkpoint import TrainingError
from facepipe.train.loop import Evaluation, Trainer
from facepipe.train.recipe import Recipe
from facepipe.train.recipe_file import RecipeError, load_recipe, save_recipe, shipped_recipes
from facepipe.train.resolve import resolve
from facepipe.train.run import Stopped, train

__all__ = [
    "Evaluation",
    "Recipe",
    "RecipeError",
    "Stopped",
    "Trainer",
    "TrainingError",
    "load_recipe",
    "resolve",
    "save_recipe",
    "shipped_recipes",
    "train",
]
