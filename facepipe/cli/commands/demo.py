"""Compare two portraits from installed packages, as a first try."""

from importlib.util import find_spec
from pathlib import Path

import click

from facepipe.cli import options
from facepipe.cli.door import PICTURES, Output, door
from facepipe.errors import MissingExtraError

# Both portraits are in the public domain: NASA's of Eileen Collins, the US Navy's of Grace Hopper.
PHOTOS = {
    "Eileen Collins": ("skimage", "data/astronaut.png", "scikit-image"),
    "Grace Hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "matplotlib"),
}


@click.command("demo")
@click.option("-o", "--out", default="demo.jpg", show_default=True, type=options.output_path, help="Picture to write.")
@options.model
@options.device
@door(Output("out", PICTURES))
def command(out: Path, model: str | None, device: str) -> None:
    """Detect, align and compare two portraits from installed packages, with the shipped model."""
    from facepipe.api.in_words import caption
    from facepipe.api.pipeline import Pipeline
    from facepipe.cli.verdict import show
    from facepipe.images import write_rgb
    from facepipe.zoo import DEFAULT

    one, other = map(packaged_photo, PHOTOS)
    answer = Pipeline(model or DEFAULT, device=device).compare(one, other)
    values = answer.to_dict()
    show(values)
    write_rgb(out, answer.picture(caption(values), crops=True))
    click.echo(f"picture: {out}")


def packaged_photo(person: str) -> Path:
    """A portrait from an installed package, by its name in `PHOTOS`.

    Raises:
        MissingExtraError: the package is not installed.
    """
    package, inside, distribution = PHOTOS[person]
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(f"the portrait of {person} is in {distribution}; pip install 'facepipe[demo]'")
    return Path(spec.submodule_search_locations[0]) / inside
