"""The smoke test of an endpoint: real rows, and the very numbers that the artefact gives in process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from botocore.exceptions import ClientError

from featuremill.errors import FeaturemillError
from featuremill.sagemaker import payloads
from featuremill.sagemaker.client import Clients, clear_errors, said

TOLERANCE = 1e-6
_TRIES = 3


class SmokeFailed(FeaturemillError):
    """The endpoint does not answer as the artefact does."""


@dataclass(frozen=True)
class Probe:
    """What to ask, and who knows the right answer.

    `rows`: a few real rows with the `features`; for one_vs_rest also with the `label` column, the values to ask for.
    `score`: the artefact in process; the output columns of the task for these rows, in order.
    """

    task: str
    label: str
    features: Sequence[str]
    rows: pa.Table
    score: Callable[[pa.Table], pa.Table]


def smoke(clients: Clients, endpoint: str, probe: Probe, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Ask the endpoint and compare. Raises SmokeFailed, which tells row, column and both values, at any difference.

    An answer may take a second try: an instance that has just been put into service can be a moment late.
    """
    asked = [*probe.features, *([probe.label] if probe.task == "one_vs_rest" else [])]
    body = payloads.instances(payloads.records(probe.rows, asked))
    answer = _invoke(clients, endpoint, body, sleep)
    found = payloads.read_answer(answer, f"endpoint {endpoint}")
    expected = probe.score(probe.rows)
    if len(found) != expected.num_rows:
        raise SmokeFailed(f"endpoint {endpoint} answered {len(found)} predictions for {expected.num_rows} rows")
    label_type = expected.schema.field("predicted_label").type
    got = payloads.answer_table(probe.task, probe.label, found, label_type)
    difference = first_difference(probe.task, got, expected)
    if difference:
        raise SmokeFailed(f"endpoint {endpoint} does not answer as its artefact does in process: {difference}")


def _invoke(clients: Clients, endpoint: str, body: bytes, sleep: Callable[[float], None]) -> bytes:
    for attempt in range(1, _TRIES + 1):
        try:
            with clear_errors(clients, f"invoke endpoint {endpoint}"):
                answer = clients.runtime.invoke_endpoint(
                    EndpointName=endpoint, ContentType=payloads.JSON, Accept=payloads.JSON, Body=body
                )
                return bytes(answer["Body"].read())
        except FeaturemillError as error:
            refused = isinstance(error.__cause__, ClientError)
            if attempt == _TRIES or (refused and _is_the_requests_fault(error.__cause__)):
                reason = said(error.__cause__) if isinstance(error.__cause__, ClientError) else str(error)
                raise SmokeFailed(f"endpoint {endpoint} does not answer a request with real rows: {reason}") from error
            sleep(float(attempt))
    raise AssertionError("unreachable")


def _is_the_requests_fault(error: BaseException | None) -> bool:
    """Whether the container itself refused the rows: asking again would give the same answer."""
    if not isinstance(error, ClientError):
        return False
    return 400 <= int(error.response.get("OriginalStatusCode") or 500) < 500


def first_difference(task: str, got: pa.Table, expected: pa.Table) -> str | None:
    """Where two tables of predictions differ by more than 1e-6, in words; None if they agree.

    Compares the columns of an endpoint's answer; for one_vs_rest the values that the answer has, by name.
    """
    if task == "one_vs_rest":
        return _differing_values(got, expected)
    for name in payloads.COLUMNS[task]:
        pairs = zip(got.column(name).to_pylist(), expected.column(name).to_pylist(), strict=True)
        for row, (one, other) in enumerate(pairs):
            if not _alike(one, other):
                return f"row {row}, {name}: {one!r} instead of {other!r}"
    return None


def _differing_values(got: pa.Table, expected: pa.Table) -> str | None:
    for row, (one, other) in enumerate(zip(got.to_pylist(), expected.to_pylist(), strict=True)):
        known = _by_label(other)
        for value, numbers in _by_label(one).items():
            if value not in known:
                return f"row {row}: an answer for {value!r}, which the artefact does not know"
            for name, number in numbers.items():
                if not _alike(number, known[value][name]):
                    return f"row {row}, {value!r}, {name}: {number!r} instead of {known[value][name]!r}"
    return None


def _by_label(row: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    columns = ("probabilities", "lower", "upper")
    return {value: {name: row[name][place] for name in columns} for place, value in enumerate(row["labels"])}


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool) or not isinstance(one, (int, float)):
        return bool(one == other)
    if not isinstance(other, (int, float)):
        return False
    return abs(one - other) <= TOLERANCE * max(1.0, abs(other))
