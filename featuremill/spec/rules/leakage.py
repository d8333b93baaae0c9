"""Nothing is told before it is known."""

from __future__ import annotations

from collections.abc import Iterator

from featuremill.spec.problems import Problem
from featuremill.spec.rules.check import Check


def selects_read_no_outcome(check: Check) -> Iterator[Problem]:
    """A `select` is about the moment of its row; outcomes come later."""
    for use in check.uses:
        if use.role != "select":
            continue
        outcomes = check.outcomes(use.source)
        for name in sorted(check.reads(use.text) & set(outcomes)):
            behind = outcomes[name]
            what = f"`{name}`" if name == behind else f"`{name}`, which is computed from `{behind}`"
            message = f"a `select` cannot read {what}: it is an outcome, known only after the event, in {use.shown}"
            suggestion = "an aggregate over earlier rows may, with `known_after`"
            yield check.document.problem(use.path, message, suggestion, offset=max(use.text.find(name), 0))


def aggregates_wait_for_the_label(check: Check) -> Iterator[Problem]:
    """Worth a second look: an aggregate that reads the label's column sooner than the label is known."""
    label = check.pipeline.label
    if label is None or label.source not in check.pipeline.sources:
        return
    readers = check.readers_of(label.source, {label.column})
    for index, block in enumerate(check.pipeline.features):
        if block.source != label.source:
            continue
        for name, aggregate in block.aggregate.items():
            texts = [text for text in (aggregate.argument, aggregate.where) if text and text.strip() != "*"]
            if aggregate.known_after.micros >= label.available_after.micros or check.is_mended("label"):
                continue
            if any(check.reads(text) & set(readers) for text in texts):
                message = (
                    f"`{name}` reads the label's column `{label.column}` {aggregate.known_after} after the event, "
                    f"but labels are available only after {label.available_after}"
                )
                path = ("features", index, "aggregate", name)
                suggestion = f"write `known_after: {label.available_after}`"
                yield check.document.problem(path, message, suggestion, at_key=True, severity="warning")


RULES = (selects_read_no_outcome, aggregates_wait_for_the_label)
