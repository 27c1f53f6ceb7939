"""What a threshold over many people or faces stands for, in words."""

from typing import TYPE_CHECKING

from facepipe.tables import counted

if TYPE_CHECKING:
    from facepipe.identification import Decision


def explained(decision: "Decision", count: int, what: str = "names", of: str = "person") -> str:
    """One line.

    Args:
        decision: with the threshold.
        count: of whom the rate holds.
        what: is given from the threshold on.
        of: what ``count`` counts, one of it.
    """
    start = f"{what} from a score of {decision.threshold:.3f} on"
    if decision.fpir is None:
        return f"{start}, as given"
    over = f"{start}: FPIR {decision.fpir:g} over {counted(count, of)}"
    if decision.far is None:
        return f"{over}, {decision.how} on {decision.calibrated_on}"
    from facepipe.zoo import rates_in_words

    beyond = "; beyond the rates that were measured" if decision.how == "extrapolated" else ""
    alike = " among people who are alike" if decision.among == "alike" else ""
    rates = rates_in_words(decision.false_matches)
    return (
        f"{over}{alike} is FAR {decision.far:.2g} ({decision.how} on {decision.calibrated_on}{beyond}); strangers whom "
        f"one comparison takes for the same person: {rates}; children were not measured"
    )
