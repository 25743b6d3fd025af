"""Delays, the gate and the bucket. Pure: time is an argument."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from bouncer.connections.bucket import Bucket
from bouncer.connections.supervise import (
    BAN_RETRY_S,
    GHOST_S,
    LONGEST_BAN_RETRY_S,
    LONGEST_RETRY_S,
    STABLE_S,
    THROTTLED_S,
    Ending,
    Gate,
    Patience,
    backoff,
)


def test_the_first_retry_comes_within_two_seconds_and_delays_grow_to_a_bound() -> None:
    most = list(islice(backoff(jitter=lambda: 1.0), 12))
    least = list(islice(backoff(jitter=lambda: 0.0), 12))
    assert most[:4] == [2.0, 4.0, 8.0, 16.0]
    assert most[-1] == LONGEST_RETRY_S
    assert least == [delay / 2 for delay in most]


@given(st.lists(st.floats(0, 30), min_size=1, max_size=150), st.integers(1, 60), st.integers(1, 5))
def test_the_gate_never_lets_more_through_than_it_promises(
    waits: list[float], per_min: int, burst: int
) -> None:
    """In any window of w seconds at most burst + w * per_min / 60 connections begin."""
    gate = Gate(per_min, burst)
    now = 0.0
    begins = []
    for wait in waits:
        now += wait
        begins.append(now + gate.delay(("", "irc.test"), now))
    for index, first in enumerate(begins):
        for later, last in enumerate(begins[index:], 1):
            assert later <= burst + (last - first) * per_min / 60 + 1e-6


def test_keys_do_not_wait_for_each_other_and_zero_is_no_limit() -> None:
    gate = Gate(1, burst=1)
    assert gate.delay(("", "a"), 0.0) == 0.0
    assert gate.delay(("", "a"), 0.0) == 60.0
    assert gate.delay(("", "b"), 0.0) == 0.0
    assert gate.delay(("10.0.0.1", "a"), 0.0) == 0.0
    assert [Gate(0).delay(("", "a"), 0.0) for _ in range(100)] == [0.0] * 100


def test_the_default_gate_stays_under_ten_connections_in_33_s() -> None:
    """The ban that hit a company's instance after an update: 10 connects in 33 s."""
    gate = Gate(10)
    begins = [gate.delay(("", "irc.test"), 0.0) for _ in range(100)]
    assert all(ninth - first > 33 for first, ninth in zip(begins, begins[9:], strict=False))


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(rate=0.5, burst=10)
    assert bucket.take(25, 100.0) == 10
    assert bucket.take(15, 100.0) == 0
    assert bucket.wait_s() == 2.0
    assert bucket.take(15, 104.0) == 2
    assert bucket.take(15, 1000.0) == 10
    assert Bucket(rate=0, burst=1).take(500, 0.0) == 500


def test_only_a_session_that_ended_in_silence_leaves_a_ghost_to_wait_for() -> None:
    patience = Patience(jitter=lambda: 1.0)
    assert patience.after(Ending("closed by the server"), 1.0) == 2.0
    assert patience.after(Ending("not answered for 120 s", silent=True), 1.0) == GHOST_S
    assert patience.after(Ending("connection refused"), 1.0) == 8.0


def test_a_ban_is_tried_again_slowly_and_never_given_up() -> None:
    patience = Patience(jitter=lambda: 1.0)
    banned = Ending("Closing Link: me (K-Lined)", banned=True)
    delays = [patience.after(banned, 1.0) for _ in range(5)]
    assert delays[0] == BAN_RETRY_S
    assert delays[-1] == LONGEST_BAN_RETRY_S


def test_a_network_that_says_we_come_too_often_is_left_alone_for_a_while() -> None:
    patience = Patience(jitter=lambda: 0.0)
    too_fast = Ending("Closing Link: (Trying to reconnect too fast.)")
    assert patience.after(too_fast, 1.0) == THROTTLED_S


def test_errors_never_end_the_tries_and_a_long_hold_starts_the_delays_anew() -> None:
    patience = Patience(jitter=lambda: 1.0)
    refused = Ending("connection refused")
    assert [patience.after(refused, 0.1) for _ in range(1_000)][-1] == LONGEST_RETRY_S
    assert patience.after(refused, STABLE_S + 1) == 2.0
    assert patience.after(Ending("password incorrect", permanent=True), 0.1) is None
