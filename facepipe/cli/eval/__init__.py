"""``facepipe eval``: one sub-command per protocol."""

import click

from facepipe.cli.lazy_group import LazyGroup

PROTOCOLS = {
    "lfw": "Labeled Faces in the Wild, view 2: ten-fold verification accuracy.",
    "cfp": "Celebrities in Frontal-Profile: frontal with frontal, or with profile faces.",
    "pairs": "Any list of pairs: your own CSV, LFW's form, CALFW's and CPLFW's lists.",
    "bin": "insightface's .bin sets: LFW, CFP, AgeDB-30, CALFW, CPLFW, VGG2-FP.",
    "ytf": "YouTube Faces: pairs of videos, frames pooled.",
    "ijba": "IJB-A: verification and search over ten splits.",
    "ijb": "IJB-B and IJB-C: 1:1 and 1:N.",
    "megaface": "MegaFace: rank-1 and TAR against up to a million distractors.",
    "blufr": "BLUFR: LFW at low false-accept rates, and open-set identification.",
    "openset": "LFW, open-set identification: DIR at rank 1 and FAR.",
    "risk": "How well a confidence says which pairs to leave out (ProbFace's table, AUERC).",
    "compare": "Results side by side, with paired significance tests.",
}


@click.group("eval", cls=LazyGroup, modules="eval.", lines=PROTOCOLS)
def command() -> None:
    """Run an evaluation protocol."""
