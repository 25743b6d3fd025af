"""Who was connected when, as the log tells it to whoever is called at night."""

from __future__ import annotations

from pathlib import Path

from structlog.testing import capture_logs

from tests.complaints.venue import running_bouncer, running_network, until

PEER = "192.0.2.1"


async def test_the_log_says_whose_connections_came_and_went(tmp_path: Path) -> None:
    with capture_logs() as logged:

        def said(event: str) -> list[dict[str, object]]:
            keys = ("event", "log_level")
            found = [each for each in logged if each["event"] == event]
            return [{k: v for k, v in each.items() if k not in keys} for each in found]

        async with running_network() as network, running_bouncer(tmp_path, network) as muster:
            assert said("connected") == [{"user": "alice", "network": "net", "nick": "me"}]
            client = await muster.client("alice/net@phone")
            who = {"user": "alice", "network": "net", "client": "phone", "peer": PEER}
            assert said("attached") == [who]
            await client.says("QUIT")
            await until(lambda: said("left") == [who])
            await network.streams[-1].aclose()
            await until(lambda: bool(said("disconnected")))
            gone = {"user": "alice", "network": "net", "reason": "closed by the server"}
            assert said("disconnected") == [gone]


async def test_a_refused_login_names_only_users_that_are_there(tmp_path: Path) -> None:
    """Who types a password where the name belongs must not find it in the log."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        with capture_logs() as logged:
            for login in ("Alice/net", "hunter2/net"):
                client = muster.stranger()
                await client.says(f"PASS {login}:wrong", "NICK me", "USER u 0 * :u")
                await client.read()
    refused = [each for each in logged if each["event"] == "login refused"]
    assert [each["user"] for each in refused] == ["alice", ""]
    assert "hunter2" not in str(logged)
