"""A real scheduler runs a project: what a run by hand makes, what running again changes, what bad data does."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.dags.stack import Stack
from tests.runs.shop import HEADER, line
from tests.tasks.receivers import text_of

pytestmark = pytest.mark.slow

FIRST, DAY = "2024-05-01", "2024-05-02"
GOOD, BAD, LATER = "2024-07-01", "2024-07-02", "2024-07-03"


@pytest.fixture(scope="module")
def run(stack: Stack) -> str:
    """A run of the learning pipeline that somebody triggered in the UI; it trains the first model."""
    for day in (FIRST, DAY):
        stack.shop.land_orders(day, seed=int(day[-1]))
    return stack.api.trigger("shop", ds=DAY)


def test_a_run_by_hand_trains_deploys_and_publishes_what_the_command_would(stack: Stack, run: str) -> None:
    shop, api = stack.shop, stack.api
    assert api.ended("shop", run) == ["success"], api.tasks("shop", run)
    by_airflow, live = stack.is_whole(shop, DAY), shop.live
    assert {table for table, _ in by_airflow} >= {"orders", "snapshot", "training", "predictions"}
    assert live is not None and stack.look_up(shop)["model_version"] == live
    assert f"| snapshot | {len(shop.rows('snapshot', DAY))} |" in api.run("shop", run)["note"]
    before = _tables(shop.files())
    shop.run(DAY)
    assert stack.fingerprints(shop) == by_airflow
    assert shop.live == live
    assert _tables(shop.files()) == before


def _tables(files: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Without the events of models: a run writes down that there was nothing to do."""
    return {name: found for name, found in files.items() if "/_models/" not in name}


def test_the_same_day_twice_at_once_and_tasks_done_again_change_nothing(stack: Stack, run: str) -> None:
    shop, api = stack.shop, stack.api
    assert api.ended("shop", run) == ["success"]
    before, files, endpoint = stack.fingerprints(shop), _tables(shop.files()), shop.endpoint_config
    # All at once: two more runs of the same day (each goes through the training again), single tasks of the first run.
    runs = [api.trigger("shop", ds=DAY) for _ in range(2)]
    api.clear("shop__train", run, "train.job", "deploy.endpoint")
    api.clear("shop", run, "ingest.orders", "score")
    assert api.ended("shop", run, *runs) == ["success"] * 3
    assert api.ended("shop__train", run) == ["success"], api.tasks("shop__train", run)
    assert (stack.is_whole(shop, DAY), _tables(shop.files())) == (before, files)
    assert shop.endpoint_config == endpoint
    jobs = shop.clients.sagemaker.list_training_jobs(MaxResults=100)["TrainingJobSummaries"]
    assert [job["TrainingJobName"] for job in jobs] == [shop.live], "no second model"


def test_a_bad_landing_alerts_once_leaves_yesterday_and_heals_when_it_is_corrected(stack: Stack) -> None:
    plain, api = stack.plain, stack.api
    plain.land(GOOD, HEADER + line(1, 1, GOOD) + line(2, 2, GOOD))
    good = api.trigger("plain", ds=GOOD)
    assert api.ended("plain", good) == ["success"]
    before = stack.is_whole(plain, GOOD)
    stack.posts.clear()
    stack.mails.clear()

    plain.land(BAD, HEADER + line(3, 1, BAD, amount=-1.0))
    plain.land(LATER, HEADER + line(4, 1, LATER))
    try:
        runs = [api.trigger("plain", ds=day) for day in (BAD, LATER)]
        assert api.ended("plain", *runs) == ["failed", "failed"]
        for run in runs:
            tasks = api.task_instances("plain", run)
            assert (tasks["ingest.orders"]["state"], tasks["ingest.orders"]["try_number"]) == ("failed", 1)
            assert tasks["snapshot"]["state"] == tasks["publish.move"]["state"] == "upstream_failed"
        assert stack.is_whole(plain, GOOD) == before, "what was published is what is shown and looked up"
        _one_alert(stack, runs)
    finally:
        plain.land(BAD, HEADER + line(3, 1, BAD, amount=1.0))

    for run in runs:
        api.clear("plain", run, failed=True)
    assert api.ended("plain", *runs) == ["success", "success"]
    after = stack.is_whole(plain, LATER)
    assert {place: after[place] for place in before} == before
    healed = {day for _, day in after.keys() - before.keys()}
    assert healed == {BAD, LATER}
    plain.run(f"{GOOD}..{LATER}")
    assert stack.fingerprints(plain) == after
    assert len(stack.posts) == len(stack.mails) == 1


def _one_alert(stack: Stack, runs: list[str]) -> None:
    """By webhook, by mail, and in the log of one of the runs."""
    (post,), (mail,) = stack.posts, stack.mails
    assert (post["pipeline"], post["task"]) == ("plain", "ingest.orders") and post["run"] in runs
    assert f"ds={BAD}" in post["text"] and "expectations failed" in post["text"]
    assert mail["To"] == "data@example.org" and post["text"].splitlines()[0] in text_of(mail)
    log = "/dags/plain/dagRuns/{}/taskInstances/ingest.orders/logs/1"
    logs = [str(stack.api.get(log.format(quote(run)))) for run in runs]
    assert sorted(("ALERT plain" in log, "alerted already" in log) for log in logs) == [(False, True), (True, False)]
