"""The outage as it is promised: two agents, a witness, two public networks, people and impostors.

"switch dies silently (bridge port taken out, carrier stays up) -> announced on both networks
<= 30 s by exactly one agent each; impostor with the right nick, a nick taken after QUIT, a replayed
signature, a code said in public, a roster of a lower version: all refused; phone verified by
recovery code, laptop by ssh signature, a third by account without a word; speaker killed ->
successor <= 10 s; speaker muted by the network -> successor; recovery -> one stand-down."
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from bouncer.irc.wire import Message
from tests.outage.signing import make_key, signed
from tests.outage.town import LOBBY, ROOM, Town, town
from tests.real import needs
from tests.real.certificates import make
from tests.real.inspircd import OPERATOR, Inspircd, inspircd
from tests.real.lab import lab
from tests.real.ngircd import Ngircd, ngircd
from tests.real.peer import Peer, peer

pytestmark = [pytest.mark.outage, pytest.mark.timeout(480)]

FIRST, SECOND = "muster-fra", "muster-ams"  # nicks and accounts, by rank
SPEAKER = {FIRST: "fra", SECOND: "ams"}
PASSWORD = "sesame-99"
ANNOUNCED_S = 30.0
SUCCESSOR_S = 10.0
LEASE_S = 8.0  # 6 s, and 2 s for rank 1
PATIENCE_S = 60.0
TIMINGS = {"primary_back_notice": 8, "auto_standdown": 20}


@dataclass
class Scene:
    """The town with its two public networks; `readers` are passers-by in their lobbies."""

    town: Town
    open: Ngircd
    chat: Inspircd
    readers: dict[str, Peer]
    laptop_key: Path

    def at(self, network: str) -> AbstractAsyncContextManager[Peer]:
        """A person's client, not registered yet."""
        server = self.open if network == "open" else self.chat
        netns = self.town.people.netns
        return peer(server.host, server.tls_port, tls=True, netns=netns)

    def lines(self, network: str, text: str = "*nreachable from here*") -> list[Message]:
        """What agents said in the lobby."""
        return self.readers[network].all("PRIVMSG", LOBBY, text, source="muster-*")

    def forget(self) -> None:
        for reader in self.readers.values():
            reader.forget()


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """Everything runs, all voters are well, a passer-by reads in each lobby."""
    with lab() as net:
        public, chat_host = net.host("public", addresses=5), net.host("chat")
        certificate = make(folder, "public", names=(public.address,))
        chat_certificate = make(folder, "chat", names=(chat_host.address,))
        key = await trio.to_thread.run_sync(make_key, folder / "laptop-key")
        async with AsyncExitStack() as stack:
            internet = await stack.enter_async_context(
                ngircd(
                    folder / "public",
                    network="OpenNet",
                    netns=public.netns,
                    listen=(public.address,),
                    certificate=certificate,
                )
            )
            chat = await stack.enter_async_context(
                inspircd(
                    folder / "chat",
                    chat_certificate,
                    netns=chat_host.netns,
                    listen=(chat_host.address,),
                )
            )
            await _registered(chat)
            secret = folder / "secret"
            secret.write_text(PASSWORD + "\n")
            agents: dict[str, list[dict[str, Any]]] = {}
            for nick, name in SPEAKER.items():
                place = {"nick": nick, "lobby": LOBBY, "room": ROOM, "public_resolver": False}
                agents[name] = [
                    {
                        **place,
                        "name": "open",
                        "addresses": [f"ircs://{public.address}:{internet.tls_port}"],
                        "pin": f"sha256:{certificate.sha256}",
                    },
                    {
                        **place,
                        "name": "chat",
                        "addresses": [f"ircs://{chat_host.address}:{chat.tls_port}"],
                        "pin": f"sha256:{chat_certificate.sha256}",
                        "account": nick,
                        "password_file": str(secret),
                    },
                ]
            here = await stack.enter_async_context(
                town(
                    folder / "town",
                    net,
                    agents=agents,
                    staff={
                        "alice": ("--oncall", "1", "--nick", "open", "alice"),
                        "bob": ("--oncall", "2", "--ssh-key", str(key)),
                        "carol": ("--account", "chat", "carol"),
                    },
                    timings=TIMINGS,
                    public=public,
                )
            )
            made = Scene(here, internet, chat, {}, folder / "laptop-key")
            for network in ("open", "chat"):
                reader = await stack.enter_async_context(made.at(network))
                await reader.register("passerby")
                await reader.join(LOBBY)
                made.readers[network] = reader
            await here.well(joined=2)
            for network in ("open", "chat"):
                for nick in SPEAKER:
                    await made.readers[network].hears_member(LOBBY, nick, within_s=PATIENCE_S)
            for name in SPEAKER.values():  # the fellow agent was let in and made operator
                await rules_the_rooms(here, name)
            yield made


