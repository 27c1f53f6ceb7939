"""Training: recipes, data loading, the loop, checkpoints and the finished model."""

from facepipe.train.loop.checkpoint import TrainingError
from facepipe.train.loop.trainer import Evaluation, Trainer
from facepipe.train.recipe.file import RecipeError, load_recipe, save_recipe, shipped_recipes
from facepipe.train.recipe.resolve import resolve
from facepipe.train.recipe.schema import Recipe
from facepipe.train.run.run import Stopped, train

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
