"""What a person who knows DuckDB would write for the credit risk tables: the yardstick of the local engine.

    python handwritten_duckdb.py LOANS_CSV OUT_DIR

Reads the CSV with declared types and writes training.parquet and snapshot.parquet with the columns of
configuration/pipelines/credit_risk.yaml. It keeps no rejected line, checks no expectation, publishes nothing and is not
exact in the last bits of sums.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

COLUMNS = """
loan_id BIGINT, id BIGINT, code_gender VARCHAR, flag_own_car VARCHAR, flag_own_realty VARCHAR, cnt_children INTEGER,
amt_income_total DOUBLE, name_income_type VARCHAR, name_education_type VARCHAR, name_family_status VARCHAR,
name_housing_type VARCHAR, days_birth INTEGER, days_employed INTEGER, flag_mobil INTEGER, flag_work_phone INTEGER,
flag_phone INTEGER, flag_email INTEGER, occupation_type VARCHAR, cnt_fam_members INTEGER, status INTEGER, birthday DATE,
job_start_date DATE, loan_date DATE, loan_amount DOUBLE
"""

SELECTS = """
    CAST(floor(months_between(as_of, birthday) / 12) AS BIGINT) AS age,
    CASE WHEN job_start_date <= as_of THEN CAST(floor(months_between(as_of, job_start_date) / 12) AS BIGINT) END
      AS years_on_the_job,
    CAST(name_income_type = 'Pensioner' AS INTEGER) AS is_pensioner,
    CAST(code_gender = 'F' AS INTEGER) AS is_female,
    CAST(flag_own_car = 'Y' AS INTEGER) AS flag_own_car,
    CAST(flag_own_realty = 'Y' AS INTEGER) AS flag_own_realty,
    amt_income_total AS income,
    CASE WHEN cnt_fam_members > 0 THEN amt_income_total / cnt_fam_members END AS income_per_head,
    cnt_children AS children, name_income_type AS income_type, name_education_type AS education,
    name_family_status AS family_status, name_housing_type AS housing, occupation_type AS occupation
"""

MONTHS_BETWEEN = """
CREATE MACRO months_between(a, b) AS
  (year(a) - year(b)) * 12 + month(a) - month(b)
  + CASE WHEN day(a) = day(b) OR (a = last_day(a) AND b = last_day(b)) THEN 0 ELSE (day(a) - day(b)) / 31.0 END
"""

TRAINING = f"""
WITH aggregated AS (
  SELECT *, loan_date AS as_of,
    count(*) OVER earlier AS nb_previous_loans,
    avg(loan_amount) OVER earlier AS avg_amount_loans_previous,
    count(*) OVER d30 AS loans_30d, count(*) OVER d90 AS loans_90d, count(*) OVER d365 AS loans_365d,
    sum(loan_amount) OVER d30 AS amount_loans_30d, sum(loan_amount) OVER d90 AS amount_loans_90d,
    sum(loan_amount) OVER d365 AS amount_loans_365d,
    max(loan_amount) OVER d365 AS max_amount_loans_365d,
    stddev_samp(loan_amount) OVER earlier AS stddev_amount_loans_previous,
    arg_max(loan_amount, (loan_date, loan_id)) OVER earlier AS last_amount_loan,
    nullif(count(DISTINCT loan_date) OVER d365, 0) AS loan_days_365d,
    loan_date - max(loan_date) OVER earlier AS days_since_last_loan,
    count(*) FILTER (WHERE status = 1) OVER known365 AS bad_loans_365d,
    count(*) FILTER (WHERE status = 1) OVER known AS bad_loans_previous,
    avg(status) OVER known AS share_bad_loans_previous,
    loan_date - max(loan_date) FILTER (WHERE status = 1) OVER known AS days_since_last_bad_loan
  FROM loans
  WINDOW
    earlier AS (PARTITION BY id ORDER BY loan_date
      RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL 1 DAY PRECEDING),
    d30 AS (PARTITION BY id ORDER BY loan_date RANGE BETWEEN INTERVAL 30 DAY PRECEDING AND INTERVAL 1 DAY PRECEDING),
    d90 AS (PARTITION BY id ORDER BY loan_date RANGE BETWEEN INTERVAL 90 DAY PRECEDING AND INTERVAL 1 DAY PRECEDING),
    d365 AS (PARTITION BY id ORDER BY loan_date RANGE BETWEEN INTERVAL 365 DAY PRECEDING AND INTERVAL 1 DAY PRECEDING),
    known AS (PARTITION BY id ORDER BY loan_date
      RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL 60 DAY PRECEDING),
    known365 AS (PARTITION BY id ORDER BY loan_date
      RANGE BETWEEN INTERVAL 365 DAY PRECEDING AND INTERVAL 60 DAY PRECEDING)
)
SELECT id, loan_id, as_of, nb_previous_loans, avg_amount_loans_previous, loans_30d, loans_90d, loans_365d,
  amount_loans_30d, amount_loans_90d, amount_loans_365d, max_amount_loans_365d, stddev_amount_loans_previous,
  last_amount_loan, loan_days_365d, CAST(days_since_last_loan AS DOUBLE) AS days_since_last_loan, bad_loans_365d,
  bad_loans_previous, share_bad_loans_previous, CAST(days_since_last_bad_loan AS DOUBLE) AS days_since_last_bad_loan,
  {SELECTS},
  CASE WHEN loan_date <= DATE '2021-01-01' - 60 THEN status END AS status
