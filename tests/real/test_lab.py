"""The lab's cuts cut, its losses lose, its one-way drops are one-way, and nothing stays behind."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.real import needs
from tests.real.lab import Host, Lab, lab, namespaces
from tests.real.netns import connected, socket_in
from tests.real.ngircd import ngircd
from tests.real.peer import peer

pytestmark = pytest.mark.outage


@pytest.fixture
def net() -> Iterator[Lab]:
    needs.require("ip", "nft", "nsenter", "setpriv", needs.NETNS)
    with lab() as made:
        yield made
    assert not [n for n in namespaces() if n.startswith(made.tag)]


def arrived(sender: Host, receiver: Host, datagrams: int = 1) -> int:
    """How many of some datagrams get from one host to the other."""
    with (
        socket_in(receiver.netns, socket.AF_INET, socket.SOCK_DGRAM) as inbox,
        socket_in(sender.netns, socket.AF_INET, socket.SOCK_DGRAM) as outbox,
    ):
        inbox.bind((receiver.address, 4000))
        inbox.settimeout(0.2)
        for _ in range(datagrams):
            outbox.sendto(b"x", (receiver.address, 4000))  # a cut tells nobody: no error here
        got = 0
        with contextlib.suppress(TimeoutError):
            while inbox.recv(10):
                got += 1
        return got


async def test_hosts_hear_each_other_until_the_port_is_pulled(net: Lab) -> None:
    site, agent = net.host("site"), net.host("agent")
    assert arrived(site, agent) == arrived(agent, site) == 1
    net.pull(site)
    assert arrived(site, agent) == arrived(agent, site) == 0
    assert "LOWER_UP" in site.run("ip", "link", "show", "eth0")
    net.heal(site)
    assert arrived(site, agent) == arrived(agent, site) == 1


async def test_a_cut_drops_both_ways_on_both_families(net: Lab) -> None:
    site, agent, third = net.host("site"), net.host("agent"), net.host("third")
    net.cut(site)
    assert arrived(site, agent) == arrived(agent, site) == 0
    assert arrived(agent, third) == 1
    with pytest.raises(OSError, match="timed out"):
        connected(site.address6, 9, agent.netns, 0.3)
    net.heal(site)
    with pytest.raises(ConnectionRefusedError):
        connected(site.address6, 9, agent.netns, 1)


async def test_a_drop_can_be_one_way_and_for_one_peer(net: Lab) -> None:
    site, agent, third = net.host("site"), net.host("agent"), net.host("third")
    net.drop(site, sending=True, peer=agent)
    assert arrived(site, agent) == 0
    assert arrived(agent, site) == arrived(site, third) == 1


async def test_loss_is_a_share(net: Lab) -> None:
    site, agent = net.host("site"), net.host("agent")
    net.drop(site, sending=True, percent=20)
    assert 130 < arrived(site, agent, 200) < 190


async def test_a_server_in_a_namespace_is_reached_from_another(net: Lab, tmp_path: Path) -> None:
    needs.require("ngircd")
    public, phone = net.host("public", addresses=2), net.host("phone")
    listen = (*public.addresses, public.address6)
    async with ngircd(tmp_path, listen=listen, netns=public.netns) as server:
        for address in (public.addresses[1], public.address6):
            async with peer(address, server.port, netns=phone.netns) as alice:
                await alice.register("alice")
        async with peer(public.address, server.port, netns=phone.netns) as bob:
            await bob.register("bob")
            net.cut(phone)
            await bob.says("PING lost")
            await trio.sleep(0.5)
            assert not bob.all("PONG")
            net.heal(phone)
            await bob.hears("PONG", within_s=5)


def test_what_a_killed_run_left_is_swept() -> None:
    needs.require("ip", "nft", "nsenter", "setpriv", needs.NETNS)
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    left = f"mu{ended.pid}-1-site"
    subprocess.run(["ip", "netns", "add", left], check=True)
    with lab():
        assert left not in namespaces()
