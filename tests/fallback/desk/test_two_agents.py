"""Two agents in one room of a real ngIRCd: who tells the room of whom, and who answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import trio

from bouncer.mesh.proofs import ssh_credential
from fallback import claims, incident, speaker
from fallback.app import Voter
from fallback.running import Serving
from storage import directory
from tests.fallback.voters import Site_, open_site, until
from tests.real.ngircd import Ngircd, ngircd
from tests.real.peer import Peer, peer

SPEAKS, FOLLOWS = "fra", "hel"


@dataclass
class Pair:
    """fra speaks, hel follows; both are in the room, one of them its operator."""

    site: Site_
    server: Ngircd
    keys: Path
    agents: dict[str, Voter] = field(default_factory=dict)
    codes: dict[str, list[str]] = field(default_factory=dict)

    def phase(self, name: str) -> speaker.Phase:
        [said] = self.agents[name].conduct.state.speakers
        return said.phase

    def is_op(self, name: str) -> bool:
        return self.agents[name].announcers["pub"].is_op

    @asynccontextmanager
    async def client(self, nick: str) -> AsyncIterator[Peer]:
        async with peer(self.server.host, self.server.port) as made:
            await made.register(nick)
            yield made

    async def signs(self, who: Peer, handle: str, to: str) -> None:
        """The same by the ssh key."""
        who.forget()
        await who.says(f"PRIVMSG fb-{to} :claim {handle}")
        asked = await who.hears("NOTICE", who.nick, "sign it *")
        command = asked.params[1].partition("the result: ")[2]
        command = command.replace("~/.ssh/id_ed25519", str(self.keys / handle))
        done = await trio.run_process(["sh", "-c", command], capture_stdout=True)
        await who.says(f"PRIVMSG fb-{to} :proof {done.stdout.decode()}")
        await who.hears("INVITE", who.nick, "#room")
        await who.says("JOIN #room")
        await who.hears("MODE", "#room", "+v", who.nick)

    async def proves(self, who: Peer, handle: str, to: str) -> None:
        """By a code, said to this agent; then they are in the room, with a voice."""
        code = self.codes[handle].pop()
        await who.says(f"PRIVMSG fb-{to} :claim {handle} {code}")
        await who.hears("INVITE", who.nick, "#room")
        await who.says("JOIN #room")
        await who.hears("MODE", "#room", "+v", who.nick)


@asynccontextmanager
async def open_pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with open_site(tmp_path) as site, ngircd(tmp_path / "ircd", max_nick=16) as server:
        pair = Pair(site, server, tmp_path)
        at = SimpleNamespace(address=f"irc+insecure://{server.host}:{server.port}")
        for handle in ("alice", "bob"):
            pair.codes[handle] = await site.employs(handle)
        for handle in ("ann", "dan"):
            key = tmp_path / handle
            await trio.run_process(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
            public = ssh_credential(key.with_suffix(".pub").read_text()).public
            await site.employs(handle, admin=True, more=(("ssh", public),))
        for name in (SPEAKS, FOLLOWS):
            config = await site.pairs(name, ircd=at)  # type: ignore[arg-type]
            pair.agents[name] = await site.starts(config)
            await until(lambda: pair.agents[SPEAKS].announcers["pub"].is_op)
        await site.beats()
        await until(lambda: all(one.roster for one in pair.agents.values()))
        fellows = pair.agents[FOLLOWS].reception.fellows
        await until(lambda: fellows.in_room("pub") == {SPEAKS}, within_s=30)
        await until(lambda: pair.is_op(SPEAKS) and pair.is_op(FOLLOWS), within_s=40)
        for one in pair.agents.values():
            one.conduct.put(incident.Declared("alice"))
        await until(lambda: pair.phase(SPEAKS) is speaker.Phase.SPEAKING)
        await until(lambda: pair.phase(FOLLOWS) is speaker.Phase.FOLLOWING)
        yield pair


async def test_who_speaks_tells_the_room_of_whom_another_agent_has_verified(
    tmp_path: Path,
) -> None:
    """FALLBACK: "then `alice is alice_ (ssh)` as people are found"."""
    async with open_pair(tmp_path) as pair, pair.client("bo") as bo, pair.client("al") as al:
        await pair.proves(bo, "bob", SPEAKS)
        await pair.proves(al, "alice", FOLLOWS)
        told = await bo.hears("PRIVMSG", "#room", "alice is al (code)")
        assert told.nick == "fb-fra"
        await al.says("NICK al2")
        assert (await bo.hears("PRIVMSG", "#room", "alice is al2 now (was al)")).nick == "fb-fra"
        await bo.says("PRIVMSG #room :!verify al2")
        assert (await bo.hears("NOTICE", "bo", "al2 = alice via code, hel's word")).nick == "fb-fra"


async def test_one_agent_alone_answers_in_the_room(tmp_path: Path) -> None:
    """Whom only the one that does not speak has verified, that one answers; nobody is told by the
    other that they are not verified."""
    async with open_pair(tmp_path) as pair, pair.client("bo") as bo, pair.client("al") as al:
        await pair.proves(bo, "bob", SPEAKS)
        await pair.proves(al, "alice", FOLLOWS)
        await bo.hears("PRIVMSG", "#room", "alice is al (code)")
        for who, by, other in ((bo, "fb-fra", "fb-hel"), (al, "fb-hel", "fb-fra")):
            who.forget()
            await who.says("PRIVMSG #room :!roster", "PRIVMSG #room :!standdown")
            await who.hears(
                "NOTICE", who.nick, "alice=al (code); *bob=bo (code)*", source=f"{by}!*"
            )
            await who.hears("NOTICE", who.nick, "this is for admins", source=f"{by}!*")
            await who.says(f"PRIVMSG {other} :xyzzy")  # what it had to say before has come then
            await who.hears("NOTICE", who.nick, "say `claim*", source=f"{other}!*")
            assert len(who.all("NOTICE", who.nick, source=f"{other}!*")) == 1


async def test_two_admins_vouch_together_though_each_is_known_to_another_agent(
    tmp_path: Path,
) -> None:
    """FALLBACK: "`!vouch NICK HANDLE` | room | two admins"."""
    async with (
        open_pair(tmp_path) as pair,
        pair.client("an") as ann,
        pair.client("da") as dan,
        pair.client("bo") as bo,
    ):
        await bo.says("JOIN #lobby")
        await pair.signs(ann, "ann", SPEAKS)
        await pair.signs(dan, "dan", FOLLOWS)
        for agent in pair.agents.values():
            await until(lambda: len(claims.standing(agent.conduct.desk)) == 2)  # noqa: B023
        await ann.says("PRIVMSG #room :!vouch bo bob", "PRIVMSG #room :!vouch bo bob")
        for _ in range(2):  # one admin's word, however often
            await ann.hears("NOTICE", "an", "vouched for bo as bob*", source="fb-fra!*")
        assert not bo.all("INVITE", "bo", "#room")
        await dan.says("PRIVMSG #room :!vouch bo bob")
        await dan.hears("NOTICE", "da", "vouched for bo as bob*", source="fb-hel!*")
        await bo.hears("INVITE", "bo", "#room", source="fb-hel!*")
        await dan.has_heard("PRIVMSG", "#room", "bob is bo (vouch)", source="fb-fra!*")
        assert not bo.all("INVITE", "bo", "#room", source="fb-fra!*")


async def test_who_takes_over_tells_who_is_found(tmp_path: Path) -> None:
    async with open_pair(tmp_path) as pair, pair.client("bo") as bo, pair.client("al") as al:
        await pair.proves(bo, "bob", SPEAKS)
        await pair.proves(al, "alice", FOLLOWS)
        await until(lambda: len(claims.standing(pair.agents[FOLLOWS].conduct.desk)) == 2)
        await pair.agents[SPEAKS].stop()
        told = await bo.hears("PRIVMSG", "#room", "found so far: *")
        assert told.nick == "fb-hel"
        assert "alice=al (code)" in told.params[1]
        await bo.says("PRIVMSG #room :!roster")  # he had proved it to the other
        await bo.hears("NOTICE", "bo", "fra knows you as bob, but I do not: /msg me help")


async def test_who_was_killed_hears_again_whom_the_other_has_verified(tmp_path: Path) -> None:
    async with open_pair(tmp_path) as pair, pair.client("bo") as bo:
        await pair.proves(bo, "bob", FOLLOWS)
        await until(lambda: claims.standing(pair.agents[SPEAKS].conduct.desk))
        first = pair.agents[SPEAKS]
        await first.stop()
        await until(first.stopped.is_set)
        again = await pair.site.starts(first.config)
        await until(lambda: [one.handle for one in claims.standing(again.conduct.desk)] == ["bob"])


async def test_who_is_called_a_witness_hands_over(tmp_path: Path, nursery: trio.Nursery) -> None:
    async with open_pair(tmp_path) as pair, pair.client("bo") as bo:
        await bo.says("JOIN #lobby")
        first = pair.agents[SPEAKS]
        await first.stop()
        await until(first.stopped.is_set)
        serving = Serving(first.file)
        await nursery.start(serving.run)
        pair.agents[SPEAKS] = serving.voter
        await until(lambda: pair.phase(SPEAKS) is speaker.Phase.SPEAKING, within_s=30)
        await until(lambda: pair.phase(FOLLOWS) is speaker.Phase.FOLLOWING)
        bo.forget()
        await pair.site.store.run(partial(directory.change_agent, role="witness"), SPEAKS)
        assert pair.site.beacon is not None
        pair.site.beacon.roster_changed()
        await bo.has_heard("PRIVMSG", "#lobby", "*Withdrawn*", source="fb-fra!*", within_s=30)
        await bo.has_heard("QUIT", "*called a witness*", source="fb-fra!*", within_s=30)
        await until(lambda: pair.phase(FOLLOWS) is speaker.Phase.SPEAKING)
        assert pair.agents[FOLLOWS].conduct.incident_id
        await serving.stop()
        await until(serving.voter.stopped.is_set)
