"""Explaining a threshold over many people or faces in words."""

from typing import TYPE_CHECKING

from facepipe.tables import counted

if TYPE_CHECKING:
    from facepipe.identification import Decision


def explained(decision: "Decision", count: int, what: str = "names", of: str = "person") -> str:
    """Explain a decision in one line.

    Args:
        decision: the decision.
        count: number of people or faces the rate is for.
        what: what happens at or above the threshold.
        of: what ``count`` counts, in the singular.
    """
    start = f"{what} from a score of {decision.threshold:.3f}"
    if decision.fpir is None:
        return f"{start}, as set"
    over = f"{start}: FPIR {decision.fpir:g} over {counted(count, of)}"
    if decision.far is None:
        return f"{over}, {decision.how} on {decision.calibrated_on}"
    from facepipe.zoo import rates_in_words

    beyond = "; beyond the measured rates" if decision.how == "extrapolated" else ""
    alike = " among people who are alike" if decision.among == "alike" else ""
    rates = rates_in_words(decision.false_matches)
    return (
        f"{over}{alike} is FAR {decision.far:.2g} ({decision.how} on {decision.calibrated_on}{beyond}); impostors "
        f"accepted in one comparison: {rates}; not measured for children"
    )
