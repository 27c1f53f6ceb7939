"""A teacher as a facepipe backbone, whatever the format of its weights."""

from facepipe import backbones
from facepipe.backbones import Backbone
from facepipe.train.recipe.file import RecipeError
from facepipe.train.recipe.schema import Recipe
from facepipe.zoo import Model, locate
from facepipe.zoo.onnx_weights import load_onnx_weights


def teacher_network(recipe: Recipe, model: Model) -> Backbone:
    """The teacher's weights in a facepipe backbone, on the CPU, in evaluation mode; an ONNX graph is converted.

    Args:
        recipe: gives the crop size and the teacher's name.
        model: the teacher, loaded.

    Raises:
        RecipeError: it is another network, or has another input size.
        ModelError: the graph is not that of such a network.
    """
    if not model.is_onnx:
        backbone = model.backbone()
        if not backbone.narrows or backbone.input_size != recipe.model.input_size:
            raise RecipeError(
                f"teacher.initialise = true: {model.card.name} is not a mobilenet "
                f"of input size {recipe.model.input_size}"
            )
        return backbone
    network = backbones.create(
        "mobilenet", input_size=recipe.model.input_size, embedding_dim=model.card.embedding.dim
    )
    load_onnx_weights(network, locate(recipe.teacher.model)[1])
    return network.eval()


