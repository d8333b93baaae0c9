"""`featuremill predict` and `featuremill batch-predict`: predictions for the rows of a file, and for every entity."""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from featuremill.cli.options import PipelineArgument, ProjectOption, one_day
from featuremill.cli.printing import err, note, out, print_warning
from featuremill.cli.runs import EngineName, Training, Until, run_days
from featuremill.cli.workspace import Workspace, open_workspace
from featuremill.connectors.request_files import (
    FileType,
    RequestRows,
    as_source_rows,
    has_columns,
    read_request_file,
    wrong_rows,
)
from featuremill.errors import DataError, UsageError
from featuremill.spec.models import Pipeline

if TYPE_CHECKING:
    from featuremill.sagemaker.records import ModelVersion
    from featuremill.steps.modelling import SageMakerModels
    from featuremill.steps.predicting import Body, Predicts
    from training_image.artefact import ModelManifest


class Kind(StrEnum):
    csv = "csv"
    json = "json"


class Scorer(StrEnum):
    local = "local"
    spark = "spark"
    transform = "transform"


def predict(
    name: PipelineArgument,
    file: Annotated[Path, typer.Option("--file", metavar="FILE", help="The rows: CSV with a header, or JSON.")],
    kind: Annotated[Kind, typer.Option("--type", help="What the file is.")] = Kind.csv,
    local: Annotated[bool, typer.Option("--local", help="In this process, not by the endpoint.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Also what each feature contributed.")] = False,
    model: Annotated[
        str | None, typer.Option("--model", metavar="VERSION", help="With --local: this model, not the live one.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write there instead.")] = None,
    project: ProjectOption = None,
) -> None:
    """Predict for the rows of a file, by the endpoint or, where there is none, in this process.

    The columns are either the model's features, or the raw columns of the label's source: then the features are
    computed from them as in training, which needs a pipeline without aggregates. Answers are of the file's type, one a
    row, in order. Exit code 1, and no answer, if a row cannot be taken.
    """
    workspace = open_workspace(project)
    pipeline = workspace.pipeline(name)
    if model is not None and not local:
        raise UsageError("--model goes with --local: the endpoint answers with the model that it runs")
    models = workspace.models(pipeline, note)
    version = models.registry.version(model) if model else models.live()
    if version is None:
        raise UsageError(f"{name} has no live model; train one: featuremill train {name} --ds DAY")
    loaded = models.loaded(version)
    delimiter = pipeline.sources[pipeline.spine].connector.delimiter if pipeline.spine else ","
    rows = read_request_file(file, kind.value, delimiter)
    bodies = _bodies(workspace, pipeline, loaded.manifest, file, kind.value, rows)
    answers = list(_answers(pipeline, models, version, loaded, bodies, local, explain))
    _write(answers, kind, output)


def _bodies(
    workspace: Workspace, pipeline: Pipeline, manifest: ModelManifest, file: Path, kind: FileType, rows: RequestRows
) -> Iterator[Body]:
    from featuremill.steps.predicting import csv_bodies, json_bodies

    features = [feature.name for feature in manifest.features]
    asked = [*features, *([manifest.label] if manifest.task == "one_vs_rest" else [])]
    if has_columns(rows, asked):
        chosen = [{column: record[column] for column in asked} for record in rows.records]
        return csv_bodies([list(one.values()) for one in chosen]) if kind == "csv" else json_bodies(chosen)
    return json_bodies(_computed(workspace, pipeline, features, file, rows))


def _computed(
    workspace: Workspace, pipeline: Pipeline, features: Sequence[str], file: Path, rows: RequestRows
) -> list[Any]:
    """The features of raw rows."""
    from featuremill.local_engine.request import features_of_rows
    from featuremill.local_engine.session import LocalSettings
    from featuremill.sagemaker.payloads import records

    assert pipeline.spine is not None
    source = pipeline.sources[pipeline.spine]
    computed = features_of_rows(pipeline, as_source_rows(rows, source), LocalSettings(workspace.state / "scratch"))
    if computed.problems:
        raise DataError(wrong_rows(file, rows, computed.problems))
    return list(records(computed.table, features))


