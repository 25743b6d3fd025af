"""The announcer and a public network, as dialogues over a loopback connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from bouncer.irc.wire import Message
from fallback.config import NetworkConfig
from fallback.networks.announcer import Announcer
from fallback.networks.hall import Standing
from fallback.networks.ourselves import Secrets
from fallback.networks.outgoing import Priority
from tests.fallback.ircd import Ircd, open_ircd
from tests.fallback.voters import until


class Listener:
    """Keeps what the announcer tells."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.stands = trio.Event()
        self.gone = trio.Event()

    def joined(self, network: str) -> None:
        self.told.append(f"joined {network}")
        self.stands.set()

    def lost(self, network: str) -> None:
        self.told.append(f"lost {network}")
        self.gone.set()

    def silenced(self, network: str) -> None:
        self.told.append(f"silenced {network}")
        self.gone.set()

    def received(self, network: str, message: Message) -> None:
        pass

    def sent(self, network: str, message: Message) -> None:
        self.told.append(f"sent {network} {message.params[-1]}")


@asynccontextmanager
async def announcing(
    secret: Secrets | None = None, **changes: object
) -> AsyncIterator[tuple[Ircd, Announcer, Listener]]:
    async with open_ircd() as ircd, trio.open_nursery() as nursery:
        config = NetworkConfig.model_validate(
            {
                "name": "pub",
                "addresses": [ircd.address],
                "nick": "fb",
                "lobby": "#lobby",
                "room": "#room",
                "owner": "Example ops",
                **changes,
            }
        )
        announcer, listener = Announcer(config, secret or Secrets()), Listener()
        announcer.outgoing.every_s = 0.05
        announcer.listen(listener)
        nursery.start_soon(announcer.run)
        yield ircd, announcer, listener
        nursery.cancel_scope.cancel()


async def enter(ircd: Ircd, listener: Listener, *tokens: str, op: bool = True) -> None:
    await ircd.welcomes("fb", *tokens)
    await ircd.lets_in("fb", "#lobby", "#room", op=op)
    with trio.fail_after(5):
        await listener.stands.wait()


async def test_it_says_who_owns_it_and_idles_in_lobby_and_room() -> None:
    async with announcing() as (ircd, announcer, listener):
        await ircd.hears("CAP LS")
        assert "Example ops" in await ircd.hears("USER")
        await ircd.says(":irc.test CAP * LS :", ":irc.test 001 fb :Welcome")
        await ircd.lets_in("fb", "#lobby", "#room")
        with trio.fail_after(5):
            await listener.stands.wait()
        assert announcer.standing is Standing.JOINED


async def test_as_operator_it_makes_the_room_private_and_lets_itself_back_in() -> None:
    async with announcing() as (ircd, _announcer, listener):
        await enter(ircd, listener, "INVEX")
        assert await ircd.hears("MODE #room +I") == "MODE #room +I *!~fallback@192.0.2.9"
        assert await ircd.hears("MODE #room +") == "MODE #room +ims"


async def test_it_labels_itself_a_bot_where_the_network_has_a_mode() -> None:
    """IRCv3 bot-mode: "the BOT token of which the value is the mode character"."""
    async with announcing() as (ircd, _announcer, _listener):
        await ircd.welcomes("fb", "BOT=B")
        assert await ircd.hears("MODE") == "MODE fb +B"


async def test_without_sasl_it_identifies_and_waits_before_it_joins() -> None:
    """Networks without SASL: be identified before JOIN, or a registered-only channel refuses."""
    async with announcing(Secrets("hunter2"), account="fbacct") as (ircd, announcer, _listener):
        await ircd.welcomes("fb")
        assert await ircd.hears("PRIVMSG NickServ") == "PRIVMSG NickServ :IDENTIFY fbacct hunter2"
        await ircd.hears_nothing("JOIN", for_s=0.3)
        assert announcer.standing is Standing.IDENTIFYING
        await ircd.says(":NickServ MODE fb :+r")
        await ircd.hears("JOIN #lobby")
        assert announcer.identified


async def test_by_certificate_alone_it_waits_to_be_recognised() -> None:
    """ "OFTC: CertFP, wait to be identified before JOIN": services see the certificate, no password
    is sent to anybody."""
    async with announcing(Secrets(certificate="PEM"), account="fbacct") as (ircd, announcer, _):
        await ircd.welcomes("fb")
        await until(lambda: announcer.standing is Standing.IDENTIFYING)
        await ircd.hears_nothing("JOIN", for_s=0.3)
        assert announcer.standing is Standing.IDENTIFYING
        assert not any(line.startswith("PRIVMSG") for line in ircd.heard)
        await ircd.says(":services.oftc.net MODE fb :+R")
        await ircd.hears("JOIN #lobby")
        assert announcer.identified


