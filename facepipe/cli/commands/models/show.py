"""Show a model's card: input format, origin, thresholds."""

from typing import TYPE_CHECKING

import click

from facepipe.cli import options
from facepipe.cli.named import WEIGHTS
from facepipe.cli.screen import print_json, say

if TYPE_CHECKING:
    from facepipe.zoo import Card, Probability


@click.command("show")
@click.argument("name", type=WEIGHTS)
@options.as_json
def command(name: str, as_json: bool) -> None:
    """Show a model's card: input format, origin, thresholds."""
    from facepipe.zoo import Card, cached_weights, detector_cards, locate

    detector = detector_cards().get(name)
    card, weights = (detector, cached_weights(detector)) if detector else locate(name)
    if as_json:
        print_json(card.to_dict() | {"path": str(weights), "cached": weights.is_file()})
        return
    values = card.to_dict()
    say(f"{card.name}: {card.title}")
    for part in ("input", "embedding", "weights", "source", "use"):
        for key, value in values.get(part, {}).items():
            for line in value if isinstance(value, tuple) and part == "use" else [value]:
                if line not in ("", None):
                    say(f"  {part}.{key}: {line}")
    if isinstance(card, Card):
        _show_figures(card)
    say(f"  file: {weights if weights.is_file() else 'not available'}")


def _show_figures(card: "Card") -> None:
    """Measured data of a model: its head, curves and thresholds."""
    if card.uncertainty is not None:
        section = card.uncertainty
        median = section.quantiles[len(section.quantiles) // 2] if section.quantiles else None
        reference = "" if median is None else f", median {median:.4g} on {section.measured_on}"
        say(f"  uncertainty.head: {section.head}{reference}")
    for curve in card.probabilities:
        where = f"flip {curve.flip or card.embedding.flip}, {curve.fitted_on}"
        say(f"  probability: log odds = {_formula(curve)} at prior 50 % ({where})")
    for one in card.thresholds:
        where = f"flip {one.flip or card.embedding.flip}, {one.calibrated_on}"
        among = "" if one.population == "random" else " among people who are alike"
        tar = "" if one.tar is None else f", TAR {100 * one.tar:.1f} %"
        line = f"  FAR {one.far:g}{among}: {one.score} ≥ {one.value:.4f}{tar} ({where})"
        say(line)


def _formula(curve: "Probability") -> str:
    plain = f"{curve.slope:.4g}·{curve.score} {curve.offset:+.4g}"
    if not (curve.confidence or curve.interaction):
        return plain
    factor = f"({curve.confidence:+.4g} {curve.interaction:+.4g}·{curve.score})·c"
    return f"{plain} + {factor}, c = log confidence of the less certain face, {curve.low:.3g} to {curve.high:.3g},"
