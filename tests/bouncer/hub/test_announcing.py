"""Clients list, change and follow their networks, in a whole bouncer. Quotes: bouncer-networks."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from bouncer.irc.bouncer_networks import CAP, NOTIFY
from bouncer.irc.wire import Message, parse_tags
from storage import accounts
from tests.complaints.venue import (
    PASSWORD,
    Client,
    FakeNetwork,
    Muster,
    running_bouncer,
    running_network,
    until,
)

SECRET = b64encode(f"\0alice\0{PASSWORD}".encode()).decode()
CAPS = ("batch", "message-tags", "labeled-response", "standard-replies", CAP)


class Desk:
    """A client without a network, and what it is answered."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.asked = 0

    async def asks(self, line: str) -> list[Message]:
        """The whole answer to a BOUNCER command."""
        self.asked += 1
        label = f"q{self.asked}"
        await self.client.says(f"@label={label} BOUNCER {line}")
        opening = await self.client.hears(f"label={label} ")
        first = Message.parse(opening)
        assert first.tags == {"label": label}
        if first.command != "BATCH":
            return [first]
        closing = await self.client.hears(f" BATCH -{first.params[0][1:]}")
        lines = self.client.lines
        return [Message.parse(n) for n in lines[lines.index(opening) : lines.index(closing) + 1]]


@asynccontextmanager
async def place(folder: Path) -> AsyncIterator[tuple[Muster, FakeNetwork]]:
    async with running_network() as network, running_bouncer(folder, network) as muster:
        yield muster, network


def told(client: Client, netid: str) -> list[dict[str, str] | str]:
    """What a client was told of a network, in its order."""
    lines = [Message.parse(line) for line in client.lines]
    news = [m.params[1:] for m in lines if m.command == "BOUNCER" and m.params[0] == "NETWORK"]
    return [text if text == "*" else parse_tags(text) for each, text in news if each == netid]


async def netid_of(muster: Muster, name: str) -> str:
    alice = await muster.store.read(accounts.get_user, "alice")
    return str((await muster.store.read(accounts.get_network, alice.id, name)).id)


async def test_networks_are_listed_in_a_batch(tmp_path: Path) -> None:
    """ "The server replies with a soju.im/bouncer-networks batch, containing any number of BOUNCER
    NETWORK messages" """
    async with place(tmp_path) as (muster, network):
        netid = await netid_of(muster, "net")
        desk = Desk(await muster.client("alice", CAPS))
        opening, line, closing = await desk.asks("LISTNETWORKS")
        assert (opening.command, opening.params[1:]) == ("BATCH", (CAP,))
        assert line.tags == {"batch": opening.params[0][1:]}
        assert closing.params == ("-" + opening.params[0][1:],)
        assert line.params[:2] == ("NETWORK", netid)
        assert parse_tags(line.params[2]) == {
            "name": "net",
            "state": "connected",
            "host": "127.0.0.1",
            "port": str(network.port),
            "tls": "0",
            "nickname": "me",
        }


async def test_without_batches_the_lines_stand_alone(tmp_path: Path) -> None:
    async with place(tmp_path) as (muster, _):
        client = await muster.client("alice", (CAP,))
        await client.says("BOUNCER LISTNETWORKS", "PING after")
        await client.hears(" PONG ")
        assert "BATCH" not in " ".join(client.lines)
        assert len(told(client, await netid_of(muster, "net"))) == 1


async def test_a_network_is_bound_by_its_netid(tmp_path: Path, nursery: trio.Nursery) -> None:
    """ "The BIND subcommand selects an upstream network to bind to for the lifetime of the current
    connection." """
    async with place(tmp_path) as (muster, _):
        netid = await netid_of(muster, "net")
        client = muster.stranger()
        nursery.start_soon(client.read)
        await client.says("CAP LS 302", "NICK me", "USER u 0 * :u", f"CAP REQ :sasl {CAP}")
        await client.says("AUTHENTICATE PLAIN", "AUTHENTICATE " + SECRET)
        await client.says(f"BOUNCER BIND {netid}", "CAP END")
        assert f"BOUNCER_NETID={netid}" in await client.hears("BOUNCER_NETID")
        await client.hears(" 366 me #ops ")


