"""What people read when they got it wrong, or when there was nothing to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from bouncer.alone import alone
from bouncer.control.actors import OPERATOR
from bouncer.control.grammar import ControlError, WrongUse
from bouncer.control.live import NetworkStatus
from bouncer.control.registry import dispatch
from tests.bouncer.control.cases import ALICE, LIBERA
from tests.bouncer.desks import Noted, open_desk


@pytest.mark.parametrize(
    "line",
    [
        "user set alice",
        "user passwd alice",
        "network set alice libera",
        "network set alice libera --sasl-plain al",
        "network set alice libera --sasl-plain al --sasl-external",
        "channel set alice libera '#ops'",
        "client set alice phone",
        "staff set alice",
        "status all",
    ],
)
async def test_what_was_not_tried_is_wrong_use(line: str, tmp_path: Path) -> None:
    """So the command line exits with 2, and a script knows that nothing ails the bouncer."""
    async with open_desk(tmp_path, Noted()) as desk:
        for each in (ALICE, LIBERA, "channel add alice libera '#ops'", "staff add alice"):
            await dispatch(each, OPERATOR, desk)
        with pytest.raises(WrongUse):
            await dispatch(line, OPERATOR, desk)


async def test_who_is_ignored_is_found_whatever_the_case(tmp_path: Path) -> None:
    async with open_desk(tmp_path, Noted()) as desk:
        for each in (ALICE, LIBERA, "ignore add alice libera Troll"):
            await dispatch(each, OPERATOR, desk)
        with pytest.raises(ControlError, match=r"Troll!\*@\* is ignored already"):
            await dispatch("ignore add alice libera tROLL", OPERATOR, desk)
        await dispatch("ignore remove alice libera troll", OPERATOR, desk)
        listed = await dispatch("ignore list alice libera", OPERATOR, desk)
    assert listed == ["nobody is ignored on libera"]


async def test_with_nobody_to_tell_that_is_said(tmp_path: Path) -> None:
    """`acked 0/0` reads as if all had."""
    async with open_desk(tmp_path, Noted()) as desk:
        [said] = await dispatch("maintenance now 30min new switch", OPERATOR, desk)
        assert said.endswith("no agents are paired, so nobody was told; `agent add` pairs one")
        said = await dispatch("agent quorum", OPERATOR, desk)
    assert said == ["no voters are paired; of those to come 2 must agree"]


async def test_one_is_not_told_as_many(tmp_path: Path) -> None:
    live = Noted(networks={"alice": [NetworkStatus("libera", "connected")]})
    live.attached = {"alice": ["phone"]}
    async with open_desk(tmp_path, live) as desk:
        await dispatch(ALICE, OPERATOR, desk)
        said = await dispatch("server status", OPERATOR, desk)
    assert said == ["up 41d, 1 user, 1 client, 1 of 1 network connected"]


@pytest.mark.parametrize("unseen", ["\u202e", "\u200b", "\u2066", "\x7f", "\ufeff"])
@pytest.mark.parametrize("line", ["user add", "staff add", "user set alice --nick"])
async def test_nobody_is_called_by_what_cannot_be_seen(
    line: str, unseen: str, tmp_path: Path
) -> None:
    """It would look like another's name, or turn the line around."""
    async with open_desk(tmp_path, Noted()) as desk:
        await dispatch(ALICE, OPERATOR, desk)
        with pytest.raises(WrongUse, match=r"is no (name|nick)"):
            await dispatch(f"{line} bob{unseen}by", OPERATOR, desk)
        await dispatch(f"{line} ünï☃", OPERATOR, desk)


async def test_nothing_is_changed_under_an_import_or_a_move(tmp_path: Path) -> None:
    """What it has copied already would not hold it; and a new key would not open it."""
    async with open_desk(tmp_path) as desk:
        await dispatch(ALICE, OPERATOR, desk)
        with alone(tmp_path):
            told = "nothing was changed: .*or a rekey is running here already; stop it, or wait"
            for line in ("user add bob", "history prune"):
                with pytest.raises(ControlError, match=told):
                    await dispatch(line, OPERATOR, desk)
            assert await dispatch("user list", OPERATOR, desk) == ["alice: 0 networks"]
        assert await dispatch("user add bob", OPERATOR, desk)
