"""The rows of one landing as Spark frames: every record with its typed values, or with what is wrong with it."""

from __future__ import annotations

from collections import defaultdict
from functools import reduce

from pyspark.sql import DataFrame, SparkSession

from featuremill.queries.typing import field_typing
from featuremill.spec.models import GENERATED_KEY
from featuremill.steps.jobs import IngestJob
from spark_jobs.lines import IndexedFile, Records, read_records
from spark_jobs.output import array_of, quoted
from spark_jobs.tokens import Tokeniser, shown_line

FILE, LINE, TEXT, WRONG, BAD = "__file", "__line", "__text", "__wrong", "__bad"
_FIELDS = "__fields"

Layout = tuple[str | None, ...]


class Landing:
    """The files of a job, read but not run. To be used inside `steady_blocks`."""

    def __init__(self, spark: SparkSession, job: IngestJob) -> None:
        self._job = job
        self._typing = field_typing("spark", job.source.connector)
        self._place = {name: index for index, name in enumerate(job.source.columns)}
        self._tokeniser = Tokeniser.of(job.source.connector)
        layouts: dict[Layout, list[IndexedFile]] = defaultdict(list)
        for index, file in enumerate(job.files):
            layouts[file.fields].append((index, file))
        self._records = {layout: read_records(spark, files, self._tokeniser) for layout, files in layouts.items()}
        self.rows = sum(records.count for records in self._records.values())

    @property
    def key(self) -> str:
        return self._job.source.key_column

    @property
    def columns(self) -> list[str]:
        """The columns of the typed table."""
        return [*([GENERATED_KEY] if self._job.source.key is None else []), *self._job.source.columns]

    def typed(self) -> DataFrame:
        """The rows that are right, a key as often as it comes: the typed columns, `__file` and `__line`, `__text`."""
        return self._parsed().where(f"{WRONG} IS NULL AND NOT {BAD}")

    def rejected(self) -> DataFrame:
        """The rows that are not: raw_line, kind, reason, `__file`, `__line`."""
        rows = self._parsed().where(f"{WRONG} IS NOT NULL OR {BAD}")
        problems = ", ".join(
            self._typing.problem(name, self._text(name), quoted(name), column, required=name in self._job.required)
            for name, column in self._job.source.parsed_columns.items()
        )
        invalid = f"WHEN {self._any_broken()} THEN 'invalid'"
        return rows.selectExpr(
            f"{shown_line(TEXT)} AS raw_line",
            f"CASE WHEN {WRONG} IS NOT NULL THEN 'malformed' {invalid} ELSE 'missing' END AS kind",
            f"coalesce({WRONG}, concat_ws('; ', {problems})) AS reason",
            FILE,
            LINE,
        )

    def repeated(self) -> DataFrame:
        """The right rows whose key comes again later: raw_line, kind, reason, `__file`, `__line`."""
        column = self._job.source.columns.get(self.key)
        key = self._typing.key_text(quoted(self.key), column.type if column else "string")
        names = array_of(file.name for file in self._job.files)
        last = f"max(struct({FILE}, {LINE})) OVER (PARTITION BY {quoted(self.key)})"
        rows = self.typed().select(self.key, FILE, LINE, TEXT).selectExpr("*", f"{last} AS __last")
        return rows.where(f"__last <> struct({FILE}, {LINE})").selectExpr(
            f"{TEXT} AS raw_line",
            "'duplicate' AS kind",
            f"concat('key ', {key}, ' comes again in line ', __last.{LINE}, ' of ', {names}[__last.{FILE}]) AS reason",
            FILE,
            LINE,
        )

    def _parsed(self) -> DataFrame:
        parsed = [self._of_layout(layout, records) for layout, records in self._records.items()]
        return reduce(DataFrame.unionAll, parsed)

    def _of_layout(self, layout: Layout, records: Records) -> DataFrame:
        """Fields by their place in this layout's files, and values by their names."""
        spec = self._job.source
        parsed = spec.parsed_columns
        lines = records.frame.selectExpr(f"file AS {FILE}", f"line_number AS {LINE}", f"text AS {TEXT}")
        judged = lines.selectExpr("*", f"{self._tokeniser.problem(TEXT)} AS {WRONG}")
        split = judged.selectExpr(
            "*", f"CASE WHEN {WRONG} IS NULL THEN {self._tokeniser.fields(TEXT)} END AS {_FIELDS}"
        )
        found = f"size({_FIELDS})"
        number = f"concat({found}, ' fields, expected {len(layout)}')"
        wrong = f"coalesce({WRONG}, CASE WHEN {found} <> {len(layout)} THEN {number} END)"
        declared = f"CASE WHEN {found} = {len(layout)} THEN {_in_declared_order(layout, list(spec.columns))} END"
        ordered = split.selectExpr(FILE, LINE, TEXT, f"{wrong} AS {WRONG}", f"{declared} AS {_FIELDS}")
        values = [f"{self._typing.value(self._text(name), parsed[name])} AS {quoted(name)}" for name in spec.columns]
        if spec.key is None:
            key = self._typing.row_key({name: self._text(name) for name in spec.columns}, parsed)
            values.insert(0, f"{key} AS {quoted(GENERATED_KEY)}")
        typed = ordered.selectExpr("*", *values)
        missing = "".join(f" OR {quoted(name)} IS NULL" for name in self._job.required if name in spec.columns)
        return typed.selectExpr("*", f"({self._any_broken()}{missing}) AS {BAD}")

    def _text(self, column: str) -> str:
        """The text of a declared column's field."""
        return f"{_FIELDS}[{self._place[column]}]"

    def _any_broken(self) -> str:
        broken = (
            self._typing.broken(self._text(name), quoted(name), column)
            for name, column in self._job.source.parsed_columns.items()
        )
        return " OR ".join(test for test in broken if test != "false") or "false"


def _in_declared_order(layout: Layout, columns: list[str]) -> str:
    """The fields of a file as those of the declared columns, null for what the file lacks."""
    if list(layout) == columns:
        return _FIELDS
    place = {name: f"{_FIELDS}[{index}]" for index, name in enumerate(layout) if name is not None}
    return f"array({', '.join(place.get(name, 'CAST(NULL AS STRING)') for name in columns)})"
