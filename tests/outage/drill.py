"""`make drill`: the whole outage on this machine, told while it happens.

Real servers, real processes, a namespace for each host; the site is cut by dropping packets and
nobody is told. Every step is read by an ordinary IRC client, on the public server or on the
bouncer. Exit 0: every step was observed; 1: one was not; 2: something must be installed first.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import trio

from bouncer.irc.wire import Message
from tests.outage.story import Story
from tests.outage.world import AGENT_NICK, HOME_NETWORK, LOBBY, OPS, ROOM, World, world
from tests.real import needs
from tests.real.lab import lab
from tests.real.peer import Peer
from tests.real.process import until

PROGRAMS = ("ip", "nft", "nsenter", "setpriv", "ngircd", needs.NETNS)
ANNOUNCED_S = 30.0  # the promise
SHORTENED = {"primary_back_notice": 10, "auto_standdown": 20}
DEFAULTS = {"primary_back_notice": 60, "auto_standdown": 300}
RECOVERY_S = 60.0
CAPS = ("server-time", "message-tags", "batch")
MISSED = tuple(f"console {n}: the switch is still dark" for n in range(1, 6))
VERIFIED = "verif"


async def drill(folder: Path, story: Story) -> None:
    """Play it. Raises StepFailed."""
    story.tell("building: a company site, a public network, an agent, a witness, people")
    shown = ", ".join(f"{name} {value} s" for name, value in SHORTENED.items())
    usual = ", ".join(f"{name} {value} s" for name, value in DEFAULTS.items())
    story.tell(f"detection runs with its default timings; shortened: {shown} (default: {usual})")
    with lab() as net:
        async with world(folder, net, timings=SHORTENED) as scene, AsyncExitStack() as stack:
            carol = await stack.enter_async_context(scene.at_console())
            await carol.register("carol")
            await carol.join(OPS)
            reader = await stack.enter_async_context(scene.at_public())
            await reader.register("passerby")
            await reader.join(LOBBY)
            await _at_work(story, scene, carol)
            await _cut(story, scene, carol, reader)
            impostor = await stack.enter_async_context(scene.at_public())
            await _impostor(story, impostor)
            alice = await stack.enter_async_context(scene.at_public())
            bob = await stack.enter_async_context(scene.at_public())
            await _found(story, scene, alice, bob, impostor)
            await _recovery(story, scene, alice, reader)
            await _caught_up(story, scene)


async def _at_work(story: Story, scene: World, carol: Peer) -> None:
    async with scene.at_work(f"alice/{HOME_NETWORK}@laptop", CAPS) as alice:
        with story.step("alice reads on the bouncer: the ops bot says that both voters are well"):
            await alice.hears("366", "*", OPS)
            story.quote("opsbot", await scene.protected(alice, 2))
        async with scene.at_work(f"bob/{HOME_NETWORK}@phone", CAPS) as bob:
            with story.step("alice and bob talk in the ops channel, through the bouncer"):
                await bob.hears("366", "*", OPS)
                await alice.says(f"PRIVMSG {OPS} :bob, the new switch is noisy")
                await bob.hears("PRIVMSG", OPS, "bob, the new switch is noisy", source="alice!*")
                await bob.says(f"PRIVMSG {OPS} :I hear it")
                await alice.hears("PRIVMSG", OPS, "I hear it", source="bob!*")
        await carol.says(f"PRIVMSG {OPS} :carol here, at the console")
        with story.step("the backlog grows while bob is away: alice reads carol"):
            await alice.hears("PRIVMSG", OPS, "carol here, at the console")
            await alice.sync()
        await alice.says("QUIT :lunch")
        await alice.is_closed()


async def _cut(story: Story, scene: World, carol: Peer, reader: Peer) -> None:
    reader.forget()
    scene.lab.cut(scene.site)
    story.mark("cut")
    story.tell("the switch dies: every packet from and to the site is dropped, nobody is told")
    await carol.says(*(f"PRIVMSG {OPS} :{text}" for text in MISSED))
    with story.step("inside the dark site carol talks on, on the company's own server"):
        await carol.sync()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_detected, story, scene)
        with story.step(f"a passer-by on the public network reads the announcement in {LOBBY}"):
            line = await _hears_agent(reader, LOBBY, "*unreachable*", within_s=90)
            story.mark("announced")
            story.quote(AGENT_NICK, line.params[1])
            assert ROOM in line.params[1], "the announcement names the room"
        # Both voters may have known within the last milliseconds: let the status be read once more.
        await until(lambda: "detected" in story.marks, 5, "a voter's status says DOWN")
        nursery.cancel_scope.cancel()
    took = story.since("cut", "announced")
    with story.step(f"cut to announced: {took:.1f} s, within {ANNOUNCED_S:g} s"):
        assert took <= ANNOUNCED_S


async def _detected(story: Story, scene: World) -> None:
    """The one moment that no IRC client sees: the first verdict of a voter, by its status."""
    while "detected" not in story.marks:
        for each in scene.voters.values():
            if "watch DOWN" in await each.status():
                story.mark("detected")
                story.tell(f"(`fallback status` on {each.name}: the site is unreachable)")
                break
        await trio.sleep(0.05)


async def _impostor(story: Story, impostor: Peer) -> None:
    await impostor.register("alice")
    await impostor.join(LOBBY)
    with story.step("an impostor sits on the nick alice and claims to be her: refused"):
        await impostor.says(f"PRIVMSG {AGENT_NICK} :claim alice aaaa-bbbb-cccc-dddd")
        story.quote(AGENT_NICK, (await _answer(impostor)).params[-1])
        await impostor.says(f"JOIN {ROOM}")
        await impostor.hears("473", "*", ROOM)
        assert not impostor.all("INVITE")


async def _found(story: Story, scene: World, alice: Peer, bob: Peer, impostor: Peer) -> None:
    for person, handle, nick in ((alice, "alice", "alice_"), (bob, "bob", "bob_")):
        await person.register(nick)
        code = scene.codes[handle][0]
        with story.step(f"{handle} is {nick} here and proves it with a recovery code: verified"):
            await person.says(f"PRIVMSG {AGENT_NICK} :claim {handle} {code}")
            reply = await _answer(person)
            story.quote(AGENT_NICK, reply.params[-1])
            assert VERIFIED in reply.params[-1].lower()
            await person.has_heard("INVITE", nick, ROOM)
            await person.join(ROOM)
            await person.hears_voice(ROOM, nick)
        if handle == "alice":
            with story.step("the code is spent: the impostor, who overheard it, is refused"):
                await impostor.says(f"PRIVMSG {AGENT_NICK} :claim alice {code}")
                reply = await _answer(impostor)
                story.quote(AGENT_NICK, reply.params[-1])
                assert not impostor.all("INVITE")
    story.mark("all found")
    with story.step(f"alice reads in {ROOM} who is who"):
        await alice.says(f"PRIVMSG {ROOM} :!roster")
        roster = await alice.hears(
            "PRIVMSG|NOTICE", "*", "*alice=alice_*", source=f"{AGENT_NICK}!*"
        )
        story.quote(AGENT_NICK, roster.params[-1])
        assert "bob=bob_" in roster.params[-1]
    with story.step("alice and bob talk in the room; the impostor is not there"):
        await alice.says(f"PRIVMSG {ROOM} :bob, swap the switch")
        await bob.hears("PRIVMSG", ROOM, "bob, swap the switch", source="alice_!*")
        await bob.says(f"PRIVMSG {ROOM} :on it")
        await alice.hears("PRIVMSG", ROOM, "on it", source="bob_!*")
        await alice.says(f"NAMES {ROOM}")
        names = (await alice.hears("353", "*", "*", ROOM)).params[-1].split()
        assert sorted(n.lstrip("@+") for n in names) == sorted([AGENT_NICK, "alice_", "bob_"])


async def _recovery(story: Story, scene: World, alice: Peer, reader: Peer) -> None:
    alice.forget()
    reader.forget()
    scene.lab.heal(scene.site)
    story.mark("healed")
    story.tell("the switch is replaced: packets flow again")
    with story.step(f"alice reads in {ROOM} that the primary is back"):
        back = await _hears_agent(alice, ROOM, "*back*", within_s=RECOVERY_S)
        story.quote(AGENT_NICK, back.params[1])
    with story.step("the incident is closed: the last line, and the voices are taken back"):
        await alice.hears("MODE", ROOM, "-v*", within_s=RECOVERY_S)
        last = alice.all("PRIVMSG|NOTICE", ROOM, source=f"{AGENT_NICK}!*")[-1]
        story.quote(AGENT_NICK, last.params[1])
        story.mark("closed")


async def _caught_up(story: Story, scene: World) -> None:
    with story.step("alice's client is back on the bouncer and gets what she missed, once"):
        async with scene.at_work(f"alice/{HOME_NETWORK}@laptop", CAPS) as alice:
            await alice.hears("PRIVMSG", OPS, MISSED[-1], source="carol!*")
            await alice.sync()
            missed = [m.params[1] for m in alice.all("PRIVMSG", OPS, source="carol!*")]
            assert missed == list(MISSED), missed
            story.quote("carol", f"{missed[0]} … {len(missed)} lines, in order")
            await scene.protected(alice, 2)


async def _answer(person: Peer) -> Message:
    """The agent's next private reply."""
    return await _hears_agent(person, person.nick, "*")


