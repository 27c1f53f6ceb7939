"""Whether two faces are one person's: the answer of ``compare`` and of ``demo``, as data and in words."""

from typing import TYPE_CHECKING, Any

from facepipe.cli.screen import note, out
from facepipe.errors import ModelError

if TYPE_CHECKING:
    from facepipe.embedding import Embedder
    from facepipe.pipeline import CroppedImage
    from facepipe.zoo import Population

USUAL_FAR = 1e-3
IMPROBABLE = 0.1
"""Up to this probability of one person, faces below the threshold are said to be of different people."""
WORDS = {
    "same": "same person",
    "doubtful": "passes the threshold, but more probably two people than one",
    "not shown": "not shown to be the same person",
    "different": "different people",
}
CHILDREN = "children were not measured"


def decision(
    embedder: "Embedder", score: str, far: float, threshold: float | None, among: "Population" = "random"
) -> dict[str, Any]:
    """By which threshold the answer is given, and how many strangers it lets through of each population.

    Args:
        embedder: of the model.
        score: ``cosine``, ``scf`` or ``mls``.
        far: false-accept rate of the decision.
        threshold: a score to decide at instead; None for none.
        among: the population of which ``far`` holds.

    Raises:
        ModelError: the model gives no such score, or its card has no threshold for it.
    """
    from facepipe.zoo import match_rates

    needed = {"scf": "kappa", "mls": "sigma2"}.get(score)
    head = embedder.model.head
    if needed and (head is None or head.kind != needed):
        raise ModelError(
            f"model {embedder.model.card.name} has no {needed} head, which --score {score} needs; train one with "
            f"'facepipe train {'scf-small' if score == 'scf' else 'probface-small'}', or score by cosine"
        )
    if threshold is not None:
        decided: dict[str, Any] = {"threshold": threshold, "far": None, "among": None}
        decided["calibrated_on"] = "given on the command line"
    else:
        entry = embedder.model.card.threshold_at(far, score, embedder.flip, among)
        decided = {"threshold": entry.value, "far": entry.far, "among": among, "calibrated_on": entry.calibrated_on}
    rates = match_rates(embedder.model.card, decided["threshold"], score, embedder.flip)
    return decided | {"false_matches": {name: rate and vars(rate) for name, rate in rates.items()}}


def verdict(same: bool, probability: float | None) -> str:
    """What is said of two faces, so that threshold and probability do not speak against each other.

    Returns:
        ``same``: the score reaches the threshold; ``doubtful``: it does, but one person is less probable than two (at
        a low prior, or a loose threshold); ``not shown``: it does not reach it; ``different``: nor are they probably
        one, up to ``IMPROBABLE``. Without a probability ``same`` or ``not shown``.
    """
    if same:
        return "doubtful" if probability is not None and probability < 0.5 else "same"
    return "different" if probability is not None and probability <= IMPROBABLE else "not shown"


def judge(
    found: list["CroppedImage"], embedder: "Embedder", score: str, decided: dict[str, Any], prior: float
) -> dict[str, Any]:
    """The answer for the first crops of two images.

    Args:
        found: the two images with a crop each.
        embedder: of the model.
        score: ``cosine``, ``scf`` or ``mls``.
        decided: from `decision`.
        prior: probability that the two are one person before anyone looks.
    """
    import numpy as np

    from facepipe.protocols.risk.face_confidence import sureness
    from facepipe.protocols.risk.stated_probability import stated_probability
    from facepipe.score import score_pairs

    embeddings = embedder(np.stack([result.crops[0] for result in found]))
    pair = np.array([0]), np.array([1])
    scores = score_pairs(score, embeddings, *pair)
    value = float(scores[0])
    same = value >= decided["threshold"]
    answer: dict[str, Any] = {"score": value, "kind": score, "same": same, "verdict": "", **decided}
    curve = embedder.model.card.probability_of(score, embedder.flip)
    if curve is not None:
        answer["probability"] = float(stated_probability(curve, scores, embeddings, *pair, prior)[0])
        answer |= {"prior": prior, "probability_fitted_on": curve.fitted_on}
    answer["verdict"] = verdict(same, answer.get("probability"))
    answer["model"] = embedder.model.identity
    answer["images"] = [_account(result) for result in found]
    for account, sure in zip(answer["images"], sureness(embeddings, embedder.model.card), strict=False):
        account |= {sure.name: sure.value, "surer_than": sure.share, "unsure": sure.unsure}
    section = embedder.model.card.uncertainty
    if section is not None and section.quantiles:
        answer["sureness_compared_with"] = section.measured_on
    return answer


