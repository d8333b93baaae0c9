"""The predictions of a snapshot on Spark: the model travels with the tasks, and rows are scored where they lie."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from featuremill.errors import DataError
from featuremill.steps.jobs import ScoreJob, TableReport
from spark_jobs.failures import spark_errors
from spark_jobs.output import LOOKUP_ROW_GROUP, glob_safe, quoted, write_parquet
from spark_jobs.tables import ROWS_PER_PART

if TYPE_CHECKING:
    from training_image.prediction import Model

Files = tuple[tuple[str, bytes], ...]
"""A model's files: their paths in its folder, and what is in them."""


def score(spark: SparkSession, job: ScoreJob) -> TableReport:
    """Write the predictions as sorted parquet. The numbers are those of `featuremill.local_engine.scoring`.

    Raises DataError where the snapshot has not the columns that the model wants, or the model is damaged.
    """
    from training_image.batch import scored_schema
    from training_image.prediction import ArtefactError
    from training_image.preparing import InputError

    keep = (job.entity, "as_of")
    files = _files(Path(job.model_dir))
    doing = f"{job.pipeline}.predictions ds={job.ds}"
    with spark_errors(doing, f"predictions of the model {job.version}"):
        try:
            model = _loaded(files)
            wanted = tuple(dict.fromkeys([*keep, *(feature.name for feature in model.manifest.features)]))
            snapshot = spark.read.parquet(glob_safe(job.snapshot_dir))
            missing = [name for name in wanted if name not in snapshot.columns]
            if missing:
                raise DataError(
                    f"{job.pipeline}.snapshot ds={job.ds} does not fit the model {job.version}: it has no column "
                    f"{', '.join(missing)}. Train a model on the features as they are now: "
                    f"featuremill train {job.pipeline} --ds {job.ds}"
                )
            given = snapshot.select(*map(quoted, wanted))
            schema = scored_schema(model, given.limit(0).toArrow().schema, keep)
        except (ArtefactError, InputError) as error:
            raise DataError(f"{doing}: the model {job.version} cannot be used: {error}") from error
        scored = given.mapInArrow(_task(files, schema, keep, job.version), from_arrow_schema(schema))
        parts = max(1, -(-job.rows // ROWS_PER_PART))
        arranged = scored.repartition(parts, quoted(job.entity)).sortWithinPartitions(quoted(job.entity))
        return TableReport(rows=write_parquet(spark, arranged, job.target_dir, LOOKUP_ROW_GROUP))


def _files(folder: Path) -> Files:
    """What prediction needs; reports for people stay behind."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".json", ".ubj"))
    return tuple((str(path.relative_to(folder)), path.read_bytes()) for path in paths)


@lru_cache(maxsize=1)
def _loaded(files: Files) -> Model:
    """The model, once a process. One thread: Spark runs a task a core."""
    from training_image.prediction import Model

    with tempfile.TemporaryDirectory(prefix="featuremill-model-") as folder:
        for name, content in files:
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return Model.load(Path(folder), threads=1)


def _task(
    files: Files, schema: pa.Schema, keep: tuple[str, ...], version: str
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def predict(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from training_image.batch import score as score_batches

        yield from score_batches(_loaded(files), batches, schema, keep, version)

    return predict
