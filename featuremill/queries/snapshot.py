"""The snapshot table: one row an entity, as of the cutoff of `ds`."""

from __future__ import annotations

from featuremill.queries.aggregates import Place
from featuremill.queries.plan import Feature, Plan, listed
from featuremill.spec.models import has_entity


def snapshot_query(plan: Plan) -> tuple[str, list[tuple[str, str]], list[str]]:
    """The final SELECT, the columns with their types, and the order of the rows. Adds CTEs to the plan."""
    entity, pipeline = plan.pipeline.entity, plan.pipeline
    spine = pipeline.spine
    by_entity = [s for s in _sources(plan) if has_entity(pipeline, s)]
    for source in by_entity:
        _grouped(plan, source, None, f"of_{source}")
    joins = []
    for number, (source, by) in enumerate(plan.groups()):
        if by is not None and (plan.aggregates(source, by) or source != spine):
            _grouped(plan, source, by, f"by_{number}")
            joins.append(f"LEFT JOIN by_{number} ON of_{spine}.{plan.q(by)} = by_{number}.__m")
    if len(by_entity) == 1:
        base = f"FROM of_{by_entity[0]}"
        key = f"of_{by_entity[0]}.__m"
    else:
        union = "\nUNION\n".join(f"SELECT __m FROM of_{source}" for source in by_entity)
        plan.ctes.add("entities", union)
        base = "FROM entities\n" + "\n".join(f"LEFT JOIN of_{s} ON entities.__m = of_{s}.__m" for s in by_entity)
        key = "entities.__m"
    as_of = plan.dialect.stored(plan.as_of(str(plan.cutoff)), "timestamp")
    columns = [f"{key} AS {plan.q(entity.key)}", f"{as_of} AS as_of"]
    columns += [plan.stored(feature, feature.inner) for feature in plan.features]
    sql = "\n".join([f"SELECT\n  {listed(columns)}", base, *joins])
    types = [(entity.key, str(entity.type)), ("as_of", "timestamp")]
    types += [(feature.column.name, plan.types[feature.inner]) for feature in plan.features]
    return sql, types, [entity.key]


def _sources(plan: Plan) -> list[str]:
    """The sources whose rows say something of an entity: the spine, and those that features read."""
    names = [plan.pipeline.spine] if plan.pipeline.spine else []
    return list(dict.fromkeys([*names, *(source for source, by in plan.groups() if by is None)]))


def _grouped(plan: Plan, source: str, by: str | None, name: str) -> None:
    """Add CTE `name`: one row a value `__m` of the match column, with aggregates and selects of the newest row."""
    terms = plan.terms(source)
    match = by or plan.pipeline.entity.key
    is_spine = source == plan.pipeline.spine
    key = plan.q(terms.source.key_column)
    aggregates = [] if terms.source.is_static else plan.aggregates(source, by)
    selects = _selects(plan, source, by)
    carried = _carried(plan) if is_spine and by is None else []
    columns = [c for c in terms.types if c in {*plan.columns_of_selects(selects, terms.types), *carried}]
    place = Place("", str(plan.cutoff), plan.cutoff)
    parts = [f"{plan.q(match)} AS __m", *(plan.aggregate(f, terms, place, key) for f in aggregates)]
    if selects or columns:
        order = key if terms.source.is_static else plan.dialect.order_pair("__t", key)
        parts.append(f"{plan.dialect.value_at_greatest(plan.row_struct(columns), order)} AS __row")
    grouped = (
        f"SELECT\n  {listed(parts)}\nFROM {terms.name}\nWHERE {plan.q(match)} IS NOT NULL\nGROUP BY {plan.q(match)}"
    )
    if not (selects or columns):
        plan.ctes.add(name, grouped)
        return
    inner = plan.ctes.add(f"{name}_grouped", grouped)
    kept = ["__m", *(feature.inner for feature in aggregates)]
    opened = [*kept, *plan.unpacked(columns), f"{plan.as_of(str(plan.cutoff))} AS as_of"]
    unpacked = plan.ctes.add(f"{name}_newest", f"SELECT\n  {listed(opened)}\nFROM {inner}")
    final = [*kept, *(plan.q(c) for c in carried), *(plan.select(feature, terms.types) for feature in selects)]
    plan.ctes.add(name, f"SELECT\n  {listed(final)}\nFROM {unpacked}")


def _selects(plan: Plan, source: str, by: str | None) -> list[Feature]:
    """The spine's selects read the entity's own newest row, whatever their block is matched by."""
    if source != plan.pipeline.spine:
        return plan.selects(source, by)
    if by is not None:
        return []
    return [f for s, b in plan.groups() if s == source for f in plan.selects(source, b)]


def _carried(plan: Plan) -> list[str]:
    """The columns of the spine's newest row that other blocks are matched by."""
    return list(dict.fromkeys(by for _, by in plan.groups() if by is not None))