async def rules_the_rooms(here: Town, name: str) -> None:
    status = ", no op"
    with trio.fail_after(PATIENCE_S):
        while ", no op" in status:
            await trio.sleep(0.5)
            status = await here.voters[name].status()


async def _registered(chat: Inspircd) -> None:
    """What the operator does in peacetime: accounts, and the room belongs to both agents."""
    for name in (FIRST, SECOND, "carol"):
        await chat.account(name, PASSWORD)
    await chat.channel(ROOM, FIRST, PASSWORD, "+ims")
    async with peer(chat.host, chat.port, netns=chat.netns) as founder:
        await founder.register("founder", plain=(FIRST, PASSWORD))
        await founder.says(f"PRIVMSG ChanServ :FLAGS {ROOM} {SECOND} +oiv")
        await founder.hears("NOTICE", "*", "*lags*", source="ChanServ!*")


async def test_the_outage_as_it_is_promised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs.require(
        "ip", "nft", "nsenter", "setpriv", "ngircd", "inspircd", "atheme-services", "ssh-keygen",
        needs.NETNS,
    )  # fmt: skip
    figures: dict[str, float] = {}
    async with scene(tmp_path) as here:
        await announced_by_one_agent_each(here, figures)
        async with AsyncExitStack() as stack:
            await people_are_found_and_impostors_refused(here, stack)
            await speaker_killed(here, figures)
            await one_stand_down(here)
        await older_roster_raised(here)
        await the_preflight_says_whose_the_channels_are(here)
        await muted_by_a_network(here, figures)
    with capsys.disabled():
        print("\n" + ", ".join(f"{what} {took_s:.1f} s" for what, took_s in figures.items()))
    assert all(figures[f"cut to line on {net}"] <= ANNOUNCED_S for net in ("open", "chat"))
    assert all(figures[f"killed to successor on {net}"] <= SUCCESSOR_S for net in ("open", "chat"))
    assert figures["muted: cut to the successor's line"] <= ANNOUNCED_S + LEASE_S


async def hears_line(here: Scene, network: str, by: str, begun: float) -> float:
    """Seconds from `begun` until the announcement of this agent is read there."""
    line = await here.readers[network].hears(
        "PRIVMSG", LOBBY, "*nreachable from here*", source=f"{by}!*", within_s=PATIENCE_S
    )
    assert ROOM in line.params[1]
    return trio.current_time() - begun


async def announced_by_one_agent_each(here: Scene, figures: dict[str, float]) -> None:
    here.forget()
    begun = trio.current_time()
    here.town.lab.pull(here.town.site)  # the carrier stays up, nobody is told
    async with trio.open_nursery() as nursery:

        async def read(network: str) -> None:
            took_s = await hears_line(here, network, "muster-*", begun)
            figures[f"cut to line on {network}"] = took_s

        for network in here.readers:
            nursery.start_soon(read, network)
    await trio.sleep(LEASE_S + 2)  # the other agent's turn would have come
    for network, reader in here.readers.items():
        await reader.sync()
        assert len(here.lines(network)) == 1, here.lines(network)


