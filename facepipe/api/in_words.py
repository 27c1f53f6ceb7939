"""A comparison's result in words: for the screen, picture captions and `print`."""

from typing import Any

VERDICT_WORDS = {
    "same": "same person",
    "doubtful": "passes the threshold, but more probably two people than one",
    "not shown": "not shown to be the same person",
    "different": "different people",
}


def caption(answer: dict[str, Any]) -> str:
    """`Comparison.to_dict` in one line: the verdict, and the score with its threshold."""
    at = "" if answer["far"] is None else f" at FAR {answer['far']:g}"
    alike = " among people who are alike" if answer["among"] == "alike" else ""
    kind = "" if answer["kind"] == "cosine" else f"{answer['kind']} "
    sign = "≥" if answer["same"] else "<"
    words = f"{VERDICT_WORDS[answer['verdict']]}: {kind}score {answer['score']:.3f} {sign} {answer['threshold']:.3f}"
    return f"{words}{at}{alike}"


def probability_line(answer: dict[str, Any]) -> str:
    """The posterior and prior probability of an answer that has them."""
    after, before = probability_text(answer["probability"]), probability_text(answer["prior"])
    return f"probability of the same person: {after} (prior {before})"


def probability_text(share: float) -> str:
    """As many digits as distinguish it from certainty, at most two decimals."""
    if share >= 0.9999:
        return "over 99.99 %"
    if share < 0.0001:
        return "under 0.01 %"
    return f"{100 * share:.2f} %" if min(share, 1 - share) < 0.01 else f"{100 * share:.3g} %"
