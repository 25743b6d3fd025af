"""Who may ask what of a running bouncer, once something has changed."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
import trio

from bouncer.check import faults
from bouncer.control.actors import OPERATOR
from bouncer.control.registry import dispatch
from bouncer.hub import opsbot
from bouncer.irc.wire import Message
from bouncer.session.effects import OpsCommand
from tests.complaints.venue import (
    PASSWORD,
    PATIENCE_S,
    SERVER,
    Muster,
    running_bouncer,
    running_network,
)

CONFIGURATION = f"""
server_name = "{SERVER}"
data_dir = "."
[ops]
user = "alice"
network = "net"
channel = "#ops"
"""


async def ask(muster: Muster, source: str, account: str = "") -> list[str]:
    message = Message.parse(f":{source} PRIVMSG #ops :!status")
    _, lines = await muster.bouncer.answer_ops(muster.session, OpsCommand(message, account))
    return lines


@pytest.mark.parametrize("host", ["elsewhere", ""])
async def test_a_nick_taken_on_the_other_side_of_a_netsplit_is_not_its_owner(
    host: str, tmp_path: Path
) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        await dispatch("staff add alice --user alice", OPERATOR, muster.bouncer.desk)
        assert (await ask(muster, "me!user@host"))[0].startswith("UP ")
        assert await ask(muster, f"me!user@{host}" if host else "me") == [opsbot.UNKNOWN]


async def test_accounts_are_known_on_the_network_that_a_reload_has_named(tmp_path: Path) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        await dispatch("staff add bob --account net bobby", OPERATOR, muster.bouncer.desk)
        assert await ask(muster, "bob!b@h", "bobby") == [opsbot.UNKNOWN]
        (tmp_path / "bouncer.toml").write_text(CONFIGURATION)
        await muster.bouncer.reload()
        assert (await ask(muster, "bob!b@h", "bobby"))[0].startswith("UP ")


async def test_strangers_cannot_make_the_ops_bot_chatter(tmp_path: Path) -> None:
    """What it has to say in an alarm would wait behind that."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        assert await ask(muster, "eve!e@h") == [opsbot.UNKNOWN]
        for number in range(20):
            assert await ask(muster, f"eve{number}!e@h") == []


async def test_names_in_ops_are_read_without_case_as_everywhere(tmp_path: Path) -> None:
    """`bouncer check` finds nothing wrong with them, and so they must work."""
    (tmp_path / "bouncer.toml").write_text(
        CONFIGURATION.replace('"alice"', '"Alice"').replace('"net"', '"NET"')
    )
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        await muster.bouncer.reload()
        assert not [each for each in await faults(muster.bouncer.config) if "ops" in each]
        await dispatch("staff add alice --user alice", OPERATOR, muster.bouncer.desk)
        await network.says(":me!user@host PRIVMSG #ops :!roster")
        await network.hears("NOTICE #ops :alice=me (bouncer)")
        assert muster.bouncer.ops.state() == "up"
        muster.bouncer.ops.tell("all is well")
        await network.hears("#ops :all is well")


async def test_the_clients_of_a_user_who_is_disabled_are_sent_away(tmp_path: Path) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client()
        await dispatch("user set alice --enabled no", OPERATOR, muster.bouncer.desk)
        assert "The user was disabled" in await client.hears("ERROR")
        assert muster.is_connected


async def test_who_is_disabled_between_login_and_welcome_is_not_let_in(tmp_path: Path) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = muster.stranger()
        proof = b64encode(f"\0alice/net\0{PASSWORD}".encode()).decode()
        await client.says("CAP LS 302", "CAP REQ sasl", "AUTHENTICATE PLAIN")
        await client.says(f"AUTHENTICATE {proof}", "NICK me", "USER u 0 * :u")
        await client.read(upto=" 903 ")
        await dispatch("user set alice --enabled no", OPERATOR, muster.bouncer.desk)
        await client.says("CAP END")
        with trio.fail_after(PATIENCE_S):
            await client.read()
        assert any("The user was disabled" in line for line in client.lines)
        assert not muster.hub.clients