async def _hears_agent(person: Peer, target: str, text: str, within_s: float = 10) -> Message:
    speaker = f"{AGENT_NICK}!*"
    return await person.hears("PRIVMSG|NOTICE", target, text, source=speaker, within_s=within_s)


def report(story: Story) -> None:
    """The table: from the cut to each moment, beside what is promised."""
    promised = {
        "detected": "(by `fallback status`; all else by IRC clients)",
        "announced": f"<= {ANNOUNCED_S:g} s",
    }
    rows = [("from -> to", "took", "promise")]
    marks = story.marks
    if "announced" in marks:  # read later than it was true: the announcement followed from it
        marks["detected"] = min(marks.get("detected", marks["announced"]), marks["announced"])
    for name in ("detected", "announced", "all found"):
        took = f"{story.since('cut', name):.1f} s" if name in marks else "not seen"
        rows.append((f"cut -> {name}", took, promised.get(name, "")))
    rows.append(("healed -> closed", f"{story.since('healed', 'closed'):.1f} s", "shortened"))
    story.table(rows)


def main(programs: Sequence[str] = PROGRAMS) -> int:
    """Play the drill where `programs` are there; returns the exit code."""
    faults = needs.missing(*programs)
    if faults:
        print(f"make drill needs something first: {'; then '.join(faults)}", file=sys.stderr)
        return 2
    story = Story()
    keep = os.environ.get("DRILL_KEEP")  # a folder to look at afterwards
    with tempfile.TemporaryDirectory(prefix="muster-drill-") as made:
        failed = True
        try:
            trio.run(drill, Path(keep or made), story)
            failed = False
        except* AssertionError as group:  # StepFailed is one
            _tell_failure(story, group)
        except* KeyboardInterrupt:
            story.tell("stopped by hand")
    if failed:
        return 1
    report(story)
    story.tell(f"all {story.steps} steps were observed")
    return 0


def _tell_failure(story: Story, group: BaseExceptionGroup[AssertionError]) -> None:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    story.tell(f"FAILED after {story.steps} steps; {error}")


if __name__ == "__main__":
    if not needs.missing(*(name for name in PROGRAMS if name != needs.NETNS)):
        needs.become_root_of_our_own([sys.executable, "-m", "tests.outage.drill"])
    sys.exit(main())
