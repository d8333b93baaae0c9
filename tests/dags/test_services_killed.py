"""A service is killed in the middle of a run and started again: the run ends right, and nothing was half published."""

from __future__ import annotations

import contextlib

import psutil
import pytest

from featuremill.services.airflow import SCHEDULER
from featuremill.services.metastore import METASTORE
from featuremill.services.sagemaker import SAGEMAKER
from featuremill.services.spark_connect import SPARK
from tests.conftest import REPOSITORY
from tests.dags.api import wait_for
from tests.dags.stack import ON_DEMAND, Stack
from tests.runs.shop import HEADER, line

pytestmark = [pytest.mark.slow, ON_DEMAND]

PROGRAMS = REPOSITORY / "spark_jobs"


def _land(stack: Stack, *days: str) -> None:
    for day in days:
        order = int(day.replace("-", "")) * 10
        stack.plain.land(day, HEADER + line(order, 1, day) + line(order + 1, int(day[8:]), day))


def _ends_right(stack: Stack, day: str, run: str) -> None:
    plain, api = stack.plain, stack.api
    assert api.ended("plain", run) == ["success"], api.task_instances("plain", run)
    shown = stack.is_whole(plain, day)
    assert {("snapshot", day), ("training", day), ("orders", day)} <= set(shown)
    plain.run(day)
    assert stack.fingerprints(plain) == shown, "it is what the command makes"


@pytest.mark.parametrize(("service", "day"), [(SCHEDULER, "2024-08-20"), (SPARK, "2024-09-20")])
def test_a_killed_service(stack: Stack, service: str, day: str) -> None:
    """With the scheduler die the tasks that it had begun: they are begun again. A Spark server's are tried again."""
    _land(stack, day)
    before = stack.fingerprints(stack.plain)
    run = stack.api.trigger("plain", ds=day)
    stack.wait_until_at_work(stack.plain, "snapshot", day)
    stack.kill(service)
    assert stack.nothing_is_half(stack.plain) == before
    stack.start()
    _ends_right(stack, day, run)


def test_a_killed_spark_submit(stack: Stack) -> None:
    """Where no Spark server runs, each job is a Java process of its own."""
    day = "2024-10-20"
    _land(stack, day)
    before = stack.fingerprints(stack.plain)
    stack.stop(SPARK)
    run = stack.api.trigger("plain", ds=day)
    job = wait_for("a Spark job", lambda: _submitted(stack), pause=0.05)
    assert job is not None
    job.kill()
    assert stack.nothing_is_half(stack.plain) == before
    stack.start()
    _ends_right(stack, day, run)


def _submitted(stack: Stack) -> psutil.Process | None:
    """The Java process of a job of this project."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it ended meanwhile
            words = process.cmdline()
            if process.name() == "java" and str(stack.state) in str(words) and str(PROGRAMS) in str(words):
                return process
    return None


def test_a_killed_metastore(stack: Stack) -> None:
    """In the middle of publishing: some partitions are shown already, others are not yet."""
    plain = stack.plain
    days = [f"2024-11-{number:02}" for number in range(1, 21)]
    _land(stack, *days)
    plain.run(days[-1], until="training")
    before = stack.fingerprints(plain)
    looked_up = stack.look_up(plain)["fingerprints"] if before else None
    run = stack.api.trigger("plain", ds=days[-1])
    catalog = plain.workspace.catalog()
    wait_for("the first partition", lambda: days[0] in catalog.days("plain", "orders"), pause=0.01)
    stack.kill(METASTORE)
    assert looked_up is None or stack.look_up(plain)["fingerprints"] == looked_up
    stack.start()
    shown = stack.nothing_is_half(plain)
    assert {place: shown[place] for place in before} == before
    assert ("orders", days[0]) in shown
    _ends_right(stack, days[-1], run)


def test_a_killed_sagemaker(stack: Stack) -> None:
    """In the middle of training: the job goes on when it is back, and there is one model."""
    shop, api = stack.shop, stack.api
    days = ("2024-05-10", "2024-05-11")
    for day in days:
        shop.land_orders(day, seed=int(day[-2:]))
    before = stack.fingerprints(shop)
    run = api.trigger("shop__train", ds=days[-1])
    sagemaker = shop.clients.sagemaker

    def trains() -> str | None:
        jobs = sagemaker.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]
        names = [str(job["TrainingJobName"]) for job in jobs]
        running = [
            n for n in names if sagemaker.describe_training_job(TrainingJobName=n)["SecondaryStatus"] == "Training"
        ]
        return running[0] if running else None

    job = wait_for("the training job", trains, pause=0.05)
    assert job is not None
    stack.kill(SAGEMAKER)
    assert stack.nothing_is_half(shop) == before
    stack.start()
    assert api.ended("shop__train", run) == ["success"], api.task_instances("shop__train", run)
    stack.nothing_is_half(shop)
    found = shop.clients.sagemaker.describe_training_job(TrainingJobName=job)
    assert found["TrainingJobStatus"] == "Completed"
    assert [name for event, name in shop.events if event == "trained"].count(job) == 1
    assert shop.live == job and shop.endpoint_config.startswith(job)
    jobs = shop.clients.sagemaker.list_training_jobs(NameContains=days[-1], MaxResults=100)["TrainingJobSummaries"]
    assert [found["TrainingJobName"] for found in jobs] == [job]
