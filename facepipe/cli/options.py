"""Options that several commands share, and the objects they stand for."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from facepipe.cli.choices import TableChoice, detectors, flips, presets, table_option
from facepipe.cli.named import MODEL
from facepipe.cli.photo_type import OUTPUT, PHOTO, STORED, STORED_OUTPUT
from facepipe.cli.screen import note
from facepipe.errors import FacepipeError

if TYPE_CHECKING:
    from facepipe.detection import DetectorSettings
    from facepipe.embedding import Embedder

F = TypeVar("F", bound=Callable[..., Any])


class Number(click.FloatRange):
    """A finite number in a range; the ends belong to it unless ``min_open`` or ``max_open`` say otherwise."""

    name = "float"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As of `click.FloatRange`; what is not finite is refused."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number

    def _describe_range(self) -> str:
        """What the help says of the range: nothing where there is none, for which click has "x<=None"."""
        return "" if self.min is None and self.max is None else super()._describe_range()


class RenamedOption(click.Option):
    """An option that is shown by the first of its names; the others, which it had before, are still taken."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """As of `click.Option`, for the first name."""
        names, self.opts = self.opts, self.opts[:1]
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = names


RATE = Number(0, 1, min_open=True, max_open=True)
"""A share of cases, such as a false-accept rate."""
COSINE = Number(-1, 1)

as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout.")
device = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps.")
engine = click.option(
    "--engine",
    type=click.Choice(["auto", "torch", "onnx"]),
    default="auto",
    show_default=True,
    help="What runs the networks: PyTorch, or ONNX Runtime (without it OpenCV) on the processor, which starts in "
    "less than half the time; auto is onnx for up to 300 photos, else torch.",
)
model = click.option(
    "--model",
    "-m",
    type=MODEL,
    help="Name, card file or run folder; see 'facepipe models list' [default: the model that ships].",
)
models = click.option(
    "--model",
    "-m",
    "models",
    type=MODEL,
    multiple=True,
    help="Name, card file or run folder; see 'facepipe models list'. Several: an ensemble "
    "[default: the model that ships].",
)
precision = click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    help="Number format of the embedding network; auto takes bfloat16 where it is faster.",
)
figure_precision = click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    callback=lambda _context, _option, name: "float32" if name == "auto" else name,
    help="Number format of the embedding network; auto is float32, so that a figure does not depend on the processor.",
)
store_precision = click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    help="Number format of the embedding network; auto is that of the gallery or store, float32 for a new one.",
)
flip = table_option(
    "--flip", lines=flips, help="How to combine the embeddings of image and mirror image [default: the card's]."
)
among = click.option(
    "--among",
    type=click.Choice(["random", "alike"]),
    default="random",
    show_default=True,
    help="Which strangers the false-accept rate refers to: people at random, or adults alike in sex, origin and age "
    "band.",
)
_TEMPLATES = click.Choice(["112x96", "112x112", "112x112-cp2tform"])
_CUTS = (
    "Crop template: 112x96 as in SphereFace, 112x112 as in insightface; 112x112-cp2tform is the 112x112 of older "
    "versions of facepipe"
)


def _pair_forms() -> tuple[str, ...]:
    from facepipe.datasets.pairs.any_pairs import FORMS

    return FORMS


def pairs_format(help: str) -> Callable[[Any], Any]:
    """``--format`` of a list of pairs, as ``form``."""
    return click.option(
        "--format",
        "form",
        type=TableChoice(_pair_forms),
        default="auto",
        show_default=True,
        help=help,
    )


def crop_format(default: str) -> Callable[[Any], Any]:
    """``--format`` of crops, as ``suffix``."""
    return click.option(
        "--format",
        "suffix",
        type=click.Choice(["jpg", "png", "webp"]),
        default=default,
        show_default=True,
        help="Format of the crops.",
    )


def fpir(help: str, kind: click.FloatRange = RATE) -> Callable[[Any], Any]:
    """``--fpir``, the false-positive identification rate."""
    return click.option("--fpir", type=kind, default=1e-2, show_default=True, help=help)


def matches(where: str) -> Callable[[F], F]:
    """What a match of a search is: ``--fpir``, ``--among`` and ``--threshold``.

    Args:
        where: what is searched, for the help, such as ``not in the store``.
    """
    threshold = click.option(
        "--threshold", type=COSINE, help="Count as a match from this score on, instead of deciding by --fpir."
    )
    rate = fpir(f"Share of searches for somebody who is {where}.")
    return lambda command: rate(among(threshold(command)))


template = click.option("--template", type=_TEMPLATES, default="112x112", show_default=True, help=f"{_CUTS}.")
crop_template = click.option(
    "--template", type=_TEMPLATES, help=f"{_CUTS} [default: 112x112, or as the --preset says]."
)


_FACES = (
    "Which face to take of several. centre: the one nearest the middle of the photo; largest: the one of which most is "
    "visible; best: the one with the best detection score; insightface: large and near the middle, by the formula of "
    "its script"
)
_WHY_CENTRE = ", as SphereFace's figures were made: a photo of a dataset is taken around the person it is named after"


def _faces(rules: list[str], default: str, preset: bool = False) -> Callable[[Any], Any]:
    """``preset``: the parameter is None where nothing is asked for, and the default gives way to that of a preset."""
    every = "; all: every face, best detection score first" if "all" in rules else ""
    why = (", or as the --preset says" if preset else "") + (_WHY_CENTRE if default == "centre" else "")
    text = f"{_FACES}{every} [default: {default}{why}]."
    return click.option("--faces", "rule", type=click.Choice(rules), default=None if preset else default, help=text)


_ONE = ["centre", "largest", "best", "insightface"]
faces = _faces([*_ONE, "all"], "largest")
one_face = _faces(_ONE, "largest")
cut_faces = _faces([*_ONE, "all"], "largest", preset=True)
dataset_faces = _faces([*_ONE, "all"], "centre", preset=True)
"""Data sets are collected around the face in the middle, and SphereFace takes that one."""
dataset_face = _faces(_ONE, "centre")
already_aligned = click.option(
    "--already-aligned", is_flag=True, help="The images are aligned crops: do not detect, do not align."
)
identity_depth = click.option(
    "--identity-depth",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Which level of folders below the given one names the person: 1 for the first, 2 for the next ...",
)
overwrite = click.option("--overwrite", is_flag=True, help="Replace existing files.")
output_path = OUTPUT
stored_path, stored_output = STORED, STORED_OUTPUT
some_paths = click.argument("paths", nargs=-1, required=True, type=PHOTO)


def detection(command: F) -> F:
    """Options of the detector; the command gets them as one `DetectorSettings`, ``detection``."""
    return _detection(command, turns=False)


def turning_detection(command: F) -> F:
    """`detection` for commands that are given single photos: a photo without a face is turned too by default."""
    return _detection(command, turns=True)


def _detection(command: F, turns: bool) -> F:
    @wraps(command)
    def wrapped(**words: Any) -> Any:
        return command(detection=detector_settings(words), **words)

    turned = click.option(
        "--turns/--no-turns",
        default=turns,
        show_default=True,
        help="If no face is found with certainty, search the photo rotated by 90, 180 and 270 degrees as well.",
    )
    decorated: Any = wrapped
    for option in reversed([*_DETECTION, turned]):
        decorated = option(decorated)
    return decorated


def detector_settings(words: dict[str, Any]) -> "DetectorSettings":
    """Take the parameters of `detection` out of a command's, and make settings of them.

    Raises:
        FacepipeError: detector and preset do not fit each other, or a value is impossible.
    """
    from facepipe.detection import DETECTORS
    from facepipe.detection import preset as settings_of

    detector, preset, min_score = words.pop("detector"), words.pop("preset"), words.pop("min_score")
    names = "min_face", "factor", "thresholds", "max_pixels", "border", "turns"
    changes = {name: words.pop(name) for name in names}
    settings = settings_of(preset or DETECTORS[detector or "mtcnn"].preset, **changes)
    if detector not in (None, settings.detector):
        raise FacepipeError(f"--preset {preset} is one of {settings.detector}; leave it out with --detector {detector}")
    if min_score is None and changes["thresholds"] is not None:
        min_score = settings.thresholds[-1]
    return settings if min_score is None else settings.with_least_score(min_score)


_DETECTION = [
    table_option("--detector", lines=detectors, help="How faces are detected [default: mtcnn]."),
    table_option(
        "--preset",
        lines=presets,
        help="Settings of a detector [default: sphereface, or the detector's own]. With sphereface-matlab and "
        "insightface, preprocess and align also cut and save crops as those authors do.",
    ),
    click.option(
        "--min-score",
        type=Number(),
        help="Lowest detection score of a face, in every search: the threshold of the last network.",
    ),
    click.option("--min-face", type=Number(), help="Smallest face to search for, in pixels."),
    click.option("--factor", type=Number(), help="Scale factor between levels of the image pyramid."),
    click.option("--thresholds", type=Number(), nargs=3, default=None, help="Thresholds of P-Net, R-Net and O-Net."),
    click.option(
        "--max-pixels",
        type=click.IntRange(1),
        help="Shrink larger images to this many pixels before detection.",
    ),
    click.option(
        "--border/--no-border",
        default=None,
        help="If nothing is found in a photo, search it again inside a black border, for faces that fill the frame; "
        "the last pass lowers the threshold to 0.7 unless --min-score or --thresholds is given [default: on, "
        "but off with presets that follow their authors to the letter].",
    ),
]


def check_crops(folder: Path, embedder: "Embedder") -> None:
    """Tell where a folder's crops were cut in another way than the model wants.

    Raises:
        DatasetError: they are of the size that it wants, and yet cut differently.
    """
    from facepipe.alignment import template
    from facepipe.datasets.samples.cut import check_cut

    message = check_cut(folder, template(embedder.model.card.input.template).identity)
    if message:
        note(message, style="yellow")


def make_embedder(
    model: str | None, flip: str | None, precision: str, device: str, engine: str = "torch"
) -> "Embedder":
    """The embedder that the options describe, of the model that ships where none is named.

    Args:
        model, flip, precision, device: as the options have them.
        engine: ``torch`` or ``onnx``, see `chosen_engine`.

    Raises:
        ModelError: there is no such model, or it is not at hand.
    """
    from facepipe.embedding import Embedder
    from facepipe.zoo import DEFAULT, load

    return Embedder(load(model or DEFAULT, device, engine), flip=flip, precision=precision)


def chosen_engine(
    engine: str, device: str, models: Sequence[str | None], photos: int | None = None, precision: str = ""
) -> str:
    """``torch`` or ``onnx``, as ``--engine`` and the other options ask for.

    Args:
        engine, device, precision: as the options have them.
        models: names or paths; None is the model that ships.
        photos: how many there are; None: many, or nobody knows.
    """
    from facepipe.zoo import DEFAULT, engine_for

    named = [model or DEFAULT for model in models]
    return engine_for(named, engine, device=device, photos=photos, precision=precision)


def count_photos(paths: Iterable[Path]) -> int | None:
    """How many photos there are below paths; None for more than the ONNX engine is for, and of collections."""
    from facepipe.engines import FEW_PHOTOS
    from facepipe.images import is_collection, list_images

    paths = list(paths)
    if any(map(is_collection, paths)):
        return None
    found = list(islice(list_images(*(path for path in paths if path.exists())), FEW_PHOTOS + 1))
    return None if len(found) > FEW_PHOTOS else len(found)
