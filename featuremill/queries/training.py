"""The training table: one row a row of the spine source, as of its event time."""

from __future__ import annotations

from featuremill.queries.aggregates import Frame, Place, frame_of
from featuremill.queries.plan import Feature, Plan, Terms, listed
from featuremill.spec.columns import AggregateColumn

_EARLIER = Frame(over=None, known_after=0)


def training_query(plan: Plan) -> tuple[str, list[tuple[str, str]], list[str]]:
    """The final SELECT, the columns with their types, and the order of the rows. Adds CTEs to the plan."""
    spine = plan.pipeline.spine
    assert spine is not None, "a pipeline without spine has no training table"
    terms = plan.terms(spine)
    entity, key = plan.pipeline.entity.key, terms.source.key_column
    _spine_features(plan, spine, terms)
    joins = []
    for number, (source, by) in enumerate(plan.groups()):
        if source != spine:
            other = _static_block if plan.pipeline.sources[source].is_static else _timed_block
            other(plan, terms, source, by, f"at_{number}")
            joins.append(f"LEFT JOIN at_{number} ON spine.{plan.q(key)} = at_{number}.__spine")
    keys = list(dict.fromkeys([entity, key]))
    as_of = plan.dialect.stored("spine.as_of", "timestamp")
    columns = [*(f"spine.{plan.q(name)} AS {plan.q(name)}" for name in keys), f"{as_of} AS as_of"]
    columns += [plan.stored(feature, feature.inner) for feature in plan.features]
    types = [(name, terms.types[name]) for name in keys] + [("as_of", "timestamp")]
    types += [(feature.column.name, plan.types[feature.inner]) for feature in plan.features]
    label = plan.pipeline.label
    if label is not None:
        kind = terms.types[label.column]
        known = (
            f"CASE WHEN spine.__t <= {plan.cutoff - label.available_after.micros} THEN spine.{plan.q(label.column)} END"
        )
        columns.append(f"{plan.dialect.stored(known, kind)} AS {plan.q(label.column)}")
        types.append((label.column, kind))
    sql = "\n".join([f"SELECT\n  {listed(columns)}", "FROM spine", *joins])
    return sql, types, list(dict.fromkeys([entity, "as_of", key]))


def _spine_features(plan: Plan, spine: str, terms: Terms) -> None:
    """Add the CTE `spine`: the spine's rows with the features of its own blocks."""
    groups = [by for source, by in plan.groups() if source == spine]
    aggregates = [feature for by in groups for feature in plan.aggregates(spine, by)]
    selects = [feature for by in groups for feature in plan.selects(spine, by)]
    timed = plan.ctes.add("timed", f"SELECT *, {plan.as_of('__t')} AS as_of\nFROM {terms.name}")
    calls, windows = _windowed(plan, terms, aggregates, plan.q(terms.source.key_column))
    columns = ["*", *calls, *(plan.select(feature, terms.types) for feature in selects)]
    plan.ctes.add("spine", f"SELECT\n  {listed(columns)}\nFROM {timed}{windows}")


def _windowed(
    plan: Plan, terms: Terms, aggregates: list[Feature], key: str, match: str | None = None
) -> tuple[list[str], str]:
    """The aggregate calls over named windows, and the WINDOW clause that defines those."""
    windows: dict[str, str] = {}
    calls = []
    for feature in aggregates:
        column = feature.column
        assert isinstance(column, AggregateColumn)
        frame = frame_of(column)
        partition = match or plan.q(feature.by or plan.pipeline.entity.key)
        name = _window_name(column, feature.by if match is None else None)
        windows[name] = frame.window(partition)
        calls.append(plan.aggregate(feature, terms, Place(f" OVER {name}", "__t", None), key))
    clause = ",\n  ".join(f"{name} AS {window}" for name, window in windows.items())
    return calls, f"\nWINDOW\n  {clause}" if windows else ""


def _window_name(column: AggregateColumn, by: str | None) -> str:
    parts = ["w", str(column.over) if column.over else "all"]
    if column.aggregate.known_after.micros:
        parts += ["after", str(column.aggregate.known_after)]
    if by:
        parts += ["by", by.replace("-", "_")]
    return "_".join(parts)


