"""An agent that was killed comes back to a real server without services (ngIRCd); one that was cut
off, to a network that tells accounts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from fallback import incident
from fallback.app import Voter
from tests.fallback.ircd import open_ircd
from tests.fallback.voters import open_site, until
from tests.real.needs import require
from tests.real.ngircd import ngircd
from tests.real.peer import peer


async def test_it_knows_who_has_a_voice_and_gets_its_room_back_when_they_leave(
    tmp_path: Path,
) -> None:
    """The kernel closes a killed agent's connection, so its operatorship is gone for good: the
    network gives it to whoever enters an empty room, and to nobody else."""
    require("ngircd")
    async with open_site(tmp_path) as site, ngircd(tmp_path / "ngircd") as server:
        codes = await site.employs("alice")
        place: Any = SimpleNamespace(address=f"irc+insecure://127.0.0.1:{server.port}")
        config = await site.pairs("fra", ircd=place)
        await site.beats()
        first = Voter(config)
        async with peer("127.0.0.1", server.port) as alice:
            await alice.register("alice")
            async with trio.open_nursery() as nursery:
                await nursery.start(first.run)
                await until(lambda: first.announcers["pub"].is_op and first.roster)
                first.conduct.put(incident.Declared("alice"))
                await until(lambda: first.conduct.performer.speaks("pub"))
                await alice.says(f"PRIVMSG fb-fra :claim alice {codes[0]}")
                await alice.hears("INVITE", "alice", "#room")
                await alice.join("#room")
                await alice.hears_voice("#room", "alice")
                await alice.join("#lobby")
                await until(lambda: first.conduct.desk.claims[0].host)
                nursery.cancel_scope.cancel()

            second = Voter(config)
            announcer = second.announcers["pub"]
            announcer.outgoing.every_s = 0.05
            announcer.enter_again_s = announcer.look_again_s = 0.2
            await site.nursery.start(second.run)
            await until(lambda: second.reception.person("pub", "alice"))
            person = second.reception.person("pub", "alice")
            assert person is not None
            assert person.recalled
            assert not announcer.is_op
            assert announcer.venue.stands

            alice.forget()
            await alice.says("PART #room")
            await until(lambda: announcer.is_op)
            await alice.hears("INVITE", "alice", "#room")
            await alice.join("#room")
            await alice.hears_voice("#room", "alice")


@pytest.mark.parametrize(("account", "known"), [("al", True), ("bo", False), ("0", False)])
async def test_who_has_a_voice_but_another_account_is_somebody_else(
    account: str, known: bool, tmp_path: Path
) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        codes = await site.employs("alice")
        agent = await site.starts(await site.pairs("fra", ircd=ircd))
        await site.beats()
        await ircd.welcomes("fb-fra", "WHOX")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        await until(lambda: agent.roster and agent.announcers["pub"].joined)
        agent.conduct.put(incident.Declared("alice"))
        await ircd.hears("PRIVMSG #room", within_s=15)
        await ircd.says(":alice!u@shell JOIN #lobby", ":alice!u@shell ACCOUNT old")
        await ircd.says(f":alice!u@shell PRIVMSG fb-fra :claim alice {codes[0]}")
        await ircd.hears("INVITE alice #room")
        await ircd.says(":alice!u@shell JOIN #room")
        await until(lambda: [c.account for c in agent.conduct.desk.claims] == ["old"])
        await ircd.says(":alice!u@shell ACCOUNT al")
        await until(lambda: [c.account for c in agent.conduct.desk.claims] == ["al"])

        await ircd.drops()
        await until(lambda: agent.conduct.desk.claims[0].away)
        await ircd.welcomes("fb-fra", "WHOX")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        await ircd.says(
            ":irc.test 353 fb-fra = #room :@fb-fra +alice",
            ":irc.test 366 fb-fra #room :End",
            f":irc.test 354 fb-fra 793 #room u shell alice H {account} :Alice",
            ":irc.test 315 fb-fra #room :End of WHO list",
        )
        await until(lambda: agent.reception.connection("pub", "alice"))
        await ircd.says(":alice!u@shell PRIVMSG fb-fra :claim alice")
        await ircd.hears("NOTICE alice :challenge")  # by then the desk has seen the voice
        person = agent.reception.person("pub", "alice")
        assert (person is not None and person.recalled) is known
