"""`featuremill prove` says yes to what is right, and no to features that know the future."""

from __future__ import annotations

import pytest
import typer

from featuremill.cli.proving import prove
from featuremill.errors import DataError
from featuremill.queries.aggregates import Frame
from tests.runs.shop import HEADER, Shop, line

DAYS = [f"2020-01-{day:02}" for day in range(1, 9)]


def landed(shop: Shop) -> None:
    for number, day in enumerate(DAYS):
        orders = [line(10 * number + customer, customer, day, 5.0 * number + customer) for customer in (1, 2, 3)]
        shop.land(day, HEADER + "".join(orders))


def test_point_in_time_features_are_proven(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    landed(shop)
    shop.land(DAYS[-1], HEADER + line(11, 1, DAYS[1], 99.0, "a correction"))
    shop.run(f"{DAYS[0]}..{DAYS[-1]}", until="ingest")
    prove(shop.name, DAYS[-1], 3, shop.folder)
    printed = capsys.readouterr().out
    assert "tells anything of later rows" in printed
    assert shop.published() == {}


def test_a_frame_that_reaches_too_far_is_found(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    landed(shop)
    shop.run(f"{DAYS[0]}..{DAYS[-1]}", until="ingest")
    monkeypatch.setattr(
        Frame,
        "window",
        lambda self, partition: (
            f"(PARTITION BY {partition} ORDER BY __t RANGE BETWEEN UNBOUNDED PRECEDING AND 86400000000 FOLLOWING)"
        ),
    )
    with pytest.raises(typer.Exit) as leak:
        prove(shop.name, DAYS[-1], 3, shop.folder)
    assert leak.value.exit_code == 1


def test_it_needs_the_ingest(shop: Shop) -> None:
    landed(shop)
    with pytest.raises(DataError, match="orders ds=2020-01-01 is gone; run"):
        prove(shop.name, DAYS[-1], 3, shop.folder)
