"""What users wish for their networks, said from their client, and kept over a restart."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.site import CHANNEL, NETWORK, site

LOGIN = f"alice/{NETWORK}@laptop"


async def test_wishes_said_to_the_service_are_kept_over_a_restart(tmp_path: Path) -> None:
    """A nick by NICK, a detached channel and an ignored person by ZNC's words at *status."""
    async with site(tmp_path) as here:
        async with here.bouncer.attached(LOGIN) as alice:
            await alice.hears("366", "alice", CHANNEL)
            await alice.says("NICK ally")
            await alice.hears("NICK", "ally")
            await here.bob.hears("NICK", "ally", source="alice!*")
            await alice.says("PRIVMSG *status :AddIgnore troll")
            await alice.hears("NOTICE", "ally", "troll!*@* is ignored*", source="*status*")
            await alice.says(f"PRIVMSG *status :Detach {CHANNEL}")
            await alice.hears("PART", CHANNEL, "*", source="ally!*")
            await here.bob_says("nothing special")
            await here.bob_says("ally: look at this")
            await alice.hears("NOTICE", "ally", f"{CHANNEL} (detached): <bob> ally: look at this")
            assert alice.texts(CHANNEL) == []
        here.bouncer.kill()
        await here.bouncer.start()
        await here.bouncer.ready()
        await here.held("ally")
        async with here.bouncer.attached(LOGIN) as alice:
            await alice.says(f"JOIN {CHANNEL}")
            await alice.hears("366", "ally", CHANNEL)
            await here.bob_says("shown again")
            await alice.hears("PRIVMSG", CHANNEL, "*shown again")
