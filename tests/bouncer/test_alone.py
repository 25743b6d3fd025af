"""One process per data directory, also where its file system takes no locks on directories."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
from pathlib import Path

import pytest

from bouncer.alone import LOCK_FILE, Flock, Occupied, alone, lockless, look
from tests.real.lockless import serving, without_locks

BOUNCER = without_locks("bouncer")


def on_nfs(held: int, how: int) -> None:
    """It takes locks on what is opened to be written, which a directory cannot be."""
    if stat.S_ISDIR(os.fstat(held).st_mode):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    fcntl.flock(held, how)


@pytest.mark.parametrize(("flock", "files"), [(fcntl.flock, []), (on_nfs, [LOCK_FILE])])
def test_a_second_one_is_kept_out(flock: Flock, files: list[str], tmp_path: Path) -> None:
    place = tmp_path / "data"
    for _ in range(2):  # an end gives it back
        with alone(place, flock) as said:
            assert said == ""
            with pytest.raises(Occupied, match=f"{place}: a bouncer, an import") as told:
                alone(place, flock).__enter__()
            assert LOCK_FILE not in str(told.value)
            assert lockless(place, flock) == ""
            with pytest.raises(Occupied, match=f"{place}: a bouncer, an import") as told:
                look(place, flock)
            assert LOCK_FILE not in str(told.value)
        look(place, flock)
    assert lockless(place, flock) == ""
    assert os.listdir(place) == files


def test_where_nobody_can_be_kept_out_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "bouncer.toml").write_text(
        'data_dir = "data"\n[[listen]]\naddress = "unix:irc.sock"\n'
    )
    said = f"{tmp_path}/data cannot be locked (No locks available), so nothing keeps a second"

    def told(*words: str) -> str:
        done = subprocess.run([*BOUNCER, *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stderr

    assert said not in told("check")
    assert not (tmp_path / "data").exists(), "who only looks makes nothing"
    with serving([*BOUNCER, "run"], tmp_path) as begun:
        assert said in begun
    assert f"bouncer: warning: data_dir: {said}" in told("check")
    assert f"bouncer: warning: {said}" in told("history", "rekey")
