"""What people read when they got it wrong, or when there was nothing to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from bouncer.control.actors import OPERATOR
from bouncer.control.grammar import ControlError, WrongUse
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
