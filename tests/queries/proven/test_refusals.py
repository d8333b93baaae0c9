"""What is not proven is refused, and the smallest part is named."""

from __future__ import annotations

import pytest
import sqlglot

from featuremill.errors import FeaturemillError
from featuremill.queries.proven import NotProven, translate
from featuremill.queries.proven.catalogue import PROVEN
from featuremill.queries.proven.translation import HANDLERS
from tests.queries.proven.rows import TYPES

REFUSED = [
    # expression, part named, words of the reason
    ("k1 + rand()", "RAND()", "not proven"),
    ("coalesce(initcap(s1), 'x')", "INITCAP(s1)", "not proven"),
    ("length(soundex(s1)) > 3", "SOUNDEX(s1)", "not proven"),
    ("reverse(s1)", "REVERSE(s1)", "not proven"),
    ("my_function(k1)", "MY_FUNCTION(k1)", "my_function"),
    ("current_date() > d1", "CURRENT_DATE", "not proven"),
    ("k1 * 0.5", "k1 * 0.5", "decimal"),
    ("3.7", "3.7", "cast"),
    ("if(b1, 1, 0.5)", "IF(b1, 1, 0.5)", "0.5D"),
    ("case when b1 then 1.0 else 0.0 end", "CASE WHEN b1 THEN 1.0 ELSE 0.0 END", "0.5D"),
    ("s1 = 1", "s1 = 1", "(string, int)"),
    ("k1 + s1", "k1 + s1", "(int, string)"),
    ("s1 > d1", "s1 > d1", "(string, date)"),
    ("d1 - d2", "d1 - d2", "datediff"),
    ("t1 - t2", "t1 - t2", "datediff"),
    ("cast(x1 as string)", "CAST(x1 AS STRING)", "(double, string)"),
    ("concat(x1, 'a')", "x1", "(double, string)"),
    ("cast(k1 as decimal(10, 2))", "CAST(k1 AS DECIMAL(10, 2))", "decimal"),
    ("cast(s1 as timestamp)", "CAST(s1 AS TIMESTAMP)", "(string, timestamp)"),
    ("cast('12' as int)", "CAST('12' AS INT)", "write the int itself"),
    ("date'2020-02-30'", "CAST('2020-02-30' AS DATE)", "proven form"),
    ("d1 > '2020-2-3'", "d1 > '2020-2-3'", "proven form"),
    ("timestamp'2020-01-01 00:00:00 Europe/Paris'", "CAST('2020-01-01 00:00:00 Europe/Paris' AS TIMESTAMP)", "form"),
    ("to_date(s1, 'yyyyMMdd')", "TO_DATE(s1, 'yyyyMMdd')", "format"),
    ("date_format(d1, 'yyyy')", "DATE_FORMAT(d1, 'yyyy')", "not proven"),
    ("datediff(month, d1, d2)", "DATEDIFF(MONTH, d1, d2)", "unit"),
    ("date_trunc('decade', t1)", "DATE_TRUNC('DECADE', t1)", "units"),
    ("trunc(d1, 'day')", "TRUNC(d1, 'DAY')", "week"),
    ("extract(second from t1)", "EXTRACT(SECOND FROM t1)", "extract"),
    ("t1 + interval 1 month 2 days", "INTERVAL '2' DAYS", "not proven"),
    ("d1 + interval k1 days", "INTERVAL k1 DAYS", "written out"),
    ("round(k1, -2)", "ROUND(k1, -2)", "decimals"),
    ("floor(x1, 2)", "FLOOR(x1, 2)", "decimals"),
    ("log(3, x1)", "LOG(3, x1)", "ln(x) / ln(base)"),
    ("pmod(k1, k2)", "k2", "written out"),
    ("substring(s1, k1, 2)", "k1", "written out"),
    ("s1 like s2", "s2", "written out"),
    ("s1 ilike 'a%'", "s1 ILIKE 'a%'", "not proven"),
    ("s1 like any ('a', 'b')", "ANY ('a', 'b')", "written out"),
    ("s1 like 'a\\\\b'", "s1 LIKE 'a\\\\b'", "has to stand before"),
    ("s1 rlike '(?i)a'", "s1 RLIKE '(?i)a'", "pattern"),
    ("s1 rlike 'a*?'", "s1 RLIKE 'a*?'", "pattern"),
    ("s1 rlike '\\\\bx'", "s1 RLIKE '\\\\bx'", "pattern"),
    ("s1 rlike '[a-z&&[^b]]'", "s1 RLIKE '[a-z&&[^b]]'", "pattern"),
    ("s1 rlike '(a)\\\\1'", "s1 RLIKE '(a)\\\\1'", "pattern"),
    ("s1 rlike '[[:alpha:]]'", "s1 RLIKE '[[:alpha:]]'", "pattern"),
    ("split(s1, '[,;]')", "SPLIT(s1, '[,;]')", "pattern"),
    ("split(s1, ',', 2)", "SPLIT(s1, ',', 2)", "limit"),
    ("'it''s'", "CONCAT('it', 's')", "it's"),
    ("regexp_extract(s1, 'a', 0)", "REGEXP_EXTRACT(s1, 'a', 0)", "not proven"),
    ("a_int[k1]", "a_int[k1]", "written out"),
    ("sum(k1)", "SUM(k1)", "not proven"),
    ("null", "NULL", "cast"),
    ("coalesce(null, null)", "COALESCE(NULL, NULL)", "cast(null as"),
    ("k1 and b1", "k1", "boolean"),
    ("if(s1, 1, 2)", "s1", "boolean"),
    ("nothing + 1", "nothing", "no such column"),
    ("1.5F", "CAST(1.5 AS FLOAT)", "float"),
    ("99999999999999999999", "99999999999999999999", "bigint"),
    ("k1 & 3", "k1 & 3", "not proven"),
    ("array(1, 2)", "ARRAY(1, 2)", "not proven"),
    ("try_divide(k1, k2)", "TRY_DIVIDE(k1, k2)", "not proven"),
    ("k1 in (1, i1 + i2)", "i1 + i2", "may fail"),
    ("(select 1)", "(SELECT 1)", "not proven"),
    ("row_number() over (order by k1)", "ROW_NUMBER() OVER (ORDER BY k1)", "not proven"),
    ("lpad(s1, 5, '')", "LPAD(s1, 5, '')", "empty"),
    ("timestampadd(day, k1, t1)", "k1", "written out"),
    ("k1 between i1 + i2 and 3", "k1 BETWEEN i1 + i2 AND 3", "may fail"),
]


