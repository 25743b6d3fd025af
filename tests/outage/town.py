"""A site, several agents, a witness and any public networks: a namespace for each host.

Where `world` is the smallest town there is, this one takes what it is to consist of.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from tests.real.lab import Host, Lab
from tests.real.landmarks import DNS_PORT, NTP_PORT, landmarks
from tests.real.muster import Bouncer, bouncer
from tests.real.ngircd import Ngircd, ngircd
from tests.real.voter import MESH_PORT, Voter, voter

HOME_NETWORK = "work"
OPS = "#ops"
LOBBY, ROOM = "#muster-lobby", "#muster-room"
BOT = "opsbot"
WITNESS = "hel"
PAIRED_S = 90.0


@dataclass
class Town:
    """Everything that runs; `codes` are the recovery codes by handle."""

    lab: Lab
    site: Host
    people: Host
    company: Ngircd
    bouncer: Bouncer
    voters: dict[str, Voter] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    codes: dict[str, list[str]] = field(default_factory=dict)

    async def well(self, *, joined: int) -> None:
        """Wait until all voters watch, know the roster and each other, and agents have joined
        `joined` networks."""
        for each in self.voters.values():
            status = await each.reports("watch WATCHING", PAIRED_S)
            with trio.fail_after(PAIRED_S):
                while not _is_well(status, 0 if each.name == WITNESS else joined):
                    await trio.sleep(0.5)
                    status = await each.status()


def _is_well(status: str, joined: int) -> bool:
    troubled = ("no TLS link", "not proven", "never heard", "no roster", "IN DOUBT")
    return not any(word in status for word in troubled) and status.count(": joined as") >= joined


@asynccontextmanager
async def town(
    folder: Path,
    net: Lab,
    *,
    agents: Mapping[str, Sequence[Mapping[str, Any]]],
    staff: Mapping[str, Sequence[str]],
    timings: Mapping[str, Any],
    public: Host,
) -> AsyncIterator[Town]:
    """Built and started. `agents` name the [[network]] tables of each, `staff` the options of
    `bouncer staff add`; `public` is a host with five addresses, the last four landmarks'."""
    folder.mkdir(parents=True, exist_ok=True)
    site, people = net.host("site"), net.host("people")
    async with AsyncExitStack() as stack:
        company = await stack.enter_async_context(
            ngircd(folder / "company", network="Company", netns=site.netns, listen=("127.0.0.1",))
        )
        dns, ntp = public.addresses[1:3], public.addresses[3:5]
        await stack.enter_async_context(landmarks(public.netns, dns, ntp))
        ops = f'[ops]\nuser = "{BOT}"\nnetwork = "{HOME_NETWORK}"\nchannel = "{OPS}"\n'
        muster = await stack.enter_async_context(
            bouncer(folder / "bouncer", host=site.address, netns=site.netns, tables=ops)
        )
        made = Town(net, site, people, company, muster)
        uri = f"irc+insecure://127.0.0.1:{company.port}"
        await muster.add_user(BOT)
        await muster.add_network(BOT, HOME_NETWORK, uri, "--nick", BOT, "--join", OPS)
        for name, options in staff.items():
            await muster.cli("staff", "add", name, *options)
            printed = await muster.cli("staff", "codes", name)
            made.codes[name] = [line.strip() for line in printed.splitlines()[1:] if line.strip()]
        places = [{"kind": "dns", "address": f"{a}:{DNS_PORT}"} for a in dns]
        places += [{"kind": "ntp", "address": f"{a}:{NTP_PORT}"} for a in ntp]
        for name, networks in {**agents, WITNESS: ()}.items():
            host = made.hosts[name] = net.host(name)
            made.voters[name] = await stack.enter_async_context(
                voter(
                    folder / name,
                    name,
                    muster,
                    f"{host.address}:{MESH_PORT}",
                    role="agent" if networks else "witness",
                    netns=host.netns,
                    networks=networks,
                    landmarks=places,
                    timings=timings,
                )
            )
        yield made
