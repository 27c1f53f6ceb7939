"""Named benchmarks for models trained by another command: arguments of ``facepipe eval`` under a name.

The command is only used for parsing; the function of the same name in `facepipe.evaluation` does the work.
"""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from facepipe.cli import options
from facepipe.cli.commands.eval import command as eval_group
from facepipe.cli.eval.protocol_command import RULE
from facepipe.cli.eval.source_options import FIELDS, make_source
from facepipe.cli.workers import chosen_workers
from facepipe.errors import DatasetError

if TYPE_CHECKING:
    from facepipe.protocols import VerificationResult
    from facepipe.protocols.verification.ytf import VideosResult

    Measured = VerificationResult | VideosResult

PROTOCOLS = ("lfw", "cfp", "pairs", "bin", "ytf")
"""Protocols of ``facepipe eval`` that report an accuracy."""

_CALLERS = {"models": "--model", "score": "--score", "save": "--save", "as_json": "--json",
            "overwrite": "--overwrite"}  # fmt: skip
"""Options that are set by the caller or do not apply here."""


@dataclass(frozen=True)
class Benchmark:
    """A protocol with its data.

    Attributes:
        name: name of its column and folder.
        words: arguments of ``facepipe eval``.
    """

    name: str
    words: tuple[str, ...]

    def measure(self, model: str, score: str, device: str) -> "Measured":
        """Run the protocol on a model.

        Args:
            model, score: values of ``--model`` and ``--score``.
            device: default device for the benchmark.

        Raises:
            FacepipeError: see the protocol.
        """
        from facepipe import evaluation

        words = dict(self._context(models=[model], score=score, device=device).params)
        del words["as_json"], words["overwrite"]
        words["rule"], faces = words.pop(RULE), words.pop("rule", "centre")
        if "preset" in words:
            words["detection"] = options.detector_settings(words)
        words["on"] = chosen_workers(words)
        source_options = {name: words.pop(name) for name in FIELDS if name in words and name != "rule"}
        function = evaluation.PROTOCOLS[self.words[0]]
        result: Measured = function(source=make_source(source_options | {"rule": faces}), **words)
        return replace(result, settings=result.settings | {"benchmark": shlex.join(self.words)})

    def reads(self) -> tuple[Path, ...]:
        """Files and folders that it reads."""
        context = self._context()
        return tuple(
            Path(path)
            for name in context.command.callback.door.reads  # type: ignore[union-attr]
            for path in _each(context.params.get(name))
        )

    def check(self) -> None:
        """Check the arguments against the protocol's options; files are not checked.

        Raises:
            DatasetError: an argument is invalid.
        """
        context = self._context()
        for parameter, option in _CALLERS.items():
            if context.get_parameter_source(parameter) is ParameterSource.COMMANDLINE:
                raise DatasetError(f"benchmark {self.name}: remove {option}")
        if self.words[0] == "bin" and context.params["paths"]:
            raise DatasetError(f"benchmark {self.name}: remove --embeddings")

    def _context(self, **defaults: Any) -> click.Context:
        protocol, *words = self.words
        command = eval_group.get_command(click.Context(eval_group), protocol)
        assert command is not None
        # A command caches the names of its help option from its first context, so that needs the usual parent.
        parent = click.get_current_context()
        try:
            return command.make_context(protocol, words, parent, default_map=defaults)
        except click.UsageError as error:
            raise DatasetError(f"benchmark {self.name}: eval {protocol}: {error.format_message()}") from error


def parse_benchmark(text: str, bins: Mapping[str, str]) -> Benchmark:
    """Parse a benchmark given by the user.

    Args:
        text: ``NAME=PROTOCOL ...`` with arguments of ``facepipe eval``; or the path of an insightface .bin file.
        bins: name → stem of its .bin file; other files are named by their stem.

    Raises:
        DatasetError: the text is neither, or has an unknown protocol or invalid arguments.
    """
    path = Path(text)
    if path.suffix == ".bin" and (path.is_file() or "=" not in text):
        if not path.is_file():
            raise DatasetError(f"{path}: no such file; insightface's validation sets are named like lfw.bin")
        name = next((name for name, stem in bins.items() if stem == path.stem), path.stem)
        return Benchmark(_checked(name, text), ("bin", text))
    name, equals, command = text.partition("=")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise DatasetError(f"benchmark {text}: {str(error).lower()}") from error
    if not equals or not words or words[0] not in PROTOCOLS:
        raise DatasetError(
            f"benchmark {text}: must be FILE.bin, or NAME='PROTOCOL ...' with arguments of 'facepipe eval' and a "
            f"protocol from {', '.join(PROTOCOLS)}"
        )
    benchmark = Benchmark(_checked(name.strip(), text), tuple(words))
    benchmark.check()
    return benchmark


def _checked(name: str, text: str) -> str:
    if not re.fullmatch(r"\w[\w. +-]*", name):
        raise DatasetError(f"benchmark {text}: its name may only contain letters, digits, spaces and . _ + -")
    return name


def _each(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def kept_result(
    file: Path, benchmark: Benchmark, model: str, score: str, device: str, inputs: str
) -> tuple["Measured", bool]:
    """The result in ``file`` if it is of this benchmark, model and version; otherwise measured and saved there.

    Args:
        file: JSON file of the result.
        benchmark, model, score, device: see `Benchmark.measure`.
        inputs: the state of the benchmark's inputs, see `facepipe.cli.eval.kept_inputs`.

    Returns:
        the result, and whether it existed.

    Raises:
        FacepipeError: see `Benchmark.measure`.
        OSError: the file cannot be written.
    """
    from facepipe.files import write_text
    from facepipe.protocols.result import versions
    from facepipe.zoo import locate

    wanted = {
        "benchmark": shlex.join(benchmark.words),
        "model": locate(model)[0].identity,
        "score": score,
        "versions": versions(),
        "inputs": inputs,
    }
    found = _read(file, benchmark)
    # Older results without a recorded precision may be in bfloat16.
    old = found is None or "precision" not in found.settings
    if found is not None and not old and all(found.settings.get(name) == value for name, value in wanted.items()):
        return found, True
    result = benchmark.measure(model, score, device)
    result = replace(result, settings=result.settings | {"inputs": inputs})
    write_text(file, json.dumps(result.to_dict()) + "\n")
    return result, False


def _read(file: Path, benchmark: Benchmark) -> "Measured | None":
    from facepipe.protocols import VerificationResult
    from facepipe.protocols.saved_result import read_json
    from facepipe.protocols.verification.ytf import VideosResult

    try:
        if benchmark.words[0] == "ytf":
            return VideosResult.from_dict(read_json(file), file)
        return VerificationResult.from_dict(read_json(file), file)
    except DatasetError:
        return None
