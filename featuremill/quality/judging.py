"""Great Expectations' own judgement on metrics that an engine has computed: expectation in, result out.

No data context, no data source, no files: the expectations' classes are asked which metrics they need and are given
the values. So neither analytics nor configuration are read, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from featuremill.quality import gx
from featuremill.quality.suite import SPARK_TYPES, TYPE_EXPECTATIONS, Columns, column_type

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.validator.metric_configuration import MetricConfiguration


Compute = Callable[[Sequence["MetricConfiguration"]], Mapping[Any, Any]]
"""Gives every metric's value by the metric's id."""


def judge(
    suite: ExpectationSuite,
    columns: Columns,
    compute: Compute,
    meta: Mapping[str, Any],
) -> ExpectationSuiteValidationResult:
    """Results of all expectations, in the suite's order."""
    gx.load()
    asked = [None if _is_about_type(expectation) else _dependencies(expectation) for expectation in suite.expectations]
    wanted = {metric.id: metric for metrics in asked if metrics is not None for metric in metrics}
    computed = compute(list(wanted.values()))
    results = []
    for expectation, metrics in zip(suite.expectations, asked, strict=True):
        if metrics is None:
            results.append(_judge_type(expectation, columns))
        else:
            results.append(_judge(expectation, computed))
    return _suite_result(suite, results, meta)


def _runtime() -> dict[str, Any]:
    return {"result_format": {"result_format": "BASIC", "partial_unexpected_count": 20}}


def _dependencies(expectation: Any) -> list[MetricConfiguration]:
    return list(expectation.get_validation_dependencies(runtime_configuration=_runtime()).get_metric_configurations())


def _judge(expectation: Any, computed: Mapping[Any, Any]) -> Any:
    return expectation.metrics_validate(computed, runtime_configuration=_runtime())


def _is_about_type(expectation: Any) -> bool:
    return expectation.expectation_type in TYPE_EXPECTATIONS


def _judge_type(expectation: Any, columns: Columns) -> Any:
    """Types are the pipeline file's; Great Expectations would take each engine's own names for them."""
    from great_expectations.core import ExpectationValidationResult

    wanted = getattr(expectation, "type_list", None) or [getattr(expectation, "type_", None)]
    seen = columns[expectation.column]
    return ExpectationValidationResult(
        success=seen in {column_type(name) for name in wanted},
        result={"observed_value": f"{seen} ({SPARK_TYPES[seen]})"},
        expectation_config=expectation.configuration,
    )


def _suite_result(
    suite: ExpectationSuite, results: list[Any], meta: Mapping[str, Any]
) -> ExpectationSuiteValidationResult:
    from great_expectations.core import ExpectationSuiteValidationResult

    good = sum(1 for result in results if result.success)
    return ExpectationSuiteValidationResult(
        results=results,
        success=good == len(results),
        suite_name=suite.name,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": good,
            "unsuccessful_expectations": len(results) - good,
            "success_percent": good / len(results) * 100 if results else None,
        },
        meta=dict(meta),
    )
