"""Options shared by several commands, and the objects they describe."""

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
    """A finite number in a range, including its ends unless ``min_open`` or ``max_open``."""

    name = "float"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Like `click.FloatRange`, rejecting values that are not finite."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number

    def _describe_range(self) -> str:
        """The range in help texts; empty without a range, for which click would print "x<=None"."""
        return "" if self.min is None and self.max is None else super()._describe_range()


class RenamedOption(click.Option):
    """An option shown with its first name; its other names, from earlier versions, are still accepted."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Like `click.Option`, with the first name only."""
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
    help="Runtime of the networks: PyTorch, or ONNX Runtime (or OpenCV without it) on the CPU, which starts in less "
    "than half the time; auto is onnx for up to 300 photos, else torch.",
)
warp = click.option(
    "--warp",
    type=click.Choice(["host", "device"]),
    default="host",
    show_default=True,
    help="Where crops are cut from photos: on the host, or on the device, where they stay for the embedding network "
    "(PyTorch only).",
)
model = click.option(
    "--model",
    "-m",
    type=MODEL,
    help="Name, card file or run folder; see 'facepipe models list' [default: the shipped model].",
)
models = click.option(
    "--model",
    "-m",
    "models",
    type=MODEL,
    multiple=True,
    help="Name, card file or run folder; see 'facepipe models list'. Several: an ensemble "
    "[default: the shipped model].",
)
precision = click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    help="Number format of the embedding network; auto is bfloat16 where it is faster.",
)
figure_precision = click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    callback=lambda _context, _option, name: "float32" if name == "auto" else name,
    help="Number format of the embedding network; auto is float32, so that figures do not depend on the CPU.",
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
    help="Impostors that the false-accept rate refers to: random people, or adults of similar sex, origin and age "
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
    """Options that define a match: ``--fpir``, ``--among`` and ``--threshold``.

    Args:
        where: the end of the help text, such as ``not in the store that may return a match``.
    """
    threshold = click.option(
        "--threshold", type=COSINE, help="Count as a match from this score, instead of deciding by --fpir."
    )
    rate = fpir(f"Share of searches for people {where}.")
    return lambda command: rate(among(threshold(command)))


template = click.option("--template", type=_TEMPLATES, default="112x112", show_default=True, help=f"{_CUTS}.")
crop_template = click.option(
    "--template", type=_TEMPLATES, help=f"{_CUTS} [default: 112x112, or that of the --preset]."
)


_FACES = (
    "Face to use if there are several. centre: nearest to the middle of the photo; largest: with the largest visible "
    "area, and of several about equally large the one nearest to the middle; best: with the best detection score; "
    "insightface: large and near the middle, by the formula in its script"
)
_WHY_CENTRE = ", as for SphereFace's figures, since dataset photos are centred on the person they are named after"


def _faces(rules: list[str], default: str, preset: bool = False) -> Callable[[Any], Any]:
    """With ``preset`` the parameter is None if not given, so that a preset's default takes precedence."""
    every = "; all: every face, best detection score first" if "all" in rules else ""
    why = (", or that of the --preset" if preset else "") + (_WHY_CENTRE if default == "centre" else "")
    text = f"{_FACES}{every} [default: {default}{why}]."
    return click.option("--faces", "rule", type=click.Choice(rules), default=None if preset else default, help=text)


