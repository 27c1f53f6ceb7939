"""Detector and embedder for commands on existing embeddings, a gallery or a store."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from facepipe.cli import options
from facepipe.cli.screen import note
from facepipe.errors import EmbeddingsError, ModelError

if TYPE_CHECKING:
    from facepipe.detection import Detector, DetectorSettings
    from facepipe.embedding import Embedder
    from facepipe.embedding.provenance import Provenance
    from facepipe.pipeline import Cropper

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class FaceTools:
    """The values of the options of `face_tools`."""

    model: str | None
    flip: str | None
    precision: str
    device: str
    engine: str
    detection: "DetectorSettings"

    def detector(self, engine: str) -> "Detector":
        """The detector described by the options, on the embedder's engine."""
        from facepipe.detection import create_detector

        return create_detector(self.detection, self.device, engine)

    def frame_detector(self, engine: str) -> "Detector":
        """The detector for video frames, many of which have no face: each is searched once."""
        from facepipe.detection import create_detector

        return create_detector(replace(self.detection, border=False, turns=False), self.device, engine)

    def embedder(self, photos: int | None) -> "Embedder":
        """The embedder described by the options; float32 by default, as its output is stored long-term.

        Args:
            photos: number of photos, for ``--engine auto``; None: many or unknown.
        """
        from facepipe.devices import figure_precision

        return self._made(self.model, self.flip, figure_precision(self.precision), photos)

    def _made(self, model: str | None, flip: str | None, precision: str, photos: int | None) -> "Embedder":
        engine = options.chosen_engine(self.engine, self.device, [model], photos, precision)
        return options.make_embedder(model, flip, precision, self.device, engine)

    def embedder_of(
        self, path: Path, model: str, flip: str, provenance: "Provenance", photos: int | None
    ) -> "Embedder":
        """The embedder that made a file. With ``--precision auto`` it uses the file's number format.

        Args:
            path: the file, for errors.
            model: identity of the model that made it.
            flip: its flip rule.
            provenance: how it was made; a different precision or detector is reported on stderr.
            photos: as for `embedder`.

        Raises:
            EmbeddingsError: ``--model`` or ``--flip`` contradict the file.
            ModelError: the model is not available.
        """
        from facepipe.devices import PRECISIONS, figure_precision
        from facepipe.embedding.identity import remedy, same_model
        from facepipe.embedding.provenance import Provenance

        precision = provenance.precision
        try:
            name = self.model or model.split("@")[0]
            wanted = precision if self.precision == "auto" and precision in PRECISIONS else self.precision
            made = self._made(name, self.flip or flip, figure_precision(wanted), photos)
        except ModelError as error:
            if self.model is not None:
                raise
            raise ModelError(f"{path}: made by {model}: {error}; or give it with --model") from error
        if made.flip != flip or not same_model(made.model.identity, model):
            raise EmbeddingsError(
                f"{path}: made by {model} (flip {flip}), which is not comparable with faces embedded by "
                f"{made.model.identity} (flip {made.flip}); {remedy(made.model.identity, model)}"
            )
        note_mixed(path, Provenance(made.precision, (self.detection.to_dict(),)), provenance)
        return made

    def cropper(self, embedder: "Embedder", rule: str) -> "Cropper":
        """A cropper for one face, or all, per photo."""
        from facepipe.alignment import Aligner
        from facepipe.pipeline import Cropper

        return Cropper(Aligner(embedder.model.card.input.template), self.detector(embedder.engine), rule)


def face_tools(command: F) -> F:
    """Add options for model, device and detector; the command receives them as ``tools``."""
    return _with_tools(command, options.detection)


def turning_face_tools(command: F) -> F:
    """`face_tools` with `options.turning_detection`."""
    return _with_tools(command, options.turning_detection)


def _with_tools(command: F, detection: Callable[[Any], Any]) -> F:
    @wraps(command)
    def wrapped(**words: Any) -> Any:
        chosen = {field.name: words.pop(field.name) for field in fields(FaceTools)}
        return command(tools=FaceTools(**chosen), **words)

    decorated: Any = wrapped
    for option in (detection, options.engine, options.device, options.store_precision, options.flip, options.model):
        decorated = option(decorated)
    return decorated


def note_mixed(where: object, *several: "Provenance") -> None:
    """Report on stderr if rows of different precision or detectors are joined or compared.

    Args:
        where: the file or dataset, for the message.
        several: how the rows were made; a single one may itself be mixed.
    """
    from facepipe.embedding.provenance import mixing_remark

    remark = mixing_remark(*several)
    if remark:
        note(f"{where}: {remark}", style="yellow")
