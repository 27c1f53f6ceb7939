"""``facepipe eval``: one sub-command per protocol."""

from importlib import import_module

import click

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


class Protocols(click.Group):
    """Imports a protocol's command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names in the order of `PROTOCOLS`."""
        return list(PROTOCOLS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The protocol's command, or None."""
        if cmd_name not in PROTOCOLS:
            return None
        command: click.Command = import_module(f"facepipe.cli.eval_{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the protocols without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(PROTOCOLS.items()))


@click.group("eval", cls=Protocols)
def command() -> None:
    """Run an evaluation protocol."""
