"""What every task needs when it runs: its day, errors as Airflow takes them, alerts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param
from airflow.sdk.configuration import conf
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    from featuremill.tasks.day import Day, ModelOptions


def give_params(dag: DAG, params: dict[str, Param]) -> None:
    """Give a DAG its parameters once its tasks are made, unchecked.

    Each task that is made later would copy them, and Airflow would check the defaults of each DAG against their
    schemas. Both take longer than all the rest. What a task sees when it runs is the same.
    """
    object.__setattr__(dag, "params", ParamsDict(params))


@cache
def limits() -> dict[str, Any]:
    """What Airflow's configuration says of DAGs, read once: a DAG that is not told reads it for itself."""
    return {
        "max_active_tasks": conf.getint("core", "max_active_tasks_per_dag"),
        "max_consecutive_failed_dag_runs": conf.getint("core", "max_consecutive_failed_dag_runs_per_dag"),
        "disable_bundle_versioning": conf.getboolean("dag_processor", "disable_bundle_versioning"),
    }


SPARK_POOL, TRAINING_POOL = "spark", "training"

DS_PARAM = Param(
    None,
    type=["null", "string"],
    format="date",
    title="Day",
    description="The day (ds) to run for. Left empty: the logical date's, or the last whole day.",
)


def default_args(owner: str) -> dict[str, Any]:
    """Only what may pass by itself is tried again: `clear_errors` sees to the rest."""
    return {
        "owner": owner,
        "retries": 4,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(hours=4),
        "on_failure_callback": alert,
    }


def day_of(context: Any) -> str:
    """The `ds` of a run: what was asked for; of a run by hand its logical date; else the last day of its interval."""
    asked = context["params"].get("ds")
    if asked:
        return str(asked)
    run = context["dag_run"]
    if run_type(context) == "manual" and run.logical_date is not None and not _is_now(run):
        return f"{run.logical_date:%Y-%m-%d}"
    end = run.data_interval_end or run.run_after
    return f"{end - timedelta(seconds=1):%Y-%m-%d}"


def _is_now(run: Any) -> bool:
    """The trigger form's preset logical date is the moment itself, whose day is not over."""
    return run.start_date is not None and abs(run.start_date - run.logical_date) < timedelta(hours=1)


def run_type(context: Any) -> str:
    """manual, scheduled, backfill or asset_triggered."""
    found = context["dag_run"].run_type
    return str(getattr(found, "value", found))


def open_day(project: str, pipeline: str, context: Any) -> Day:
    from featuremill.tasks.day import Day

    return Day.open(Path(project), pipeline, day_of(context), say)


def model_options(context: Any) -> ModelOptions:
    """What the parameters of a training run say; runs of other DAGs train nothing."""
    from featuremill.tasks.day import ModelOptions

    params = context["params"]
    if "by_hand" not in params:
        return ModelOptions()
    return ModelOptions(
        trains=True,
        by_hand=bool(params["by_hand"]),
        instance_type=params.get("instance_type"),
        instance_count=params.get("instance_count"),
    )


def say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def clear_errors() -> Iterator[None]:
    """End a task for good where trying again cannot help: bad data, a wrong file, a model that is not accepted.

    A service that does not answer is tried again, and so is everything that nobody foresaw.
    """
    from featuremill.errors import FeaturemillError, ServiceError

    try:
        yield
    except ServiceError:
        raise
    except FeaturemillError as error:
        raise AirflowFailException(str(error)) from None


def alert(context: Any) -> None:
    """Tell people that a task failed for good."""
    from featuremill.spec.environment import load_environment
    from featuremill.tasks.alerts import Alert, send

    ti = context["ti"]
    project = Path(context["dag"].fileloc).resolve().parents[1]
    text = str(context.get("exception") or "no reason was given")
    found = Alert(
        pipeline=ti.dag_id,
        run=ti.run_id,
        task=ti.task_id,
        text=text,
        url=str(getattr(ti, "log_url", "") or ""),
    )
    environment = load_environment(project)
    send(found, environment.alerts, Path(environment.state), say)
