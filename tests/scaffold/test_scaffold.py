"""A pipeline file from a CSV file: what is seen in the file, and that the result can be used as it is."""

from __future__ import annotations

import csv
import gzip
import io
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from featuremill.errors import DataError, UsageError
from featuremill.samples.credit_risk import generate
from featuremill.scaffold import place_file, scaffold
from featuremill.scaffold.names import column_name, column_names
from featuremill.scaffold.values import fits
from featuremill.spec.columns import feature_columns
from featuremill.spec.loading import load_pipeline
from featuremill.spec.models import Pipeline, Source

SHOP = """order_id,customer_id,ordered_at,amount,note,paid
1,7,2024-01-01T10:00:00,10.50,first,yes
2,7,2024-01-02T11:30:00,3,"with, comma",no
3,8,2024-01-02T12:00:00,,last,yes
"""


def write(folder: Path, text: str | bytes, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def load(text: str, folder: Path) -> Pipeline:
    """The pipeline of a text, by the project's own loader with all its rules."""
    name = re.search(r"^pipeline: (\w+)$", text, re.MULTILINE)
    assert name is not None
    return load_pipeline(write(folder, text, f"{name[1]}.yaml"))


def made(tmp_path: Path, text: str | bytes, **given: str | bool) -> tuple[Pipeline, Source]:
    result = scaffold("shop", write(tmp_path, text), **given)  # type: ignore[arg-type]
    pipeline = load(result.text, tmp_path)
    return pipeline, pipeline.sources["shop"]


def types_of(source: Source) -> dict[str, str]:
    return {name: str(column.type) for name, column in source.columns.items()}


class TestDialect:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_delimiters(self, delimiter: str, tmp_path: Path) -> None:
        rows = list(csv.reader(io.StringIO(SHOP)))
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter).writerows(rows)
        _, source = made(tmp_path, out.getvalue())
        assert source.connector.delimiter == delimiter
        assert list(source.columns) == rows[0]

    def test_one_column(self, tmp_path: Path) -> None:
        _, source = made(tmp_path, "size\n1\n2\n2\n")
        assert types_of(source) == {"size": "int"}

    @pytest.mark.parametrize(
        ("encoding", "written"),
        [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("latin-1", "latin-1"), ("utf-16", "utf-16")],
    )
    def test_encodings(self, encoding: str, written: str, tmp_path: Path) -> None:
        text = "name,größe\nJürgen,1\nZoë,2\n"
        _, source = made(tmp_path, text.encode(encoding))
        assert source.connector.encoding == written
        assert {column.header or name for name, column in source.columns.items()} == {"name", "größe"}

    def test_an_odd_byte_far_down_is_still_seen(self, tmp_path: Path) -> None:
        _, source = made(tmp_path, b"a,b\n" + b"1,text\n" * 200_000 + b"2,caf\xe9\n")
        assert source.connector.encoding == "latin-1"

    def test_gzip(self, tmp_path: Path) -> None:
        path = write(tmp_path, gzip.compress(SHOP.encode()), "orders.csv.gz")
        result = scaffold("shop", path)
        assert 'path: "{landing}/shop/ds={ds}/*.csv.gz"' in result.text
        assert result.rows == 3

    def test_without_header(self, tmp_path: Path) -> None:
        _, source = made(tmp_path, "1,anna,2020-01-01\n2,bert,2020-01-02\n")
        assert source.connector.header is False
        assert types_of(source) == {"column_1": "int", "column_2": "string", "column_3": "date"}

    def test_header_can_be_told(self, tmp_path: Path) -> None:
        _, source = made(tmp_path, "anna,x\nbert,z\n", header=False)
        assert source.connector.header is False

    def test_lone_quotes_are_text(self, tmp_path: Path) -> None:
        rows = "".join(f'{n},"{n} inch,{n}\n' for n in range(20))
        _, source = made(tmp_path, "n,size,m\n" + rows)
        assert source.connector.quote == ""
        assert list(source.columns) == ["n", "size", "m"]

    def test_backslash_before_quotes(self, tmp_path: Path) -> None:
        _, source = made(tmp_path, 'a,b\n1,"say \\"hi, you\\""\n2,"and \\"bye, you\\""\n')
        assert source.connector.escape == "\\"

    def test_line_breaks_in_fields(self, tmp_path: Path) -> None:
        _, source = made(tmp_path, 'a,b\n1,"two\nlines"\n2,one\n')
        assert source.connector.multiline

    def test_rows_of_another_width_are_counted(self, tmp_path: Path) -> None:
        assert "1 more with another number of fields" in scaffold("shop", write(tmp_path, SHOP + "9,9\n")).text

    @pytest.mark.parametrize("text", ["", "\n\n", "a,b\n"])
    def test_nothing_to_look_at(self, text: str, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="file.csv"):
            scaffold("shop", write(tmp_path, text))

    def test_no_such_file(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no file"):
            scaffold("shop", tmp_path / "absent.csv")


class TestTypes:
    @pytest.mark.parametrize(
        ("texts", "wanted"),
        [
            (["1", "-2", "+3"], "int"),
            (["1", "2147483648"], "bigint"),
            (["1", "99999999999999999999"], "string"),
            (["1", "2.5"], "double"),
            ([".5", "1e-3"], "double"),
            (["1", "NaN2"], "string"),
            (["1", "1e999"], "string"),
            (["01", "02"], "string"),
            (["0", "1"], "int"),
            (["yes", "No"], "boolean"),
            (["true", "FALSE"], "boolean"),
            (["yes", "maybe"], "string"),
            (["t", "n"], "string"),
            (["yes", "yes"], "string"),
            (["2020-01-31", "2020-02-29"], "date"),
            (["2020-01-31", "2021-02-29"], "string"),
            (["2020-01-31", "2020-01-31T10:00"], "timestamp"),
            (["2020-01-31 10:00:00.123456Z"], "timestamp"),
            (["2020-01-31T10:00:00+02:00"], "timestamp"),
            (["31.01.2020", "01.02.2020"], "date"),
            (["01/31/2020 10:00"], "timestamp"),
            (["1.2.3", "4.5.6"], "string"),
            (["a", "b"], "string"),
            (["", ""], "string"),
        ],
    )
    def test_narrowest_type(self, texts: list[str], wanted: str, tmp_path: Path) -> None:
        body = "".join(f"{text},word{n}\n" for n, text in enumerate(texts))
        _, source = made(tmp_path, "value,word\n" + body)
        assert types_of(source)["value"] == wanted

    def test_patterns_of_dates(self, tmp_path: Path) -> None:
        _, source = made(tmp_path, "when,b\n31.01.2020,x\n01.02.2020,z\n")
        assert source.columns["when"].format == "dd.MM.yyyy"

    def test_a_late_odd_value_counts(self, tmp_path: Path) -> None:
        _, source = made(tmp_path, "a,b\n" + "".join(f"{n},{n}\n" for n in range(60_000)) + "1,x\n")
        assert types_of(source) == {"a": "int", "b": "string"}

    @pytest.mark.parametrize("mark", ["NA", "NULL", "?", "-", "None", "\\N"])
    def test_marks_of_nothing_among_numbers(self, mark: str, tmp_path: Path) -> None:
        _, source = made(tmp_path, f"a,b\n1,x\n{mark},z\n")
        assert types_of(source)["a"] == "int"
        assert set(source.connector.null_values) == {"", mark}

    @pytest.mark.parametrize("word", ["NA", "-", "None"])
    def test_words_among_words_stay_words(self, word: str, tmp_path: Path) -> None:
        _, source = made(tmp_path, f"country,b\nDE,1\n{word},2\n")
        assert source.connector.null_values == ("",)
        assert types_of(source)["country"] == "string"


class TestNames:
    @pytest.mark.parametrize(
        ("header", "name"),
        [
            ("O*NET-SOC Code", "o_net_soc_code"),
            ("chest-pain-type", "chest-pain-type"),
            ("OBJECTID", "objectid"),
            ("OccurredFrom_Timestamp", "occurred_from_timestamp"),
            ("customerID", "customer_id"),
            (" Größe (cm) ", "groe_cm"),
            ("2019", "c_2019"),
            ("%", ""),
            ("as_of", "c_as_of"),
            ("AS OF", "c_as_of"),
            ("__x", "_x"),
        ],
    )
    def test_headers_become_names(self, header: str, name: str) -> None:
        assert column_name(header) == name

    def test_collisions_are_numbered(self) -> None:
        assert column_names(["A b", "a_b", "a-b", "A-B", "", "*"]) == [
            "a_b",
            "a_b_2",
            "a-b",
            "a_b_3",
            "column_5",
            "column_6",
        ]

    @pytest.mark.parametrize("headers", ["a,b,a", "a,b, A "])
    def test_fields_called_alike_cannot_be_told_apart(self, headers: str, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="fields 1 and 3"):
            made(tmp_path, headers + "\n1,2,x\n")

    def test_the_file_s_own_names_are_kept_as_header(self, tmp_path: Path) -> None:
        _, source = made(tmp_path, "My Id,true,2 b\n1,x,y\n2,z,w\n")
        assert {name: column.header for name, column in source.columns.items()} == {
            "my_id": "My Id",
            "true": None,
            "c_2_b": "2 b",
        }


class TestRoles:
    def test_orders(self, tmp_path: Path) -> None:
        rows = "".join(f"{n},{n % 60},2024-01-{n % 28 + 1:02d},{n}.5,{n % 2}\n" for n in range(300))
        pipeline, source = made(tmp_path, "order_id,customer_id,order_date,amount,churned\n" + rows)
        assert (source.key, source.time and source.time.column) == ("order_id", "order_date")
        assert (pipeline.entity.key, pipeline.entity.type) == ("customer_id", "bigint")
        names = [feature.name for feature in feature_columns(pipeline)]
        assert names == [
            "nb_previous", "nb_recent_7d", "nb_recent_30d", "nb_recent_365d", "days_since_previous",
            "avg_amount_previous", "amount",
        ]  # fmt: skip
        assert source.columns["churned"].outcome

    def test_no_key_no_time(self, tmp_path: Path) -> None:
        pipeline, source = made(tmp_path, "size,colour\n1,red\n1,blue\n")
        assert (source.key, source.time, pipeline.entity.key) == (None, None, "row_key")

    def test_milliseconds(self, tmp_path: Path) -> None:
        _, source = made(tmp_path, "id,created_time\n1,1585482840000\n2,1585351800000\n")
        assert source.time is not None
        assert (source.time.column, source.time.unit) == ("created_time", "ms")

    def test_large_numbers_are_not_times_without_a_name_that_says_so(self, tmp_path: Path) -> None:
        _, source = made(tmp_path, "id,phone\n1,1585482840\n2,1585351800\n")
        assert source.time is None

    def test_birthdays_are_no_events_but_make_an_age(self, tmp_path: Path) -> None:
        text = "id,birthday,seen\n1,1980-01-01,2020-01-01\n2,1990-01-01,2020-01-02\n"
        pipeline, source = made(tmp_path, text)
        assert source.time is not None and source.time.column == "seen"
        assert "age" in [feature.name for feature in feature_columns(pipeline)]

    def test_what_is_told_is_taken(self, tmp_path: Path) -> None:
        pipeline, source = made(tmp_path, SHOP, key="note", entity="customer_id", time="ordered_at")
        assert (source.key, pipeline.entity.key) == ("note", "customer_id")

    @pytest.mark.parametrize("role", ["key", "entity", "time"])
    def test_a_column_that_is_not_there(self, role: str, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="order_id, customer_id"):
            made(tmp_path, SHOP, **{role: "custmer"})

    def test_a_time_that_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no dates"):
            made(tmp_path, SHOP, time="note")


class TestResult:
    def test_the_same_file_gives_the_same_text(self, tmp_path: Path) -> None:
        path = write(tmp_path, SHOP)
        assert scaffold("shop", path).text == scaffold("shop", path).text

    def test_what_to_do_next(self, tmp_path: Path) -> None:
        result = scaffold("shop", write(tmp_path, SHOP))
        assert result.ds == "2024-01-02"
        assert "shop/ds=2024-01-02/file.csv" in " ".join(result.next_steps)

    def test_placing_the_file(self, tmp_path: Path) -> None:
        result = scaffold("shop", write(tmp_path, SHOP))
        target = place_file(result, tmp_path / "landing", "2024-01-02")
        assert target == tmp_path / "landing" / "shop" / "ds=2024-01-02" / "file.csv"
        assert target.read_text() == SHOP
        assert place_file(result, tmp_path / "landing", "2024-01-02") == target
        target.write_text("other")
        with pytest.raises(UsageError, match="already"):
            place_file(result, tmp_path / "landing", "2024-01-02")

    @pytest.mark.parametrize("name", ["Shop", "1shop", "a-b", "", "a b", "{x}"])
    def test_names_that_cannot_be(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="name"):
            scaffold(name, write(tmp_path, SHOP))


ODD_NAMES = ["No", "null", "y", "as_of", "row_key", "ds", "__t", "_-", "id", "order", "date", "age", "time", "label"]
ODD_NAMES += ["regexp", "current_date", "user", "interval", "case", "from"]
CELLS = st.one_of(
    st.sampled_from(
        ["", "NA", "?", "-", "1", "0", "007", "2.5", "yes", "no", "2020-02-30", "2020-02-29", "01/02/2020"]
    ),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(repr),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8),
    st.sampled_from(['"', "a,b", "two\nlines", "`tick`", "it's", "{x}", "#", ": ", "\u2028", "select", "€"]),
)


