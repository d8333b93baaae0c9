"""The predictions of a snapshot, made in this process by the code that serves the endpoint."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from featuremill.errors import DataError
from featuremill.local_engine.location import local_folder
from featuremill.local_engine.tables import SNAPSHOT_ROW_GROUP
from featuremill.steps.jobs import ScoreJob, TableReport

_BATCH_ROWS = 65_536


def score(job: ScoreJob) -> TableReport:
    """Write `part-00000.parquet` with the rows in the snapshot's order.

    Raises DataError where the snapshot has not the columns that the model wants, or the model is damaged.
    """
    from training_image.batch import score as score_batches
    from training_image.batch import scored_schema
    from training_image.prediction import ArtefactError, Model
    from training_image.preparing import InputError

    keep = [job.entity, "as_of"]
    parts = sorted(local_folder(job.snapshot_dir).glob("part-*.parquet"))
    target = Path(job.target_dir) / "part-00000.parquet"
    rows = 0
    try:
        model = Model.load(Path(job.model_dir))
        wanted = [*keep, *(feature.name for feature in model.manifest.features)]
        given = pq.read_schema(parts[0])
        missing = [name for name in wanted if name not in given.names]
        if missing:
            raise DataError(_unfit(job, f"it has no column {', '.join(missing)}"))
        schema = scored_schema(model, pa.schema([given.field(name) for name in dict.fromkeys(wanted)]), keep)
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for part in parts:
                batches = pq.ParquetFile(part).iter_batches(_BATCH_ROWS, columns=list(dict.fromkeys(wanted)))
                for scored in score_batches(model, batches, schema, keep, job.version):
                    writer.write_batch(scored, row_group_size=SNAPSHOT_ROW_GROUP)
                    rows += scored.num_rows
    except InputError as error:
        raise DataError(_unfit(job, str(error))) from error
    except ArtefactError as error:
        raise DataError(f"{job.pipeline}: model {job.version} cannot be used: {error}") from error
    return TableReport(rows=rows)


def _unfit(job: ScoreJob, why: str) -> str:
    return (
        f"{job.pipeline}.snapshot ds={job.ds} does not fit the model {job.version}: {why}. Train a model on the "
        f"features as they are now: featuremill train {job.pipeline} --ds {job.ds}"
    )
