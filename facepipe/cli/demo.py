"""``facepipe demo``."""

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
    """Detect, align and compare two faces that installed packages carry, with the model that ships."""
    from facepipe.api.pipeline import Pipeline
    from facepipe.cli.verdict import caption, show
    from facepipe.images import write_rgb
    from facepipe.zoo import DEFAULT

    one, other = _photos()
    answer = Pipeline(model or DEFAULT, device=device).compare(one, other)
    told = answer.to_dict()
    show(told)
    write_rgb(out, answer.picture(caption(told), crops=True))
    click.echo(f"picture: {out}")


def _photos() -> list[Path]:
    paths = []
    for package, inside, distribution in PHOTOS.values():
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError(f"the demo needs {distribution}; pip install 'facepipe[plot]'")
        paths.append(Path(spec.submodule_search_locations[0]) / inside)
    return paths
