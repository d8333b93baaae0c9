"""Which engine does which step of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from featuremill.errors import UsageError
from featuremill.spec.environment import Environment
from featuremill.steps.graph import Step
from featuremill.steps.jobs import Engine, Scores

if TYPE_CHECKING:
    from spark_jobs.engine import SparkEngine


class RunEngines:
    """The engines of one run, each started when it is first needed.

    With `engine` spark, Spark does everything. With local, DuckDB does all that it may; if `spark_reason` says that an
    expression of the pipeline is not proven equal on both, the tables go to Spark.
    """

    def __init__(
        self, engine: str, spark_reason: str | None, local: Callable[[], Engine], spark: Callable[[], Engine]
    ) -> None:
        self._engine, self._spark_reason = engine, spark_reason
        self._make = {"local": local, "spark": spark}
        self._made: dict[str, Engine] = {}
        self._scorer: Scores | None = None

    def score_with(self, scorer: Scores) -> None:
        """Have predictions made by something else than an engine."""
        self._scorer = scorer

    def for_scoring(self, step: Step) -> Scores:
        return self._scorer if self._scorer is not None else self.for_step(step)

    def for_step(self, step: Step) -> Engine:
        tables_on_spark = step.kind in ("snapshot", "training") and self._spark_reason is not None
        name = "spark" if self._engine == "spark" or tables_on_spark else "local"
        if name not in self._made:
            self._made[name] = self._make[name]()
        return self._made[name]

    def close(self) -> None:
        for engine in self._made.values():
            engine.close()


def spark_engine(environment: Environment) -> SparkEngine:
    """Spark as the environment's `spark` section has it. Raises UsageError where PySpark is not installed."""
    try:
        from spark_jobs.engine import SparkEngine
        from spark_jobs.session import SparkSettings
    except ImportError as error:
        raise UsageError(
            f"Spark is needed and not installed ({error}); install the requirements of featuremill"
        ) from error
    given = environment.spark.model_dump(exclude_none=True)
    conf = {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in environment.spark.conf.items()
    }
    return SparkEngine(SparkSettings.model_validate({**given, "conf": conf}))
