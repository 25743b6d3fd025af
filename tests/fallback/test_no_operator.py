"""A lone agent that came back without its rights, where no services give them again."""

from __future__ import annotations

from pathlib import Path

from fallback import incident
from tests.fallback.ircd import open_ircd
from tests.fallback.voters import open_site, until


async def test_who_waits_outside_is_told_and_let_in_once_the_room_obeys(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        alice = await site.employs("alice", admin=True)
        bob = await site.employs("bob")
        agent = await site.starts(await site.pairs("fra", ircd=ircd))
        agent.announcers["pub"].enter_again_s = agent.announcers["pub"].look_again_s = 0.1
        await site.beats()
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby")
        await ircd.hears("JOIN #room")
        await ircd.says(
            ":fb-fra!~fallback@192.0.2.9 JOIN #room",
            ":irc.test 353 fb-fra = #room :@ghost +alice fb-fra",
            ":irc.test 366 fb-fra #room :End",
            ":irc.test 324 fb-fra #room +ims",
        )
        await until(lambda: agent.announcers["pub"].joined and agent.roster)
        agent.conduct.put(incident.Declared("alice"))
        await ircd.hears("PRIVMSG #lobby", within_s=15)
        await ircd.says(f":alice!a@h PRIVMSG fb-fra :claim alice {alice[0]}")
        assert "verified, invited" in await ircd.hears("NOTICE alice :verified")

        # Nobody can be let in: who asks is told, and those inside what would help.
        await ircd.says(":bob!b@h JOIN #lobby", f":bob!b@h PRIVMSG fb-fra :claim bob {bob[0]}")
        assert "I invite you as soon as I am" in await ircd.hears("NOTICE bob :verified, but")
        assert "/mode #room +o fb-fra" in await ircd.hears("NOTICE alice :somebody")
        assert not [line for line in ircd.heard if line.startswith(("INVITE", "PART"))]

        # They leave it, and its ghost is gone: the room is made anew, and all are invited.
        await ircd.says(":alice!a@h JOIN #lobby", ":alice!a@h PART #room", ":ghost!g@h QUIT :gone")
        await ircd.hears("PART #room")
        await ircd.hears("JOIN #room")
        await ircd.says(
            ":fb-fra!~fallback@192.0.2.9 PART #room",
            ":fb-fra!~fallback@192.0.2.9 JOIN #room",
            ":irc.test 353 fb-fra = #room :@fb-fra",
            ":irc.test 366 fb-fra #room :End",
            ":irc.test 324 fb-fra #room +",
            ":irc.test 315 fb-fra #room :End",
        )
        assert await ircd.hears("MODE #room +ims")
        assert {await ircd.hears("INVITE"), await ircd.hears("INVITE")} == {
            "INVITE alice #room",
            "INVITE bob #room",
        }


async def test_an_operator_who_is_found_lets_in_who_waits(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        bob = await site.employs("bob")
        agent = await site.starts(await site.pairs("fra", ircd=ircd))
        await site.beats()
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby", "#room")
        await until(lambda: agent.announcers["pub"].joined and agent.roster)
        agent.conduct.put(incident.Declared("alice"))
        await ircd.hears("PRIVMSG #lobby", within_s=15)
        await ircd.says(f":bob!b@h PRIVMSG fb-fra :claim bob {bob[0]}")
        await ircd.hears("NOTICE bob :verified, but")
        await ircd.says(":oper!o@h MODE #room +o fb-fra")
        assert await ircd.hears("INVITE") == "INVITE bob #room"
