"""A client that knows bouncers manages alice's networks, through the real program.

Quotes: soju.im/bouncer-networks.
"""

from __future__ import annotations

from pathlib import Path

from bouncer.irc.wire import parse_tags
from tests.e2e.site import CHANNEL, NETWORK, Site, site
from tests.real.muster import PASSWORD
from tests.real.peer import Peer

NETWORKS = "soju.im/bouncer-networks"
CAPS = ("batch", "message-tags", "standard-replies", NETWORKS, f"{NETWORKS}-notify")


async def listed(client: Peer) -> dict[str, dict[str, str]]:
    """What LISTNETWORKS answers: attributes by netid."""
    client.forget()
    await client.says("BOUNCER LISTNETWORKS")
    opening = await client.hears("BATCH", "+*", NETWORKS)
    reference = opening.params[0][1:]
    await client.hears("BATCH", f"-{reference}")
    # what stands outside the batch is news, with what has changed alone
    told = [
        m for m in client.all("BOUNCER", "NETWORK", "*", "*") if m.tags.get("batch") == reference
    ]
    return {m.params[1]: parse_tags(m.params[2]) for m in told}


async def is_up(here: Site, nick: str) -> bool:
    here.bob.forget()
    await here.bob.says(f"WHOIS {nick}")
    await here.bob.hears("318", "bob", nick)
    return bool(here.bob.all("311", "bob", nick))


async def test_networks_are_bound_listed_added_changed_and_removed(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.bouncer.attached("alice", caps=CAPS) as desk:
        # "the server MUST send an initial batch of BOUNCER NETWORK messages"
        opening = await desk.hears("BATCH", "+*", NETWORKS)
        network = await desk.hears("BOUNCER", "NETWORK")
        assert network.tags["batch"] == opening.params[0][1:]
        work = network.params[1]
        assert parse_tags(network.params[2])["name"] == NETWORK

        # "selects an upstream network to bind to for the lifetime of the current connection"
        async with here.bouncer.connect() as bound:
            await bound.says("CAP LS 302", "NICK alice", "USER alice 0 * :Alice")
            await bound.says(f"CAP REQ :sasl {NETWORKS}")
            await bound.hears("CAP", "*", "ACK")
            await bound.says(f"BOUNCER BIND {work}")
            await bound.hears("FAIL", "BOUNCER", "ACCOUNT_REQUIRED", "BIND")
            await bound.authenticate("alice", PASSWORD)
            await bound.says(f"BOUNCER BIND {work}9")
            await bound.hears("FAIL", "BOUNCER", "INVALID_NETID", "BIND", f"{work}9")
            await bound.says(f"BOUNCER BIND {work}", "CAP END")
            await bound.hears("366", "alice", CHANNEL)
            tokens = [word for m in bound.all("005") for word in m.params]
            assert f"BOUNCER_NETID={work}" in tokens
            await here.bob_says("hello")
            await bound.hears("PRIVMSG", CHANNEL, "*hello")
            await bound.says(f"BOUNCER BIND {work}")
            await bound.hears("FAIL", "BOUNCER", "REGISTRATION_IS_COMPLETED", "BIND")

        # "On success, the server replies with: BOUNCER ADDNETWORK <netid>"
        where = f"host=127.0.0.1;port={here.server.port};tls=0"
        await desk.says(f"BOUNCER ADDNETWORK {where};name=second;nickname=ally")
        second = (await desk.hears("BOUNCER", "ADDNETWORK")).params[1]
        assert second != work
        await desk.has_heard("BOUNCER", "NETWORK", second, "*name=second*")
        await desk.has_heard("BOUNCER", "NETWORK", second, "*state=connected*")
        assert await is_up(here, "ally")

        # "the bouncer MUST broadcast a BOUNCER NETWORK message with the updated attributes"
        await desk.says(rf"BOUNCER CHANGENETWORK {second} name=other;realname=Al\sL")
        await desk.hears("BOUNCER", "CHANGENETWORK", second)
        await desk.has_heard("BOUNCER", "NETWORK", second, r"*realname=Al\sL*")
        assert [each["name"] for each in (await listed(desk)).values()] == ["other", NETWORK]

        # "It MUST NOT change during the lifetime of the network"
        before = await listed(desk)
        here.bouncer.kill()
        await here.bouncer.start()
        await here.bouncer.ready()
        async with here.bouncer.attached("alice", caps=CAPS) as desk:
            after = await listed(desk)
            assert {n: each["name"] for n, each in after.items()} == {
                n: each["name"] for n, each in before.items()
            }

            # "BOUNCER NETWORK <netid> *"
            await desk.says(f"BOUNCER DELNETWORK {second}")
            await desk.hears("BOUNCER", "DELNETWORK", second)
            assert desk.all("BOUNCER", "NETWORK", second)[-1].params[2] == "*"
            assert list(await listed(desk)) == [work]
