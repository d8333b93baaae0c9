"""Weights, turns and the share of a sample."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from featuremill.sagemaker_local.endpoints.capture import Sampler, encoding
from featuremill.sagemaker_local.endpoints.routing import Turns, WeightedRoundRobin

WEIGHTS = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 20), min_size=1)


@given(weights=WEIGHTS, rounds=st.integers(1, 5))
def test_each_key_gets_its_weight_in_every_round(weights: dict[str, int], rounds: int) -> None:
    choice: WeightedRoundRobin[str] = WeightedRoundRobin()
    taken = Counter(
        choice.choose({k: float(w) for k, w in weights.items()}) for _ in range(rounds * sum(weights.values()))
    )
    assert taken == Counter({key: weight * rounds for key, weight in weights.items() if weight})


def test_without_a_weight_nothing_is_chosen() -> None:
    assert WeightedRoundRobin[str]().choose({"a": 0.0}) is None


@dataclass
class Worker:
    name: str
    in_flight: int = 0


def test_instances_take_turns_or_the_least_busy_is_chosen() -> None:
    workers = [Worker("a", 5), Worker("b", 1), Worker("c", 3)]
    turns = Turns()
    assert Counter(turns.choose(workers).name for _ in range(9)) == {"a": 3, "b": 3, "c": 3}  # type: ignore[union-attr]
    assert turns.choose(workers, least_busy=True) is workers[1]
    assert Turns().choose([]) is None


@given(percentage=st.integers(0, 100), hundreds=st.integers(1, 3))
def test_a_sample_is_exactly_its_percentage(percentage: int, hundreds: int) -> None:
    sampler = Sampler(percentage)
    assert sum(sampler.take() for _ in range(100 * hundreds)) == percentage * hundreds


def test_content_types_that_are_not_listed_are_captured_as_base64() -> None:
    config = {"CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]}}
    assert encoding("text/csv; charset=utf-8", config) == "CSV"
    assert encoding("application/JSON", config) == "JSON"
    assert encoding("text/plain", config) == "BASE64"
    assert encoding("text/csv", {}) == "BASE64"
