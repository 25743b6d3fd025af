"""What a command says that it has done is done: another command, asked afterwards, shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bouncer.control.actors import OPERATOR
from bouncer.control.grammar import ControlError
from bouncer.control.registry import COMMANDS, dispatch
from storage import accounts
from tests.bouncer.control.cases import CASES, CERT
from tests.bouncer.desks import Noted, open_desk

# command -> who is asked afterwards, and a pattern for the whole answer, its lines joined
EFFECTS = {
    "user add": ("user list bob", r"bob: 0 networks, 0 clients"),
    "user remove": ("user list", r"alice: [^\n]*\nboss: [^\n]*"),
    "client set": ("client list alice", r"phone: on libera; autoplay off"),
    "certfp add": ("certfp list alice", rf"{CERT} laptop"),
    "certfp remove": ("certfp list alice", r"no certificates of alice; .*"),
    "certfp generate": ("certfp fingerprint alice libera", r"SHA-256 \w+\nSHA-512 \w+"),
    "certfp discard": ("certfp fingerprint alice libera", r"libera has no certificate; .*"),
    "staff add": ("staff list", r"bob: db.*"),
    "staff set": ("staff list", r"alice: net, on call 1, nick al on libera, nick al_ on libera"),
    "staff remove": ("staff list", r"nobody on the roster; .*"),
    "staff certfp": ("staff certfp alice", r"no certificates of alice; .*"),
    "staff codes": ("staff list", r"alice: .*10 .*codes.*"),
    "sasl set-plain": ("sasl status alice libera", r"libera: SASL PLAIN as al"),
    "sasl reset": ("sasl status alice libera", r"libera: no login; .*"),
    "network add": ("channel list alice oftc", r"#a.*\n#b.*"),
    "network set": ("network list alice", r"libera: ircs://irc.libera.chat, disabled, 0 channels"),
    "network remove": ("network list alice", r"no networks of alice; .*"),
    "channel add": ("channel list alice libera", r"#ops.*"),
    "channel set": ("channel list alice libera", r"#ops.*detached.*"),
    "channel remove": ("channel list alice libera", r"no channels on libera; .*"),
    "ignore add": ("ignore list alice libera", r"troll!\*@\*"),
    "ignore remove": ("ignore list alice libera", r"nobody is ignored on libera"),
    "agent add": ("agent list", r"1\. hel: witness at .*"),
    "agent remove": ("agent list", r"no voters; .*"),
    "agent quorum": ("agent quorum", r"1 of 1 voters must agree.*"),
    "maintenance now": ("maintenance list", r"m1 08:00-08:30Z new switch"),
    "maintenance start": ("maintenance list", r"m1 07:00-09:00Z new switch"),
    "maintenance end": ("maintenance list", r"no maintenance.*"),
}
# Those that tell, and those whose effects have tests of their own: on the store below, in
# test_site, test_keep and test_sts, and on a beacon with voters.
OTHERS = {
    "user set", "user passwd", "user run", "user list", "client list", "certfp list",
    "certfp fingerprint", "staff list", "roster", "sasl status", "network list", "network quote",
    "network sts", "channel list", "ignore list", "agent list", "cert", "ack", "status",
    "server status", "server notice", "server debug", "server reload", "history prune",
    "history redate", "history stats", "help", "maintenance list", "standdown", "hold",
}  # fmt: skip


def test_every_command_has_its_effect_or_none() -> None:
    assert {command.name for command in COMMANDS} == EFFECTS.keys() | OTHERS
    assert not EFFECTS.keys() & OTHERS


@pytest.mark.parametrize("name", EFFECTS)
async def test_what_is_said_to_be_done_is_shown(name: str, tmp_path: Path) -> None:
    case, (asked, shows) = CASES[name], EFFECTS[name]

    async def shown() -> str:
        try:
            return "\n".join(await dispatch(asked, OPERATOR, desk))
        except ControlError as error:
            return str(error)

    async with open_desk(tmp_path, Noted()) as desk:
        for line in case.before:
            await dispatch(line, OPERATOR, desk)
        before = await shown()
        assert not re.fullmatch(shows, before, re.DOTALL), before
        await dispatch(case.line, OPERATOR, desk)
        after = await shown()
        assert re.fullmatch(shows, after, re.DOTALL), after


async def test_a_users_settings_and_password_are_kept(tmp_path: Path) -> None:
    async with open_desk(tmp_path, Noted()) as desk:
        for line in CASES["user set"].before:
            await dispatch(line, OPERATOR, desk)
        before = await desk.store.read(accounts.get_user, "alice")
        for name in ("user set", "user passwd"):
            await dispatch(CASES[name].line, OPERATOR, desk)
        alice = await desk.store.read(accounts.get_user, "alice")
        assert (alice.nick, alice.auto_away) == ("al", False)
        assert (before.nick, before.auto_away) != ("al", False)
        assert await desk.hasher.verify(alice.password_hash, "other")
        assert not await desk.hasher.verify(alice.password_hash, "secret")