async def people_are_found_and_impostors_refused(here: Scene, stack: AsyncExitStack) -> None:
    codes = here.town.codes["alice"]
    # The right nick proves nothing.
    impostor = await stack.enter_async_context(here.at("open"))
    await impostor.register("alice")
    await refused(impostor, "claim alice aaaa-bbbb-cccc-dddd")
    # A phone, by recovery code.
    async with here.at("open") as phone:
        await phone.register("alice_")
        await verified(phone, f"claim alice {codes[0]}")
        await phone.says("QUIT :train")
        await phone.is_closed()
    # Her nick is taken after her QUIT: neither voice nor room nor roster come with it.
    thief = await stack.enter_async_context(here.at("open"))
    await thief.register("alice_")
    await thief.says(f"JOIN {ROOM}")
    await thief.hears("473", "*", ROOM)
    await refused(thief, "roster")
    await refused(thief, f"claim alice {codes[0]}")
    phone = await stack.enter_async_context(here.at("open"))
    await phone.register("alice2")
    await verified(phone, f"claim alice {codes[1]}")
    # A laptop, by the real ssh-keygen.
    laptop = await stack.enter_async_context(here.at("chat"))
    await laptop.register("bob_")
    proof = await signed_by(here, laptop, "bob")
    await verified(laptop, f"proof {proof}")
    # The same signature from somebody who was asked, too, under the right nick.
    replayer = await stack.enter_async_context(here.at("chat"))
    await replayer.register("bob")
    await replayer.says(f"PRIVMSG {FIRST} :claim bob")
    await replayer.hears("NOTICE", "bob", "sign it*", within_s=PATIENCE_S)
    await refused(replayer, f"proof {proof}")
    # A third by account, without a word.
    carol = await stack.enter_async_context(here.at("chat"))
    await carol.register("carol", plain=("carol", PASSWORD))
    await carol.join(LOBBY)
    await enters(carol)
    # A code said in public is burned, on the other network too.
    await phone.join(LOBBY)
    await phone.says(f"PRIVMSG {LOBBY} :is {codes[2]} the right one?")
    await here.readers["open"].hears("PRIVMSG", LOBBY, f"*{codes[2]}*")
    await refused(replayer, f"claim alice {codes[2]}")


async def signed_by(here: Scene, person: Peer, handle: str) -> str:
    """Claim, and sign the challenge with the enrolled key."""
    await person.says(f"PRIVMSG {FIRST} :claim {handle}")
    asked = await person.hears("NOTICE", "*", "challenge *", within_s=PATIENCE_S)
    advice = await person.hears("NOTICE", "*", "sign it*", within_s=PATIENCE_S)
    text = asked.params[1].removeprefix("challenge ")
    return await trio.to_thread.run_sync(signed, here.laptop_key, text, advice.params[1])


async def verified(person: Peer, words: str) -> None:
    """The words prove it: told so, invited, let in, voiced."""
    await person.says(f"PRIVMSG {FIRST} :{words}")
    await person.hears("NOTICE", person.nick, "verified*", within_s=PATIENCE_S)
    await enters(person)


async def enters(person: Peer) -> None:
    await person.has_heard("INVITE", person.nick, ROOM, within_s=PATIENCE_S)
    await person.join(ROOM)
    await person.hears_voice(ROOM, person.nick, within_s=PATIENCE_S)


async def refused(person: Peer, words: str) -> None:
    """The answer is no, and nobody is invited."""
    await person.sync()
    person.forget()
    await person.says(f"PRIVMSG {FIRST} :{words}")
    answer = await person.hears("NOTICE", "*", source=f"{FIRST}!*", within_s=PATIENCE_S)
    assert "NOT VERIFIED" in answer.params[-1], f"{words}: {answer}"
    await person.sync()
    assert not person.all("INVITE")