@given(
    headers=st.lists(
        st.one_of(
            st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=10),
            st.sampled_from(
                [
                    "No",
                    "null",
                    "y",
                    "as_of",
                    "row_key",
                    "ds",
                    "__t",
                    "_-",
                    "id",
                    "order",
                    "date",
                    "age",
                    "time",
                    "label",
                ]
            ),
        ),
        min_size=2,
        max_size=5,
        unique_by=lambda header: header.strip().lower(),
    ),
    data=st.data(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_gives_a_pipeline_that_its_values_fit(
    headers: list[str], data: st.DataObject, tmp_path: Path
) -> None:
    """The text loads, and every value that is not null is of the type that its column was given."""
    rows = data.draw(st.lists(st.lists(CELLS, min_size=len(headers), max_size=len(headers)), min_size=1, max_size=6))
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([headers, *rows])
    result = scaffold("any_table", write(tmp_path, out.getvalue()), header=True, delimiter=",")
    source = load(result.text, tmp_path).sources["any_table"]
    assert len(source.columns) == len(headers)
    for column, texts in zip(source.columns.values(), zip(*rows, strict=True), strict=True):
        for text in texts:
            if text not in source.connector.null_values and column.type != "string":
                assert fits(text).intersection({column.type, column.format})


class TestRealFiles:
    @pytest.mark.parametrize(
        ("file", "key", "time", "entity"),
        [
            ("rochester_crimes_2020-04-04.csv", "objectid", "reported_timestamp", "objectid"),
            ("heart_train.csv", None, "datetime", "row_key"),
            ("heart_test.csv", None, "datetime", "row_key"),
            ("onet_technology_skills.tsv", None, None, "o_net_soc_code"),
            ("onet_occupations.tsv", "o_net_soc_code", None, "o_net_soc_code"),
            ("applicants.csv", "id", None, "id"),
        ],
    )
    def test_roles(
        self, file: str, key: str | None, time: str | None, entity: str, shared_data: Path, tmp_path: Path
    ) -> None:
        pipeline = load(scaffold("real", shared_data / file).text, tmp_path)
        source = pipeline.sources["real"]
        assert source.key == key
        assert (source.time.column if source.time else None) == time
        assert pipeline.entity.key == entity

    def test_heart(self, shared_data: Path, tmp_path: Path) -> None:
        source = load(scaffold("heart", shared_data / "heart_train.csv").text, tmp_path).sources["heart"]
        assert source.connector.null_values == ("", "?")
        assert source.columns["colored-vessels"].type == "int"
        assert source.columns["narrowing-diagnosis"].outcome

    def test_our_own_sample(self, tmp_path: Path) -> None:
        report = generate(5_000, out=tmp_path)
        pipeline = load(scaffold("loans", report.files[0]).text, tmp_path)
        source = pipeline.sources["loans"]
        assert (source.key, source.time and source.time.column) == ("loan_id", "loan_date")
        assert pipeline.entity.key == "id"
        assert source.columns["status"].outcome
        assert types_of(source)["job_start_date"] == "date"
