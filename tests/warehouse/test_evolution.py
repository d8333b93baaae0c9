from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from featuremill.warehouse.evolution import evolve, needs_partitions, readable_as
from featuremill.warehouse.hive_objects import Column

ID, AMOUNT = Column("id", "bigint"), Column("amount", "double")
_COLUMNS = st.dictionaries(
    st.sampled_from("abcdef"), st.sampled_from(["int", "bigint", "double", "string"]), min_size=1
).map(lambda chosen: tuple(Column(name, kind) for name, kind in chosen.items()))


def test_a_new_column_comes_last() -> None:
    change = evolve([ID], [AMOUNT, ID], {"2024-01-01": [ID]})
    assert change.columns == (ID, AMOUNT)
    assert change.withdrawn == ()


def test_a_column_stays_while_a_partition_has_it_and_goes_with_the_last() -> None:
    assert evolve([ID, AMOUNT], [ID], {"2024-01-01": [ID, AMOUNT]}).columns == (ID, AMOUNT)
    assert evolve([ID, AMOUNT], [ID], {"2024-01-01": [ID]}).columns == (ID,)


def test_int_and_bigint_are_read_as_bigint() -> None:
    narrow, wide = Column("n", "int"), Column("n", "bigint")
    assert evolve([narrow], [wide], {"2024-01-01": [narrow]}) == evolve([wide], [narrow], {"2024-01-01": [wide]})
    assert evolve([narrow], [wide], {"2024-01-01": [narrow]}).columns == (wide,)
    assert evolve([narrow], [wide], {"2024-01-01": [narrow]}).withdrawn == ()


def test_another_type_withdraws_the_partitions_that_hold_the_old_one() -> None:
    text = Column("amount", "string")
    change = evolve([ID, AMOUNT], [ID, text], {"2024-01-01": [ID, AMOUNT], "2024-01-02": [ID]})
    assert change.columns == (ID, text)
    assert change.withdrawn == ("2024-01-01",)


def test_a_new_comment_is_taken_over() -> None:
    said = Column("id", "bigint", "who")
    assert evolve([ID], [said], {}).columns == (said,)
    assert evolve([said], [ID], {}).columns == (said,)


@given(st.lists(_COLUMNS, min_size=1, max_size=5))
def test_every_published_partition_can_be_read_whatever_was_published(definitions: list[tuple[Column, ...]]) -> None:
    """One day after the other, each with columns of its own, the way `HiveCatalog.publish` does it."""
    table: tuple[Column, ...] = definitions[0]
    partitions: dict[str, tuple[Column, ...]] = {}
    for number, columns in enumerate(definitions):
        others = partitions if needs_partitions(table, columns) else {}
        change = evolve(table, columns, others)
        partitions = {ds: has for ds, has in partitions.items() if ds not in change.withdrawn}
        partitions[f"2024-01-{number + 1:02d}"] = columns
        kept = [column.name for column in table if column in change.columns]
        assert [column.name for column in change.columns if column.name in kept] == kept
        table = change.columns
        shown = {column.name: column.type for column in table}
        for has in partitions.values():
            assert all(readable_as(column.type, shown[column.name]) for column in has)
        assert evolve(table, columns, partitions) == type(change)(table, ())
