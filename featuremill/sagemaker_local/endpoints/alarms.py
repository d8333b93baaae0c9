"""CloudWatch: metrics of endpoints into moto's CloudWatch, and the states of alarms about them.

moto keeps alarms and metrics but never looks at them. Here alarms on AWS/SageMaker metrics of an endpoint are evaluated
every second: EvaluationPeriods, DatapointsToAlarm, Period (shortened by the wait scale), Statistic, TreatMissingData.
Not evaluated: percentiles, metric maths, composite alarms, other namespaces; their states are what SetAlarmState says.
"""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.endpoints.meter import NAMESPACE, UNITS, Meter, Statistics

MOST_DATA = 200_000
"""Data points kept in moto's CloudWatch, which would otherwise grow without end."""
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_STATISTICS: dict[str, Callable[[Statistics], float]] = {
    "Sum": lambda values: values.total,
    "Average": lambda values: values.total / values.count,
    "Minimum": lambda values: values.least,
    "Maximum": lambda values: values.most,
    "SampleCount": lambda values: float(values.count),
}


def cloudwatch(context: Context) -> Any:
    """moto's CloudWatch of the server's account and region. moto is imported late: that takes a second."""
    # moto takes its account from here when it is imported, and this may be its first import.
    os.environ["MOTO_ACCOUNT_ID"] = context.account
    from moto.backends import get_backend

    return get_backend("cloudwatch")[context.account][context.region]


def states(context: Context, names: Sequence[str]) -> dict[str, str | None]:
    """OK, ALARM or INSUFFICIENT_DATA by alarm name; None for one that does not exist."""
    alarms = cloudwatch(context).alarms
    return {name: alarms[name].state_value if name in alarms else None for name in names}


def publish(context: Context, meter: Meter) -> None:
    """Hand what the meter counted since the last call to CloudWatch."""
    now = datetime.now(UTC).replace(tzinfo=None)  # moto's times have no zone
    data = []
    for (endpoint, variant), metrics in meter.take_new().items():
        dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
        for name, values in metrics.items():
            data.append(
                {
                    "MetricName": name,
                    "Dimensions": dimensions,
                    "Timestamp": now,
                    "Unit": UNITS[name],
                    "StatisticValues": {
                        "Sum": values.total,
                        "Minimum": values.least,
                        "Maximum": values.most,
                        "SampleCount": values.count,
                    },
                }
            )
    if data:
        backend = cloudwatch(context)
        backend.put_metric_data(NAMESPACE, data)
        del backend.metric_data[:-MOST_DATA]


def evaluate(context: Context, meter: Meter, seconds: Callable[[float], float]) -> None:
    """Set the states of all alarms about endpoints. `seconds` shortens a period."""
    if "moto.cloudwatch.models" not in sys.modules:
        return  # nobody has made an alarm yet
    for alarm in list(cloudwatch(context).alarms.values()):
        dimensions = {dimension.name: dimension.value for dimension in alarm.dimensions or []}
        if alarm.namespace != NAMESPACE or "EndpointName" not in dimensions:
            continue
        if alarm.statistic not in _STATISTICS or alarm.comparison_operator not in _COMPARE:
            continue
        windows = meter.windows(
            meter.keys(dimensions["EndpointName"], dimensions.get("VariantName")),
            alarm.metric_name,
            seconds(float(alarm.period or 60)),
            int(alarm.evaluation_periods or 1),
        )
        state = judge(
            windows,
            alarm.statistic,
            alarm.comparison_operator,
            float(alarm.threshold),
            int(alarm.datapoints_to_alarm or alarm.evaluation_periods or 1),
            alarm.treat_missing_data or "missing",
        )
        if state is not None and state != alarm.state_value:
            alarm.update_state(f"Threshold {alarm.comparison_operator} {alarm.threshold:g}", "{}", state)


def judge(
    windows: Sequence[Statistics | None],
    statistic: str,
    comparison: str,
    threshold: float,
    datapoints: int,
    missing: str,
) -> str | None:
    """The state that the windows give an alarm, None to leave it as it is. Pure.

    Without any value the state stays, unless missing values count as `breaching` or `notBreaching`.
    """
    breaching = 0
    for values in windows:
        if values is None:
            breaching += missing == "breaching"
        else:
            breaching += _COMPARE[comparison](_STATISTICS[statistic](values), threshold)
    if all(values is None for values in windows) and missing in ("missing", "ignore"):
        return None
    return "ALARM" if breaching >= datapoints else "OK"
