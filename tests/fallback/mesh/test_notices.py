"""Maintenance windows are the bouncer's, by its own clock."""

from __future__ import annotations

import pytest

from bouncer.mesh.heartbeat import DatagramFault, Kind, Maintenance, acked_name, sign_statement
from bouncer.mesh.keys import MeshKey
from fallback import watch
from fallback.check import about_skew
from fallback.mesh.notices import CLOCKS_AGREE_S, MAX_NOTICES, Notices

SITE, EVE = MeshKey(b"s" * 32), MeshKey(b"e" * 32)
NOW = 1_700_000_000.0


def window(begins: float, id: str = "m1", for_s: float = 600.0) -> Maintenance:
    return Maintenance(id, round(begins * 1000), round((begins + for_s) * 1000))


def signed(notice: Maintenance, key: MeshKey = SITE) -> bytes:
    return sign_statement(key, Kind.MAINTENANCE, notice)


@pytest.mark.parametrize("ahead", [0.0, 3.0, -700.0, 86_400.0])
def test_a_voter_with_another_clock_falls_silent_with_the_others(ahead: float) -> None:
    notices = Notices(SITE.public)
    notices.beat(round((NOW + ahead) * 1000), NOW)
    statement = signed(window(NOW + ahead))
    begins = NOW + ahead if abs(ahead) <= CLOCKS_AGREE_S else NOW
    said = watch.Noticed(watch.Notice("m1", begins, begins + 600))
    assert notices.read(statement) == said
    notices.beat(round((NOW + ahead) * 1000) + 7000, NOW)  # a clock was set meanwhile
    assert notices.read(statement) == said, "a copy stands where it stood"


def test_what_is_over_by_our_clock_is_not_passed_on() -> None:
    notices = Notices(SITE.public)
    notices.beat(round((NOW - 700) * 1000), NOW)  # the bouncer's clock is behind
    statement = signed(window(NOW - 700))
    notices.read(statement)
    assert list(notices.current(NOW + 599)) == [statement]
    assert list(notices.current(NOW + 601)) == []


def test_ops_are_told_of_clocks_that_are_apart() -> None:
    notices = Notices(SITE.public)
    notices.beat(round(NOW * 1000) + 4000, NOW)
    assert list(about_skew(notices.ahead_s)) == []
    notices.beat(round(NOW * 1000) + 61_000, NOW)
    [finding] = about_skew(notices.ahead_s)
    assert finding.todo.startswith("it is +61s")


def test_only_the_bouncer_s_and_of_bounded_length() -> None:
    notices = Notices(SITE.public)
    with pytest.raises(DatagramFault):
        notices.read(signed(window(NOW), EVE))
    assert notices.read(signed(window(NOW, for_s=12 * 3600 + 1))) is None
    assert notices.read(signed(window(NOW, for_s=-1))) is None


def test_an_ack_names_what_was_persisted_and_not_what_only_came() -> None:
    notices = Notices(SITE.public)
    one, other = window(NOW, "m1"), window(NOW, "m2")
    notices.read(signed(one))
    notices.read(signed(other))
    assert notices.held == ""
    notices.persisted("m1")
    assert notices.held == acked_name(one)


def test_it_does_not_grow_without_bound() -> None:
    notices = Notices(SITE.public)
    for number in range(MAX_NOTICES + 5):
        notices.read(signed(window(NOW, f"m{number}")))
    assert len(list(notices.current(NOW))) == MAX_NOTICES
