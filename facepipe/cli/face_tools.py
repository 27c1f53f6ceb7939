"""Detector and embedder for commands that work with embeddings that are already there, a gallery or a store."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from facepipe.cli import options
from facepipe.cli.mixed import tell_mixed
from facepipe.errors import EmbeddingsError, ModelError

if TYPE_CHECKING:
    from facepipe.detection import Detector, DetectorSettings
    from facepipe.embedding import Embedder
    from facepipe.embedding.making import Making
    from facepipe.pipeline import Cropper

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class FaceTools:
    """What the options of `face_tools` say."""

    model: str | None
    flip: str | None
    precision: str
    device: str
    engine: str
    detection: "DetectorSettings"

    def detector(self, engine: str) -> "Detector":
        """The detector that the options describe, by the engine of the embedder."""
        from facepipe.detection import create_detector

        return create_detector(self.detection, self.device, engine)

    def frame_detector(self, engine: str) -> "Detector":
        """The same for the frames of a video, of which many show nobody: each is searched once."""
        from facepipe.detection import create_detector

        return create_detector(replace(self.detection, border=False, turns=False), self.device, engine)

    def embedder(self, photos: int | None) -> "Embedder":
        """The embedder that the options describe; what it makes is compared for years, by default in float32.

        Args:
            photos: how many there are, for ``--engine auto``; None: many, or nobody knows.
        """
        from facepipe.devices import figure_precision

        return self._made(self.model, self.flip, figure_precision(self.precision), photos)

    def _made(self, model: str | None, flip: str | None, precision: str, photos: int | None) -> "Embedder":
        engine = options.chosen_engine(self.engine, self.device, [model], photos, precision)
        return options.make_embedder(model, flip, precision, self.device, engine)

    def embedder_of(
        self, path: Path, model: str, flip: str, making: "Making", photos: int | None
    ) -> "Embedder":
        """The embedder that made a file. With ``--precision auto`` it runs in the file's number format.

        Args:
            path: of the file, for errors.
            model: identity of the model that made it.
            flip: its flip rule.
            making: how else it was made; another precision or detector is told on stderr.
            photos: as of `embedder`.

        Raises:
            EmbeddingsError: ``--model`` or ``--flip`` say another one.
            ModelError: it is not at hand.
        """
        from facepipe.devices import PRECISIONS, figure_precision
        from facepipe.embedding.identity import remedy, same_model
        from facepipe.embedding.making import Making

        precision = making.precision
        try:
            name = self.model or model.split("@")[0]
            wanted = precision if self.precision == "auto" and precision in PRECISIONS else self.precision
            made = self._made(name, self.flip or flip, figure_precision(wanted), photos)
        except ModelError as error:
            if self.model is not None:
                raise
            raise ModelError(f"{path}: made by {model}: {error}; or say where it is with --model") from error
        if made.flip != flip or not same_model(made.model.identity, model):
            raise EmbeddingsError(
                f"{path}: made by {model} (flip {flip}), which cannot be compared with faces embedded by "
                f"{made.model.identity} (flip {made.flip}); {remedy(made.model.identity, model)}"
            )
        tell_mixed(path, Making(made.precision, (self.detection.to_dict(),)), making)
        return made

    def cropper(self, embedder: "Embedder", rule: str) -> "Cropper":
        """What cuts one face, or all, out of photos."""
        from facepipe.alignment import Aligner
        from facepipe.pipeline import Cropper

        return Cropper(Aligner(embedder.model.card.input.template), self.detector(embedder.engine), rule)


def face_tools(command: F) -> F:
    """Options of model, device and detector; the command gets them as ``tools``."""
    return _with_tools(command, options.detection)


def turning_face_tools(command: F) -> F:
    """`face_tools` with `options.turning_detection`."""
    return _with_tools(command, options.turning_detection)


def _with_tools(command: F, detection: Callable[[Any], Any]) -> F:
    @wraps(command)
    def wrapped(**words: Any) -> Any:
        given = {field.name: words.pop(field.name) for field in fields(FaceTools)}
        return command(tools=FaceTools(**given), **words)

    decorated: Any = wrapped
    for option in (detection, options.engine, options.device, options.store_precision, options.flip, options.model):
        decorated = option(decorated)
    return decorated