@pytest.mark.parametrize(("text", "part", "reason"), REFUSED, ids=[text for text, _, _ in REFUSED])
def test_the_part_that_is_not_proven_is_named(text: str, part: str, reason: str) -> None:
    with pytest.raises(NotProven) as caught:
        translate(sqlglot.parse_one(text, read="spark"), TYPES)
    assert caught.value.part == part
    assert reason in caught.value.reason
    assert part in str(caught.value)
    assert isinstance(caught.value, FeaturemillError)


def test_an_expression_that_grows_too_long_is_refused() -> None:
    text = "d1"
    for _ in range(6):
        text = f"add_months(d1, cast(months_between({text}, d2) as int))"
    with pytest.raises(NotProven, match="too long"):
        translate(sqlglot.parse_one(text, read="spark"), TYPES)


def test_no_node_without_a_handler_gets_through() -> None:
    """Every function that the parser knows and no handler names is refused, whatever its arguments are."""
    from sqlglot import exp

    for function in exp.ALL_FUNCTIONS:
        if function in HANDLERS or not function.arg_types:
            continue
        node = function(this=exp.column("k1"), expression=exp.column("k1"), expressions=[exp.column("k1")])
        with pytest.raises(NotProven):
            translate(node, TYPES)


def test_every_handled_function_refuses_strange_types() -> None:
    """An array fits none of the strict functions: each says which types are proven."""
    for name in ("abs", "sqrt", "year", "length", "lower", "last_day", "isnan", "unix_micros", "md5"):
        with pytest.raises(NotProven) as caught:
            translate(sqlglot.parse_one(f"{name}(a_int)", read="spark"), TYPES)
        assert PROVEN[name].lines()[0] in caught.value.reason
