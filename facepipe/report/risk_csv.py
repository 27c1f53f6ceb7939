"""The figures of ``facepipe eval risk`` as a table for spreadsheets and plotting programs."""

import csv
from pathlib import Path
from typing import Any

from facepipe.files import replacing
from facepipe.protocols.risk.error_reject import ErrorReject
from facepipe.protocols.risk.risk_controlled import RiskResult
from facepipe.protocols.risk.table import RiskRow

RISK_COLUMNS = ("confidence", "rejected", "kept", "fnmr", "fmr", "accuracy", "std_error")


def write_risk_csv(path: Path, result: RiskResult) -> None:
    """One line for each confidence and rejected share; accuracies stand where ProbFace's table has them.

    Args:
        path: of the file, written whole or not at all.
        result: of `facepipe.protocols.risk.risk_controlled.evaluate_risk`.
    """
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(RISK_COLUMNS)
        for name, curve in result.curves.items():
            table.writerows(_lines(name, curve, result.table.get(name, ())))


def _lines(name: str, curve: ErrorReject, rows: tuple[RiskRow, ...]) -> list[list[Any]]:
    points: dict[float, list[Any]] = {
        share: [name, share, kept, fnmr, fmr, "", ""]
        for share, kept, fnmr, fmr in zip(curve.rejected, curve.kept, curve.fnmr, curve.kept_fmr, strict=True)
    }
    for row in rows:
        line = points.setdefault(row.rejected, [name, row.rejected, row.kept, "", "", "", ""])
        line[5:] = [row.accuracy, row.std_error]
    return [points[share] for share in sorted(points)]
