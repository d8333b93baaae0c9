"""A pipeline file to make mistakes in: several sources, derived columns, matching by another column."""

from __future__ import annotations

from pathlib import Path

from featuremill.spec.loading import parse_pipeline

FILES = Path(__file__).parent / "files"
FILE = "shops.yaml"

SHOPS = """\
pipeline: shops
entity: {key: customer, type: bigint}
schedule: "@daily"
sources:
  orders:
    connector: {kind: csv, path: "{landing}/orders/ds={ds}/*.csv", delimiter: ";"}
    key: order_id
    time: {column: ordered, unit: ms}
    columns:
      order_id: bigint
      customer: bigint
      ordered: bigint
      shop: {type: string, required: true}
      amount: double
      birthday: {type: date, format: dd.MM.yyyy}
      pay-day: date
      returned: {type: boolean, outcome: true, header: "Returned?"}
    derive:
      big: amount > 100
      came_back: returned and big
    where: amount >= 0
    expect:
      - expect_column_values_to_not_be_null: {column: customer}
      - expect_column_values_to_be_between: {column: amount, min_value: 0, max_value: 1000, mostly: 0.9}
    tolerate: {quarantined: 1%}
  shops:
    connector: {kind: csv, path: "{landing}/shops/ds={ds}/*.csv"}
    key: shop
    columns: {shop: string, size: int}
features:
  - from: orders
    aggregate:
      orders: {count: "*", over: [30d, 90d]}
      mean_amount: {mean: amount, where: not big, over: 1d}
      returns: {count: returned, over: 365d, known_after: 30d}
    select:
      age: floor(months_between(as_of, birthday) / 12)
      until_pay: datediff(`pay-day`, as_of)
  - from: orders
    by: shop
    aggregate:
      shop_orders: {count: "*"}
  - from: shops
    by: shop
    select:
      shop_size: size
label: {from: orders, column: returned, task: binary, available_after: 30d}
"""


def problems(*changes: tuple[str, str]) -> list[str]:
    """The problems, without the file's name, of the example after texts in it were replaced, each there once."""
    text = SHOPS
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return [str(problem).removeprefix(f"{FILE}:") for problem in parse_pipeline(text, FILE).problems]
