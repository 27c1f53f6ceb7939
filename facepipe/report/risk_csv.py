"""The figures of ``facepipe eval risk`` as a table for spreadsheets and plotting programs."""

import csv
from pathlib import Path
from typing import Any

from facepipe.files import replacing
from facepipe.protocols.result import Result

COLUMNS = ("confidence", "rejected", "kept", "fnmr", "fmr", "accuracy", "std_error")


def write_risk_csv(path: Path, result: Result) -> None:
    """One line for each confidence and rejected share; accuracies stand where ProbFace's table has them.

    Args:
        path: of the file, written whole or not at all.
        result: of `facepipe.protocols.risk.risk_controlled.evaluate_risk`.
    """
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for name, curve in result.figures["curves"].items():
            table.writerows(_lines(name, curve, result.figures["table"].get(name, [])))


def _lines(name: str, curve: dict[str, Any], rows: list[dict[str, Any]]) -> list[list[Any]]:
    points = {
        share: [name, share, kept, fnmr, fmr, "", ""]
        for share, kept, fnmr, fmr in zip(
            curve["rejected"], curve["kept"], curve["fnmr"], curve["kept_fmr"], strict=True
        )
    }
    for row in rows:
        share = row["rejected"]
        line = points.setdefault(share, [name, share, row["kept"], "", "", "", ""])
        line[5:] = [row["accuracy"], row["std_error"]]
    return [points[share] for share in sorted(points)]
