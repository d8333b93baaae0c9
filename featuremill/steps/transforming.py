"""Predictions of a snapshot by SageMaker's batch transform, the alternative to scoring on an engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from featuremill.errors import UsageError
from featuremill.sagemaker.batch import BatchRequest, batch_predict
from featuremill.sagemaker.staging import AS_OF
from featuremill.steps.jobs import ScoreJob, TableReport
from featuremill.steps.modelling import SageMakerModels

_BATCH_ROWS = 50_000
_ROW_GROUP = 20_480
"""Rows a row group of a table that is read by id."""


@dataclass
class BatchTransform:
    """Predictions by SageMaker's batch transform: as `Engine.score` makes them, on instances of SageMaker."""

    models: SageMakerModels
    name = "transform"

    def score(self, job: ScoreJob) -> TableReport:
        """Raises TransformFailed with SageMaker's reason."""
        from training_image.prediction import arrow_type

        models = self.models
        version = models.registry.version(job.version)
        manifest = models.loaded(version).manifest
        if manifest.task == "one_vs_rest":
            raise UsageError("batch transform answers for label values that a row asks for; score with local or spark")
        features = [feature.name for feature in manifest.features]
        keep = [job.entity, AS_OF]
        snapshot = pq.read_table(job.snapshot_dir, columns=list(dict.fromkeys([*keep, *features])))
        request = BatchRequest(
            model=version,
            ds=job.ds,
            fingerprint=job.snapshot_fingerprint,
            features=features,
            label=manifest.label,
            label_type=arrow_type(manifest.label_type),
            hosts=models.hosts,
        )
        batches = snapshot.to_batches(max_chunksize=_BATCH_ROWS)
        predicted = batch_predict(models.clients, request, batches, self._status)
        table = snapshot.select(keep)
        for name in predicted.column_names:
            table = table.append_column(name, predicted[name])
        table = table.append_column("model_version", pa.repeat(job.version, table.num_rows))
        pq.write_table(
            table, Path(job.target_dir) / "part-00000.parquet", compression="zstd", row_group_size=_ROW_GROUP
        )
        return TableReport(rows=table.num_rows)

    def _status(self, text: str) -> None:
        self.models.say(f"transform job {text}")
