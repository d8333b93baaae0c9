"""What an engine answers: every outcome in a sentence, and the error that a failed check stops a run with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from featuremill.quality.documents import write_documents
from featuremill.spec.models import Expectation
from featuremill.steps.jobs import ExpectationOutcome, ExpectJob, QualityReport

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult

_EXAMPLES = 3
_SHORT = 60


def make_report(job: ExpectJob, result: ExpectationSuiteValidationResult) -> QualityReport:
    """Write JSON and Data Docs into the job's results folder and put the outcomes into the runner's terms."""
    results, docs = write_documents(result, job.results_dir)
    outcomes = tuple(_outcome(asked, one) for asked, one in zip(job.expectations, result.results, strict=True))
    return QualityReport(success=all(one.success for one in outcomes), outcomes=outcomes, results=results, docs=docs)


def _outcome(asked: Expectation, result: Any) -> ExpectationOutcome:
    unexpected = result.result.get("unexpected_count")
    return ExpectationOutcome(
        name=asked.name,
        arguments=json.loads(json.dumps(asked.arguments, default=str)),
        success=bool(result.success),
        observed=observed_text(result.result),
        unexpected_count=None if unexpected is None else int(unexpected),
    )


def observed_text(result: dict[str, Any]) -> str:
    """What was seen, for people: `3 of 1,000 values unexpected (0.3%), e.g. -1.0, -7.5`."""
    if "element_count" in result:
        return _counted(result)
    if "missing_count" in result or "partial_unexpected_list" in result:
        return _sets(result)
    observed = result.get("observed_value")
    if isinstance(observed, dict) and "quantiles" in observed:
        pairs = zip(observed["quantiles"], observed["values"], strict=True)
        return "quantiles " + ", ".join(f"{quantile}: {show(value)}" for quantile, value in pairs)
    if isinstance(observed, (list, tuple)):
        return "observed " + (_some(observed, 20) or "nothing")
    if not result:
        return "the table has no such column"
    return "observed nothing" if observed is None else f"observed {show(observed)}"


def _counted(result: dict[str, Any]) -> str:
    unexpected = result.get("unexpected_count") or 0
    considered = result["element_count"] - (result.get("missing_count") or 0)
    if not considered:
        return "no values to check"
    text = f"{unexpected:,} of {considered:,} {'value' if considered == 1 else 'values'} unexpected"
    if not unexpected:
        return text
    examples = _some([value for value in result.get("partial_unexpected_list") or () if value is not None], _EXAMPLES)
    return f"{text} ({_percent(unexpected / considered)})" + (f", e.g. {examples}" if examples else "")


def _percent(share: float) -> str:
    return f"{share:.2g}%" if 0 < share * 100 < 0.001 else f"{float(f'{share * 100:.3g}'):g}%"


def _sets(result: dict[str, Any]) -> str:
    parts = []
    if "unexpected_count" in result:
        shown = _some(result.get("partial_unexpected_list") or (), _EXAMPLES)
        parts.append(f"{result['unexpected_count']:,} values outside the set" + (f", e.g. {shown}" if shown else ""))
    if "missing_count" in result:
        shown = _some(result.get("partial_missing_list") or (), _EXAMPLES)
        parts.append(f"{result['missing_count']:,} values of the set absent" + (f", e.g. {shown}" if shown else ""))
    return "; ".join(parts)


def _some(values: Sequence[Any], limit: int) -> str:
    distinct = list(dict.fromkeys(map(show, values)))
    return ", ".join(distinct[:limit])


def show(value: Any) -> str:
    """A value as text, cut to a readable length."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (date, bool)):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000_000 else str(value)
    if isinstance(value, float):
        return f"{value:.10g}" if abs(value) < 1e15 else repr(value)
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key}={show(part)}" for key, part in value.items()) + ")"
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(show(part) for part in value) + ")"
    return _shorten("null" if value is None else str(value), _SHORT)


def _shorten(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"
