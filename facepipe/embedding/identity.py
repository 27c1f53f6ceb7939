"""Whether embeddings come from one model with one crop geometry.

The identity of a model is ``name@`` the weights' SHA-256 ``/`` the crop geometry (see `facepipe.zoo.Card.identity`);
those of an ensemble are joined by ``+``.
"""

_OLD_CUTS = ("112x96-cp2tform", "112x112-cp2tform")
"""Geometries that an identity without one, from older versions, may stand for."""


def same_model(one: str, other: str) -> bool:
    """Whether embeddings with these identities are comparable."""
    members, other_members = one.split("+"), other.split("+")
    return len(members) == len(other_members) and all(map(_same, members, other_members))


def remedy(one: str, other: str) -> str:
    """How to resolve incompatible identities, as the end of a message."""
    without = [identity for identity in (one, other) if lacks_geometry(identity)]
    if len(without) == 1 and _weights(one) == _weights(other):
        return (
            f"{without[0]} was made with the old 112×112 crop geometry; embed again, or use a model whose card has the "
            "template 112x112-cp2tform"
        )
    return "embed both with one model"


def lacks_geometry(identity: str) -> bool:
    """Whether the identity is from an older version, without the crop geometry."""
    return "/" not in identity


def _same(one: str, other: str) -> bool:
    (weights, _, cut), (other_weights, _, other_cut) = one.partition("/"), other.partition("/")
    old = (not cut and other_cut in _OLD_CUTS) or (not other_cut and cut in _OLD_CUTS)
    return weights == other_weights and (cut == other_cut or old)


def _weights(identity: str) -> list[str]:
    return [member.partition("/")[0] for member in identity.split("+")]