def caption(answer: dict[str, Any]) -> str:
    """The answer in one line."""
    at = "" if answer["far"] is None else f" at FAR {answer['far']:g}"
    alike = " among people who are alike" if answer["among"] == "alike" else ""
    kind = "" if answer["kind"] == "cosine" else f"{answer['kind']} "
    sign = "≥" if answer["same"] else "<"
    words = f"{WORDS[answer['verdict']]}: {kind}score {answer['score']:.3f} {sign} {answer['threshold']:.3f}"
    return f"{words}{at}{alike}"


def show(answer: dict[str, Any]) -> None:
    """Print the answer for people."""
    from facepipe.detection.faces import PLAIN

    screen = out()
    colour = {"same": "green", "different": "red"}.get(answer["verdict"], "yellow")
    screen.print(caption(answer), style=f"bold {colour}", soft_wrap=True)
    if "probability" in answer:
        line = f"  probability of one person: {_percent(answer['probability'])}, if it was {_percent(answer['prior'])}"
        screen.print(f"{line} before looking", markup=False, soft_wrap=True)
    for account in answer["images"]:
        of = f"face {account['used']} of {account['faces']}" if "used" in account else "taken as an aligned crop"
        if account.get("search", PLAIN) != PLAIN:
            of += f" ({account['search']} search)"
        screen.print(f"  {account['path']}: {of}{_sure(account)}", markup=False, soft_wrap=True)
    for number, account in enumerate(answer["images"], 1):
        if account.get("unsure"):
            warning = f"  face {number} is blurred or turned away: the answer is uncertain"
            screen.print(warning, style="yellow", soft_wrap=True)
    if "sureness_compared_with" in answer:
        screen.print(f"  sureness compared with: {answer['sureness_compared_with']}", markup=False, soft_wrap=True)
    _show_rates(answer["false_matches"])
    screen.print(f"  threshold measured on: {answer['calibrated_on']}", markup=False, soft_wrap=True)
    screen.print(f"  model: {answer['model']}", markup=False, soft_wrap=True)
    crowded = [account["path"] for account in answer["images"] if account["faces"] > 1]
    if crowded:
        note(f"several faces in {', '.join(crowded)}: choose with --faces, see with --save")


def _show_rates(measured: dict[str, Any]) -> None:
    from facepipe.zoo import MatchRate, rates_in_words

    rates = {name: MatchRate(**rate) if rate else None for name, rate in measured.items()}
    line = f"  strangers taken for one person at this threshold: {rates_in_words(rates)}; {CHILDREN}"
    out().print(line, markup=False, soft_wrap=True)
    if measured["alike"]:
        out().print(f"  alike: {measured['alike']['measured_on']}", markup=False, soft_wrap=True)


def _account(result: "CroppedImage") -> dict[str, Any]:
    account: dict[str, Any] = {"path": str(result.path), "faces": len(result.faces)}
    if len(result.chosen):
        index = int(result.chosen[0])
        account["box"] = result.faces.boxes[index].tolist()
        account["detection_score"] = float(result.faces.scores[index])
        account["search"] = result.faces.search
        account["used"] = index + 1
    return account


def _percent(share: float) -> str:
    """As many digits as tell it from certainty, at most two after the point."""
    if share >= 0.9999:
        return "over 99.99 %"
    if share < 0.0001:
        return "under 0.01 %"
    return f"{100 * share:.2f} %" if min(share, 1 - share) < 0.01 else f"{100 * share:.3g} %"


def _sure(account: dict[str, Any]) -> str:
    name = "kappa" if "kappa" in account else "sigma2"
    if name not in account:
        return ""
    share = account["surer_than"]
    return f", {name} {account[name]:.3g}" + (f", surer than {100 * share:.0f} % of faces" if share is not None else "")
