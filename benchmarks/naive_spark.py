"""The Spark script that one writes first: infer the schema, sort everything, one window a feature.

    python naive_spark.py LOANS_CSV OUT_DIR

Writes training/ and snapshot/ with the columns of configuration/pipelines/credit_risk.yaml.
"""

from __future__ import annotations

import os
import sys

from pyspark.sql import DataFrame, SparkSession, Window, WindowSpec
from pyspark.sql import functions as F

DAY = 86_400


def days_before(first: int | None, last: int) -> WindowSpec:
    """A window of its own over the loans of the same customer, from `first` to `last` days before the loan."""
    window = Window.partitionBy("id").orderBy("seconds")
    return window.rangeBetween(Window.unboundedPreceding if first is None else -first * DAY, -last * DAY)


def aggregated(loans: DataFrame) -> DataFrame:
    bad = F.when(F.col("status") == 1, 1)
    bad_seconds = F.when(F.col("status") == 1, F.col("seconds"))
    newest = F.max_by("loan_amount", F.struct("seconds", "loan_id"))
    return (
        loans.withColumn("nb_previous_loans", F.count("*").over(days_before(None, 1)))
        .withColumn("avg_amount_loans_previous", F.avg("loan_amount").over(days_before(None, 1)))
        .withColumn("loans_30d", F.count("*").over(days_before(30, 1)))
        .withColumn("loans_90d", F.count("*").over(days_before(90, 1)))
        .withColumn("loans_365d", F.count("*").over(days_before(365, 1)))
        .withColumn("amount_loans_30d", F.sum("loan_amount").over(days_before(30, 1)))
        .withColumn("amount_loans_90d", F.sum("loan_amount").over(days_before(90, 1)))
        .withColumn("amount_loans_365d", F.sum("loan_amount").over(days_before(365, 1)))
        .withColumn("max_amount_loans_365d", F.max("loan_amount").over(days_before(365, 1)))
        .withColumn("stddev_amount_loans_previous", F.stddev_samp("loan_amount").over(days_before(None, 1)))
        .withColumn("last_amount_loan", newest.over(days_before(None, 1)))
        .withColumn("loan_days_365d", F.nullif(F.size(F.collect_set("loan_date").over(days_before(365, 1))), F.lit(0)))
        .withColumn("days_since_last_loan", (F.col("seconds") - F.max("seconds").over(days_before(None, 1))) / DAY)
        .withColumn("bad_loans_365d", F.count(bad).over(days_before(365, 60)))
        .withColumn("bad_loans_previous", F.count(bad).over(days_before(None, 60)))
        .withColumn("share_bad_loans_previous", F.avg("status").over(days_before(None, 60)))
        .withColumn(
            "days_since_last_bad_loan", (F.col("seconds") - F.max(bad_seconds).over(days_before(None, 60))) / DAY
        )
    )


def with_selects(frame: DataFrame) -> DataFrame:
    expressions = {
        "age": "floor(months_between(as_of, birthday) / 12)",
        "years_on_the_job": "if(job_start_date <= as_of, floor(months_between(as_of, job_start_date) / 12), null)",
        "is_pensioner": "cast(name_income_type = 'Pensioner' as int)",
        "is_female": "cast(code_gender = 'F' as int)",
        "income": "amt_income_total",
        "income_per_head": "if(cnt_fam_members > 0, amt_income_total / cnt_fam_members, null)",
        "children": "cnt_children",
        "income_type": "name_income_type",
        "education": "name_education_type",
        "family_status": "name_family_status",
        "housing": "name_housing_type",
        "occupation": "occupation_type",
        "flag_own_car": "cast(flag_own_car = 'Y' as int)",
        "flag_own_realty": "cast(flag_own_realty = 'Y' as int)",
    }
    for name, expression in expressions.items():
        frame = frame.withColumn(name, F.expr(expression))
    return frame.drop(*(column for column in RAW if column not in ("id", "loan_id", "status")), "seconds")


def main(csv: str, out: str) -> None:
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    builder = (
        SparkSession.builder.master("local[*]").config("spark.driver.memory", "4g").config("spark.ui.enabled", "false")
    )
    spark = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    loans = spark.read.csv(csv, header=True, inferSchema=True).orderBy("id", "loan_date")
    RAW.extend(loans.columns)
    loans = loans.withColumn("seconds", F.unix_timestamp(F.col("loan_date").cast("timestamp")))
    training = with_selects(aggregated(loans).withColumn("as_of", F.col("loan_date").cast("timestamp")))
    due = F.col("as_of") <= F.lit("2020-11-02").cast("timestamp")
    training.withColumn("status", F.when(due, F.col("status"))).write.mode("overwrite").parquet(f"{out}/training")
    # A snapshot is an event at the cutoff: add one a customer, a copy of the newest loan.
    newest = loans.groupBy("id").agg(F.max_by(F.struct(*loans.columns), F.struct("seconds", "loan_id")).alias("row"))
    cutoff = F.unix_timestamp(F.lit("2021-01-01").cast("timestamp"))
    events = newest.select("row.*").withColumn("seconds", cutoff).withColumn("loan_amount", F.lit(None).cast("double"))
    both = aggregated(loans.unionByName(events)).where(F.col("seconds") == cutoff)
    at_cutoff = both.withColumn("as_of", F.lit("2021-01-01").cast("timestamp"))
    with_selects(at_cutoff).drop("loan_id", "status").write.mode("overwrite").parquet(f"{out}/snapshot")
    spark.stop()


RAW: list[str] = []

if __name__ == "__main__":
    main(*sys.argv[1:3])