async def test_identified_late_it_goes_where_it_was_refused() -> None:
    """ "OFTC: CertFP, wait to be identified before JOIN, retry 477"."""
    async with announcing(Secrets("hunter2"), account="fbacct") as (ircd, announcer, listener):
        announcer.identify_s, announcer.enter_again_s = 0.2, 3600.0  # services are slower
        await ircd.welcomes("fb")
        for name in ("#lobby", "#room"):
            await ircd.hears(f"JOIN {name}")
            await ircd.says(f":irc.test 477 fb {name} :You need to be identified")
        await until(lambda: "#room" in announcer.error)
        assert not announcer.identified
        assert not listener.stands.is_set()
        await ircd.says(":NickServ MODE fb :+R")
        await ircd.lets_in("fb", "#lobby", "#room")
        with trio.fail_after(5):
            await listener.stands.wait()
        assert announcer.identified


async def test_it_logs_in_by_sasl_where_there_is_sasl() -> None:
    async with announcing(Secrets("hunter2"), account="fbacct") as (ircd, announcer, _listener):
        await ircd.hears("CAP LS")
        await ircd.says(":irc.test CAP * LS :sasl=PLAIN")
        assert "sasl" in await ircd.hears("CAP REQ")
        await ircd.says(":irc.test CAP * ACK :sasl")
        assert await ircd.hears("AUTHENTICATE") == "AUTHENTICATE PLAIN"
        await ircd.says("AUTHENTICATE +")
        await ircd.hears("AUTHENTICATE")
        await ircd.says(
            ":irc.test 900 * *!*@* fbacct :You are now logged in",
            ":irc.test 903 * :SASL authentication successful",
        )
        await ircd.hears("CAP END")
        await ircd.says(":irc.test 001 fb :Welcome")
        await ircd.hears("JOIN #lobby")
        assert announcer.identified


@pytest.mark.parametrize("refusal", ["433 * fb :in use", "437 * fb :held", "432 * fb :reserved"])
async def test_any_refusal_of_the_nick_leads_to_the_alternate(refusal: str) -> None:
    async with announcing(alternate="fb-two") as (ircd, _announcer, _listener):
        await ircd.hears("USER")
        await ircd.says(":irc.test CAP * LS :", f":irc.test {refusal}")
        assert await ircd.hears("NICK") == "NICK fb-two"


async def test_the_nick_is_taken_back_from_a_ghost() -> None:
    async with announcing(Secrets("hunter2"), account="fbacct") as (ircd, announcer, _listener):
        announcer.identify_s, announcer.enter_again_s, announcer.regain_s = 0.1, 0.1, 0.2
        await ircd.hears("USER")
        await ircd.says(":irc.test CAP * LS :", ":irc.test 433 * fb :Nickname is already in use")
        await ircd.hears("NICK fb_")
        await ircd.says(":irc.test 001 fb_ :Welcome", ":irc.test 422 fb_ :no MOTD")
        assert await ircd.hears("PRIVMSG NickServ :REGAIN") == (
            "PRIVMSG NickServ :REGAIN fb hunter2"
        )
        await ircd.hears("NICK fb")
        await ircd.says(":irc.test 433 fb_ fb :Nickname is already in use")  # not yet
        await ircd.hears("NICK fb")
        await ircd.says(":fb_!f@h NICK fb")
        await until(lambda: announcer.state.nick == "fb")


async def test_a_room_that_does_not_let_us_in_does_not_silence_the_lobby() -> None:
    async with announcing() as (ircd, announcer, listener):
        await ircd.welcomes("fb")
        await ircd.lets_in("fb", "#lobby")
        await ircd.hears("JOIN #room")
        await ircd.says(":irc.test 473 fb #room :Cannot join channel (+i)")
        with trio.fail_after(5):
            await listener.stands.wait()
        assert "#room" in announcer.error
        await ircd.says(":op!o@h INVITE fb #room")
        await ircd.hears("JOIN #room")


async def test_a_room_that_does_not_answer_does_not_either() -> None:
    async with announcing() as (ircd, announcer, listener):
        announcer.enter_again_s = 0.05
        await ircd.welcomes("fb")
        await ircd.lets_in("fb", "#lobby")
        await ircd.hears("JOIN #room")
        with trio.fail_after(5):
            await listener.stands.wait()
        assert announcer.error == "#room: it does not answer"


async def test_announcements_go_before_the_rest() -> None:
    async with announcing() as (ircd, announcer, listener):
        await enter(ircd, listener)
        announcer.say(("#room",), "roster", Priority.ROSTER)
        announcer.say(("#room",), "verified", Priority.VERIFY)
        announcer.notice("al", "reply")
        announcer.say(("#lobby", "#room"), "announce", Priority.ANNOUNCE)
        said: list[str] = []
        while len(said) < 5:
            line = await ircd.hears("")
            if line.startswith(("PRIVMSG", "NOTICE")):
                said.append(line)
        assert said == [
            "PRIVMSG #lobby announce",
            "PRIVMSG #room announce",
            "PRIVMSG #room verified",
            "PRIVMSG #room roster",
            "NOTICE al reply",
        ]
        assert "sent pub announce" in listener.told


async def test_lobby_and_room_in_one_message_where_the_network_takes_two() -> None:
    async with announcing() as (ircd, announcer, listener):
        await enter(ircd, listener, "TARGMAX=PRIVMSG:4")
        announcer.say(("#lobby", "#room"), "announce", Priority.ANNOUNCE)
        assert await ircd.hears("PRIVMSG") == "PRIVMSG #lobby,#room announce"


