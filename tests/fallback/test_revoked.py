"""What an admin revokes at one agent is refused by all: over a real mesh, two real agents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fallback import incident
from fallback.app import Voter
from tests.fallback.ircd import Ircd, open_ircd
from tests.fallback.voters import open_site, until

ALICE = ":al!a@h JOIN #lobby AliceAcct :Alice"
BOB = ":bo!b@h JOIN #lobby bobacct :Bob"
AGAIN = ":bob2!b@h2 JOIN #lobby bobacct :Bob"


@dataclass
class Two:
    """Two agents, each on its own server of the public network, in one incident."""

    servers: dict[str, Ircd]
    agents: dict[str, Voter]


@asynccontextmanager
async def open_two(tmp_path: Path) -> AsyncIterator[Two]:
    async with open_site(tmp_path) as site, open_ircd() as one, open_ircd() as other:
        servers = {"fra": one, "hel": other}
        await site.employs("alice", admin=True, accounts=(("pub", "AliceAcct"),))
        await site.employs("bob", accounts=(("pub", "bobacct"),))
        configs = {name: await site.pairs(name, ircd=servers[name]) for name in servers}
        two = Two(servers, {name: await site.starts(configs[name]) for name in servers})
        await site.beats()
        for name, server in servers.items():
            await server.welcomes(f"fb-{name}")
            await server.lets_in(f"fb-{name}", "#lobby", "#room", op=True)
        for agent in two.agents.values():
            await until(lambda agent=agent: agent.roster and agent.announcers["pub"].joined)
            await until(lambda agent=agent: len(agent.mesh.others) == 1)
            agent.conduct.put(incident.Declared("alice"))
        await until(lambda: two.agents["fra"].conduct.performer.speaks("pub"))
        await one.says(ALICE)
        await one.hears("PRIVMSG #room :alice is al")
        yield two


async def test_the_other_agent_refuses_what_one_has_revoked(tmp_path: Path) -> None:
    async with open_two(tmp_path) as two:
        here, there = two.servers["fra"], two.servers["hel"]
        await here.says(BOB)
        await here.hears("PRIVMSG #room :bob is bo")
        await here.says(":al!a@h PRIVMSG fb-fra :revoke bo")
        await here.hears("KICK #room bo")
        hel = two.agents["hel"]
        await until(lambda: hel.conduct.desk.revoked)
        shown = [line for line in hel.status() if line.startswith("order !revoke of alice")]
        assert "heard by fra" in shown[0]
        await there.says("@account=bobacct :bob2!b@h2 PRIVMSG fb-hel :help")
        await there.hears("NOTICE bob2")
        assert not hel.conduct.desk.claims
        assert hel.journal.remember(("pub",)).stored.revoked == hel.conduct.desk.revoked


async def test_who_was_verified_by_another_agent_is_revoked_there(tmp_path: Path) -> None:
    async with open_two(tmp_path) as two:
        here, there = two.servers["fra"], two.servers["hel"]
        await there.says("@account=bobacct :bo!b@h PRIVMSG fb-hel :help")
        await there.hears("INVITE bo #room")
        fra = two.agents["fra"]
        await until(lambda: [claim.handle for claim in fra.conduct.desk.remote] == ["bob"])
        await here.says(":bo!b@h JOIN #room")
        await here.says(":al!a@h PRIVMSG #room :!revoke BO")  # a nick is one in whatever case
        await there.hears("KICK #room bo")
        await until(lambda: not fra.conduct.desk.remote)
        await here.says(AGAIN)
        await here.says(":bob2!b@h2 PRIVMSG fb-fra :roster")
        assert "NOT VERIFIED" in await here.hears("NOTICE bob2")
        assert fra.reception.person("pub", "al"), "nobody else's account"


async def test_an_account_is_revoked_before_it_has_claimed_anything(tmp_path: Path) -> None:
    """Else it comes in by another connection."""
    async with open_two(tmp_path) as two:
        here, there = two.servers["fra"], two.servers["hel"]
        hel = two.agents["hel"]
        await until(lambda: not hel.conduct.performer.speaks("pub"))
        await there.says(ALICE, BOB)
        await there.says(":al!a@h PRIVMSG fb-hel :revoke bo")
        await there.hears("NOTICE al :bo revoked")
        await until(lambda: two.agents["fra"].conduct.desk.revoked)
        await here.says(AGAIN)
        await here.says(":bob2!b@h2 PRIVMSG fb-fra :roster")
        assert "NOT VERIFIED" in await here.hears("NOTICE bob2")
