"""Bad files, each with its documented outcome; in none of them does a row vanish."""

from __future__ import annotations

import gzip

import pytest

from featuremill.errors import DataError
from featuremill.warehouse.storage import Warehouse
from tests.runs.shop import HEADER, Shop, line

D1, D2 = "2020-01-01", "2020-01-02"


def counts(shop: Shop, day: str) -> tuple[int, int, int, int]:
    """Rows in, typed, quarantined and duplicate, as the manifest says; the tables have to agree."""
    (manifest,) = Warehouse(shop.folder / "data" / "warehouse").manifests_of_day(shop.name, "orders", day)
    details = manifest.details
    rows_in, typed, bad, twice = (details[f"rows_{kind}"] for kind in ("in", "typed", "quarantined", "duplicate"))
    assert rows_in == typed + bad + twice
    assert len(shop.rows("orders", day)) == typed
    assert len(shop.rows("orders_quarantine", day)) == bad + twice
    return rows_in, typed, bad, twice


def fails(shop: Shop, day: str, message: str) -> None:
    """The run fails with the message, and readers are where they were."""
    before = shop.published()
    with pytest.raises(DataError, match=message):
        shop.run(day)
    assert shop.published() == before


def test_files_that_stop_a_run(shop: Shop) -> None:
    shop.land_days(D1)
    shop.run(D1)
    whole = gzip.compress((HEADER + "".join(line(n, 1, D2) for n in range(50_000))).encode())
    shop.land(D2, whole[: len(whole) // 2], "orders.csv.gz")
    fails(shop, D2, r"orders\.csv\.gz is a damaged gzip file")
    (shop.folder / "data/landing/orders" / f"ds={D2}" / "orders.csv.gz").unlink()
    for content, message in (
        (bytes(range(256)) * 40, "header"),
        ((HEADER + line(1, 1, D2)).replace(",", ";").encode(), "set `delimiter: ';'`"),
        (HEADER.replace("amount", "amuont").encode(), "amuont"),
        (b"", "is empty: a header line was expected"),
        (HEADER.replace("paid", "city").encode(), "more than once"),
    ):
        shop.land(D2, content)
        fails(shop, D2, message)


def test_bom_crlf_other_order_and_extra_columns_are_read(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    text = "\ufeffcity,note,paid,at,order_id,Amount,customer\r\nÉvry,x,1,2020-01-01T12:00:00Z,1,2.5,7\r\n"
    shop.land(D1, text.encode())
    shop.run(D1)
    assert counts(shop, D1) == (1, 1, 0, 0)
    (row,) = shop.rows("orders", D1)
    assert (row["order_id"], row["customer"], row["amount"], row["city"], row["paid"]) == (1, 7, 2.5, "Évry", 1)
    assert "note" in capsys.readouterr().err


def test_a_file_with_a_header_only_has_no_rows(shop: Shop) -> None:
    shop.land(D1, HEADER)
    shop.run(D1)
    assert counts(shop, D1) == (0, 0, 0, 0)
    assert shop.rows("snapshot", D1) == []
    shop.land(D2, HEADER + line(1, 1, D2))
    shop.run(D2)
    assert len(shop.rows("snapshot", D2)) == 1


def test_bad_lines_are_kept_with_their_place_and_reason(shop: Shop) -> None:
    good = "".join(line(n, n % 3, D1) for n in range(10))
    long = "99,1,2020-01-01T12:00:00Z,1.0," + "x" * 10_000_000 + ",1\n"
    bad = ["17,1,yesterday,1.0,Ulm,1\n", "18,,2020-01-01T12:00:00Z,1.0,Ulm,1\n", "19,1\n", long]
    shop.land(D1, HEADER + good + "".join(bad) + line(3, 1, D1, 77.0))
    shop.run(D1)
    assert counts(shop, D1) == (15, 10, 4, 1)
    kept = {row["line_number"]: row for row in shop.rows("orders_quarantine", D1)}
    assert [kept[n]["kind"] for n in (5, 12, 13, 14, 15)] == [
        "duplicate",
        "invalid",
        "missing",
        "malformed",
        "malformed",
    ]
    assert kept[12]["raw_line"] + "\n" == bad[0] and kept[12]["file"] == "orders.csv"
    assert "at: 'yesterday' is not a timestamp" in kept[12]["reason"]
    assert kept[13]["reason"] == "customer is missing"
    assert kept[15]["raw_line"] == long[: 1 << 20]
    assert kept[15]["reason"] == "line is longer than 1 MiB; its first 1 MiB is kept here"
    assert [row["amount"] for row in shop.rows("orders", D1) if row["order_id"] == 3] == [77.0]


def test_too_many_bad_lines_stop_the_run_and_are_kept(shop: Shop) -> None:
    shop.land_days(D1)
    shop.run(D1)
    shop.land(D2, HEADER + line(1, 1, D2) + "a,b\n" * 3)
    fails(shop, D2, r"3 of 4 rows \(75\.00%\) do not parse, 50\.00% are tolerated.*3 malformed")
    (manifest,) = Warehouse(shop.folder / "data/warehouse").manifests_of_day(shop.name, "orders_quarantine", D2)
    assert manifest.rows == 3


def test_a_failed_expectation_stops_the_run_and_heals(shop: Shop) -> None:
    shop.land_days(D1)
    shop.run(D1)
    shop.land(D2, HEADER + line(7, 1, D2, -5.0))
    fails(shop, D2, r"1 of 1 expectations failed(.|\n)*expect_column_values_to_be_between \(amount\): 1 of 1")
    (docs,) = (shop.folder / "data/state/quality" / shop.name / "orders" / f"ds={D2}").glob("*/index.html")
    assert "expect" in docs.read_text().lower()
    shop.land(D2, HEADER + line(7, 1, D2, 5.0))
    shop.run(D2)
    assert {row["customer"]: row["orders"] for row in shop.rows("snapshot", D2)} == {1: 2, 2: 1}


def test_a_value_that_breaks_an_expression_stops_the_run(shop: Shop) -> None:
    shop.land_days(D1)
    shop.run(D1)
    text = shop.pipeline_file.read_text()
    shop.pipeline_file.write_text(text.replace("city: city", "city: city\n      broken: 1 / (customer - 1)"))
    fails(shop, D1, rf"{shop.name}\.snapshot ds={D1}: a value breaks an expression: .*[Dd]ivision by zero")


def test_a_full_disk_stops_the_run_and_says_so(shop: Shop) -> None:
    """The largest file that the process may write is small, which the kernel reports as it does a full disk."""
    shop.land_days(D1)
    shop.run(D1)
    shop.land(D2, HEADER + "".join(line(n, n, D2, city=f"{n:x}" * 20) for n in range(20_000)))
    before = shop.published()
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)"
    process = shop.start(D2, limit, "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1, output
    assert "error: " in output and "Traceback" not in output
    assert "free some space" in output or "full" in output
    assert shop.published() == before
    shop.run(D2)
    assert len(shop.rows("orders", D2)) == 20_000