_ONE = ["centre", "largest", "best", "insightface"]
faces = _faces([*_ONE, "all"], "largest")
one_face = _faces(_ONE, "largest")
cut_faces = _faces([*_ONE, "all"], "largest", preset=True)
dataset_faces = _faces([*_ONE, "all"], "centre", preset=True)
"""Dataset photos are centred on their person, and SphereFace uses that face."""
dataset_face = _faces(_ONE, "centre")
already_aligned = click.option(
    "--already-aligned", is_flag=True, help="The images are aligned crops; skip detection and alignment."
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
some_images = click.argument("images", nargs=-1, required=True, type=PHOTO)
one_gallery = click.argument("gallery", type=click.Path(path_type=Path))


def detection(command: F) -> F:
    """Options of the detector; the command receives them as a `DetectorSettings`, ``detection``."""
    return _detection(command, turns=False)


def turning_detection(command: F) -> F:
    """`detection` for commands on single photos, which by default also rotate photos without a face."""
    return _detection(command, turns=True)


def _detection(command: F, turns: bool) -> F:
    @wraps(command)
    def wrapped(**words: Any) -> Any:
        return command(detection=detector_settings(words), **words)

    turned = click.option(
        "--turns/--no-turns",
        default=turns,
        show_default=True,
        help="If no face is found with confidence, also search the photo rotated by 90, 180 and 270 degrees.",
    )
    decorated: Any = wrapped
    for option in reversed([*_DETECTION, turned]):
        decorated = option(decorated)
    return decorated


def detector_settings(words: dict[str, Any]) -> "DetectorSettings":
    """Remove the parameters of `detection` from a command's, and turn them into settings.

    Raises:
        FacepipeError: detector and preset contradict each other, or a value is invalid.
    """
    from facepipe.detection import DETECTORS
    from facepipe.detection import preset as settings_of

    detector, preset, min_score = words.pop("detector"), words.pop("preset"), words.pop("min_score")
    names = "min_face", "factor", "thresholds", "max_pixels", "border", "turns"
    changes = {name: words.pop(name) for name in names}
    settings = settings_of(preset or DETECTORS[detector or "mtcnn"].preset, **changes)
    if detector not in (None, settings.detector):
        raise FacepipeError(f"--preset {preset} is for {settings.detector}; leave it out with --detector {detector}")
    if min_score is None and changes["thresholds"] is not None:
        min_score = settings.thresholds[-1]
    return settings if min_score is None else settings.with_least_score(min_score)


_DETECTION = [
    table_option("--detector", lines=detectors, help="How faces are detected [default: mtcnn]."),
    table_option(
        "--preset",
        lines=presets,
        help="Settings of a detector [default: sphereface, or the detector's own]. With sphereface-matlab and "
        "insightface, preprocess and align also crop and save as these authors do.",
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
        help="If no face is found, search the photo again with a black border, for faces that fill the frame; "
        "the last pass lowers the threshold to 0.7 unless --min-score or --thresholds is given [default: on, "
        "but off with presets that follow their authors exactly].",
    ),
]


def check_crops(folder: Path, embedder: "Embedder") -> None:
    """Report if a folder's crops use another template than the model's.

    Raises:
        DatasetError: they have the model's crop size but another geometry.
    """
    from facepipe.alignment import template
    from facepipe.datasets.samples.cut import check_cut

    message = check_cut(folder, template(embedder.model.card.input.template).identity)
    if message:
        note(message, style="yellow")


def make_embedder(
    model: str | None, flip: str | None, precision: str, device: str, engine: str = "torch"
) -> "Embedder":
    """The embedder described by the options, by default of the shipped model.

    Args:
        model, flip, precision, device: values of the options.
        engine: ``torch`` or ``onnx``, see `chosen_engine`.

    Raises:
        ModelError: there is no such model, or it is not available.
    """
    from facepipe.embedding import Embedder
    from facepipe.zoo import DEFAULT, load

    return Embedder(load(model or DEFAULT, device, engine, flip), flip=flip, precision=precision)


def chosen_engine(
    engine: str,
    device: str,
    models: Sequence[str | None],
    photos: int | None = None,
    precision: str = "",
    warp: str = "host",
) -> str:
    """``torch`` or ``onnx``, according to ``--engine`` and the other options.

    Args:
        engine, device, precision, warp: values of the options.
        models: names or paths; None means the shipped model.
        photos: number of photos; None: many or unknown.
    """
    from facepipe.zoo import DEFAULT, engine_for

    named = [model or DEFAULT for model in models]
    return engine_for(named, engine, device=device, photos=photos, precision=precision, warp=warp)


def count_photos(paths: Iterable[Path]) -> int | None:
    """Number of photos below paths; None for collections, and for more than the ONNX engine is meant for."""
    from facepipe.engines import FEW_PHOTOS
    from facepipe.images import is_collection, list_images

    paths = list(paths)
    if any(map(is_collection, paths)):
        return None
    found = list(islice(list_images(*(path for path in paths if path.exists())), FEW_PHOTOS + 1))
    return None if len(found) > FEW_PHOTOS else len(found)