async def test_a_network_is_added(tmp_path: Path) -> None:
    """ "On success, the server replies with: BOUNCER ADDNETWORK <netid>"; "The bouncer MAY populate
    unspecified attributes with implementation-defined defaults." """
    async with place(tmp_path) as (muster, network):
        desk = Desk(await muster.client("alice", CAPS))
        where = f"host=127.0.0.1;port={network.port};tls=0;pass=sesame"
        (answer,) = await desk.asks(f"ADDNETWORK {where};name=second;realname=A\\sB;nickname=me")
        netid = await netid_of(muster, "second")
        assert answer.params == ("ADDNETWORK", netid)
        await network.hears("PASS sesame")
        alice = await muster.store.read(accounts.get_user, "alice")
        second = await muster.store.read(accounts.get_network, alice.id, "second")
        assert (second.realname, second.password, second.nick) == ("A B", "sesame", "me")
        await until(lambda: muster.hub.links["second"].session.ready)
        _first, *lines, _last = await desk.asks("LISTNETWORKS")
        assert len(lines) == 2
        assert "sesame" not in " ".join(desk.client.lines)
        await desk.asks("ADDNETWORK host=irc.test.invalid")
        listed = muster.hub.links["irc.test.invalid"].session.network
        # "the server SHOULD use the default 1"; "the default 6697 if tls=1"
        assert listed.uri == "ircs://irc.test.invalid:6697"


async def test_a_network_is_changed_and_renamed_under_its_clients(tmp_path: Path) -> None:
    """ "Each network has a unique per-user ID called "netid". It MUST NOT change during the
    lifetime of the network." """
    async with place(tmp_path) as (muster, network):
        netid = await netid_of(muster, "net")
        desk = Desk(await muster.client("alice", CAPS))
        inside = await muster.client("alice/net", CAPS)
        (answer,) = await desk.asks(f"CHANGENETWORK {netid} name=work;nickname=me2")
        assert answer.params == ("CHANGENETWORK", netid)
        assert list(muster.hub.links) == ["work"]
        await network.hears("NICK me2")
        await network.bob("still there")
        await inside.hears("still there")
        (answer,) = await desk.asks(f"CHANGENETWORK {netid} port={network.port};realname=Me")
        assert answer.params == ("CHANGENETWORK", netid)
        await until(lambda: len([line for line in network.heard if "USER" in line]) == 2)


async def test_a_network_is_removed(tmp_path: Path) -> None:
    """ "On success, the server replies with: BOUNCER DELNETWORK <netid>" """
    async with place(tmp_path) as (muster, _):
        netid = await netid_of(muster, "net")
        desk = Desk(await muster.client("alice", CAPS))
        inside = await muster.client("alice/net", CAPS)
        (answer,) = await desk.asks(f"DELNETWORK {netid}")
        assert answer.params == ("DELNETWORK", netid)
        assert muster.hub.links == {}
        await inside.hears("ERROR :The network net was removed")
        opening, closing = await desk.asks("LISTNETWORKS")
        assert (opening.command, closing.command) == ("BATCH", "BATCH")


