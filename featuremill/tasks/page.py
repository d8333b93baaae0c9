"""A pipeline's page for people, in Markdown: what it is about, what it reads, its features, its model."""

from __future__ import annotations

from featuremill.spec.models import Pipeline
from featuremill.warehouse.tables import column_comments


def page(pipeline: Pipeline) -> str:
    parts = [
        pipeline.description or f"Features of `{pipeline.entity.key}`.",
        f"One row a `{pipeline.entity.key}` ({pipeline.entity.type}); the file is "
        f"`configuration/pipelines/{pipeline.pipeline}.yaml`.",
        "### Sources",
        _table(("source", "files", "columns", "expectations", "about"), _sources(pipeline)),
        "### Features",
        _table(("feature", "what it is"), _features(pipeline)),
    ]
    if pipeline.label is not None:
        label = pipeline.label
        parts += ["### Label", f"`{label.source}.{label.column}`, {label.task}."]
    if pipeline.training is not None:
        instances = pipeline.training.instances
        when = pipeline.training.schedule or "once, and by hand"
        parts += ["### Model", f"Trained {when}, on {instances.count} × {instances.type}."]
        bounds = pipeline.training.accept.model_dump(mode="json", exclude_defaults=True)
        if bounds:
            parts.append(f"Goes live if: `{bounds}`.")
    if pipeline.monitor is not None:
        drift = pipeline.monitor.drift
        then = "; a model is then due" if drift.train and pipeline.training is not None else ""
        parts += ["### Monitoring", f"A feature or a prediction has shifted from a PSI of {drift.psi:g} on{then}."]
    return "\n\n".join(parts) + "\n"


def _sources(pipeline: Pipeline) -> list[tuple[str, ...]]:
    return [
        (
            f"`{name}`",
            f"`{source.connector.path}`",
            str(len(source.columns)),
            str(len(source.expect)),
            _one_line(source),
        )
        for name, source in pipeline.sources.items()
    ]


def _one_line(source: object) -> str:
    return " ".join((getattr(source, "description", None) or "").split())


def _features(pipeline: Pipeline) -> list[tuple[str, ...]]:
    comments = column_comments(pipeline, "snapshot")
    hidden = {pipeline.entity.key, "as_of"}
    return [(f"`{name}`", " ".join(text.split())) for name, text in comments.items() if name not in hidden]


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
