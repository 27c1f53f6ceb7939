"""Printing the result of a comparison, for ``compare`` and ``demo``."""

from typing import Any

from facepipe.api.in_words import caption, probability_line, probability_text
from facepipe.cli.screen import note, say
from facepipe.cli.table import show_table
from facepipe.shown import shown
from facepipe.tables import Column, counted

_SHORT = {"same": "same person", "doubtful": "doubtful", "not shown": "not shown", "different": "different people"}
_AMONG = {"random": "at random", "alike": "who are alike"}
_NAMED = 3  # photos listed individually
CHILDREN = "not measured for children"


def show(answer: dict[str, Any]) -> None:
    """Print the answer for people."""
    from facepipe.detection.faces import PLAIN

    colour = {"same": "green", "different": "red"}.get(answer["verdict"], "yellow")
    say(caption(answer), style=f"bold {colour}")
    if "probability" in answer:
        say(f"  {probability_line(answer)}")
    for account in answer["images"]:
        which = f"face {account['used']} of {account['faces']}" if "used" in account else "treated as an aligned crop"
        if account.get("search", PLAIN) != PLAIN:
            which += f" ({account['search']} search)"
        say(f"  {_whole(account['path'])}: {which}{_confidence(account)}")
    for number, account in enumerate(answer["images"], 1):
        if account.get("unsure"):
            say(f"  face {number} is blurred or turned away: the answer is uncertain", style="yellow")
    if "confidence_compared_with" in answer:
        say(f"  confidence compared with: {answer['confidence_compared_with']}")
    _show_rates(answer["false_matches"])
    say(f"  threshold measured on: {answer['calibrated_on']}")
    say(f"  model: {answer['model']}")
    _tell_crowds([answer], "choose with --faces, see with --save")


def show_many(answers: list[dict[str, Any]], all_pairs: bool) -> None:
    """Print a line per comparison, best first, followed by what they have in common."""
    first = answers[0]
    pair = (Column("first"), Column("second")) if all_pairs else (Column("photo"),)
    columns = Column("score", right=True), Column("verdict"), Column("probability", right=True, lesser=1), *pair
    rows = []
    for answer in sorted(answers, key=lambda one: -one["score"]):
        names = [account["path"] for account in answer["images"]]
        chance = probability_text(answer["probability"]) if "probability" in answer else "–"
        verdict = _SHORT[answer["verdict"]]
        rows.append((f"{answer['score']:.3f}", verdict, chance, *(names if all_pairs else names[1:])))
    against = "" if all_pairs else f"{first['images'][0]['path']} against {counted(len(answers), 'photo')}"
    show_table(columns, rows, against)
    unsure = sum(any(account.get("unsure") for account in answer["images"]) for answer in answers)
    same = sum(answer["same"] for answer in answers)
    at = "as set" if first["far"] is None else f"FAR {first['far']:g} among strangers {_AMONG[first['among']]}"
    say(f"{same} of {len(answers)} pass: {first['kind']} from {first['threshold']:.3f}, {at}")
    if first["far"] is not None:
        passing = f"{len(answers) * first['far']:.2g} would pass on average"
        say(f"of {counted(len(answers), 'impostor')} compared like this, {passing}")
        say(f"threshold measured on: {first['calibrated_on']}")
    say(f"model: {first['model']}")
    if unsure:
        some = counted(unsure, "comparison")
        note(f"in {some} a face is blurred or turned away, which makes the answer uncertain", style="yellow")
    _tell_crowds(answers, "choose with --faces, see with --save")


def _tell_crowds(answers: list[dict[str, Any]], advice: str) -> None:
    accounts = [account for answer in answers for account in answer["images"]]
    crowded = list(dict.fromkeys(account["path"] for account in accounts if account["faces"] > 1))
    if crowded:
        many = f"{counted(len(crowded), 'photo')}, such as {crowded[0]}"
        message = ", ".join(crowded) if len(crowded) <= _NAMED else many
        note(f"several faces in {message}: {advice}")


def _whole(path: str) -> str:
    return shown(path, 6 * len(path) + 1)


def _show_rates(measured: dict[str, Any]) -> None:
    from facepipe.zoo import MatchRate, rates_in_words

    rates = {name: MatchRate(**rate) if rate else None for name, rate in measured.items()}
    line = f"  impostors accepted at this threshold: {rates_in_words(rates)}; {CHILDREN}"
    say(line)
    if measured["alike"]:
        say(f"  alike: {measured['alike']['measured_on']}")


def _confidence(account: dict[str, Any]) -> str:
    name = "kappa" if "kappa" in account else "sigma2"
    if name not in account:
        return ""
    share = account["surer_than"]
    compared = "" if share is None else f", more confident than for {100 * share:.0f} % of faces"
    return f", {name} {account[name]:.3g}{compared}"