async def test_who_removes_the_network_it_is_on_hears_so_and_then_goes(tmp_path: Path) -> None:
    async with place(tmp_path) as (muster, _):
        netid = await netid_of(muster, "net")
        other = await muster.client("alice/net", CAPS)
        inside = await muster.client("alice/net", (*CAPS, NOTIFY))
        await inside.says(f"BOUNCER DELNETWORK {netid}")
        await inside.hears("ERROR")
        *_, gone, answer, error = inside.lines
        assert Message.parse(gone).params == ("NETWORK", netid, "*")
        assert Message.parse(answer).params == ("DELNETWORK", netid)
        assert error == "ERROR :The network net was removed"
        await other.hears("ERROR")


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("CHANGENETWORK 99 name=x", "INVALID_NETID CHANGENETWORK 99 :Network not found"),
        ("DELNETWORK net", "INVALID_NETID DELNETWORK net :Network not found"),
        ("ADDNETWORK host=h;tls=maybe", "INVALID_ATTRIBUTE ADDNETWORK * tls :Invalid attribute"),
        ("CHANGENETWORK {id} port=0", "INVALID_ATTRIBUTE CHANGENETWORK {id} port :Invalid"),
        ("ADDNETWORK host=h;name=NET", "UNKNOWN_ERROR ADDNETWORK :there is already a network NET"),
        ("CHANGENETWORK {id} name=a/b", "INVALID_ATTRIBUTE CHANGENETWORK {id} name :Invalid"),
    ],
)
async def test_what_cannot_be_is_refused(tmp_path: Path, line: str, answer: str) -> None:
    """ "The bouncer MAY reject the change for any reason, in this case it MUST reply with an
    error." """
    async with place(tmp_path) as (muster, _):
        netid = await netid_of(muster, "net")
        desk = Desk(await muster.client("alice", CAPS))
        (fail,) = await desk.asks(line.format(id=netid))
        assert fail.command == "FAIL"
        assert str(fail).partition("FAIL BOUNCER ")[2].startswith(answer.format(id=netid))
        assert list(muster.hub.links) == ["net"]


async def test_who_follows_hears_of_every_change(tmp_path: Path) -> None:
    """ "the server MUST send an initial batch of BOUNCER NETWORK messages with the current list of
    network, and MUST send notification messages whenever a network is added, updated or removed";
    "The notification SHOULD NOT contain attributes that haven't been updated. An attribute without
    a value means that the attribute has been removed." """
    async with place(tmp_path) as (muster, network):
        netid = await netid_of(muster, "net")
        follower = await muster.client("alice/net", (*CAPS, NOTIFY))
        other = await muster.client("alice", CAPS)
        await until(lambda: told(follower, netid))
        assert told(follower, netid)[0]["state"] == "connected"  # type: ignore[index]
        assert "batch=" in await follower.hears("BOUNCER NETWORK")
        desk = Desk(other)
        await desk.asks(f"CHANGENETWORK {netid} realname=Me")
        await until(lambda: told(follower, netid)[-1] == {"state": "connected"})
        assert {"realname": "Me", "state": "disconnected"} in told(follower, netid)
        await network.streams[-1].aclose()
        closed = {"state": "disconnected", "error": "closed by the server"}
        await until(lambda: closed in told(follower, netid))
        await until(lambda: told(follower, netid)[-1] == {"state": "connected", "error": ""})
        await desk.asks(f"CHANGENETWORK {netid} name=work")
        await until(lambda: told(follower, netid)[-1] == {"name": "work"})
        await desk.asks("ADDNETWORK host=127.0.0.1;port=1;tls=0;name=second")
        second = await netid_of(muster, "second")
        await until(lambda: told(follower, second))
        assert told(follower, second)[0]["name"] == "second"  # type: ignore[index]
        await desk.asks(f"DELNETWORK {second}")
        await until(lambda: told(follower, second)[-1] == "*")
        # "If the client has not negotiated the soju.im/bouncer-networks-notify capability, the
        # server MUST NOT send implicit BOUNCER NETWORK messages."
        assert told(other, netid) == told(other, second) == []


async def test_a_client_may_begin_and_cease_to_follow(tmp_path: Path) -> None:
    async with place(tmp_path) as (muster, _):
        netid = await netid_of(muster, "net")
        client = await muster.client("alice", CAPS)
        await client.says(f"CAP REQ {NOTIFY}")
        await until(lambda: len(told(client, netid)) == 1)
        await client.says("NICK you", f"CAP REQ -{NOTIFY}", "PING one")
        await client.hears(" PONG muster.test one")
        await Desk(client).asks(f"CHANGENETWORK {netid} name=work")
        assert len(told(client, netid)) == 1


async def test_a_nick_taken_by_a_client_is_told(tmp_path: Path) -> None:
    async with place(tmp_path) as (muster, network):
        netid = await netid_of(muster, "net")
        client = await muster.client("alice/net", (*CAPS, NOTIFY))
        await client.says("NICK you")
        await network.hears("NICK you")
        await network.says(":me!user@host NICK you")
        await until(lambda: told(client, netid)[-1] == {"nickname": "you"})
