"""The label can be learned."""

from __future__ import annotations

import re
from collections.abc import Iterator

from featuremill.spec.positions import YamlPath
from featuremill.spec.problems import Problem, did_you_mean
from featuremill.spec.rules.check import Check
from featuremill.spec.rules.spine import unfit_spine

_PRESETS = ("@once", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
_CRON_FIELD = re.compile(r"[0-9A-Za-z*/,\-#?]+")


def label_source_can_be_spine(check: Check) -> Iterator[Problem]:
    """The label's source exists and has a time and the entity: its rows are the training rows."""
    label = check.pipeline.label
    if label is not None:
        yield from unfit_spine(check, label.source, ("label", "from"), "the label")


def label_is_an_outcome(check: Check) -> Iterator[Problem]:
    """The label's column exists and is marked as outcome, so that no feature tells it."""
    label = check.pipeline.label
    if label is None or label.source not in check.pipeline.sources:
        return
    source, column = check.pipeline.sources[label.source], label.column
    if check.is_open(label.source) or check.is_lost(column):
        return
    if column not in source.columns and column not in source.derive:
        suggestion = did_you_mean(column, check.all_columns(label.source))
        message = f"the label's column `{column}` is not a column of `{label.source}`"
        yield check.document.problem(("label", "column"), message, suggestion)
    elif column not in check.outcomes(label.source):
        section = "columns" if column in source.columns else "derive"
        content = f"type: {source.columns[column].type}" if section == "columns" else "expression: ..."
        message = f"`{column}` is the label, so it is known only after the event, and is not marked so"
        path = ("sources", label.source, section, column)
        yield check.document.problem(path, message, f"write `{column}: {{{content}, outcome: true}}`", at_key=True)


def training_has_a_label(check: Check) -> Iterator[Problem]:
    """`training`, `endpoint` and `monitor` are about a model, which needs a label."""
    pipeline = check.pipeline
    if pipeline.label is None and pipeline.training is not None and not check.is_mended("label"):
        message = "`training` needs a `label`, what the model learns to tell"
        suggestion = "add `label: {from: ..., column: ..., task: binary}`, or leave `training` out"
        yield check.document.problem(("training",), message, suggestion, at_key=True)
    if pipeline.endpoint is not None and pipeline.training is None and not check.is_mended("training"):
        message = "`endpoint` needs `training`, which makes the model it serves"
        yield check.document.problem(("endpoint",), message, "add `training`, or leave `endpoint` out", at_key=True)


def endpoint_can_scale(check: Check) -> Iterator[Problem]:
    """The most instances are not fewer than the fewest."""
    endpoint = check.pipeline.endpoint
    if endpoint is not None and endpoint.instances.min > endpoint.instances.max:
        message = f"min {endpoint.instances.min} is more than max {endpoint.instances.max}"
        yield check.document.problem(("endpoint", "instances", "min"), message)


def schedules_are_cron(check: Check) -> Iterator[Problem]:
    """A schedule is a preset such as @daily, or the five fields of cron."""
    schedules: list[tuple[YamlPath, str | None]] = [(("schedule",), check.pipeline.schedule)]
    if check.pipeline.training is not None:
        schedules.append((("training", "schedule"), check.pipeline.training.schedule))
    for path, schedule in schedules:
        if schedule is None or schedule in _PRESETS:
            continue
        fields = schedule.split()
        if len(fields) != 5 or not all(map(_CRON_FIELD.fullmatch, fields)):
            suggestion = did_you_mean(schedule, _PRESETS) or "write @daily, or five fields of cron like 0 6 * * *"
            yield check.document.problem(path, f"`{schedule}` is not a schedule", suggestion)


RULES = (
    label_source_can_be_spine,
    label_is_an_outcome,
    training_has_a_label,
    endpoint_can_scale,
    schedules_are_cron,
)
