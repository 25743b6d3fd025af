"""Hosts in network namespaces on one switch, and the cuts between them.

A cut tells nobody: packets are dropped (nft), or the switch's port is taken out while the carrier
stays up. Every change is undone by `heal`, everything is removed at the block's end, and what a
killed run left behind is removed by the next.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.real.process import found

PREFIX = "mu"  # mu<pid>-<number>-<host>: whose it is can be told from the name
_numbers = count(1)
IPV4, IPV6 = "198.18.{net}.{host}", "fd18:{net}::{host}"  # RFC 2544's range for test labs


@dataclass(frozen=True, slots=True)
class Host:
    """One namespace with a port at the switch. Further addresses follow `address` one by one."""

    name: str
    netns: str
    port: str  # the switch's end of the cable
    number: int
    lab_net: int
    addresses: tuple[str, ...]
    addresses6: tuple[str, ...]

    @property
    def address(self) -> str:
        return self.addresses[0]

    @property
    def address6(self) -> str:
        return self.addresses6[0]

    def run(self, *args: str, check: bool = True) -> str:
        """Run a short command inside; returns its output."""
        return _run("nsenter", f"--net=/run/netns/{self.netns}", "--", *args, check=check)


@dataclass
class Lab:
    """A switch and its hosts; made by `lab`."""

    tag: str
    net: int
    switch: str
    hosts: dict[str, Host] = field(default_factory=dict)

    def host(self, name: str, addresses: int = 1) -> Host:
        """A new host named `name` (at most 6 letters are used for its devices)."""
        assert name not in self.hosts
        number = len(self.hosts) + 1
        netns = f"{self.tag}-{name}"
        port = f"{self.tag}p{number}"
        first = number * 10
        host = Host(
            name,
            netns,
            port,
            number,
            self.net,
            tuple(IPV4.format(net=self.net, host=first + n) for n in range(addresses)),
            tuple(IPV6.format(net=self.net, host=first + n) for n in range(addresses)),
        )
        _run("ip", "netns", "add", netns)
        self.hosts[name] = host
        into = ("netns", "exec", self.switch, "ip")
        _run(
            "ip", *into, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", netns
        )
        _run("ip", *into, "link", "set", port, "master", "switch", "up")
        # No duplicate address detection: addresses must be usable at once.
        lines = ["link set lo up", "link set eth0 up"]
        lines += [f"addr add {a}/24 dev eth0" for a in host.addresses]
        lines += [f"addr add {a}/64 dev eth0 nodad" for a in host.addresses6]
        for line in lines:
            host.run("ip", *line.split())
        return host

    def pull(self, host: Host) -> None:
        """The switch's port dies silently: carrier up at the host, nothing passes."""
        _run("ip", "netns", "exec", self.switch, "ip", "link", "set", host.port, "nomaster")

    def cut(self, host: Host) -> None:
        """Drop every packet from and to the host, in the switch: it talks to itself still."""
        self.drop(host, sending=True, receiving=True)

    def drop(
        self,
        host: Host,
        *,
        sending: bool = False,
        receiving: bool = False,
        percent: int = 100,
        peer: Host | None = None,
    ) -> None:
        """Drop what the host sends or should receive: all or a random share, of all or of `peer`.

        It happens in the switch, so that no sender is told (nft on the host answers EPERM). Only
        a whole cut drops ARP and neighbour discovery too: faults of a path lie beyond the first
        hop. Replaces what was dropped for this host before.
        """
        share = "" if percent >= 100 else f"numgen random mod 100 < {percent} "
        whole = sending and receiving and percent >= 100 and peer is None
        kinds = ("",) if whole else ("ether type ip ", "ether type ip6 meta l4proto != icmpv6 ")
        rules = [f"table bridge {host.port}"]  # named first, so that the deletion never fails
        rules += [f"delete table bridge {host.port}", f"table bridge {host.port} {{"]
        rules.append(" chain forward { type filter hook forward priority 0; policy accept;")
        for wanted, here, there in (
            (sending, "iifname", "oifname"),
            (receiving, "oifname", "iifname"),
        ):
            if wanted:
                other = f'{there} "{peer.port}" ' if peer else ""
                rules += [f'  {here} "{host.port}" {other}{kind}{share}drop' for kind in kinds]
        rules.append(" }\n}")
        self._nft("\n".join(rules) + "\n")

    def heal(self, host: Host) -> None:
        """Undo every cut of this host."""
        self._nft(f"table bridge {host.port}\ndelete table bridge {host.port}\n")
        _run("ip", "netns", "exec", self.switch, "ip", "link", "set", host.port, "master", "switch")

    def _nft(self, rules: str) -> None:
        subprocess.run(
            [found("nsenter"), f"--net=/run/netns/{self.switch}", found("nft"), "-f", "-"],
            input=rules,
            text=True,
            check=True,
            capture_output=True,
            timeout=10,
        )

    def close(self) -> None:
        for name in [host.netns for host in self.hosts.values()] + [self.switch]:
            remove(name)


@contextmanager
def lab() -> Iterator[Lab]:
    """A lab of its own; ask `needs.require("ip", "nft", "nsenter", needs.NETNS)` first."""
    sweep()
    number = next(_numbers)
    tag = f"{PREFIX}{os.getpid()}-{number}"
    made = Lab(tag, number % 200 + 1, f"{tag}-switch")
    _run("ip", "netns", "add", made.switch)
    try:
        inside = ("ip", "netns", "exec", made.switch, "ip", "link")
        _run(*inside, "set", "lo", "up")
        # A switch that learns at once and forwards at once: no spanning tree, no multicast census.
        _run(*inside, "add", "switch", "type", "bridge", "stp_state", "0", "mcast_snooping", "0")
        _run(*inside, "set", "switch", "up")
        yield made
    finally:
        made.close()


def sweep() -> None:
    """Remove what runs that no longer live have left."""
    for name in namespaces():
        owner = name[len(PREFIX) :].partition("-")[0]
        if name.startswith(PREFIX) and owner.isdigit() and not Path(f"/proc/{owner}").exists():
            remove(name)


def namespaces() -> list[str]:
    """The names of all network namespaces of this machine."""
    folder = Path("/run/netns")
    return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []


def remove(name: str) -> None:
    """Kill what still runs in a namespace, and delete it; harmless when it is gone."""
    if name not in namespaces():
        return
    for pid in _run("ip", "netns", "pids", name, check=False).split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            continue
    _run("ip", "netns", "del", name, check=False)


def _run(*args: str, check: bool = True) -> str:
    words = [found(args[0]), *args[1:]]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(args)}: {done.stderr.strip() or done.returncode}")
    return done.stdout
