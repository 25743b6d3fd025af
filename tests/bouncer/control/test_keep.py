"""Commands about how long history is kept."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bouncer.control.actors import OPERATOR, Actor, Door
from bouncer.control.grammar import ControlError, WrongUse
from bouncer.control.registry import dispatch
from storage import accounts, messages
from storage.messages import Row
from tests.bouncer.control.cases import (
    ALICE,
    CHANNEL,
    LIBERA,
)
from tests.bouncer.desks import open_desk


@pytest.mark.parametrize(
    ("words", "age_s", "octets"),
    [
        ("--keep-age 90d", 90 * 86_400, None),
        ("--keep-age 12W --keep-size 500M", 12 * 7 * 86_400, 500 << 20),
        ("--keep-size 2GiB", None, 2 << 30),
        ("--keep-age 2y --keep-size default", 2 * 365 * 86_400, None),
    ],
)
async def test_how_long_history_is_kept(
    words: str, age_s: int | None, octets: int | None, tmp_path: Path
) -> None:
    async with open_desk(tmp_path) as desk:
        for line in (ALICE, LIBERA, CHANNEL):
            await dispatch(line, OPERATOR, desk)
        for what in ("user set alice", "network set alice libera", "channel set alice libera #ops"):
            *_, said = await dispatch([*what.split(), *words.split()], OPERATOR, desk)
            assert ("keep-age" in said) == ("age" in words)
        (user,) = await desk.store.read(accounts.list_users)
        (network,) = await desk.store.read(accounts.list_networks)
        (channel,) = await desk.store.read(accounts.list_channels, network.id)
        for each in (user, network, channel):
            assert (each.keep_age_s, each.keep_bytes) == (age_s, octets)
        lists = ("user list", "network list alice", "channel list alice libera")
        for line in lists:
            (shown,) = await dispatch(line, OPERATOR, desk)
            assert ("days" in shown) == (age_s is not None), shown
            assert ("kept up to" in shown) == (octets is not None), shown
        for what in ("user set alice", "network set alice libera", "channel set alice libera #ops"):
            undo = "--keep-age default --keep-size default"
            await dispatch([*what.split(), *undo.split()], OPERATOR, desk)
        for line in lists:
            assert "kept" not in (await dispatch(line, OPERATOR, desk))[0]


@pytest.mark.parametrize(
    "words", ["--keep-age 90", "--keep-age 0d", "--keep-size 5", "--keep-size x"]
)
async def test_what_is_no_limit_is_refused(words: str, tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await dispatch(ALICE, OPERATOR, desk)
        with pytest.raises(WrongUse, match=r"is no (age|size); write"):
            await dispatch(f"user set alice {words}", OPERATOR, desk)


async def test_nobody_lifts_the_limit_of_their_own_room(tmp_path: Path) -> None:
    mine = Actor(Door.SERVICE, user="alice")
    async with open_desk(tmp_path) as desk:
        await dispatch(f"{ALICE} --keep-size 1G", OPERATOR, desk)
        await dispatch("user set --keep-age 30d", mine, desk)
        with pytest.raises(ControlError, match="--keep-size are for administrators"):
            await dispatch("user set --keep-size 2G", mine, desk)


async def test_limits_act_at_the_next_prune(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        for line in (ALICE, LIBERA, CHANNEL):
            await dispatch(line, OPERATOR, desk)
        (network,) = await desk.store.read(accounts.list_networks)
        now_ms = time.time_ns() // 1_000_000
        for target, days in (("#ops", 1), ("#ops", 40), ("#dev", 40), ("#dev", 100)):
            at = now_ms - days * 86_400_000
            number = desk.store.next_id()
            text = f"said {days} days ago"
            row = Row(number, network.id, target, target, at, "", "PRIVMSG", "b!b@h", "", "", text)
            assert await desk.store.append([row])
        await dispatch("network set alice libera --keep-age 60d", OPERATOR, desk)
        await dispatch("channel set alice libera #ops --keep-age 30d", OPERATOR, desk)
        (said,) = await dispatch("history prune", OPERATOR, desk)
        assert said.startswith("2 messages removed")
        left = await desk.store.read(messages.since, network.id, 0, 10)
        assert [(row.target, row.text[5:7]) for row in left] == [("#ops", "1 "), ("#dev", "40")]
