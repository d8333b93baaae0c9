"""The credit risk sample: small loans, and which of them went bad.

It looks like a data set of 777,715 loans that is not public itself: the same 24 columns, and the same marginals.
Nobody in it exists. What can be learnt is known exactly, and written beside the data as `_truth.json`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from featuremill.errors import UsageError
from featuremill.samples.applicants import PENSIONER_DAYS_EMPLOYED, REFERENCE_DATE, Applicants, draw_applicants
from featuremill.samples.landings import Placement, place
from featuremill.samples.loan_lines import COLUMNS, LoanLines
from featuremill.samples.loans import (
    BAD_KNOWN_AFTER_DAYS,
    BAD_REMEMBERED_DAYS,
    FIRST_DAY,
    Loans,
    best_auc,
    draw_loans,
    drawn_auc,
)
from featuremill.samples.streams import Ints, Stream

PIPELINE = "credit_risk"
SOURCE = "loans"
ROWS = 777_715
IDS = 36_457
FIRST_ID = 5_008_804
LAST_ID = 5_150_487
FIRST_LOAN_ID = 1
SEED = 1

Progress = Callable[[int, int], None]
"""Told how many lines are written, and of how many."""

_LINES_AT_ONCE = 65_536


@dataclass(frozen=True)
class SampleReport:
    """What was written. `rows` are loans; `lines` counts a corrected loan twice. AUCs are those of the true chances."""

    name: str
    seed: int
    rows: int
    lines: int
    ids: int
    folder: Path
    files: tuple[Path, ...]
    size: int
    truth: Path
    base_rate: float
    auc: float


def generate(
    rows: int = ROWS,
    *,
    out: Path,
    seed: int = SEED,
    landings: str | int = 1,
    late: float = 0.0,
    corrected: float = 0.0,
    replace: bool = False,
    progress: Progress | None = None,
) -> SampleReport:
    """Write `<out>/credit_risk/loans/ds=<day>/loans.csv` and `<out>/credit_risk/loans/_truth.json`.

    The same rows, seed and landings give the same bytes. However the loans are landed, they are the same loans. There
    are 21.3 loans an id, whatever `rows` is, so ten times the rows are ten times the ids. Memory is about 100 bytes a
    loan; the text is written in pieces.

    landings: `daily`, `monthly` or a number; 1 puts everything into ds=2020-12-31. late, corrected: the shares of
    loans that land later than their day, or first with a wrong amount. replace: remove landings of another sample.
    Raises UsageError for arguments that cannot be, and if the folder holds landings of another sample.
    """
    if rows < 1:
        raise UsageError(f"{rows} rows: a sample has at least one")
    if not (late >= 0 and corrected >= 0 and late + corrected <= 1):
        raise UsageError(f"late {late} and corrected {corrected}: write shares from 0 to 1 that sum to at most 1")
    ids = _ids(max(1, round(rows * IDS / ROWS)), seed)
    people = draw_applicants(len(ids), seed)
    loans = draw_loans(people, rows, seed)
    truth = _truth(rows, seed, ids, people, loans)
    order = Stream(seed, "file order").permutation(rows)
    luck = (Stream(seed, "lateness").uniform(rows if late or corrected else 0) * 2.0**30).astype(np.int64)
    lines = place(order, loans.day.astype(np.int64), landings, luck, late, corrected)

    folder = Path(out) / PIPELINE / SOURCE
    _make_room(folder, {f"ds={day}" for day in lines.days}, replace)
    files = _write(folder, lines, LoanLines(ids, people, loans, _loan_ids(loans, seed)), progress)
    truth_file = folder / "_truth.json"
    _write_whole(truth_file, json.dumps(truth, indent=2) + "\n")
    return SampleReport(
        name=PIPELINE,
        seed=seed,
        rows=rows,
        lines=len(lines.row),
        ids=len(ids),
        folder=folder,
        files=files,
        size=sum(file.stat().st_size for file in files),
        truth=truth_file,
        base_rate=truth["base_rate"],
        auc=truth["best_auc"],
    )


def _ids(n: int, seed: int) -> Ints:
    """`n` ids in ascending order, the first always 5008804, with gaps as wide as in the original."""
    if n == 1:
        return np.array([FIRST_ID])
    span = max(n, round(n * (LAST_ID - FIRST_ID + 1) / IDS))
    inner = 1 + Stream(seed, "ids").permutation(span - 2)[: n - 2]
    return FIRST_ID + np.concatenate([[0], np.sort(inner), [span - 1]])


def _loan_ids(loans: Loans, seed: int) -> Ints:
    """Numbers from 1, in the order of loan days and at random within a day."""
    shuffled = Stream(seed, "loan ids").permutation(len(loans))
    in_time = shuffled[np.argsort(loans.day[shuffled], kind="stable")]
    loan_ids = np.empty(len(loans), dtype=np.int64)
    loan_ids[in_time] = FIRST_LOAN_ID + np.arange(len(loans))
    return loan_ids


def _make_room(folder: Path, wanted: set[str], replace: bool) -> None:
    others = sorted(path for path in folder.glob("ds=*") if path.name not in wanted)
    if others and not replace:
        raise UsageError(
            f"{folder} holds landings that are not of this sample, {len(others)} of them, the first {others[0].name}: "
            "write to another folder, or ask to replace them"
        )
    for other in others:
        shutil.rmtree(other)


def _write(folder: Path, lines: Placement, text: LoanLines, progress: Progress | None) -> tuple[Path, ...]:
    """Write one file a landing, also for a landing without loans, which then holds the header only."""
    files, done, total = [], 0, len(lines.row)
    for day, start, stop in zip(lines.days, lines.bounds[:-1].tolist(), lines.bounds[1:].tolist(), strict=True):
        file = folder / f"ds={day}" / "loans.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name("." + file.name + ".partial")
        with partial.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(",".join(COLUMNS) + "\n")
            for first in range(start, stop, _LINES_AT_ONCE):
                piece = slice(first, min(first + _LINES_AT_ONCE, stop))
                stream.write(text.lines(lines.row[piece], lines.wrong[piece]))
                done += piece.stop - first
                if progress is not None:
                    progress(done, total)
        os.replace(partial, file)
        files.append(file)
    return tuple(files)


def _write_whole(file: Path, text: str) -> None:
    partial = file.with_name("." + file.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, file)


def _truth(rows: int, seed: int, ids: Ints, people: Applicants, loans: Loans) -> dict[str, Any]:
    """What the generator knows: the best AUC there can be, and the marginals as they turned out."""
    amount = loans.cents / 100
    pensioner = people.days_employed[loans.person] == PENSIONER_DAYS_EMPLOYED
    return {
        "sample": PIPELINE,
        "rows": rows,
        "seed": seed,
        "base_rate": round(float(loans.status.mean()), 8),
        "mean_chance": round(float(loans.chance.mean()), 8),
        "best_auc": round(best_auc(loans.chance), 6),
        "drawn_auc": round(drawn_auc(loans.chance, loans.status), 6),
        "explanation": (
            "Each status was drawn with a chance that depends only on what was known before the loan. best_auc is the "
            "AUC to expect of that chance, drawn_auc its AUC on the statuses as drawn. A model that scores clearly "
            "better has seen the future."
        ),
        "bad_loans_known_after_days": BAD_KNOWN_AFTER_DAYS,
        "bad_loans_remembered_days": BAD_REMEMBERED_DAYS,
        "reference_date": str(REFERENCE_DATE),
        "ids": {"count": len(ids), "first": int(ids[0]), "last": int(ids[-1])},
        "loan_date": {"first": _day(loans.day.min()), "last": _day(loans.day.max()), "days": len(np.unique(loans.day))},
        "loan_amount": {
            "min": float(amount.min()),
            "median": round(float(np.median(amount)), 4),
            "mean": round(float(amount.mean()), 4),
            "max": float(amount.max()),
        },
        "pensioners_share": round(float(pensioner.mean()), 6),
        "occupation_empty_share": round(float((people.occupation[loans.person] == 0).mean()), 6),
    }


def _day(day: np.int16) -> str:
    return str(date.fromordinal(FIRST_DAY.toordinal() + int(day)))