async def speaker_killed(here: Scene, figures: dict[str, float]) -> None:
    """On each network the successor says the line; the killed one, restarted, says nothing."""
    here.forget()
    begun = trio.current_time()
    here.town.voters[SPEAKER[FIRST]].program.kill()
    async with trio.open_nursery() as nursery:

        async def read(network: str) -> None:
            took_s = await hears_line(here, network, SECOND, begun)
            figures[f"killed to successor on {network}"] = took_s

        for network in here.readers:
            nursery.start_soon(read, network)
    await here.town.voters[SPEAKER[FIRST]].start()
    for reader in here.readers.values():
        await reader.hears_member(LOBBY, FIRST, within_s=PATIENCE_S)
    await trio.sleep(LEASE_S * 2)
    for network, reader in here.readers.items():
        await reader.sync()
        assert [m.nick for m in here.lines(network)] == [SECOND], here.lines(network)


async def one_stand_down(here: Scene) -> None:
    here.forget()
    here.town.lab.heal(here.town.site)
    for reader in here.readers.values():
        await reader.hears("PRIVMSG", LOBBY, "*Over: *", source="muster-*", within_s=120)
    await trio.sleep(LEASE_S)
    for network, reader in here.readers.items():
        await reader.sync()
        for text in ("*Primary is back*", "*Over: *"):
            assert len(here.lines(network, text)) == 1, here.lines(network, "*")
        assert not here.lines(network), "no new announcement"
    for name in SPEAKER.values():
        assert "\nincident " not in await here.town.voters[name].status()


async def older_roster_raised(here: Scene) -> None:
    """The primary comes back from an older backup: what it signs is older than what is known, and
    refused, until it has heard so and signs it as the newest."""
    muster = here.town.bouncer
    file, backup = muster.data / "muster.db", muster.data / "older.db"
    with closing(sqlite3.connect(file)) as now, closing(sqlite3.connect(backup)) as older:
        now.backup(older)
    before = {name: _version(await _status(here, name)) for name in SPEAKER.values()}
    await muster.cli("staff", "remove", "carol")
    for name in SPEAKER.values():
        await here.town.voters[name].reports(f"roster v{before[name] + 1} ", PATIENCE_S)
    muster.kill()
    for path in muster.data.glob("muster.db*"):
        path.unlink()
    backup.rename(file)
    await muster.start()
    await muster.program.prints("was an older database put back", PATIENCE_S)
    for name in SPEAKER.values():
        await here.town.voters[name].reports(f"roster v{before[name] + 2} ", PATIENCE_S)
    assert "carol" in await muster.cli("staff", "list")
    await here.town.well(joined=2)


async def the_preflight_says_whose_the_channels_are(here: Scene) -> None:
    """Real services are asked: where there are some the room is registered, and the lobby not."""
    for name in SPEAKER.values():
        said = ""
        with trio.move_on_after(PATIENCE_S * 2):
            while f"FAIL  chat: {LOBBY} is not registered" not in said:
                await trio.sleep(1)
                said = await here.town.voters[name].findings()
        assert f"FAIL  chat: {LOBBY} is not registered: register it" in said, said
        assert f"{ROOM} is not registered" not in said
        assert f"open: {LOBBY} is not registered" not in said, "there nobody could tell"
        assert f"ok    chat: in {LOBBY} and {ROOM} as muster-{name}" in said, said


async def _status(here: Scene, name: str) -> str:
    return await here.town.voters[name].status()


def _version(status: str) -> int:
    return int(status.partition("roster v")[2].split()[0])


async def muted_by_a_network(here: Scene, figures: dict[str, float]) -> None:
    """One network does not let the first agent speak: there the second one does."""
    async with here.at("chat") as oper:
        await oper.register("operator")
        await oper.says(f"OPER {OPERATOR[0]} {OPERATOR[1]}")
        await oper.hears("381")
        await oper.says(f"SAMODE {LOBBY} -o+b {FIRST} {FIRST}!*@*")
        await oper.sync()
    here.forget()
    begun = trio.current_time()
    here.town.lab.pull(here.town.site)
    await hears_line(here, "open", FIRST, begun)
    figures["muted: cut to the successor's line"] = await hears_line(here, "chat", SECOND, begun)
    for network in here.readers:
        await here.readers[network].sync()
        assert len(here.lines(network)) == 1, here.lines(network)
