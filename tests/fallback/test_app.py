"""Real voters with real sockets: paired, armed, cut, announced, claimed, recovered, restarted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import trio

from bouncer.mesh.keys import MeshKey
from fallback import incident, watch
from fallback.app import Voter
from fallback.report import ask, metrics_text
from storage import directory
from storage.records import Agent
from tests.fallback.ircd import Ircd, open_ircd
from tests.fallback.voters import WAITS, Site_, open_site, until


def phase(voter: Voter) -> watch.Phase:
    return voter.conduct.state.watch.phase


async def pair_two(site: Site_, ircd: Ircd) -> tuple[Voter, Voter]:
    """An agent on the public network and a witness, armed and joined."""
    agent = await site.starts(await site.pairs("fra", ircd=ircd))
    witness = await site.starts(await site.pairs("hel", role="witness"))
    await site.beats()
    await ircd.welcomes("fb-fra")
    await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
    await until(lambda: phase(agent) is phase(witness) is watch.Phase.WATCHING)
    await until(lambda: agent.roster and witness.roster)
    await until(lambda: all(voter.landmarks.state().fresh for voter in (agent, witness)))
    return agent, witness


async def test_a_cut_is_announced_a_person_verified_and_the_recovery_said_once(
    tmp_path: Path,
) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        codes = await site.employs("alice", oncall=1, nicks=(("pub", "alice"),))
        agent, witness = await pair_two(site, ircd)
        assert agent.roster is not None
        assert witness.roster is not None
        assert agent.roster.staff
        assert not witness.roster.staff, "a witness holds no roster of people"

        site.is_cut()
        line = await ircd.hears("PRIVMSG #lobby", within_s=12)
        assert "unreachable from here since" in line
        assert "Meet: #room" in line
        assert "down" not in line
        assert await ircd.hears("PRIVMSG #room") == line.replace("#lobby", "#room")
        assert "alice -> alice" in await ircd.hears("PRIVMSG #room")

        # The right nick proves nothing; a code that is not theirs neither, said but once.
        await ircd.says(":alice!m@evil PRIVMSG fb-fra :claim alice aaaa-aaaa-aaaa-aaaa")
        assert "NOT VERIFIED" in await ircd.hears("NOTICE alice")

        # A code is good once, in private.
        await ircd.says(f":al!a@host PRIVMSG fb-fra :claim alice {codes[0]}")
        assert await ircd.hears("INVITE") == "INVITE al #room"
        assert "alice is al (code)" in await ircd.hears("PRIVMSG #room")
        await ircd.says(":al!a@host JOIN #room")
        assert await ircd.hears("MODE #room +v") == "MODE #room +v al"
        await ircd.says(f":eve!e@evil PRIVMSG fb-fra :claim alice {codes[0]}")
        assert "NOT VERIFIED" in await ircd.hears("NOTICE eve")

        # A code said in public is burned.
        await ircd.says(f":al!a@host PRIVMSG #room :here is one: {codes[1]}")
        await ircd.says(f":eve!e@evil PRIVMSG fb-fra :claim alice {codes[1]}")
        assert "NOT VERIFIED" in await ircd.hears("NOTICE eve")

        # Only the verified may ask for the roster.
        await ircd.says(":eve!e@evil PRIVMSG fb-fra :roster")
        assert "NOT VERIFIED" in await ircd.hears("NOTICE eve")
        await ircd.says(":al!a@host PRIVMSG #room :!roster")
        assert "alice=al (code) oncall" in await ircd.hears("NOTICE al")

        opened = agent.conduct.incident_id
        await site.beats()
        assert "Primary is back" in await ircd.hears("PRIVMSG #lobby", within_s=12)
        assert "Over" in await ircd.hears("PRIVMSG #lobby", within_s=12)
        assert await ircd.hears("MODE #room -v") == "MODE #room -v al"
        await until(lambda: not agent.conduct.incident_id)

        # All of it is the incident's, and nothing secret has reached the disk.
        await until(lambda: agent.journal.unwritten == 0)
        said = [line.text for line in agent.incidents.lines(opened) if line.target == "#lobby"]
        assert "Over: the primary is stable." in said[-1]
        with closing(sqlite3.connect(agent.config.database_file)) as connection, connection:
            kept = " ".join(row[0] for row in connection.execute("select text from journal"))
        assert "here is one: [code]" in kept
        for path in agent.config.data_dir.iterdir():
            if path.is_file():
                for code in codes:
                    assert code.encode() not in path.read_bytes()


async def test_a_line_the_lobby_refused_is_said_once_the_agent_is_heard(tmp_path: Path) -> None:
    """ "Silence is the failure": a line that was refused stands nowhere."""
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        await site.employs("alice", admin=True)
        agent = await site.starts(await site.pairs("fra", ircd=ircd))
        await site.beats()
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        await until(lambda: agent.announcers["pub"].joined and agent.roster)
        agent.conduct.put(incident.Declared("alice"))
        await ircd.hears("PRIVMSG #lobby", within_s=15)
        await ircd.says(":irc.test 404 fb-fra #lobby :Cannot send to channel")
        await until(lambda: not agent.conduct.performer.speaks("pub"))
        await until(lambda: not agent.journal.remember(("pub",)).kept.lines[0].line_at > 0)
        await ircd.hears_nothing("PRIVMSG #lobby", for_s=1.0)
        await ircd.says(":ops!o@h MODE #lobby +v fb-fra")
        await ircd.hears("PRIVMSG #lobby", within_s=15)


async def test_a_restarted_agent_knows_by_their_voice_whom_it_had_verified(tmp_path: Path) -> None:
    """A nick that changed hands meanwhile has no voice; and what destroys needs a new proof."""
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        alice = await site.employs("alice", admin=True, accounts=(("pub", "AliceAcct"),))
        bob = await site.employs("bob")
        config = await site.pairs("fra", ircd=ircd)
        await site.beats()
        first = Voter(config)
        first.announcers["pub"].outgoing.every_s = 0.05
        async with trio.open_nursery() as nursery:
            await nursery.start(first.run)
            await ircd.welcomes("fb-fra")
            await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
            await until(lambda: first.announcers["pub"].joined and first.roster)
            first.conduct.put(incident.Declared("alice"))
            await ircd.hears("PRIVMSG #room", within_s=15)
            for who, codes in (("alice", alice), ("bob", bob)):
                await ircd.says(f":{who}!u@{who}.example PRIVMSG fb-fra :claim {who} {codes[0]}")
                await ircd.hears(f"INVITE {who} #room")
                await ircd.says(f":{who}!u@{who}.example JOIN #room")
                await ircd.hears(f"MODE #room +v {who}")
            await until(lambda: len(first.journal.remember(("pub",)).stored.claims) == 2)
            await until(lambda: all(one.host for one in first.conduct.desk.claims))
            nursery.cancel_scope.cancel()

        second = await site.starts(config)
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby")
        await ircd.hears("JOIN #room")
        await ircd.says(
            ":fb-fra!~fallback@192.0.2.9 JOIN #room",
            ":irc.test 353 fb-fra = #room :@fb-fra +alice bob",
            ":irc.test 366 fb-fra #room :End",
            ":irc.test 324 fb-fra #room +ims",
        )
        await ircd.hears("WHO #room")
        await ircd.says(
            ":irc.test 352 fb-fra #room u alice.example irc.test alice H+ :0 Alice",
            ":irc.test 352 fb-fra #room u bob.example irc.test bob H :0 Bob",
            ":irc.test 315 fb-fra #room :End",
        )
        await until(lambda: second.reception.person("pub", "alice"))
        assert second.reception.person("pub", "bob") is None
        await ircd.says(":alice!u@alice.example PRIVMSG #room :!roster")
        assert "alice=alice (code); bob=?" in await ircd.hears("NOTICE alice")
        await ircd.says(":alice!u@alice.example PRIVMSG #room :!hold 10min")
        assert "I was away: /msg me claim alice" in await ircd.hears("NOTICE alice")
        await ircd.says(":alice!u@alice.example ACCOUNT AliceAcct")
        await ircd.says(":alice!u@alice.example PRIVMSG #room :!hold 10min")
        assert "held until" in await ircd.hears("NOTICE alice")


async def test_a_restarted_agent_goes_on_with_the_same_incident(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        codes = await site.employs("alice", oncall=1)
        config = await site.pairs("fra", ircd=ircd)
        await site.starts(await site.pairs("hel", role="witness"))
        await site.beats()
        first = Voter(config)
        async with trio.open_nursery() as nursery:
            await nursery.start(first.run)
            await ircd.welcomes("fb-fra")
            await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
            await until(lambda: phase(first) is watch.Phase.WATCHING and first.roster)
            await until(lambda: first.landmarks.state().fresh)
            site.is_cut()
            await ircd.hears("PRIVMSG #lobby", within_s=12)
            await ircd.says(f":al!a@host PRIVMSG fb-fra :claim alice {codes[0]}")
            await ircd.hears("INVITE al")
            nursery.cancel_scope.cancel()
        opened, before = first.conduct.incident_id, len(ircd.heard)

        second = await site.starts(config)
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        await until(lambda: second.conduct.performer.speaks("pub"), within_s=25)
        assert second.conduct.incident_id == opened
        await ircd.says(f":eve!e@evil PRIVMSG fb-fra :claim alice {codes[0]}")
        assert "NOT VERIFIED" in await ircd.hears("NOTICE eve")
        again = [line for line in ircd.heard[before:] if line.startswith("PRIVMSG #lobby")]
        assert not again, "the line stands: it is not said twice"


async def test_maintenance_is_acked_by_all_and_nothing_is_announced(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent, witness = await pair_two(site, ircd)
        assert site.beacon is not None
        now = agent.pulse.now()
        told = await site.beacon.announce_maintenance(now, now + 600, "new switch")
        assert (told.acked, told.voters) == (2, 2)
        await until(lambda: phase(agent) is phase(witness) is watch.Phase.MAINTENANCE)
        site.is_cut()
        last = agent.hearing.last
        assert last is not None
        longer = WAITS["declare"] + WAITS["solo_after"]  # than what would be announced
        await until(lambda: agent.pulse.now() > last.at + longer)
        assert phase(agent) is phase(witness) is watch.Phase.MAINTENANCE
        assert not [line for line in ircd.heard if line.startswith("PRIVMSG #lobby")]


async def test_an_ended_maintenance_is_acked_and_the_watch_goes_on(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent, _ = await pair_two(site, ircd)
        assert site.beacon is not None
        now = agent.pulse.now()
        await site.beacon.announce_maintenance(now, now + 600, "")
        told = await site.beacon.end_maintenance()
        assert (told.acked, told.voters) == (2, 2)
        await until(lambda: phase(agent) is watch.Phase.WATCHING)


async def test_a_broken_disk_does_not_silence_the_announcement(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent, _ = await pair_two(site, ircd)
        with closing(sqlite3.connect(agent.config.database_file)) as connection, connection:
            connection.execute("DROP TABLE facts")
        connection.close()
        site.is_cut()
        assert "unreachable" in await ircd.hears("PRIVMSG #lobby", within_s=15)
        assert any("told ops" in line and "cannot write" in line for line in agent.status())


async def test_with_the_witness_dead_the_solo_rule_says_so(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent = await site.starts(await site.pairs("fra", ircd=ircd))
        await site.pairs("hel", role="witness")  # paired, but never started
        await site.beats()
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        await until(lambda: phase(agent) is watch.Phase.WATCHING and agent.roster)
        site.is_cut()
        assert "[single observer]" in await ircd.hears("PRIVMSG #lobby", within_s=20)
        assert agent.conduct.state.incident is not None
        assert agent.conduct.state.incident.kind is incident.Kind.SOLO


async def test_the_bouncer_knows_who_listens(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        await pair_two(site, ircd)
        beacon = site.beacon
        assert beacon is not None
        await until(lambda: all(one.linked and one.state == "WATCHING" for one in beacon.status()))
        await until(lambda: [one.roster for one in beacon.status()] == [1, 1])
        assert beacon.summary().startswith("agents fra=OK hel=OK(w); hb ")
        # A removed voter is no longer beaten to, and the roster says so to the others.
        await site.store.run(directory.remove_agent, "hel")
        beacon.roster_changed()
        await until(lambda: [one.name for one in beacon.status()] == ["fra"])


async def test_ops_are_told_the_same_words_again_when_it_happens_again(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent, _ = await pair_two(site, ircd)
        for times in (1, 2):
            agent.conduct.performer.tell_ops("it happened")
            await until(lambda: site.told.count("agent fra: it happened") >= times)  # noqa: B023
        await agent_acks_once_more(site)
        assert site.told.count("agent fra: it happened") == 2, "and not with every ack"


async def agent_acks_once_more(site: Site_) -> None:
    assert site.beacon is not None
    fra = site.beacon._voters["fra"]
    before = fra.acked_at
    await until(lambda: fra.acked_at > before)


async def test_status_and_metrics_tell_what_is_seen(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent, _ = await pair_two(site, ircd)
        await until(lambda: agent.landmarks.state().fresh == 2)
        text = await trio.to_thread.run_sync(ask, agent.config.socket)
        assert "watch WATCHING" in text
        assert "self-check good: 2 of 2" in text
        assert agent.config.socket.stat().st_mode & 0o777 == 0o600
        assert "muster_fallback_watch_down 0" in metrics_text(agent)
        assert "muster_fallback_journal_lines_lost 0" in metrics_text(agent)


async def test_a_flood_of_bad_datagrams_silences_nobody(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent, _ = await pair_two(site, ircd)
        target = ("127.0.0.1", agent.mesh.port)
        flood = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
        forged = bytes([1, 2]) + agent.config.primary_key.key_id + bytes(200)
        with flood, trio.move_on_after(4):
            while True:
                for _ in range(50):
                    await flood.sendto(forged, target)
                await trio.sleep(0.005)
        assert phase(agent) is watch.Phase.WATCHING
        assert agent.mesh.refused["tag"] > 1000


async def test_a_voter_whose_address_is_no_name_takes_nobody_down(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        key = str(MeshKey.generate().public)
        bad = Agent("bad", "bad..example.net:7000", key, role="witness")
        await site.store.run(directory.add_agent, bad)
        voter = await site.starts(await site.pairs("hel", role="witness"))
        await site.beats()
        await until(lambda: phase(voter) is watch.Phase.WATCHING)
        await until(lambda: voter.mesh.others == ["bad"])
        await until(lambda: site.beacon and site.beacon.status()[1].linked)
