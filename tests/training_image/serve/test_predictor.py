"""One model's answers: every format says the same, wrong rows are named, odd ones flagged, outputs chosen."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training_image.serve.artefacts import FEATURES, rows
from tests.training_image.serve.bodies import all_bodies, arrow_bytes, csv_bytes, json_rows, parquet_bytes
from training_image.serving.errors import RequestError
from training_image.serving.predictor import Predictor, Response

Predictors = dict[str, Predictor]
TASKS = ("binary", "multiclass", "regression")
ROW = {
    "age": 30,
    "income": 10.0,
    "account": 7,
    "member": True,
    "town": "Rochester",
    "born": "1980-01-31",
    "seen": "2001-01-01T00:00:00Z",
    "tags": ["red"],
}


def ask(
    predictor: Predictor, body: Any, kind: str = "application/json", accept: str | None = None, attributes: str = ""
) -> Response:
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return predictor.respond(content, kind, accept, attributes or None)


def predictions(response: Response) -> list[dict[str, Any]]:
    assert response.status == 200, response.body
    found: list[dict[str, Any]] = json.loads(response.body)["predictions"]
    return found


def error(response: Response, status: int = 400) -> str:
    assert response.status == status, response.body
    message: str = json.loads(response.body)["error"]
    return message


def without_flags(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "flags"} for row in found]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("count", [1, 3, 120])
def test_every_format_in_gives_the_in_process_numbers(predictors: Predictors, task: str, count: int) -> None:
    predictor = predictors[task]
    table = rows(count, seed=count)
    expected = predictor.model.predict(table).to_pylist()
    flags = None
    for kind, body in all_bodies(table).items():
        found = predictions(ask(predictor, body, kind, "application/json"))
        assert without_flags(found) == expected, kind
        flags = flags or [row.get("flags") for row in found]
        assert [row.get("flags") for row in found] == flags, kind
    single = [predictions(ask(predictor, row))[0] for row in json_rows(table)[:20]]
    assert without_flags(single) == expected[:20]
    assert [row.get("flags") for row in single] == (flags or [])[:20]


def test_many_unquoted_csv_rows_give_the_in_process_numbers(predictors: Predictors) -> None:
    """Without quotes Arrow parses them: digits, exponents and missing cells must come out as Python reads them."""
    predictor = predictors["binary"]
    table = rows(400, seed=17)
    towns = [None if town is None or set(town) & set(',"') else town for town in table["town"].to_pylist()]
    table = table.set_column(4, "town", pa.array(towns)).set_column(7, "tags", pa.nulls(400, pa.list_(pa.string())))
    incomes = [0.1 * 10.0 ** (n % 60 - 30) / 3 for n in range(400)]
    table = table.set_column(1, "income", pa.array(incomes))
    body = csv_bytes(table)
    assert b'"' not in body
    expected = predictor.model.predict(table).to_pylist()
    many = predictions(ask(predictor, body, "text/csv", "application/json"))
    assert without_flags(many) == expected
    single = [predictions(ask(predictor, line, "text/csv", "application/json"))[0] for line in body.splitlines()]
    assert single == many


@pytest.mark.parametrize("task", TASKS)
def test_every_format_out_gives_the_same_numbers(predictors: Predictors, task: str) -> None:
    predictor = predictors[task]
    table = rows(40, seed=4)
    expected = predictor.model.predict(table)
    body = csv_bytes(table)

    def out(accept: str) -> bytes:
        response = ask(predictor, body, "text/csv", accept)
        assert response.status == 200 and response.content_type.startswith(accept)
        return response.body

    assert pq.read_table(io.BytesIO(out("application/vnd.apache.parquet"))).equals(expected)
    assert pa.ipc.open_stream(out("application/vnd.apache.arrow.stream")).read_all().equals(expected)
    lines = [json.loads(line) for line in out("application/jsonlines").splitlines()]
    assert without_flags(lines) == expected.to_pylist()
    for cells, row in zip(csv.reader(io.StringIO(out("text/csv").decode())), expected.to_pylist(), strict=True):
        for cell, value in zip(cells, row.values(), strict=True):
            assert cell == value or json.loads(cell) == value


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({**ROW, "age": "30"}, "row 1: age is '30'; expected a whole number"),
        ({**ROW, "age": 30.5}, "row 1: age is 30.5; expected a whole number"),
        ({**ROW, "age": True}, "row 1: age is True; expected a whole number"),
        ({**ROW, "income": [1]}, "row 1: income is [1]; expected a number"),
        ({**ROW, "member": 1}, "row 1: member is 1; expected true or false"),
        ({**ROW, "town": 5}, "row 1: town is 5; expected a text"),
        ({**ROW, "born": "2020-13-01"}, "row 1: born is '2020-13-01'; expected a date such as 2020-01-31"),
        ({**ROW, "seen": "noon"}, "row 1: seen is 'noon'; expected a time such as 2020-01-31T12:00:00Z"),
        ({**ROW, "tags": "red"}, "row 1: tags is 'red'; expected a list of texts"),
        ({**ROW, "tags": [1]}, "row 1: tags is [1]; expected a list of texts"),
        ({**ROW, "shoe": 1}, "row 1: unknown 'shoe'; expected age,"),
        ([ROW, {**ROW, "age": "x"}], "row 2: age is 'x'; expected a whole number"),
        ([ROW, {**ROW, "income": {}}], "row 2: income is {}; expected a number"),
        ({k: v for k, v in ROW.items() if k != "town"}, "row 1: missing town (write null"),
        ([[1, 2]], "row 1 has 2 values, the model takes 8: age,"),
        ({"instances": 5}, '"instances" is 5; expected a list of rows'),
        ([ROW, 5], "row 2 is 5; expected an object or a list"),
        (5, "the body is 5; expected a row"),
        (b'{"age": NaN}', "the body is no JSON"),
        (b'{"age": 1e999}', "no JSON"),
        (b"\xff\xfe{", "the body is no JSON"),
        (b"[" * 100_000, "the body is no JSON"),
    ],
)
def test_wrong_json_is_named(predictors: Predictors, body: Any, message: str) -> None:
    assert message in error(ask(predictors["binary"], body))


CSV = "30,10.5,7,true,Rochester,1980-01-31,2001-01-01T00:00:00Z,"


@pytest.mark.parametrize("count", [1, 2, 60])
@pytest.mark.parametrize(
    ("line", "message"),
    [
        (CSV.replace("10.5", "NaN"), "income is 'NaN'; expected a number"),
        (CSV.replace("10.5", "inf"), "income is 'inf'; expected a number"),
        (CSV.replace("10.5", "1e999"), "income is '1e999'; expected a number"),
        (CSV.replace("10.5", "1_0"), "income is '1_0'; expected a number"),
        (CSV.replace("10.5", "ten"), "income is 'ten'; expected a number"),
        (CSV.replace("30", "30.5"), "age is '30.5'; expected a whole number"),
        (CSV.replace("true", "perhaps"), "member is 'perhaps'; expected true or false"),
        (CSV.replace("1980-01-31", "31.1.1980"), "born is '31.1.1980'; expected a date"),
        (CSV + "red", "tags is 'red'; expected a list of texts in JSON"),
        (CSV + ",", "has 9 columns, the model takes 8"),
        ("", "has 1 column, the model takes 8"),
    ],
)
def test_wrong_csv_is_named(predictors: Predictors, line: str, message: str, count: int) -> None:
    lines = [CSV] * (count - 1) + [line] + ([CSV] if not line else [])
    found = error(ask(predictors["binary"], "\n".join(lines), "text/csv"))
    assert message in found and found.startswith(f"row {count}")


@pytest.mark.parametrize(
    "text",
    [
        CSV + "\r\n" + CSV + "\r\n",
        "\ufeff" + CSV + "\n" + CSV,
        ",".join(f.name for f in FEATURES) + "\n" + CSV + "\n" + CSV + "\n",
        CSV.replace("Rochester", '"Rochester"') + "\n" + CSV,
        CSV.replace("30,", "30.0,").replace("true", "True") + "\n" + CSV.replace("true", "1"),
    ],
)
def test_csv_dialects(predictors: Predictors, text: str) -> None:
    expected = predictions(ask(predictors["binary"], [_json_of_csv()] * 2))
    assert predictions(ask(predictors["binary"], text, "text/csv", "application/json")) == expected
    many = text if text.endswith("\n") else text + "\n"
    answers = predictions(ask(predictors["binary"], many + (CSV + "\n") * 50, "text/csv", "application/json"))
    assert answers == expected * 26


def _json_of_csv() -> list[Any]:
    return [30, 10.5, 7, True, "Rochester", "1980-01-31", "2001-01-01T00:00:00Z", None]


def test_shapes_of_json(predictors: Predictors) -> None:
    predictor = predictors["binary"]
    values = list(ROW.values())
    (expected,) = predictions(ask(predictor, ROW))
    for body in (values, [values], [ROW], {"instances": [ROW]}, {"instances": [values]}, {"features": values}):
        assert predictions(ask(predictor, body)) == [expected]
    assert predictions(ask(predictor, {"instances": [{"features": values}, ROW]})) == [expected, expected]
    assert predictions(ask(predictor, [])) == []
    assert ask(predictor, [], accept="text/csv").body == b""
    assert predictions(ask(predictor, dict.fromkeys(ROW)))[0]["predicted_label"] in (0, 1)


def test_values_out_of_the_training_rows_are_flagged(predictors: Predictors) -> None:
    odd = ROW | {"age": 300, "town": "Elsewhere", "tags": ["red", "mauve"], "born": "1800-01-01", "income": -1.5}
    (found,) = predictions(ask(predictors["binary"], odd))
    assert found["flags"] == [
        "age: 300 is above the training rows' 80",
        "income: -1.5 is below the training rows' 0.0",
        "town: 'Elsewhere' is not among the training rows' labels",
        "born: 1800-01-01 is below the training rows' 1940-01-02",
        "tags: 'mauve' not among the training rows' labels",
    ]
    both = predictions(ask(predictors["binary"], [ROW | {"seen": None, "account": None}, odd]))
    assert both[1]["flags"] == found["flags"]


def test_outputs_are_chosen(predictors: Predictors) -> None:
    predictor = predictors["binary"]
    everything = "output=labels,probabilities,raw_scores,raw_score,probability"
    (found,) = predictions(ask(predictor, ROW, attributes=everything))
    assert list(found)[:5] == ["labels", "probabilities", "raw_scores", "raw_score", "probability"]
    assert found["labels"] == [0, 1] and found["probabilities"][1] == found["probability"]
    assert found["raw_scores"] == [-found["raw_score"], found["raw_score"]]
    one = ask(predictor, ROW, attributes="trace=7; output=probability", accept="text/csv")
    assert float(one.body) == found["probability"]
    assert "'shoe' is no output of task binary" in error(ask(predictor, ROW, attributes="output=shoe"))
    assert "no output is named" in error(ask(predictor, ROW, attributes="output="))
    with pytest.raises(RequestError, match="no output of task binary"):
        Predictor(predictor.model, output=("score",))
    assert ask(Predictor(predictor.model, ("lower",)), ROW, accept="text/csv").body.count(b",") == 0
    (several,) = predictions(ask(predictors["multiclass"], ROW, attributes="output=labels,raw_score,raw_scores"))
    assert several["raw_score"] == max(several["raw_scores"])
    flags = ask(predictor, ROW | {"age": 99}, accept="text/csv", attributes="output=flags").body
    assert flags == b'"[""age: 99 is above the training rows\' 80""]"\n'


def test_explanations(predictors: Predictors) -> None:
    for task in ("binary", "regression"):
        (found,) = predictions(ask(predictors[task], ROW, attributes="output=raw_score;explain=true"))
        assert list(found["contributions"]) == [feature.name for feature in FEATURES]
        total = sum(found["contributions"].values()) + found["bias"]
        np.testing.assert_allclose(total, found["raw_score"], atol=1e-4)
    (several,) = predictions(ask(predictors["multiclass"], ROW, attributes="explain=true"))
    assert set(several["contributions"]) == set(several["bias"]) == {"low", "middle, or so", "high"}
    table = pq.read_table(
        io.BytesIO(ask(predictors["binary"], [ROW] * 3, accept="application/x-parquet", attributes="explain=true").body)
    )
    assert len(table["contributions"][0]) == len(FEATURES)
    assert "explain=yes" in error(ask(predictors["binary"], ROW, attributes="explain=yes"))


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/*;q=0.5, application/jsonlines;q=0.6", "application/jsonlines"),
        ("application/xml, */*;q=0.1", "application/json"),
        ("application/json;q=0, */*", "text/csv"),
        ("text/html, application/x-parquet", "application/vnd.apache.parquet"),
    ],
)
def test_accept(predictors: Predictors, accept: str | None, expected: str) -> None:
    response = ask(predictors["binary"], ROW, accept=accept)
    assert response.status == 200 and response.content_type.startswith(expected)


def test_refusals(predictors: Predictors) -> None:
    predictor = predictors["binary"]
    assert predictor.respond(b"", "text/html", None, None).status == 204
    assert "there is no Content-Type" in error(predictor.respond(b"x", None, None, None), 415)
    assert "'text/html' is not served" in error(ask(predictor, "x", "text/html"), 415)
    assert "charset 'utf-16'" in error(ask(predictor, "x", "text/csv; charset=UTF-16"), 415)
    assert ask(predictor, ROW, "application/json; charset=utf-8").status == 200
    assert "Accept 'image/png' cannot be answered" in error(ask(predictor, ROW, accept="image/png"), 406)
    assert "byte 3 is 0xff" in error(ask(predictor, b"30,\xff", "text/csv"))
    assert "line 2 is no JSON" in error(
        ask(predictor, json.dumps(ROW) + "\n\n" + json.dumps(ROW), "application/jsonlines")
    )


def test_tables_are_checked(predictors: Predictors) -> None:
    predictor = predictors["binary"]
    table = rows(30, seed=3)
    kind = "application/x-parquet"
    assert "lacks town" in error(ask(predictor, parquet_bytes(table.drop_columns("town")), kind))
    extra = table.append_column("shoe", pa.nulls(30))
    assert "unknown columns: shoe" in error(ask(predictor, parquet_bytes(extra), kind))
    wrong = table.set_column(0, "age", pa.array(["x"] * 30))
    assert "column age is of Arrow type string" in error(ask(predictor, parquet_bytes(wrong), kind))
    infinite = table.set_column(1, "income", pa.array([None] + [1.0] * 28 + [np.inf]))
    assert "row 30: income is inf" in error(ask(predictor, parquet_bytes(infinite), kind))
    assert "no parquet file" in error(ask(predictor, b"PAR1 or not", kind))
    stream = "application/vnd.apache.arrow.stream"
    assert "no Arrow IPC stream" in error(ask(predictor, b"ARROW or not", stream))
    assert "is compressed" in error(ask(predictor, arrow_bytes(table, "zstd"), stream))


def test_a_small_parquet_that_unfolds_to_much_is_refused(predictors: Predictors) -> None:
    predictor = Predictor(predictors["binary"].model, max_body=1 << 20)
    count = 3_000_000
    columns = {f.name: pa.nulls(count, rows(0).schema.field(f.name).type) for f in FEATURES}
    body = parquet_bytes(pa.table(columns))
    assert len(body) < 1 << 20
    assert "bytes in memory" in error(ask(predictor, body, "application/x-parquet"), 413)
    # A long text that stands in every row of a dictionary column.
    many = rows(20_000, seed=1).set_column(4, "town", pa.DictionaryArray.from_arrays([0] * 20_000, ["x" * 50_000]))
    assert len(parquet_bytes(many)) < 1 << 20
    assert ask(predictor, parquet_bytes(many), "application/x-parquet").status == 200


def test_skills_are_asked_for_by_row(predictors: Predictors) -> None:
    predictor = predictors["skills"]
    expected = predictor.model.predict(pa.table({"profile_skills": [["python", "sql"]]})).to_pylist()[0]
    body = {"profile_skills": ["python", "sql"], "role_skills": ["scala", "cobol", "python"]}
    (found,) = predictions(ask(predictor, body))
    position = expected["labels"].index("scala")
    assert list(found["role_skills"]) == ["scala", "cobol", "python"]
    assert found["role_skills"]["scala"] == {
        name: expected[column][position]
        for name, column in (("probability", "probabilities"), ("lower", "lower"), ("upper", "upper"))
    }
    assert found["role_skills"]["cobol"] is None
    assert found["flags"] == ["role_skills: the model knows nothing of 'cobol'"]
    two = {"profile_skills": [], "role_skills": ["scala"]}
    both = predictions(ask(predictor, [body, two]))
    assert both == [found, predictions(ask(predictor, two))[0]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"profile_skills": ["sql"]}, "missing role_skills"),
        ({"role_skills": ["sql"]}, "missing profile_skills"),
        ({}, "missing profile_skills, role_skills"),
        ({"profile_skills": ["sql"], "role_skills": None}, "role_skills is missing"),
        ({"profile_skills": ["sql"], "role_skills": "sql"}, "role_skills is 'sql'; expected a list of texts"),
        (
            [{"profile_skills": [], "role_skills": []}, {"profile_skills": [], "role_skills": None}],
            "row 2: role_skills",
        ),
    ],
)
def test_both_skills_are_required(predictors: Predictors, body: Any, message: str) -> None:
    assert message in error(ask(predictors["skills"], body))


def test_skills_in_other_formats(predictors: Predictors) -> None:
    predictor = predictors["skills"]
    table = pa.table(
        {"profile_skills": [["python"], None, []], "role_skills": [["sql", "cobol"], ["excel"], []]},
        schema=pa.schema([(name, pa.list_(pa.string())) for name in ("profile_skills", "role_skills")]),
    )
    answers = [predictions(ask(predictor, body, kind, "application/json")) for kind, body in all_bodies(table).items()]
    assert all(answer == answers[0] for answer in answers)
    found = pq.read_table(
        io.BytesIO(
            ask(
                predictor,
                parquet_bytes(table),
                "application/x-parquet",
                attributes="output=probability,predicted_label",
            ).body
        )
    ).to_pylist()
    assert found[0]["labels"] == ["sql", "cobol"] and found[0]["probabilities"][1] is None
    assert found[0]["probabilities"][0] == answers[0][0]["role_skills"]["sql"]["probability"]
    assert found[2] == {"labels": [], "probabilities": [], "predicted_label": []}
    assert "cannot be answered" in error(ask(predictor, csv_bytes(table), "text/csv", "text/csv"), 406)
    (explained,) = predictions(
        ask(predictor, {"profile_skills": ["sql"], "role_skills": ["excel"]}, attributes="explain=true")
    )
    assert set(explained["role_skills"]["excel"]) == {"probability", "lower", "upper", "contributions", "bias"}
