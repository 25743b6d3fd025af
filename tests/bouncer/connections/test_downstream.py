"""A client's connection, from its octets on: what it is told because of where it comes from, and
of how it writes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import memory_stream_pair

from bouncer.connections import downstream
from tests.complaints.venue import (
    PASSWORD,
    PATIENCE_S,
    SERVER,
    running_bouncer,
    running_network,
)

STS = {"sts": "duration=2592000,port=6697"}


@pytest.mark.parametrize(("peer", "told"), [("192.0.2.1", True), ("127.0.0.1", False)])
async def test_a_policy_is_for_who_comes_by_the_name_of_the_host(
    tmp_path: Path, peer: str, told: bool
) -> None:
    """sts: the policy is one "for the server at the requested hostname". On this machine that is
    `localhost`, for which no certificate is good."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        bouncer = muster.bouncer
        door = downstream.Door(SERVER, bouncer.authenticator, bouncer.hubs.get, lambda: STS)
        near, far = memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(downstream.serve, far, door, peer=peer))
            await near.send_all(b"CAP LS 302\r\n")
            answer = bytes(await near.receive_some()).decode()
            nursery.cancel_scope.cancel()
        assert (" :sts=duration=2592000,port=6697 sasl=" in answer) is told


async def test_what_is_no_utf8_is_taken_with_a_warning(tmp_path: Path) -> None:
    """utf8-only: "When sent with the WARN command, it indicates that the message was modified but
    still accepted." """
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client(caps=("standard-replies",))
        await client.stream.send_all("PRIVMSG #ops :Grüße\r\n".encode("latin-1"))
        await network.hears("PRIVMSG #ops Grüße")
        warning = await client.hears(" WARN ")
        assert warning.startswith(f":{SERVER} WARN PRIVMSG INVALID_UTF8 :")
        await client.says("PRIVMSG #ops :Grüße auch")
        await network.hears("Grüße auch")
        await client.says("PING end")
        await client.hears("PONG")
        assert sum(" WARN " in line for line in client.lines) == 1
        plain = await muster.client()
        await plain.stream.send_all("PRIVMSG #ops :Über\r\n".encode("latin-1"))
        await plain.says("PING end")
        await plain.hears("PONG")
        assert not [line for line in plain.lines if " WARN " in line]


async def test_cap_names_a_client_as_it_is_called_now(tmp_path: Path) -> None:
    """capability-negotiation: the first parameter is "the client's nickname", "or * if the client
    does not have one yet"."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client(caps=("server-time",))
        await client.says("CAP LIST")
        assert await client.hears(" LIST ") == f":{SERVER} CAP me LIST :cap-notify server-time"
        await network.says(":me!user@host NICK other")
        await client.hears("NICK")
        await client.says("CAP REQ :batch")
        assert await client.hears(" ACK :batch") == f":{SERVER} CAP other ACK :batch"
        await client.stream.send_all(b"PING " + b"x" * downstream.CLIENT_LINE + b"\r\n")
        assert (await client.hears(" 417 ")).startswith(f":{SERVER} 417 other :")


async def test_capabilities_are_talked_of_in_turn_and_with_labels(tmp_path: Path) -> None:
    """labeled-response: "Servers MUST respond with a labeled `ACK` message when a client sends a
    labeled command that normally produces no response." """
    caps = ("labeled-response", "batch")
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client(caps=caps)
        seen = len(client.lines)
        lines = ("@label=1 PING a", "@label=2 CAP LIST", "@label=3 PING b", "@label=4 CAP END")
        lines += ("@label=5 AUTHENTICATE PLAIN", "@label=6 CAP REQ :-batch", "@label=7 PING c")
        await client.stream.send_all("".join(f"{line}\r\n" for line in lines).encode())
        await client.hears(f"PONG {SERVER} c")
        assert [line for line in client.lines[seen:] if "PING" not in line] == [
            f"@label=1 :{SERVER} PONG {SERVER} a",
            f"@label=2 :{SERVER} CAP me LIST :batch cap-notify labeled-response",
            f"@label=3 :{SERVER} PONG {SERVER} b",
            f"@label=4 :{SERVER} ACK",
            f"@label=5 :{SERVER} 907 me :You have already authenticated using SASL",
            f"@label=6 :{SERVER} CAP me ACK :-batch",
            f":{SERVER} PONG {SERVER} c",
        ]


@pytest.mark.parametrize("login", ["Alice/Net", "ALICE/NET@phone", "alice@phone/nET"])
async def test_names_are_taken_in_any_case(tmp_path: Path, login: str) -> None:
    """A phone writes the first letter large. No two users or networks differ by case alone."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client(login)
        await network.bob("hello")
        await client.hears("hello")
        lines = [f"PASS alice:{PASSWORD}", "NICK me", f"USER {login} 0 * :u"]
        other = muster.stranger()
        await other.says(*lines)
        with trio.fail_after(PATIENCE_S):
            await other.read(upto=" 366 ")
        assert not other.ended, other.lines
