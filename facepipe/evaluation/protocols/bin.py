"""insightface's .bin sets: LFW, CFP, AgeDB-30, CALFW, CPLFW, VGG2-FP.

The sets hold aligned crops. Image and mirror image are added (flip rule sum) as in insightface's verification.py,
whatever the model's card says, unless another rule is given.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np

from facepipe.datasets.pairs.insightface_bin import read_bin
from facepipe.evaluation.option import Option
from facepipe.evaluation.source import Source, source_of
from facepipe.images import read_rgb
from facepipe.protocols import FARS, VerificationResult, evaluate_pairs


def bin(
    file: Annotated[Path | str, Option(argument="FILE.bin")],
    source: Annotated[
        Source | Path | str | Sequence[Path | str],
        Option("Saved embeddings of the set instead of a model; several files form an ensemble.", flag="embeddings"),
    ] = (),
    *,
    rule: str = "insightface",
    score: str = "cosine",
    fars: Sequence[float] = (),
) -> VerificationResult:
    """Verification on one of insightface's .bin sets of aligned crops: lfw, cfp_fp, agedb_30, calfw, cplfw ...

    Image and mirror image are added, as in insightface's verification.py, whatever the model's card says, unless the
    source sets a flip rule.

    Args:
        file: the .bin file.
        source: files of its embeddings; without paths, how its crops are embedded.
        rule, score: see `facepipe.protocols.evaluate_pairs`.
        fars: false-accept rates of the TAR table; empty means 1e-1 … 1e-6.

    Raises:
        FacepipeError: lists or images are missing or damaged, or the score needs data that the embeddings lack.
    """
    path, crops = Path(file), source_of(source)
    content = read_bin(path)

    def read(image: Path, max_pixels: int) -> np.ndarray:
        return read_rgb(content.images[image.name], max_pixels, f"{path}, image {image.name}")

    if not crops.paths:
        crops = replace(crops, flip=crops.flip or "sum", already_aligned=True)
    embeddings = crops.embeddings(content.pairs.names, path.stem, read)
    result = evaluate_pairs(embeddings, content.pairs, rule, "centre", score, fars or FARS, f"bin-{path.stem}")
    return replace(result, title=path.name)
