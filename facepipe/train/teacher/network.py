"""A teacher as a network of ours, whatever form its weights came in."""

from facepipe import backbones
from facepipe.backbones.mobilenet import MobileNet
from facepipe.train.recipe.file import RecipeError
from facepipe.train.recipe.schema import Recipe
from facepipe.zoo import Model, locate
from facepipe.zoo.onnx_weights import fill_from_onnx


def teacher_network(recipe: Recipe, model: Model) -> MobileNet:
    """The teacher's weights in a MobileNet, on the CPU, in evaluation mode; an ONNX graph is read anew.

    Args:
        recipe: has the size of the crops and the teacher's name.
        model: the teacher, loaded.

    Raises:
        RecipeError: it is another network, or for crops of another size.
        ModelError: the graph is not that of such a network.
    """
    if not model.is_onnx:
        if not isinstance(model.network, MobileNet) or model.network.input_size != recipe.model.input_size:
            raise RecipeError(f"teacher.begin = true: {model.card.name} is no mobilenet of {recipe.model.input_size}")
        return model.network
    network = backbones.create(
        "mobilenet", input_size=recipe.model.input_size, embedding_dim=model.card.embedding.dim
    )
    assert isinstance(network, MobileNet)
    fill_from_onnx(network, locate(recipe.teacher.model)[1])
    return network.eval()


