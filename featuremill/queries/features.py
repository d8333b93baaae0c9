"""The snapshot and training tables of a pipeline as SQL.

    training   one row a row of the spine source; as_of is the row's event time
    snapshot   one row an entity; as_of is the cutoff, midnight at the end of ds

Both have: the entity key, `as_of` (timestamp), the features in the order of the pipeline file. The training table also
has the spine's source key after the entity key (where it is another column), and the label last, null until it is
`available_after` old at the cutoff.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from featuremill.queries.dialects import DIALECTS
from featuremill.queries.expressions import Compiler
from featuremill.queries.plan import Plan, RangesBySource
from featuremill.queries.snapshot import snapshot_query
from featuremill.queries.training import training_query
from featuremill.spec.models import Pipeline


@dataclass(frozen=True)
class TableQuery:
    """A query over `landed_<source>` relations, its columns with Spark types, and the order that rows are kept in."""

    sql: str
    columns: tuple[tuple[str, str], ...]
    order_by: tuple[str, ...]


def table_query(
    pipeline: Pipeline,
    table: str,
    ds: str,
    dialect: str,
    compiler: Compiler,
    *,
    one_row_a_key: Mapping[str, bool] | None = None,
    ranges: RangesBySource | None = None,
) -> TableQuery:
    """The query that makes `table` (snapshot or training) for `ds`.

    `one_row_a_key` names the sources whose visible landings never repeat a key, so that nothing has to be dropped;
    `ranges` gives the magnitudes of numeric columns. Both come from manifests and only save work: the result is the
    same without them.
    """
    plan = Plan(pipeline, ds, DIALECTS[dialect], compiler, one_row_a_key or {}, ranges or {})
    build = {"snapshot": snapshot_query, "training": training_query}[table]
    select, columns, order_by = build(plan)
    return TableQuery(plan.ctes.render(select), tuple(columns), tuple(order_by))


def tables_of(pipeline: Pipeline) -> tuple[str, ...]:
    """The feature tables a pipeline has: no training table where no source can be its spine."""
    return ("snapshot", "training") if pipeline.spine else ("snapshot",)
