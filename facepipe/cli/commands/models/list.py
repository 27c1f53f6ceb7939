"""List all models and the weights of detectors, one line each; 'facepipe models show NAME' gives details."""

from typing import TYPE_CHECKING, Any

import click

from facepipe.cli import options
from facepipe.cli.screen import note, print_json
from facepipe.cli.table import show_table
from facepipe.tables import Column, figures

if TYPE_CHECKING:
    from facepipe.zoo import CardStatus, DetectorCard


@click.command("list")
@click.option(
    "--backbones", "with_backbones", is_flag=True, help="Also list the networks for 'train' and 'import'."
)
@options.as_json
def command(with_backbones: bool = False, as_json: bool = False) -> None:
    """List all models and the weights of detectors, one line each; 'facepipe models show NAME' gives details. With
    --json the backbones are always included.
    """
    from facepipe.backbones import describe, names
    from facepipe.zoo import available, detector_cards, is_cached

    statuses = available()
    detectors = [(card, is_cached(card)) for card in detector_cards().values()]
    backbones = [describe(name) for name in names()] if as_json or with_backbones else []
    if as_json:
        print_json(
            {
                "models": [_status(status) for status in statuses],
                "detectors": [
                    {"name": card.name, "cached": cached, "card": card.to_dict()} for card, cached in detectors
                ],
                "backbones": [
                    {"name": info.name, "input_size": info.input_size, "embedding_dim": info.embedding_dim,
                     "parameters": info.parameters, "paper": info.paper}
                    for info in backbones
                ],
            }
        )  # fmt: skip
        return
    _show_models(statuses)
    click.echo()
    _show_detectors(detectors)
    if with_backbones:
        click.echo()
        _show_backbones(backbones)


def _status(status: "CardStatus") -> dict[str, Any]:
    from facepipe.zoo import DEFAULT

    return {"name": status.name, "default": status.name == DEFAULT, "cached": status.cached,
            "shipped": status.shipped, "problem": status.problem,
            "card": None if status.card is None else status.card.to_dict()}  # fmt: skip


def _show_models(statuses: list["CardStatus"]) -> None:
    from facepipe.zoo import DEFAULT

    columns = (
        Column("model"),
        Column("available"),
        Column("crop", lesser=2),
        Column("embedding", lesser=1),
        Column("licence", lesser=3),
        Column("description", lesser=4),
    )
    rows = []
    for status in statuses:
        card = status.card
        if card is None:
            rows.append((status.name, "damaged", "", "", "", ""))
            continue
        name = f"{card.name} (default)" if card.name == DEFAULT else card.name
        crop = f"{'×'.join(map(str, card.input.size))} {card.input.channels}"
        embedding = f"{card.embedding.dim}, flip {card.embedding.flip}"
        rows.append((name, _yes_no(status.cached), crop, embedding, card.source.licence, card.title))
    show_table(columns, rows)
    for status in statuses:
        if status.problem:
            note(f"{status.name}: {status.problem}", style="yellow")


def _show_detectors(detectors: "list[tuple[DetectorCard, bool]]") -> None:
    columns = (Column("detector"), Column("available"), Column("licence", lesser=1), Column("description", lesser=2))
    rows = [(card.name, _yes_no(cached), card.source.licence, card.title) for card, cached in detectors]
    show_table(columns, rows)


def _yes_no(cached: bool) -> str:
    return "yes" if cached else "no"


def _show_backbones(backbones: list[Any]) -> None:
    columns = (
        Column("backbone"),
        Column("crop"),
        *figures("embedding", "parameters"),
        Column("paper", prose=True, lesser=1),
    )
    rows = [
        (
            info.name,
            "×".join(map(str, info.input_size)),
            info.embedding_dim,
            f"{info.parameters / 1e6:.1f} M",
            info.paper,
        )
        for info in backbones
    ]
    show_table(columns, rows)
