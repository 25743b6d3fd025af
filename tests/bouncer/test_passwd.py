"""`user passwd`: nobody has a new password by mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bouncer.control.actors import OPERATOR, Actor, Door
from bouncer.control.grammar import ControlError
from bouncer.control.registry import dispatch
from storage import accounts
from tests.bouncer.control.cases import ALICE
from tests.bouncer.desks import open_desk
from tests.bouncer.test_outside import at_a_terminal

BOUNCER = str(Path(sys.executable).with_name("bouncer"))


@pytest.mark.parametrize("line", ["user passwd", "user passwd --generate --password x"])
async def test_without_a_word_of_it_nothing_is_changed(line: str, tmp_path: Path) -> None:
    alice = Actor(Door.SERVICE, user="alice")
    async with open_desk(tmp_path) as desk:
        await dispatch(ALICE, OPERATOR, desk)
        before = await desk.store.read(accounts.get_user, "alice")
        with pytest.raises(ControlError, match="nothing was changed; give the new password"):
            await dispatch(line, alice, desk)
        assert await desk.store.read(accounts.get_user, "alice") == before
        (said,) = await dispatch("user passwd --generate", alice, desk)
        assert said.startswith("password of alice changed; it is, shown only now: ")
        assert await desk.store.read(accounts.get_user, "alice") != before


@pytest.mark.parametrize(
    ("typed", "told", "code"),
    [
        (["a new one", "a new one"], "password of alice changed", 0),
        (["a new one", "another"], "nothing was changed; the two are not the same", 1),
        ([""], "password of alice changed; it is, shown only now: ", 0),
        ([], "", 130),
    ],
)
def test_a_password_is_asked_for_at_a_terminal(
    typed: list[str], told: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who types `passwd` expects to be asked, and not that the old one is gone already."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bouncer.toml").write_text('data_dir = "data"')
    subprocess.run([BOUNCER, "user", "add", "alice"], check=True, stdout=subprocess.DEVNULL)
    prompts = ("is made and shown): ", "the same again: ")
    lines = [f"{line}\n" for line in typed] or ["\x03"]
    ended, said = at_a_terminal(["user", "passwd", "alice"], [*zip(prompts, lines, strict=False)])
    assert ended == code
    assert told in said
    assert "a new one" not in said


def test_a_script_is_given_one_as_by_user_add(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bouncer.toml").write_text('data_dir = "data"')
    subprocess.run([BOUNCER, "user", "add", "alice"], check=True, stdout=subprocess.DEVNULL)
    words = [BOUNCER, "user", "passwd", "alice"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith("password of alice changed; it is, shown only now: ")