@pytest.mark.parametrize("refusal", ["404", "415", "439", "477", "707"])
async def test_muted_in_the_lobby_is_told_so_that_another_takes_over(refusal: str) -> None:
    async with announcing() as (ircd, announcer, listener):
        await enter(ircd, listener)
        announcer.say(("#lobby",), "announce", Priority.ANNOUNCE)
        await ircd.hears("PRIVMSG #lobby")
        await ircd.says(f":irc.test {refusal} fb #lobby :Cannot send to channel")
        with trio.fail_after(5):
            await listener.gone.wait()
        assert announcer.is_muted
        assert "silenced pub" in listener.told


async def test_it_tries_to_be_heard_again_as_soon_as_the_network_says() -> None:
    async with announcing() as (ircd, announcer, listener):
        announcer.enter_again_s = announcer.look_again_s = 0.1
        await enter(ircd, listener)
        listener.stands = trio.Event()
        await ircd.says(":irc.test 439 fb #lobby :Target change too fast. Please wait 1 seconds.")
        with trio.fail_after(5):
            await listener.gone.wait()
            await listener.stands.wait()
        assert not announcer.is_muted


async def test_a_channel_that_may_not_be_entered_now_is_no_nick_that_is_held() -> None:
    """RFC 2812, 437: "<nick/channel> :Nick/channel is temporarily unavailable"."""
    async with announcing() as (ircd, announcer, _listener):
        announcer.enter_again_s = 0.1
        await ircd.welcomes("fb")
        await ircd.hears("JOIN #lobby")
        await ircd.says(":irc.test 437 fb #lobby :Channel is temporarily unavailable")
        await ircd.hears("JOIN #lobby")
        assert announcer.error == "#lobby: Channel is temporarily unavailable"
        assert not [line for line in ircd.heard if line.startswith("NICK fb_")]


async def test_who_cannot_be_told_now_is_told_later_and_channels_do_not_wait() -> None:
    """solanum, 707: "Targets changing too fast, message dropped"."""
    async with announcing() as (ircd, announcer, listener):
        await enter(ircd, listener)
        announcer.notice("al", "challenge")
        await ircd.hears("NOTICE al challenge")
        await ircd.says(":irc.test 707 fb al :Targets changing too fast, message dropped")
        await until(lambda: len(announcer.outgoing) == 1)
        announcer.say(("#room",), "announce", Priority.ANNOUNCE)
        await ircd.hears("PRIVMSG #room")
        await ircd.hears_nothing("NOTICE", for_s=0.3)
        wait_s = announcer.outgoing.wait_s(trio.current_time())
        assert 50 < wait_s <= 60
        assert str(announcer.outgoing.take(trio.current_time() + 60)) == "NOTICE al challenge"


async def test_whoever_cannot_be_reached_is_not_written_to_again() -> None:
    """ratbox, 716: "is in +g mode (server-side ignore.)"; each line would call them once more."""
    async with announcing() as (ircd, announcer, listener):
        await enter(ircd, listener)
        announcer.outgoing.every_s = 3600.0
        for text in ("one", "two", "three"):
            announcer.notice("al", text)
        announcer.notice("bo", "four")
        await ircd.hears("NOTICE al")
        await ircd.says(":irc.test 716 fb al :is in +g mode (server-side ignore)")
        await until(lambda: len(announcer.outgoing) == 1)
        assert str(announcer.outgoing.take(trio.current_time() + 3600)) == "NOTICE bo four"


async def test_a_lost_connection_is_made_again_and_stale_lines_are_not_said() -> None:
    async with announcing() as (ircd, announcer, listener):
        await enter(ircd, listener)
        announcer.outgoing.every_s = 60.0
        announcer.say(("#room",), "one", Priority.ANNOUNCE)
        announcer.say(("#room",), "stale", Priority.ANNOUNCE)
        await ircd.hears("PRIVMSG")
        await ircd.drops()
        with trio.fail_after(5):
            await listener.gone.wait()
        listener.stands = trio.Event()
        await enter(ircd, listener)
        assert len(announcer.outgoing) == 0
        assert ircd.connections == 2


async def test_a_hostile_network_does_not_break_it() -> None:
    async with announcing() as (ircd, announcer, listener):
        await enter(ircd, listener)
        await ircd.says(
            "",
            ":",
            "@@@",
            ":x",
            "MODE",
            "JOIN",
            "KICK #lobby",
            ":irc.test 473",
            ":irc.test 404 fb",
            ":a!b@c PRIVMSG",
            "\x00\x01\x02",
            ":irc.test 005 fb BOT=",
            ":irc.test 324 fb",
            "PONG",
            "x" * 9000,
        )
        announcer.say(("#lobby",), "still here", Priority.ANNOUNCE)
        await ircd.hears("PRIVMSG #lobby :still here")
        assert ircd.connections == 1


async def test_a_ping_of_ours_is_a_landmark() -> None:
    async with announcing() as (ircd, announcer, listener):
        await enter(ircd, listener)
        with trio.fail_after(5):
            assert await announcer.ping()