FROM aggregated
ORDER BY id, as_of, loan_id
"""

SNAPSHOT = f"""
WITH aggregated AS (
  SELECT id, DATE '2021-01-01' AS as_of,
    count(*) AS nb_previous_loans, avg(loan_amount) AS avg_amount_loans_previous,
    count(*) FILTER (WHERE loan_date >= DATE '2021-01-01' - 30) AS loans_30d,
    count(*) FILTER (WHERE loan_date >= DATE '2021-01-01' - 90) AS loans_90d,
    count(*) FILTER (WHERE loan_date >= DATE '2021-01-01' - 365) AS loans_365d,
    sum(loan_amount) FILTER (WHERE loan_date >= DATE '2021-01-01' - 30) AS amount_loans_30d,
    sum(loan_amount) FILTER (WHERE loan_date >= DATE '2021-01-01' - 90) AS amount_loans_90d,
    sum(loan_amount) FILTER (WHERE loan_date >= DATE '2021-01-01' - 365) AS amount_loans_365d,
    max(loan_amount) FILTER (WHERE loan_date >= DATE '2021-01-01' - 365) AS max_amount_loans_365d,
    stddev_samp(loan_amount) AS stddev_amount_loans_previous,
    arg_max(loan_amount, (loan_date, loan_id)) AS last_amount_loan,
    nullif(count(DISTINCT loan_date) FILTER (WHERE loan_date >= DATE '2021-01-01' - 365), 0) AS loan_days_365d,
    CAST(DATE '2021-01-01' - max(loan_date) AS DOUBLE) AS days_since_last_loan,
    count(*) FILTER (WHERE status = 1 AND loan_date BETWEEN DATE '2021-01-01' - 365 AND DATE '2021-01-01' - 60)
      AS bad_loans_365d,
    count(*) FILTER (WHERE status = 1 AND loan_date <= DATE '2021-01-01' - 60) AS bad_loans_previous,
    avg(status) FILTER (WHERE loan_date <= DATE '2021-01-01' - 60) AS share_bad_loans_previous,
    CAST(DATE '2021-01-01' - max(loan_date) FILTER (WHERE status = 1 AND loan_date <= DATE '2021-01-01' - 60) AS DOUBLE)
      AS days_since_last_bad_loan,
    unnest(arg_max(loans, (loan_date, loan_id)))
  FROM loans GROUP BY loans.id
)
SELECT id, as_of, nb_previous_loans, avg_amount_loans_previous, loans_30d, loans_90d, loans_365d,
  amount_loans_30d, amount_loans_90d, amount_loans_365d, max_amount_loans_365d, stddev_amount_loans_previous,
  last_amount_loan, loan_days_365d, days_since_last_loan, bad_loans_365d, bad_loans_previous, share_bad_loans_previous,
  days_since_last_bad_loan, {SELECTS}
FROM aggregated
ORDER BY id
"""


def main(csv: str, out: str) -> None:
    Path(out).mkdir(parents=True, exist_ok=True)
    types = {name: kind for name, kind in (column.split() for column in COLUMNS.strip().split(","))}
    connection = duckdb.connect(config={"temp_directory": f"{out}/spill"})
    connection.execute(MONTHS_BETWEEN)
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items())
    connection.execute(f"CREATE TABLE loans AS SELECT * FROM read_csv('{csv}', header = true, columns = {{{columns}}})")
    for name, query in (("training", TRAINING), ("snapshot", SNAPSHOT)):
        connection.execute(f"COPY ({query}) TO '{out}/{name}.parquet' (FORMAT parquet, COMPRESSION zstd)")


if __name__ == "__main__":
    main(*sys.argv[1:3])
