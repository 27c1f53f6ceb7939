"""Who is who among saved embeddings, by the folders in which their photos lay."""

from facepipe.embedding.embeddings import Embeddings
from facepipe.files.identity import Layout, below, common_root


def people_of(embeddings: Embeddings, identity_depth: int = 1) -> tuple[list[str], str]:
    """The person of each row, by the rule of `facepipe.files.identity_of`, and a remark on the folders.

    Files of before know nothing of the folders that were given to ``facepipe embed``; there the root is the folder that
    all photos have in common.

    Returns:
        N names, empty where a photo lies in no folder so deep; and one line, or empty.
    """
    roots = embeddings.roots or (common_root(embeddings.paths),)
    layout = Layout(identity_depth)
    return [layout.identity(below(path, roots)) for path in embeddings.paths], layout.remark()
