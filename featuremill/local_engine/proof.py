"""Proof, on a user's own rows, that a training row tells nothing of what came at or after its time.

For some moments `A` the landed rows are rewritten twice, into worlds that agree up to `A`: in one, all rows at or after
`A` are gone; in the other, all their values but key, entity and time are changed. In both, every training row with
`as_of <= A` has to be the very same, label aside. The training rows at `A` itself stay as they are, since they are what
is asked about; so do rows whose key is also there before `A`, since changing them would correct the past.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from featuremill.local_engine.sql import sql_text
from featuremill.queries.dialects import DIALECTS
from featuremill.queries.rows import source_types
from featuremill.spec.models import Pipeline
from featuremill.steps.jobs import SourceInput, TableJob, TableReport

if TYPE_CHECKING:
    import duckdb

_DUCKDB = DIALECTS["duckdb"]
_CHANGES = {
    "boolean": "NOT {c}",
    "int": "CASE WHEN {c} > 0 THEN {c} - 1 ELSE {c} + 1 END",
    "bigint": "CASE WHEN {c} > 0 THEN {c} - 1 ELSE {c} + 1 END",
    "double": "{c} + 1e0",
    "string": "{c} || '!'",
    "date": "{c} - 1",
    "timestamp": "{c} - to_microseconds(1)",
}
WORLDS = ("gone", "changed")


@dataclass(frozen=True)
class Comparison:
    """One world at one moment: how many training rows up to the moment were held against each other, and differed."""

    moment: datetime
    world: str
    rows: int
    different: int


class Proof:
    """The worlds of one pipeline and day. `build` makes a training table, with either engine."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        pipeline: Pipeline,
        ds: str,
        inputs: Mapping[str, SourceInput],
        build: Callable[[TableJob], TableReport],
        scratch: Path,
    ) -> None:
        self._connection, self._pipeline, self._ds = connection, pipeline, ds
        self._inputs, self._build, self._scratch = inputs, build, scratch
        self._base = self._training(inputs, "base")

    def moments(self, number: int) -> list[datetime]:
        """Event times, spread evenly over the training rows; the last is the newest."""
        steps = ", ".join(str((step + 1) / number) for step in range(number))
        found = self._connection.execute(
            f"SELECT DISTINCT make_timestamp(unnest(quantile_disc(epoch_us(as_of), [{steps}]))) AS moment "
            f"FROM {self._base} ORDER BY moment"
        )
        return [moment for (moment,) in found.fetchall() if moment is not None]

    def compare(self, moment: datetime, world: str) -> Comparison:
        """Build a world, make its training table and hold it against the true one."""
        name = f"{world}-{moment:%Y%m%d%H%M%S%f}"
        inputs = {source: self._rewritten(source, given, moment, world, name) for source, given in self._inputs.items()}
        other = self._training(inputs, name)
        label = self._pipeline.label
        columns = f'* EXCLUDE ("{label.column}")' if label else "*"
        upto = f"WHERE epoch_us(as_of) <= {_micros(moment)}"
        mine, theirs = (f"SELECT {columns} FROM {table} {upto}" for table in (self._base, other))
        counted = self._connection.execute(
            f"SELECT (SELECT count(*) FROM ({mine})), (SELECT count(*) FROM (({mine}) EXCEPT ALL ({theirs}))) "
            f"+ (SELECT count(*) FROM (({theirs}) EXCEPT ALL ({mine})))"
        ).fetchone()
        assert counted is not None
        return Comparison(moment, world, int(counted[0]), int(counted[1]))

    def _training(self, inputs: Mapping[str, SourceInput], name: str) -> str:
        target = self._scratch / name / "training"
        target.mkdir(parents=True)
        job = {"pipeline": self._pipeline, "table": "training", "ds": self._ds, "target_dir": str(target)}
        self._build(TableJob.model_validate({**job, "inputs": inputs}))
        return f"read_parquet({sql_text(str(target / '*.parquet'))}, hive_partitioning = false)"

    def _rewritten(self, source: str, given: SourceInput, moment: datetime, world: str, name: str) -> SourceInput:
        spec = self._pipeline.sources[source]
        if spec.time is None or not given.partitions:
            return given
        types = source_types(spec)
        time = _DUCKDB.time_micros(spec.time, types[spec.time.column])
        key = _DUCKDB.quote(spec.key_column)
        everything = ", ".join(sql_text(f"{part.location}/*.parquet") for part in given.partitions)
        past = f"SELECT {key} FROM read_parquet([{everything}], union_by_name = true) WHERE {time} < {_micros(moment)}"
        after = f"{time} >= {_micros(moment)} AND {key} NOT IN ({past})"
        if source == self._pipeline.spine:
            after += f" AND {time} <> {_micros(moment)}"
        partitions = []
        for part in given.partitions:
            folder = self._scratch / name / source / f"ds={part.ds}" / "world"
            folder.mkdir(parents=True)
            rows = f"read_parquet({sql_text(f'{part.location}/*.parquet')}, hive_partitioning = false)"
            if world == "gone":
                query = f"SELECT * FROM {rows} WHERE NOT ({after})"
            else:
                kept = {spec.key_column, spec.time.column, self._pipeline.entity.key}
                changed = [self._changed(c, kind, after) for c, kind in types.items() if c not in kept]
                query = f"SELECT * REPLACE ({', '.join(changed)}) FROM {rows}" if changed else f"SELECT * FROM {rows}"
            self._connection.execute(
                f"COPY ({query}) TO {sql_text(str(folder / 'part-00000.parquet'))} (FORMAT parquet)"
            )
            partitions.append(part.model_copy(update={"location": str(folder)}))
        return SourceInput(partitions=tuple(partitions))

    @staticmethod
    def _changed(column: str, kind: str, after: str) -> str:
        quoted = _DUCKDB.quote(column)
        return f"CASE WHEN {after} THEN {_CHANGES[kind].format(c=quoted)} ELSE {quoted} END AS {quoted}"


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)
