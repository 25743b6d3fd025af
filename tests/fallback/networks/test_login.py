"""Services that hang, are away or refuse: the agent is in all the same, and known in time."""

from __future__ import annotations

import pytest

from fallback.networks.hall import Standing
from fallback.networks.ourselves import Secrets
from tests.fallback.networks.test_announcer import announcing
from tests.fallback.voters import until

SECRET = Secrets("hunter2")


async def test_services_that_hang_in_a_login_keep_nobody_out() -> None:
    async with announcing(SECRET, account="fbacct") as (ircd, announcer, _listener):
        announcer.sasl_s, announcer.identify_s = 0.1, 0.1
        await ircd.hears("CAP LS")
        await ircd.says(":irc.test CAP * LS :sasl=PLAIN")
        await ircd.hears("CAP REQ")
        await ircd.says(":irc.test CAP * ACK :sasl")
        await ircd.hears("AUTHENTICATE PLAIN")  # and nothing comes
        await ircd.hears("CAP END")
        await ircd.says(":irc.test 001 fb :Welcome")
        await ircd.hears("JOIN #lobby")
        assert announcer.standing is Standing.JOINING
        assert ircd.connections == 1


async def test_a_login_whose_answer_is_slow_but_comes_is_waited_for() -> None:
    async with announcing(SECRET, account="fbacct") as (ircd, announcer, _listener):
        await ircd.hears("CAP LS")
        await ircd.says(":irc.test CAP * LS :sasl=PLAIN")
        await ircd.hears("CAP REQ")
        await ircd.says(":irc.test CAP * ACK :sasl")
        await ircd.hears("AUTHENTICATE PLAIN")
        await ircd.hears_nothing("CAP END", for_s=0.3)
        assert announcer.standing is Standing.CONNECTING


async def test_services_that_were_away_are_told_again() -> None:
    async with announcing(SECRET, account="fbacct") as (ircd, announcer, _listener):
        announcer.identify_s = announcer.enter_again_s = announcer.look_again_s = 0.1
        announcer.log_in_again_s = 0.3
        await ircd.welcomes("fb")
        await ircd.hears("PRIVMSG NickServ :IDENTIFY")
        await ircd.says(":irc.test 401 fb NickServ :No such nick/channel")
        await ircd.lets_in("fb", "#lobby", "#room")
        assert await ircd.hears("PRIVMSG NickServ") == "PRIVMSG NickServ :IDENTIFY fbacct hunter2"
        await ircd.says(":NickServ!s@services. MODE fb :+r")
        await until(lambda: announcer.identified)
        await ircd.hears_nothing("PRIVMSG NickServ", for_s=0.5)


async def test_where_services_came_back_the_login_is_by_sasl_if_it_can_be() -> None:
    async with announcing(Secrets(certificate="PEM")) as (ircd, announcer, _listener):
        announcer.identify_s = announcer.enter_again_s = announcer.look_again_s = 0.1
        announcer.log_in_again_s = 0.3
        await ircd.hears("CAP LS")
        await ircd.says(":irc.test CAP * LS :sasl=EXTERNAL")
        await ircd.hears("CAP REQ")
        await ircd.says(":irc.test CAP * ACK :sasl")
        await ircd.hears("AUTHENTICATE EXTERNAL")
        await ircd.says(":irc.test 904 fb :SASL authentication failed")
        await ircd.hears("CAP END")
        await ircd.says(":irc.test 001 fb :Welcome", ":irc.test 422 fb :no MOTD")
        await ircd.lets_in("fb", "#lobby", "#room")
        await ircd.hears("AUTHENTICATE EXTERNAL")
        await ircd.says("AUTHENTICATE +")
        await ircd.hears("AUTHENTICATE")
        await ircd.says(":irc.test 900 fb fb!f@h fbacct :You are now logged in")
        await until(lambda: announcer.identified)


@pytest.mark.parametrize(
    "text",
    [
        "Invalid password for \x02fbacct\x02.",
        "Password incorrect.",
        "Identify failed as fbacct.  You may have entered an incorrect password.",
    ],
)
async def test_a_password_that_is_wrong_is_not_said_again(text: str) -> None:
    async with announcing(SECRET, account="fbacct") as (ircd, announcer, listener):
        announcer.identify_s = announcer.enter_again_s = announcer.look_again_s = 0.1
        announcer.log_in_again_s = 0.2
        await ircd.welcomes("fb")
        await ircd.hears("PRIVMSG NickServ :IDENTIFY")
        await ircd.says(f":NickServ!s@services. NOTICE fb :{text}")
        await ircd.lets_in("fb", "#lobby", "#room")
        await listener.stands.wait()
        await ircd.hears_nothing("PRIVMSG NickServ", for_s=0.6)
        assert not announcer.identified