def _answers(
    pipeline: Pipeline,
    models: SageMakerModels,
    version: ModelVersion,
    loaded: Any,
    bodies: Iterator[Body],
    local: bool,
    explain: bool,
) -> Iterator[dict[str, Any]]:
    from featuremill.sagemaker.names import endpoint_name
    from featuremill.steps.predicting import by_endpoint, in_process, predictions

    by: Predicts
    if local or pipeline.endpoint is None:
        err.print(f"model {version.version}, in this process", style="dim")
        by = in_process(loaded)
    else:
        endpoint = endpoint_name(pipeline.pipeline)
        err.print(f"model {version.version}, by endpoint {endpoint}", style="dim")
        by = by_endpoint(models.clients, endpoint)
    yield from predictions(bodies, by, explain)


def _write(answers: list[dict[str, Any]], kind: Kind, output: Path | None) -> None:
    flagged = sum("flags" in answer for answer in answers)
    if flagged:
        print_warning(f"{flagged} of {len(answers)} rows have values that the model never saw; see `flags`")
    if output is None:
        _print(answers, kind, sys.stdout)
        return
    unfinished = output.with_name(f".{output.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as stream:
            _print(answers, kind, stream)
        unfinished.replace(output)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise DataError(f"cannot write {output}: {error.strerror or error}") from error
    out.print(f"{len(answers):,} predictions to {output}")


def _print(answers: list[dict[str, Any]], kind: Kind, stream: TextIO) -> None:
    if kind is Kind.json:
        stream.write("[\n" + ",\n".join(json.dumps(answer, ensure_ascii=False) for answer in answers) + "\n]\n")
        return
    columns = list(dict.fromkeys(column for answer in answers for column in answer))
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_cell(answer.get(column)) for column in columns] for answer in answers])


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def batch_predict(
    name: PipelineArgument,
    ds: Annotated[str, typer.Option("--ds", metavar="DAY", help="The day (YYYY-MM-DD) of the snapshot.")],
    by: Annotated[
        Scorer | None,
        typer.Option("--with", help="local, spark, or transform: SageMaker's batch transform. Left out: the engine."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write to *.parquet or *.csv and publish nothing.")
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Predict for every entity of a day's snapshot with the live model, and publish the predictions.

    All three ways give the same numbers. Nothing is trained.
    """
    workspace = open_workspace(project)
    pipeline = workspace.pipeline(name)
    day = one_day(ds)
    if output is not None:
        if output.suffix not in (".parquet", ".csv"):
            raise UsageError(f"{output}: the name has to end in .parquet or .csv, which says the format")
        rows = _score_into(workspace, pipeline, day, by, output)
        out.print(f"{rows:,} predictions to {output}")
        return
    use = workspace.model_use(pipeline, day, workspace.models(pipeline), trains=False)
    if use is None or use.live is None:
        raise UsageError(f"{name} has no model of {day} or before; train one: featuremill train {name} --ds DAY")
    engine = EngineName(by.value) if by in (Scorer.local, Scorer.spark) else None
    training = Training(trains=False)
    run_days(workspace, pipeline, [day], Until.monitor, engine, training, transform=by is Scorer.transform)


def _score_into(workspace: Workspace, pipeline: Pipeline, day: str, by: Scorer | None, output: Path) -> int:
    """Predict into a file, from the snapshot that the warehouse has."""
    from featuremill.local_engine.export import export_partition
    from featuremill.steps.execution import score_job

    models = workspace.models(pipeline, note)
    use = workspace.model_use(pipeline, day, models, trains=False, by_hand=False)
    graph = workspace.graph(pipeline, day, use)
    step = next((step for step in graph.steps if step.kind == "score"), None)
    if step is None:
        raise UsageError(f"{pipeline.pipeline} has no model of {day} or before; train one: featuremill train")
    engines = workspace.engines(pipeline, by.value if by in (Scorer.local, Scorer.spark) else None)
    if by is Scorer.transform:
        from featuremill.steps.transforming import BatchTransform

        engines.score_with(BatchTransform(models))
    scratch = workspace.state / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=scratch, prefix="predictions-") as folder:
            job = score_job(workspace.workplace(pipeline, models), graph, step, folder)
            engines.for_scoring(step).score(job)
            return export_partition(folder, output)
    finally:
        engines.close()
