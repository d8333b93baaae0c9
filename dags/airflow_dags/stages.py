"""Tasks that do a stage of a day in their own process. What a stage is, is `featuremill.tasks`'s business."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.bases.skipmixin import SkipMixin
from airflow.sdk.exceptions import AirflowFailException

from airflow_dags.provided import ProvidedOperator, Work, WorkingOperator, execute
from airflow_dags.running import clear_errors, model_options, run_type, say


class StageOperator(WorkingOperator):
    """A stage that needs no Spark."""

    def execute(self, context: Any) -> Any:
        with clear_errors():
            return self.work.day(context).do(self.work.stage, options=model_options(context))


class LandSensor(BaseSensorOperator):
    """The raw files of the day are there. A scheduled run waits for them for half a day, others fail at once."""

    work: Work

    def poke(self, context: Any) -> PokeReturnValue:
        from featuremill.errors import DataError

        with clear_errors():
            day = self.work.day(context)
            try:
                return PokeReturnValue(True, day.do("land"))
            except DataError as error:
                if run_type(context) != "scheduled":
                    raise AirflowFailException(str(error)) from None
                say(f"waiting: {error}")
                return PokeReturnValue(False)


class DecidingOperator(WorkingOperator, SkipMixin):
    """Goes on with what `decide` returns, or else skips: all that comes after, or with `next_only` the next tasks."""

    next_only: ClassVar[bool] = False
    _can_skip_downstream = True

    def decide(self, context: Any) -> Any:
        raise NotImplementedError

    def execute(self, context: Any) -> Any:
        decided = self.decide(context)
        if not decided:
            relatives = self.get_direct_relatives if self.next_only else self.get_flat_relatives
            self.skip(ti=context["ti"], tasks=relatives(upstream=False))
        return decided


class DueOperator(DecidingOperator):
    """Goes on if a model is due, with its day and the reason."""

    def decide(self, context: Any) -> dict[str, str] | None:
        with clear_errors():
            day = self.work.day(context)
            reason = day.due(self.options(context))
        say(f"a model is trained: {reason}" if reason else "no model is due")
        return {"ds": day.ds, "reason": reason} if reason else None

    def options(self, context: Any) -> Any:
        return model_options(context)


class DueDailyOperator(DueOperator):
    """The same in a day's run, which goes on without a model too."""

    next_only = True

    def options(self, context: Any) -> Any:
        from featuremill.tasks.day import ModelOptions

        return ModelOptions(trains=True, first=run_type(context) != "backfill")


class RecordOperator(DecidingOperator):
    """Records the model of a training job. Skips all that comes after if somebody asked to stop after training."""

    def decide(self, context: Any) -> Any:
        with clear_errors():
            done = self.work.day(context).do("train", options=model_options(context))
        say("stops after training, as was asked for" if context["params"]["stop_after_training"] else "goes on")
        return None if context["params"]["stop_after_training"] else done


class TrainingRunOperator(ProvidedOperator):
    """Has the pipeline's training DAG run under this run's id, and waits for it."""

    official = "airflow.providers.standard.operators.trigger_dagrun.TriggerDagRunOperator"

    def execute(self, context: Any) -> Any:
        return execute(self._operator(context), context)

    def execute_complete(self, context: Any, event: Any) -> Any:
        return self._operator(context).execute_complete(context, event)

    def _operator(self, context: Any) -> Any:
        due = context["ti"].xcom_pull(task_ids="model.is_due")
        return self.provided(
            trigger_dag_id=f"{self.work.pipeline}__train",
            trigger_run_id=context["run_id"],
            conf={"ds": due["ds"], "by_hand": False},
            reset_dag_run=True,
            wait_for_completion=True,
            deferrable=True,
            poke_interval=5,
        )


class PublishOperator(WorkingOperator):
    """Points Hive's partitions at the day's tables, and leaves a note at the run."""

    def execute(self, context: Any) -> Any:
        from featuremill.tasks.notes import leave_note, note_of

        with clear_errors():
            day = self.work.day(context)
            done = day.do("publish", options=model_options(context), kinds=self.work.kinds)
            leave_note(context["dag"].dag_id, context["run_id"], note_of(day, done), say)
            return done


class MonitorOperator(WorkingOperator):
    """Compares the day with what the model learned from, and adds what came of it to the run's note."""

    def execute(self, context: Any) -> Any:
        from featuremill.tasks.notes import leave_note, note_of

        published = context["ti"].xcom_pull(task_ids="publish.move")
        with clear_errors():
            day = self.work.day(context)
            done = day.do("monitor")
            leave_note(context["dag"].dag_id, context["run_id"], note_of(day, published or {}, done), say)
            return done


class ChoiceOperator(WorkingOperator):
    """Has the endpoint run the model that somebody chose, tested; a part of `<pipeline>__deploy`."""

    def execute(self, context: Any) -> Any:
        from airflow_dags.sagemaker import wanted
        from featuremill.tasks.models import deploy_choice

        with clear_errors():
            return deploy_choice(self.work.day(context), wanted(context))
