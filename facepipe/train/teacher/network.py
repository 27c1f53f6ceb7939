"""A teacher as a network of ours, whatever form its weights came in."""

from facepipe import backbones
from facepipe.backbones import Backbone
from facepipe.train.recipe.file import RecipeError
from facepipe.train.recipe.schema import Recipe
from facepipe.zoo import Model, locate
from facepipe.zoo.onnx_weights import fill_from_onnx


def teacher_network(recipe: Recipe, model: Model) -> Backbone:
    """The teacher's weights in a network of ours, on the CPU, in evaluation mode; an ONNX graph is read anew.

    Args:
        recipe: has the size of the crops and the teacher's name.
        model: the teacher, loaded.

    Raises:
        RecipeError: it is another network, or for crops of another size.
        ModelError: the graph is not that of such a network.
    """
    if not model.is_onnx:
        own = model.backbone()
        if not own.narrows or own.input_size != recipe.model.input_size:
            raise RecipeError(f"teacher.begin = true: {model.card.name} is no mobilenet of {recipe.model.input_size}")
        return own
    network = backbones.create(
        "mobilenet", input_size=recipe.model.input_size, embedding_dim=model.card.embedding.dim
    )
    fill_from_onnx(network, locate(recipe.teacher.model)[1])
    return network.eval()


