"""Whether embeddings come from one model and one way of cutting crops.

Embeddings are stamped with ``name@`` the weights' SHA-256 ``/`` the cut (see `facepipe.zoo.Card.identity`), those of an
ensemble with several such stamps joined by ``+``.
"""

_OLD_CUTS = ("112x96-cp2tform", "112x112-cp2tform")
"""A stamp without a cut is of the time when these were the only ones."""


def same_model(one: str, other: str) -> bool:
    """Whether embeddings with these stamps can be compared."""
    mine, theirs = one.split("+"), other.split("+")
    return len(mine) == len(theirs) and all(map(_same, mine, theirs))


def remedy(one: str, other: str) -> str:
    """What to do about embeddings whose stamps cannot be compared, as the end of a message."""
    without = [stamp for stamp in (one, other) if lacks_cut(stamp)]
    if len(without) == 1 and _weights(one) == _weights(other):
        return (
            f"{without[0]} was made with the old 112×112 cut; make it anew, or use a model whose card has the template "
            "112x112-cp2tform"
        )
    return "embed both with one model"


def lacks_cut(stamp: str) -> bool:
    """Whether it is of the time when stamps did not say how the crops were cut."""
    return "/" not in stamp


def _same(one: str, other: str) -> bool:
    (mine, _, cut), (theirs, _, other_cut) = one.partition("/"), other.partition("/")
    old = (not cut and other_cut in _OLD_CUTS) or (not other_cut and cut in _OLD_CUTS)
    return mine == theirs and (cut == other_cut or old)


def _weights(stamp: str) -> list[str]:
    return [member.partition("/")[0] for member in stamp.split("+")]
