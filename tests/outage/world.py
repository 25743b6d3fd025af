"""The company, the public network and the voters, each in a network namespace of its own.

site      the company's ngIRCd and the bouncer: what is cut
public    a public ngIRCd; DNS and NTP that voters judge their uplink by
fra, hel  an agent and a witness
people    staff and others, with ordinary IRC clients
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from tests.real.certificates import make
from tests.real.lab import Host, Lab
from tests.real.landmarks import DNS_PORT, NTP_PORT, landmarks
from tests.real.muster import Bouncer, bouncer
from tests.real.ngircd import Ngircd, ngircd
from tests.real.peer import Peer, peer
from tests.real.voter import MESH_PORT, Voter, voter

NETWORK = "public"  # the public network's name in the roster and at the agent
HOME_NETWORK = "work"  # the company's, at the bouncer
OPS = "#ops"
LOBBY = "#muster-lobby"
ROOM = "#muster-room"
AGENT, WITNESS = "fra", "hel"
AGENT_NICK = "muster-fra"
BOT = "opsbot"
STAFF = ("alice", "bob")
PAIRED_S = 60.0


@dataclass
class World:
    """Everything that runs. `people` is the host where clients of people are."""

    lab: Lab
    site: Host
    public: Host
    people: Host
    company: Ngircd
    internet: Ngircd  # the public network's server
    bouncer: Bouncer
    voters: dict[str, Voter] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    codes: dict[str, list[str]] = field(default_factory=dict)

    @property
    def agent(self) -> Voter:
        return self.voters[AGENT]

    @property
    def witness(self) -> Voter:
        return self.voters[WITNESS]

    def at_public(self) -> AbstractAsyncContextManager[Peer]:
        """A person's client on the public network, not registered yet."""
        internet = self.internet
        return peer(internet.host, internet.tls_port, tls=True, netns=self.people.netns)

    def at_console(self) -> AbstractAsyncContextManager[Peer]:
        """A client inside the site, on the company's own server: it works through the outage."""
        return peer("127.0.0.1", self.company.port, netns=self.site.netns)

    def at_work(self, login: str, caps: tuple[str, ...] = ()) -> AbstractAsyncContextManager[Peer]:
        """A person's client of the bouncer, over the network that will be cut."""
        return self.bouncer.attached(login, caps=caps, netns=self.people.netns)

    async def protected(self, asker: Peer, voters: int, within_s: float = PAIRED_S) -> str:
        """Wait until the ops bot says in the channel that this many voters are well."""
        answer = ""
        with trio.move_on_after(within_s):
            while True:
                await asker.says(f"PRIVMSG {OPS} :!status")
                answer = (await asker.hears("NOTICE|PRIVMSG", source=f"{BOT}!*")).params[-1]
                if answer.count("=OK") >= voters:
                    return answer
                await trio.sleep(1)
        raise AssertionError(f"not {voters} voters are well within {within_s:g} s: {answer}")


@asynccontextmanager
async def world(
    folder: Path,
    net: Lab,
    *,
    timings: Mapping[str, Any] | None = None,
    witness: bool = True,
) -> AsyncIterator[World]:
    """Built, started, paired; the voters hear the bouncer and the agent idles in lobby and room."""
    folder.mkdir(parents=True, exist_ok=True)
    site, public, people = net.host("site"), net.host("public", addresses=5), net.host("people")
    public_certificate = make(folder, "public", names=(public.address,))
    async with AsyncExitStack() as stack:
        company = await stack.enter_async_context(
            ngircd(folder / "company", network="Company", netns=site.netns, listen=("127.0.0.1",))
        )
        internet = await stack.enter_async_context(
            ngircd(
                folder / "public",
                name="irc.public.net",
                network="PublicNet",
                netns=public.netns,
                listen=(public.address,),
                certificate=public_certificate,
            )
        )
        dns, ntp = public.addresses[1:3], public.addresses[3:5]
        await stack.enter_async_context(landmarks(public.netns, dns, ntp))
        ops = f'[ops]\nuser = "{BOT}"\nnetwork = "{HOME_NETWORK}"\nchannel = "{OPS}"\n'
        muster = await stack.enter_async_context(
            bouncer(folder / "bouncer", host=site.address, netns=site.netns, tables=ops)
        )
        made = World(net, site, public, people, company, internet, muster)
        await _hire(made)
        places = [{"kind": "dns", "address": f"{a}:{DNS_PORT}"} for a in dns]
        places += [{"kind": "ntp", "address": f"{a}:{NTP_PORT}"} for a in ntp]
        network = {
            "name": NETWORK,
            "addresses": [f"ircs://{public.address}:{internet.tls_port}"],
            "pin": f"sha256:{public_certificate.sha256}",
            "nick": AGENT_NICK,
            "lobby": LOBBY,
            "room": ROOM,
            "public_resolver": False,
        }
        for name, role in ((AGENT, "agent"), (WITNESS, "witness")):
            if role == "witness" and not witness:
                continue
            host = made.hosts[name] = net.host(name)
            made.voters[name] = await stack.enter_async_context(
                voter(
                    folder / name,
                    name,
                    muster,
                    f"{host.address}:{MESH_PORT}",
                    role=role,
                    netns=host.netns,
                    networks=[network] if role == "agent" else [],
                    landmarks=places,
                    timings=timings,
                )
            )
        yield made


async def _hire(made: World) -> None:
    """The bot's user and the staff's, their home network, and their places on the roster."""
    uri = f"irc+insecure://127.0.0.1:{made.company.port}"
    for name in (BOT, *STAFF):
        await made.bouncer.add_user(name)
        await made.bouncer.add_network(name, HOME_NETWORK, uri, "--nick", name, "--join", OPS)
    for order, name in enumerate(STAFF, 1):
        await made.bouncer.cli(
            "staff", "add", name, "--oncall", str(order), "--user", name, "--nick", NETWORK, name
        )
        printed = await made.bouncer.cli("staff", "codes", name)
        made.codes[name] = [line.strip() for line in printed.splitlines()[1:] if line.strip()]
        assert made.codes[name], printed