def _timed_block(plan: Plan, spine: Terms, source: str, by: str | None, name: str) -> None:
    """Add CTE `name`: for each spine row the features of another source's rows before it.

    The spine's rows and the source's run in one stream of time; only the source's rows have values, and only the
    spine's rows are kept.
    """
    terms = plan.terms(source)
    match = plan.q(by or plan.pipeline.entity.key)
    key, spine_key = plan.q(terms.source.key_column), plan.q(spine.source.key_column)
    selects, aggregates = plan.selects(source, by), plan.aggregates(source, by)
    columns = plan.columns_of_selects(selects, terms.types)
    row = plan.row_struct(columns)
    carried = [*terms.added, "__key", *(["__row"] if selects else [])]
    theirs = [f"{match} AS __m", "__t", *terms.added, f"{key} AS __key", *([f"{row} AS __row"] if selects else [])]
    ours = [f"{match} AS __m", "__t", *(f"NULL AS {column}" for column in carried), f"{spine_key} AS __spine"]
    stream = (
        f"SELECT\n  {listed([*theirs, 'NULL AS __spine'])}\nFROM {terms.name}\nWHERE {match} IS NOT NULL\n"
        f"UNION ALL\nSELECT\n  {listed(ours)}\nFROM {spine.name}"
    )
    merged = plan.ctes.add(f"{name}_stream", stream)
    calls, windows = _windowed(plan, terms, aggregates, "__key", match="__m")
    if selects:
        newest = plan.dialect.value_at_greatest(
            "__row", f"CASE WHEN __spine IS NULL THEN {plan.dialect.order_pair('__t', '__key')} END"
        )
        calls.append(f"{newest} OVER {_EARLIER.window('__m')} AS __newest")
    seen = plan.ctes.add(f"{name}_seen", f"SELECT\n  {listed(['__spine', '__t', *calls])}\nFROM {merged}{windows}")
    inner = [feature.inner for feature in aggregates]
    if not selects:
        plan.ctes.add(name, f"SELECT\n  {listed(['__spine', *inner])}\nFROM {seen}\nWHERE __spine IS NOT NULL")
        return
    opened = ["__spine", *inner, "__newest.__there AS __there", f"{plan.as_of('__t')} AS as_of"]
    opened += [f"__newest.{plan.q(column)} AS {plan.q(column)}" for column in columns]
    unpacked = plan.ctes.add(f"{name}_newest", f"SELECT\n  {listed(opened)}\nFROM {seen}\nWHERE __spine IS NOT NULL")
    kept = [plan.select(feature, terms.types, only_if="__there") for feature in selects]
    plan.ctes.add(name, f"SELECT\n  {listed(['__spine', *inner, *kept])}\nFROM {unpacked}")


def _static_block(plan: Plan, spine: Terms, source: str, by: str | None, name: str) -> None:
    """Add CTE `name`: for each spine row the selects of the static table's row that it matches."""
    terms = plan.terms(source)
    match = plan.q(by or plan.pipeline.entity.key)
    selects = plan.selects(source, by)
    columns = plan.columns_of_selects(selects, terms.types)
    newest = plan.dialect.value_at_greatest(plan.row_struct(columns), plan.q(terms.source.key_column))
    grouped = (
        f"SELECT {match} AS __m, {newest} AS __row\nFROM {terms.name}\nWHERE {match} IS NOT NULL\nGROUP BY {match}"
    )
    rows = plan.ctes.add(f"{name}_rows", grouped)
    spine_columns = [
        f"{spine.name}.{plan.q(spine.source.key_column)} AS __spine",
        f"{plan.as_of(f'{spine.name}.__t')} AS as_of",
    ]
    joined = (
        f"SELECT\n  {listed([*spine_columns, *plan.unpacked(columns)])}\n"
        f"FROM {spine.name}\nJOIN {rows} ON {spine.name}.{match} = {rows}.__m"
    )
    unpacked = plan.ctes.add(f"{name}_joined", joined)
    kept = ["__spine", *(plan.select(feature, terms.types) for feature in selects)]
    plan.ctes.add(name, f"SELECT\n  {listed(kept)}\nFROM {unpacked}")
