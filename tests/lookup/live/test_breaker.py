"""The circuit breaker, with a clock of the test's own."""

from __future__ import annotations

from featuremill.lookup.live.breaker import Breaker


def test_it_opens_rests_tries_once_and_closes() -> None:
    now = 0.0
    breaker = Breaker(2, 10.0, clock=lambda: now)
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert breaker.may_pass(), "only failures in a row count"
    breaker.failed()
    assert breaker.is_open and not breaker.may_pass()
    now = 10.0
    assert breaker.may_pass() and not breaker.may_pass(), "one tries"
    breaker.failed()
    now = 19.9
    assert not breaker.may_pass()
    now = 20.0
    assert breaker.may_pass()
    breaker.succeeded()
    assert not breaker.is_open and breaker.may_pass()
