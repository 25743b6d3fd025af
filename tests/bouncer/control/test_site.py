"""Commands about the server and its voters."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import cast

import pytest

from bouncer import config
from bouncer.control.actors import OPERATOR, Actor, Door
from bouncer.control.grammar import ControlError, WrongUse
from bouncer.control.registry import dispatch
from bouncer.hub import opsbot
from bouncer.mesh import enrolment
from bouncer.mesh.beacon import Beacon
from bouncer.mesh.keys import MeshKey
from bouncer.mesh.reachable import reachable
from tests.bouncer.control.cases import (
    AGENT,
    KEY,
)
from tests.bouncer.desks import Noted, open_desk


async def test_a_voter_is_paired_once(tmp_path: Path) -> None:
    live = Noted()
    async with open_desk(tmp_path, live) as desk:
        await dispatch(AGENT, OPERATOR, desk)
        with pytest.raises(ControlError, match=r"fra is paired already, .* `agent remove fra`"):
            await dispatch(f"agent add hel 192.0.2.2:7000 {KEY}", OPERATOR, desk)
        with pytest.raises(ControlError, match="a mesh key looks like"):
            await dispatch("agent add hel 192.0.2.2:7000 nokey", OPERATOR, desk)
        with pytest.raises(ControlError, match=r"hel..example.net\" is no name that DNS knows"):
            await dispatch(f"agent add hel hel..example.net:7000 {KEY}", OPERATOR, desk)
        assert desk.config.mesh.key is not None
        ours = MeshKey.load(desk.config.mesh.key)
        with pytest.raises(ControlError, match="this bouncer's own key"):
            await dispatch(f"agent add hel 192.0.2.2:7000 {ours.public}", OPERATOR, desk)
    assert live.rosters == 1


class Orders:
    """The part of a beacon that gives orders: so many of two agents receive them."""

    def __init__(self, received: int) -> None:
        self.received = received

    async def order(self, *_: object, **__: object) -> tuple[int, int]:
        return self.received, 2


@pytest.mark.parametrize(
    ("received", "said"),
    [
        (0, "NOT done: none of 2 agents has received it; say it again"),
        (1, "{}; received by 1/2 agents ONLY, say it again"),
        (2, "{}"),
    ],
)
async def test_an_order_is_done_by_who_has_received_it(
    received: int, said: str, tmp_path: Path
) -> None:
    async with open_desk(tmp_path, live := Noted()) as desk:
        live.beacon = cast(Beacon, Orders(received))
        for line, done in (
            ("standdown", "closing in 60s; !hold to stop"),
            ("hold 2h", "held until 10:00Z"),
        ):
            assert await dispatch(line, OPERATOR, desk) == [said.format(done)]


async def test_the_printed_fallback_toml_is_one_that_a_voter_takes(tmp_path: Path) -> None:
    listen = [{"address": "192.0.2.5:6697"}, {"address": "127.0.0.1:6667", "tls": False}]
    async with open_desk(tmp_path, listen=listen) as desk:
        lines = await dispatch(AGENT, OPERATOR, desk)
        with pytest.raises(WrongUse, match=r"is not a name; use up to 32 letters"):
            await dispatch(AGENT.replace("fra", "fra.example"), OPERATOR, desk)
        with pytest.raises(WrongUse, match="is a name; write the IP address"):
            await dispatch(f"{AGENT} --primary ircs://irc.example.net", OPERATOR, desk)
    tables = tomllib.loads("\n".join(lines))
    assert tables["name"] == "fra"
    assert tables["primary"] == ["ircs://192.0.2.5:6697"]


@pytest.mark.parametrize(
    ("listen", "primary"),
    [
        (["127.0.0.1:6697"], ["ircs://127.0.0.1:6697"]),
        (
            ["[2001:db8::1]:6697", "192.0.2.5:1"],
            ["ircs://[2001:db8::1]:6697", "ircs://192.0.2.5:1"],
        ),
        (["0.0.0.0:6697"], ["ircs://127.0.0.1:6697"]),  # the address we use towards the voter
        (["unix:/run/irc.sock"], []),
    ],
)
async def test_where_a_voter_is_told_to_knock(
    listen: list[str], primary: list[str], tmp_path: Path
) -> None:
    tables = {"listen": [{"address": each} for each in listen], "server_name": "nowhere.invalid"}
    settings = config.parse(tables, tmp_path / "bouncer.toml")
    assert await reachable(settings, "127.0.0.1:7000") == primary


async def test_an_unusable_configuration_is_not_loaded(tmp_path: Path) -> None:
    live = Noted(fault="bouncer.toml: listen: is empty\nbouncer.toml: ops.user: is missing")
    async with open_desk(tmp_path, live) as desk:
        with pytest.raises(ControlError, match=r"nothing reloaded: .*empty \| .*missing"):
            await dispatch("server reload", OPERATOR, desk)


async def test_a_quorum_beyond_the_voters_is_refused_and_one_within_raises_the_roster_s_version(
    tmp_path: Path,
) -> None:
    live = Noted()
    async with open_desk(tmp_path, live) as desk:
        with pytest.raises(ControlError, match="no voters are paired"):
            await dispatch("agent quorum 2", OPERATOR, desk)
        await dispatch(AGENT, OPERATOR, desk)
        before, _ = await desk.store.run(enrolment.publish, MeshKey(b"b" * 32), 0)
        with pytest.raises(ControlError, match="2 of 1 voters can never agree"):
            await dispatch("agent quorum 2", OPERATOR, desk)
        told = live.rosters
        await dispatch("agent quorum 1", OPERATOR, desk)
        after, _ = await desk.store.run(enrolment.publish, MeshKey(b"b" * 32), 0)
        assert (before.k, after.k) == (2, 1)
        assert after.version == before.version + 1
        assert live.rosters == told + 1
        said = await dispatch("agent remove fra", OPERATOR, desk)
        assert said[1].startswith("0 voters are left and 1 must agree")


async def test_who_acknowledges_is_named(tmp_path: Path) -> None:
    live = Noted(fault="expiring")
    async with open_desk(tmp_path, live) as desk:
        actor = Actor(Door.OPS, staff=True, handle="alice", proof="account a on home")
        [line] = await dispatch("ack", actor, desk)
        assert line.startswith("alice sees to it")
        assert live.acks == ["alice"]


@pytest.mark.parametrize("text", ["back by --5 or so", "-- it is", "see --help"])
async def test_a_text_is_taken_as_it_is(text: str, tmp_path: Path) -> None:
    async with open_desk(tmp_path, live := Noted()) as desk:
        await dispatch(f"server notice {text}", OPERATOR, desk)
    assert live.notices == [text.removeprefix("-- ")]


async def test_a_certificate_on_disk_that_cannot_be_served_is_told(tmp_path: Path) -> None:
    live = Noted(fault="/etc/irc.key: holds no PEM private key")
    async with open_desk(tmp_path, live) as desk:
        (cert,) = await dispatch("cert", OPERATOR, desk)
        assert "cannot be served: /etc/irc.key: holds no PEM private key. Still served is" in cert
        assert (await dispatch("status", OPERATOR, desk))[1:] == [cert]
        assert (await dispatch("status full", OPERATOR, desk))[1:] == [cert]


async def test_a_reload_that_changed_nothing_is_told(tmp_path: Path) -> None:
    """The certificate that it was to bring may be under another name."""
    live = Noted(not_reloaded="/etc/new.pem: No such file or directory")
    async with open_desk(tmp_path, live) as desk:
        for command in ("cert", "status", "server status"):
            _, said = await dispatch(command, OPERATOR, desk)
            assert said == f"RELOAD: nothing was reloaded, what was stays: {live.not_reloaded}"


@pytest.mark.parametrize(
    "made", [["user add alice --admin"], ["user add alice", "staff add al --user alice --admin on"]]
)
async def test_an_admin_of_either_kind_orders_at_every_door(
    made: list[str], tmp_path: Path
) -> None:
    async with open_desk(tmp_path, Noted()) as desk:
        for line in (*made, "user add bob", "staff add bob --user bob"):
            await dispatch(line, OPERATOR, desk)
        alice = Actor(Door.SERVICE, user="alice", admin="--admin" in made[0])
        [said] = await dispatch("maintenance now 30min new switch", alice, desk)
        assert "agents" in said
        [listed] = await dispatch("maintenance list", alice, desk)
        assert await opsbot.answer("!maintenance list", desk, holder="alice") == [listed]
        [refused] = await opsbot.answer("!maintenance end", desk, holder="bob")
        assert refused == "maintenance end is for admins of the roster or of the bouncer"
        with pytest.raises(ControlError, match=refused):
            await dispatch("maintenance end", Actor(Door.SERVICE, user="bob"), desk)


async def test_an_admin_of_the_roster_is_no_admin_of_the_bouncer(tmp_path: Path) -> None:
    alice = Actor(Door.SERVICE, user="alice")
    async with open_desk(tmp_path, Noted()) as desk:
        for line in ("user add alice", "staff add al --user alice --admin yes"):
            await dispatch(line, OPERATOR, desk)
        with pytest.raises(ControlError, match="user list is for administrators"):
            await dispatch("user list", alice, desk)
        helped = await dispatch("help", alice, desk)
    assert any(line.startswith("standdown: ") for line in helped)
    assert not any("add" in line for line in helped if line.startswith("user "))


async def test_an_order_is_told_under_the_name_of_the_roster(tmp_path: Path) -> None:
    class Named(Orders):
        async def order(self, *given: object, **_: object) -> tuple[int, int]:
            assert given == ("standdown", "al")
            return 2, 2

    async with open_desk(tmp_path, live := Noted()) as desk:
        live.beacon = cast(Beacon, Named(2))
        for line in ("user add alice", "staff add al --user alice --admin yes"):
            await dispatch(line, OPERATOR, desk)
        [said] = await dispatch("standdown", Actor(Door.SERVICE, user="alice"), desk)
    assert said == "closing in 60s; !hold to stop"
