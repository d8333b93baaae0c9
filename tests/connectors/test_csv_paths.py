"""Finding landed files."""

from __future__ import annotations

from pathlib import Path

import pytest

from featuremill.connectors.csv_paths import find_landings
from featuremill.errors import DataError
from featuremill.spec.models import Source


def source(path: str) -> Source:
    return Source.model_validate({"connector": {"kind": "csv", "path": path}, "columns": {"a": "int"}})


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def names(root: Path | str, path: str, upto: str | None = None) -> dict[str, list[str]]:
    found = find_landings(source(path), str(root), upto)
    return {ds: [file.name for file in files] for ds, files in found.items()}


def test_files_of_each_day_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    put(tmp_path, "loans/ds=2020-01-02/b.csv", "loans/ds=2020-01-02/a.csv", "loans/ds=2020-01-01/c.csv")
    assert names(tmp_path, "{landing}/loans/ds={ds}/*.csv") == {
        "2020-01-01": ["c.csv"],
        "2020-01-02": ["a.csv", "b.csv"],
    }


def test_what_is_hidden_unfinished_or_of_another_name_is_overlooked(tmp_path: Path) -> None:
    put(tmp_path, "ds=2020-01-01/.a.csv", "ds=2020-01-01/_a.csv", "ds=2020-01-01/a.txt", "ds=2020-01-01/_tmp/a.csv")
    put(tmp_path, "ds=backup/a.csv", "ds=2020-01-01x/a.csv", "a.csv")
    (tmp_path / "ds=2020-01-02" / "folder.csv").mkdir(parents=True)
    assert names(tmp_path, "{landing}/ds={ds}/*.csv") == {}
    assert names(tmp_path, "{landing}/ds={ds}/*/*.csv") == {}


def test_days_after_the_run_are_not_seen(tmp_path: Path) -> None:
    put(tmp_path, "2020-01-01.csv", "2020-01-02.csv", "2020-01-03.csv")
    assert list(names(tmp_path, "{landing}/{ds}.csv", "2020-01-02")) == ["2020-01-01", "2020-01-02"]


def test_the_day_may_come_twice_and_folders_may_be_wildcards(tmp_path: Path) -> None:
    put(tmp_path, "eu/2020-01-01/x_2020-01-01.csv", "us/2020-01-01/x_2020-01-01.csv", "us/2020-01-01/x_2020-01-02.csv")
    assert names(tmp_path, "{landing}/*/{ds}/x_{ds}.csv") == {
        "2020-01-01": ["eu/2020-01-01/x_2020-01-01.csv", "us/2020-01-01/x_2020-01-01.csv"]
    }
    assert names(tmp_path, "{landing}/[a-f]?/{ds}/*") == {"2020-01-01": ["eu/2020-01-01/x_2020-01-01.csv"]}


def test_signs_of_regular_expressions_are_plain_in_paths(tmp_path: Path) -> None:
    put(tmp_path, "a+b (1)/2020-01-01.csv", "aab 1/2020-01-01.csv")
    assert names(tmp_path, "{landing}/a+b (1)/{ds}.csv") == {"2020-01-01": ["2020-01-01.csv"]}


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert names(tmp_path / "missing", "{landing}/x/{ds}/*.csv") == {}


def test_a_root_may_be_a_uri_or_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "landing/2020-01-01.csv")
    expected = {"2020-01-01": ["2020-01-01.csv"]}
    assert names(f"file://{tmp_path}/landing", "{landing}/{ds}.csv") == expected
    monkeypatch.chdir(tmp_path)
    assert names("landing", "{landing}/{ds}.csv") == expected
    (file,) = find_landings(source("{landing}/{ds}.csv"), "landing")["2020-01-01"]
    assert Path(file.uri).read_text() == "landing/2020-01-01.csv"
    assert file.size == 22


def test_a_day_that_is_none_is_an_error(tmp_path: Path) -> None:
    put(tmp_path, "2020-02-30.csv")
    with pytest.raises(DataError, match=r"2020-02-30\.csv is landed for 2020-02-30, which is not a day"):
        names(tmp_path, "{landing}/{ds}.csv")
