"""`server debug`: lines in the log, bounded in time and number, with nothing secret in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog
from trio.testing import MockClock

from bouncer.connections.wire_log import BURST_LINES, LASTS_S, Tap, WireLog
from bouncer.control.actors import OPERATOR
from bouncer.control.registry import dispatch
from tests.complaints.venue import PASSWORD, running_bouncer, running_network, until


def lines(logged: list[Any]) -> list[tuple[str, str, str]]:
    return [(each["at"], each["way"], each["line"]) for each in logged if each["event"] == "line"]


async def test_the_lines_of_a_user_are_in_the_log_for_a_while(tmp_path: Path) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        with structlog.testing.capture_logs() as logged:
            await muster.client("alice/net")
            assert lines(logged) == []
            await dispatch("server debug true alice", OPERATOR, muster.bouncer.desk)
            client = await muster.client("alice/net@desk")
            await client.says("PRIVMSG #ops :between us", "WHOIS bob")
            await network.hears("WHOIS bob")
            await network.bob("for you alone")
            await client.hears("for you alone")
            await until(lambda: any("bob!b@h" in line for _, _, line in lines(logged)))
            found = lines(logged)
            assert ("net", "out", "WHOIS bob") in found
            assert ("net", "in", ":bob!b@h PRIVMSG #ops …") in found
            assert ("192.0.2.1", "in", "WHOIS bob") in found
            assert ("192.0.2.1", "out", ":bob!b@h PRIVMSG #ops …") in found
            said = " ".join(map(str, logged))
            assert PASSWORD not in said
            assert "between us" not in said
            assert "alone" not in said
            await dispatch("server debug false", OPERATOR, muster.bouncer.desk)
            logged.clear()
            await client.says("WHOIS carol")
            await network.hears("WHOIS carol")
            assert lines(logged) == []
            await dispatch("server debug true", OPERATOR, muster.bouncer.desk)
            stranger = muster.stranger()
            await stranger.says("CAP LS 302", f"PASS alice/net:{PASSWORD}")
            await until(lambda: ("192.0.2.1", "in", "PASS …") in lines(logged))


async def test_it_ends_by_itself(mock_clock: MockClock) -> None:
    wire_log = WireLog()
    tap = Tap(wire_log, "net", "alice")
    with structlog.testing.capture_logs() as logged:
        wire_log.begin("alice")
        tap.note("in", ["PING x"])
        Tap(wire_log, "net", "bob").note("in", ["PING bob"])
        mock_clock.jump(LASTS_S)
        assert tap.is_open
        tap.note("in", ["PING y"])
        assert not tap.is_open
    assert lines(logged) == [("net", "in", "PING x")]


async def test_lines_that_come_too_fast_are_counted(mock_clock: MockClock) -> None:
    wire_log = WireLog()
    tap = Tap(wire_log, "net", "alice")
    with structlog.testing.capture_logs() as logged:
        wire_log.begin()
        tap.note("in", ["PING x"] * (BURST_LINES + 7))
        mock_clock.jump(1.0)
        tap.note("in", ["PING y"])
    assert len(lines(logged)) == BURST_LINES + 1
    assert [each["lines"] for each in logged if "too fast" in each["event"]] == [7]
